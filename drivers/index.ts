// The parts of the drivers that the agent imports.

export { ExpressRoute } from "./azure/expressroute.ts";
export {
  accessOf,
  drivers,
  type PlatformName,
  platformNames,
  platforms,
  routerNames,
  sshPortOf,
} from "./registry.ts";
export { simPeer, simVault } from "./sim/sim-azure.ts";
export { simKeyStore } from "./sim/sim-keys.ts";
export { fillCommand } from "./transport/fill.ts";
