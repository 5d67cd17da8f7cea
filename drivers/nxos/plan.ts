// Applies the operations of a change to a port's plan, and refuses those that must not be sent.

import type { DrainMeans, PortName } from "#hal/model.ts";
import { type AttachedPlan, attachedPlanning } from "../platform/cisco-attachment.ts";
import { mapDrains, type RouteMaps, refuseMaps } from "../platform/cisco-drain.ts";
import { type CiscoSurroundings, octetPriority } from "../platform/cisco-plan.ts";
import { type NxConfig, neighboursOn } from "./config.ts";
import { ownName } from "./names.ts";

/** A port as it is configured, or as it is to be. */
export type PortPlan = AttachedPlan;

interface Surroundings extends CiscoSurroundings<NxConfig> {
  readonly routeMaps: RouteMaps;
}

export const drainsOf = (config: NxConfig, port: PortName): readonly DrainMeans[] =>
  mapDrains(neighboursOn(config, port));

export const { planOf, isUnread, protect, planChange } = attachedPlanning<NxConfig, Surroundings>({
  ...{ ownName, neighboursOn, drainsOf },
  limits: {
    replayWindowMax: 596_000_000,
    sakRekeySeconds: { min: 60, max: 2_592_000 },
    why: octetPriority,
  },
  refuseDrain: (operation, around) =>
    refuseMaps(operation, neighboursOn(around.config, operation.port), around, ({ inherits }) =>
      inherits ? "takes its policy from a template" : undefined,
    ),
  // While MACsec is shut for the whole switch, no port has what is configured there.
  isOff: ({ isMacsecShut }) => isMacsecShut,
});
