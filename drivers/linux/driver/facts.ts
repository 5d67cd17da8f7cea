// What operators, the config and `init` have to know of a Linux router.

import type { PlatformFacts } from "#hal/platform-facts.ts";

/** The facts about Linux. */
export const linuxFacts: PlatformFacts = {
  meant: /^(?:linux|frr|debian|ubuntu|rhel|redhat|thishost|localhost|host$|local$)/,
  // IFNAMSIZ of if.h, less the octet that ends the name.
  vrfLengthMax: 15,
  aggregates: "none",
  hostKeyLine: "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
  bfdLines: ({ peer, vrf }) => [
    ...["bfdd=yes in /etc/frr/daemons", "systemctl restart frr with the link drained"],
    `vtysh: router bgp AS${vrf === undefined ? "" : ` vrf ${vrf}`}`,
    `neighbor ${peer} bfd`,
  ],
};
