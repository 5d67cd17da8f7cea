// The schema of the settings for a device's SNMP agent.

import * as z from "zod";
import { snmpAuths, snmpPrivacies } from "#hal/target.ts";
import { whole, word } from "./schema-words.ts";

const reference = (example: string) =>
  word(
    "`credential:NAME` of the unit, or `file:` and an absolute path",
    /^(credential:[a-z0-9][a-z0-9-]{0,62}|file:\/[\w./@%+,:=~-]{1,200})$/,
    example,
  );

export const snmp = z
  .strictObject({
    access: z.enum(["v3", "v2c-readonly"]).default("v3").meta({
      description: "SNMPv3, authenticated and encrypted, or SNMPv2c, whose readings are weak.",
    }),
    port: whole(1, 65_535, 161).default(161).meta({ description: "Where the agent answers." }),
    user: word(
      "a user name of at most 32 letters, digits and . _ -",
      /^[A-Za-z_][A-Za-z0-9._-]{0,31}$/,
      "linkseal",
    )
      .optional()
      .describe("The user of SNMPv3."),
    auth: z
      .enum(snmpAuths)
      .default("sha256")
      .meta({ description: "What signs each message; MD5 and SHA-1 are not offered." }),
    authPassphrase: reference("credential:edge-a-snmp-auth")
      .optional()
      .describe("Where its passphrase is, of eight characters at least."),
    privacy: z.enum(snmpPrivacies).default("aes128").meta({
      description: "What encrypts it; for 256 bits the key is extended as Blumenthal or Reeder do.",
    }),
    privacyPassphrase: reference("credential:edge-a-snmp-privacy")
      .optional()
      .describe("Where its passphrase is."),
    community: reference("credential:edge-a-community")
      .optional()
      .describe("Where the community of SNMPv2c is."),
  })
  .meta({
    description: "A cross-check of ports by SNMP; absent: there is none.",
    examples: [
      "{ user: linkseal, authPassphrase: credential:snmp-a, privacyPassphrase: credential:snmp-p }",
    ],
  });
