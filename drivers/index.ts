// The table from driver name to driver, and what the agent takes beside it.

import type { Driver } from "#hal/device.ts";
import { eos } from "./eos/eos.ts";
import { iosxe } from "./iosxe/iosxe.ts";
import { iosxr } from "./iosxr/iosxr.ts";
import { junos } from "./junos/junos.ts";
import { linux } from "./linux/driver/linux.ts";
import { withSecondOpinion } from "./platform/second-opinion.ts";
import { sim } from "./sim/sim.ts";

export { ExpressRoute } from "./azure/expressroute.ts";
export { simPeer, simVault } from "./sim/sim-azure.ts";
export { simKeyStore } from "./sim/sim-keys.ts";
export { fillCommand } from "./transport/fill.ts";

export const drivers: Readonly<Record<string, Driver>> = {
  eos: withSecondOpinion(eos),
  iosxe: withSecondOpinion(iosxe),
  iosxr: withSecondOpinion(iosxr),
  junos: withSecondOpinion(junos),
  linux,
  sim,
};
