// What operators, the config and `init` have to know of EOS.

import type { PlatformFacts } from "#hal/platform-facts.ts";

/** The facts about EOS. */
export const eosFacts: PlatformFacts = {
  meant: /^(?:arista|eos|dcs|[cv]eos)/,
  vrfLengthMax: 100,
  aggregates: { pattern: /^Port-Channel\d{1,4}$/, example: "Port-Channel1" },
  login: {
    keyType: "ed25519",
    userLines: (user) => [
      `username ${user} privilege 15 role network-admin nopassword`,
      `username ${user} ssh-key KEY`,
    ],
  },
  bfdLines: ({ peer, vrf }) => [
    "router bgp AS",
    ...(vrf === undefined ? [] : [`vrf ${vrf}`]),
    `neighbor ${peer} bfd`,
  ],
};
