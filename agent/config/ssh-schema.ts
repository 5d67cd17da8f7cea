// The schema of the settings for logging in to a device.

import * as z from "zod";
import { whole, word } from "./schema-words.ts";

export const ssh = z
  .strictObject({
    user: word(
      "a user name of at most 32 letters, digits and . _ -",
      /^[A-Za-z_][A-Za-z0-9._-]{0,31}$/,
      "linkseal",
    ).describe("Who logs in."),
    port: whole(1, 65_535, 830)
      .optional()
      .meta({ description: "Where SSH answers; absent: 830 for NETCONF, 22 for a command line." }),
    key: word(
      "`credential:NAME` of the unit, `file:` and an absolute path, or `agent`",
      /^(agent|credential:[a-z0-9][a-z0-9-]{0,62}|file:\/[\w./@%+,:=~-]{1,200})$/,
      "credential:edge-a",
    ).describe("The private key, readable by its owner only, or the keys of an ssh-agent."),
    hostKey: word(
      "`SHA256:` and the digest that ssh-keygen -lf prints, or `file:` and known hosts",
      /^(SHA256:[A-Za-z0-9+/]{43}=?|file:\/[\w./@%+,:=~-]{1,200})$/,
      "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
    ).describe("The device's host key; nothing is sent to a device with another one."),
  })
  .meta({
    description: "How to log in to the device.",
    examples: [
      "{ user: linkseal, key: credential:edge-a, hostKey: file:/etc/ssh/ssh_known_hosts }",
    ],
  });
