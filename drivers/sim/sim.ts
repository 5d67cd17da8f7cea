// A device of the simulated site, over the site's socket: the driver that needs no dialect.

import { type Driver, rekeyWhats } from "#hal/device.ts";
import { openLocal } from "../local/device.ts";

/** The driver of a simulated device. */
export const sim: Driver = {
  name: "sim",
  offers: {
    commit: { kind: "confirmed", confirmedBy: "anySession", stepMs: 1, maxMs: 86_400_000 },
    macsec: {
      suites: ["gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"],
      overlap: "keychain",
      counters: "perSa",
      hitless: ["keyServerPriority", "replayWindow", "sakRekeyMs"],
      freshSak: true,
    },
    ipsec: {
      keying: ["ike"],
      authentication: ["psk", "certificate"],
      atomicReplace: true,
      rekeys: rekeyWhats,
    },
    drain: { means: ["prepend", "gracefulShutdown", "peeringShutdown"], settleMs: 0 },
    probe: true,
  },
  open: (target, world, _hint, signal) => openLocal(target, world, signal),
};
