// The parts of the drivers that the agent imports.

export { ExpressRoute, type LastOperations } from "./azure/expressroute.ts";
export type { Exchange, QueryReader } from "./platform/define-reader.ts";
export { Disguise, isWordClass, restored, type WordClass } from "./platform/disguise.ts";
export {
  nothing,
  type QueryRow,
  type Standing,
  type Understanding,
} from "./platform/query-table.ts";
export {
  accessOf,
  byHandOf,
  drivers,
  factsOf,
  type PlatformName,
  platformNames,
  platforms,
  platformsMeant,
  readers,
  routerNames,
  sshPortOf,
} from "./registry.ts";
export { simPeer, simVault } from "./sim/sim-azure.ts";
export { simKeyStore, simMarker } from "./sim/sim-keys.ts";
export { fillCommand } from "./transport/fill.ts";
