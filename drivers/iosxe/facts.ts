// What operators, the config and `init` have to know of IOS XE.

import type { PlatformFacts } from "#hal/platform-facts.ts";

/** The facts about IOS XE. */
export const iosxeFacts: PlatformFacts = {
  meant: /^(?:(?:cisco)?(?:ios)?xe|cisco$|(?:cisco)?ios$|cat|isr|csr|asr1|c8\d|c9\d)/,
  vrfLengthMax: 32,
  aggregates: { pattern: /^Port-channel\d{1,4}$/, example: "Port-channel1" },
  login: {
    // It knows RSA keys of users in every release, and others in few.
    keyType: "rsa -b 4096",
    userLines: (user) => [
      ...[`username ${user} privilege 15`, "ip ssh pubkey-chain", ` username ${user}`],
      ...["  key-string", "   KEY", "   exit"],
    ],
    note: (file) => `the text of ${file}, in lines of 200 characters (fold -w 200)`,
  },
  bfdLines: ({ peer, vrf, intervalMs, multiplier }) => [
    "interface INTERFACE-OF-THE-PEERING",
    `bfd interval ${intervalMs} min_rx ${intervalMs} multiplier ${multiplier}`,
    "router bgp AS",
    ...(vrf === undefined ? [] : [`address-family ipv4 vrf ${vrf}`]),
    `neighbor ${peer} fall-over bfd`,
  ],
};
