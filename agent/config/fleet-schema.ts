// The schema of `fleet`: the engine that sites and hubs share.

import * as z from "zod";
import { durationOr, listOf, name, word } from "./schema-words.ts";

const host = "[a-z0-9][a-z0-9.-]{0,252}";
const address = "\\[[0-9a-f:.]{2,45}\\]";

export const fleet = z
  .strictObject({
    servers: z
      .array(
        word(
          "`tls://HOST:PORT`, or `nats://127.0.0.1:PORT` of this host",
          new RegExp(`^(tls://(${host}|${address})|nats://127\\.0\\.0\\.1):[1-9]\\d{0,4}$`),
          "tls://hub-1.example.net:4222",
        ),
      )
      .min(1)
      .max(5)
      .meta({
        title: "a list of 1 to 5 servers",
        description: "The servers of the engine; the next one is tried if one does not answer.",
        examples: [["tls://hub-1.example.net:4222"]],
      }),
    ca: word("an absolute path", /^\/[\w./@%+,:=~-]{1,200}$/, "/etc/linkseal/hub-ca.pem")
      .optional()
      .describe(
        "The certificates, in PEM, that alone may certify a server; absent: those of this host.",
      ),
    key: word(
      "`credential:NAME` of the unit, or `file:` and an absolute path",
      /^(credential:[a-z0-9][a-z0-9-]{0,62}|file:\/[\w./@%+,:=~-]{1,200})$/,
      "credential:fleet-key",
    ).describe(
      "Where the seed of the site's user is, as `linkseal hub key` writes it; read anew each time.",
    ),
    signers: listOf(
      z.strictObject({
        name: name("anna").describe("Whose key it is, for records."),
        key: word(
          "type and base64 of an OpenSSH public key: ssh-ed25519, ecdsa-sha2-nistp256, ssh-rsa, " +
            "or the first two on a security key (sk-)",
          /^[a-z0-9-]{7,40}(@openssh\.com)? [A-Za-z0-9+/]{60,1900}={0,2}$/,
          "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGNyhzOE9k5GYDmbkm3aS2tXcXcwn2C7kJjTQ7rVYlCb",
        ).describe("The public key, as its `.pub` file has it, without the comment."),
      }),
      16,
      "signers",
      "Whose signature makes a proposal of a config that a hub brings; none: nothing is read.",
    ),
    apply: z
      .enum(["propose", "auto"])
      .default("propose")
      .meta({
        description:
          "What is done with a proposal: `propose` waits for `linkseal proposal apply`; `auto` " +
          "applies it, unless it changes what only a person may change.",
      }),
    heads: durationOr(
      "1m",
      "1d",
      "10m",
      "How often the head of the audit log is published, if there is a new record.",
    ),
    permits: z
      .enum(["required"])
      .optional()
      .meta({
        description:
          "`required`: a campaign takes no link before a hub has permitted it; absent: the site " +
          "only publishes.",
      }),
  })
  .meta({
    description:
      "The engine of many sites, which gets status, audit records, heads and finished reports; " +
      "absent: no connection is made and nothing of it is loaded.",
    examples: ["{ servers: [tls://hub-1.example.net:4222], key: credential:fleet-key }"],
  });
