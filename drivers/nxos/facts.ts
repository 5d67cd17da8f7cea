// What operators, the config and `init` have to know of NX-OS.

import type { PlatformFacts } from "#hal/platform-facts.ts";

/** The facts about NX-OS. */
export const nxosFacts: PlatformFacts = {
  meant: /^(?:(?:cisco)?nxos|(?:cisco)?nexus|cisco$|n[39]k|n9[23]\d)/,
  vrfLengthMax: 32,
  aggregates: { pattern: /^port-channel\d{1,4}$/, example: "port-channel1" },
  login: {
    keyType: "rsa -b 4096",
    userLines: (user) => [`username ${user} role network-admin`, `username ${user} sshkey KEY`],
  },
  bfdLines: ({ peer, vrf, intervalMs, multiplier }) => [
    ...["feature bfd", "interface INTERFACE-OF-THE-PEERING", "no ip redirects"],
    `bfd interval ${intervalMs} min_rx ${intervalMs} multiplier ${multiplier}`,
    "router bgp AS",
    ...(vrf === undefined ? [] : [`vrf ${vrf}`]),
    ...[`neighbor ${peer}`, "bfd"],
  ],
};
