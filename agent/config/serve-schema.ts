// The schema of what the agent serves on this host in addition to its two sockets.

import * as z from "zod";
import { word } from "./schema-words.ts";

// Names of links, devices and sites should not be readable from the network: a collector on this
// host passes metrics on, under its own protection. A Unix socket's path has room for 107 octets.
const listen = () =>
  word(
    "`127.0.0.1:PORT` or `[::1]:PORT` of this host, or `unix:` and an absolute path",
    /^((127\.0\.0\.1|\[::1\]):[1-9]\d{0,4}|unix:\/[\w./@%+,:=~-]{1,106})$/,
    "127.0.0.1:9464",
  );

// An operator on another host may read the page at an address beyond loopback, under TLS alone (a
// rule checks that).
const pageListen = () =>
  word(
    "an IPv4 address or an IPv6 one in brackets, and a port",
    /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:.]{2,45}\]):[1-9]\d{0,4}$/,
    "127.0.0.1:9443",
  );

const material = (example: string) =>
  word(
    "`credential:NAME` of the unit, or `file:` and an absolute path",
    /^(credential:[a-z0-9][a-z0-9-]{0,62}|file:\/[\w./@%+,:=~-]{1,200})$/,
    example,
  );

const tls = z.strictObject({
  certificate: material("credential:page-certificate").describe(
    "Its certificate and those up to its authority, as PEM. It contains the names by " +
      "which browsers open the page.",
  ),
  key: material("credential:page-key").describe("The private key to it, as PEM."),
});

export const serve = z
  .strictObject({
    metrics: z
      .strictObject({ listen: listen().describe("Where `/metrics` answers a scrape.") })
      .optional()
      .meta({
        description: "Metrics for Prometheus; absent: none are served.",
        examples: ["{ listen: 127.0.0.1:9464 }"],
      }),
    page: z
      .strictObject({
        listen: pageListen().describe("Where a browser finds the page."),
        tls: tls.optional().meta({
          description: "How it is served under TLS; needed where `listen` is beyond loopback.",
          examples: ["{ certificate: credential:page-certificate, key: credential:page-key }"],
        }),
      })
      .optional()
      .meta({
        description: "The status page, which only shows; absent: there is none.",
        examples: ["{ listen: 127.0.0.1:9443 }"],
      }),
  })
  .meta({ description: "What is served on this host.", examples: ["{ metrics: ... }"] });
