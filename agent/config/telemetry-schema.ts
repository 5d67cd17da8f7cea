// The schema of what the agent sends to other services: a webhook and an OTLP receiver.

import * as z from "zod";
import { durationOr, word } from "./schema-words.ts";

const hosts = "[a-z0-9][a-z0-9.-]{0,252}";
const rest = "(:[1-9]\\d{0,4})?(/[\\w./%+,:=~-]{0,400})?";

/**
 * A URL has no user name and no query: a secret belongs into a header, and never into this file.
 */
const httpsUrl = (example: string) =>
  word(
    "`https://HOST/PATH` without user and query",
    new RegExp(`^https://${hosts}${rest}$`),
    example,
  );

const receiverUrl = (example: string) =>
  word(
    "`http://127.0.0.1:PORT/PATH` of this host, or `https://HOST/PATH` without user and query",
    new RegExp(`^(http://127\\.0\\.0\\.1|https://${hosts})${rest}$`),
    example,
  );

const header = z
  .strictObject({
    name: word("a header's name in lower case", /^[a-z][a-z0-9-]{0,62}$/, "authorization").describe(
      "Name of the header.",
    ),
    value: word(
      "`credential:NAME` of the unit, or `file:` and an absolute path",
      /^(credential:[a-z0-9][a-z0-9-]{0,62}|file:\/[\w./@%+,:=~-]{1,200})$/,
      "credential:webhook",
    ).describe("Where its whole value is kept, readable by its owner only; read anew each time."),
  })
  .optional()
  .meta({
    description: "The header that authenticates linkseal to the receiver.",
    examples: ["{ name: authorization, value: credential:webhook }"],
  });

const privateEndpoints = z
  .array(
    z
      .union([z.cidrv4(), z.cidrv6()])
      .meta({ title: "a prefix in CIDR form", examples: ["10.20.0.0/24"] }),
  )
  .max(64)
  .default([])
  .meta({
    title: "a list of at most 64 prefixes",
    description: "Private addresses that the receiver's name may resolve to.",
    examples: [["10.20.0.0/24"]],
  });

const webhook = z.strictObject({
  url: httpsUrl("https://hooks.example.net/linkseal").describe("Where events are sent by POST."),
  header,
  least: z
    .enum(["info", "warning", "error"])
    .default("warning")
    .meta({ description: "The least severity of an event that is sent." }),
  privateEndpoints,
});

const otlp = z.strictObject({
  url: receiverUrl("http://127.0.0.1:4318/v1/metrics").describe(
    "Where metrics are sent, as OTLP over HTTP in JSON.",
  ),
  every: durationOr("5s", "1h", "60s", "How often they are sent."),
  header,
  privateEndpoints,
});

const heads = z.strictObject({
  to: z
    .enum(["journald", "syslog"])
    .meta({ description: "The log of this host: journald's own socket, or `/dev/log`." }),
  every: durationOr("1m", "1d", "10m", "How often one is sent, if there is a new record."),
});

export const telemetry = z
  .strictObject({
    webhook: webhook.optional().meta({
      description: "Events to a service of yours; absent: none are sent.",
      examples: ["{ url: https://hooks.example.net/linkseal }"],
    }),
    otlp: otlp.optional().meta({
      description: "Metrics to an OpenTelemetry collector; absent: none are sent.",
      examples: ["{ url: http://127.0.0.1:4318/v1/metrics }"],
    }),
    heads: heads.optional().meta({
      description:
        "Number and MAC of the newest audit record to the log of this host, which can be held " +
        "against a report; absent: none are sent.",
      examples: ["{ to: journald }"],
    }),
  })
  .meta({
    description: "What is sent to other services; for scrapes see `serve.metrics`.",
    examples: ["{ webhook: ... }"],
  });
