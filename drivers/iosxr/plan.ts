// Applies the operations of a change to a port's plan, and refuses those that must not be sent.

import type { DrainMeans, PortName } from "#hal/model.ts";
import { type AttachedPlan, attachedPlanning } from "../platform/cisco-attachment.ts";
import type { CiscoSurroundings } from "../platform/cisco-plan.ts";
import { rejected } from "../platform/port-change.ts";
import { drainsBy } from "../platform/router-observation.ts";
import { type Maintenance, neighboursOn, type XrConfig } from "./config.ts";
import { ownName } from "./names.ts";

/** A port as it is configured, or as it is to be. */
export type PortPlan = AttachedPlan;

export type Surroundings = CiscoSurroundings<XrConfig>;

export function drainsOf(config: XrConfig, port: PortName): readonly DrainMeans[] {
  return drainsBy(neighboursOn(config, port), {
    prepend: ({ maintenance }) => maintenance?.isActive === true,
    peeringShutdown: ({ isShut }) => isShut,
  });
}

/**
 * The values that our drain gives a neighbour. A local preference is not among them: it is sent to
 * neighbours of the own AS only, and the far end has another.
 */
export const maintenanceLines = ["as-prepends 6", "activate"] as const;

/** Lines of our drains; version 0.2.0 set the last one, and a drain that it began must end. */
const ownLines: readonly string[] = [...maintenanceLines, "local-preference 50"];

const isOurs = ({ lines }: Maintenance): boolean => lines.every((one) => ownLines.includes(one));

export const { planOf, isUnread, protect, planChange } = attachedPlanning<XrConfig, Surroundings>({
  ...{ ownName, neighboursOn, drainsOf },
  limits: { replayWindowMax: 1_024, sakRekeySeconds: { min: 60, max: 2_592_000 } },
  refuseDrain({ port }, around) {
    const neighbours = neighboursOn(around.config, port);
    if (!neighbours.some(({ maintenance }) => maintenance && !isOurs(maintenance))) return;
    const text = "a neighbour has a graceful-maintenance of the operator's, which stays";
    throw rejected(around, port, text);
  },
  isOff: () => false,
});
