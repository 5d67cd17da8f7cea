// What operators, the config and `init` have to know of Junos.

import type { PlatformFacts } from "#hal/platform-facts.ts";

/** The facts about Junos. */
export const junosFacts: PlatformFacts = {
  meant: /^(?:juniper|junos|v?mx\d*$|mx\d|ptx|acx|qfx|ex\d|v?srx|vjunos)/,
  vrfLengthMax: 128,
  aggregates: { pattern: /^ae\d{1,4}$/, example: "ae0" },
  login: {
    keyType: "ed25519",
    userLines: (user) => [
      "set system services netconf ssh",
      `set system login user ${user} class super-user authentication ssh-ed25519 "KEY"`,
    ],
  },
  bfdLines: ({ peer, vrf, intervalMs, multiplier }) => {
    const instance = vrf === undefined ? "" : `routing-instances ${vrf} `;
    return [
      `set ${instance}protocols bgp group GROUP neighbor ${peer} bfd-liveness-detection ` +
        `minimum-interval ${intervalMs} multiplier ${multiplier}`,
    ];
  },
};
