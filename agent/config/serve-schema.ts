// What the agent serves to others on this host beside its two sockets.

import { z } from "zod";
import { word } from "./schema-words.ts";

// Names of links, devices and sites are nobody's business on a network: a collector on this host
// carries them further, under its own protection. A Unix socket's path has room for 107 octets.
const listen = () =>
  word(
    "`127.0.0.1:PORT` or `[::1]:PORT` of this host, or `unix:` and an absolute path",
    /^((127\.0\.0\.1|\[::1\]):[1-9]\d{0,4}|unix:\/[\w./@%+,:=~-]{1,106})$/,
    "127.0.0.1:9464",
  );

export const serve = z
  .strictObject({
    metrics: z
      .strictObject({ listen: listen().describe("Where `/metrics` answers a scrape.") })
      .optional()
      .meta({
        description: "Metrics for Prometheus; absent: none are served.",
        examples: ["{ listen: 127.0.0.1:9464 }"],
      }),
  })
  .meta({ description: "What is served on this host.", examples: ["{ metrics: ... }"] });
