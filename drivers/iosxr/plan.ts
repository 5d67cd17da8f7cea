// Applies the operations of a change to a port's plan, and refuses those that must not be sent.

import type { DeviceChange } from "#hal/device.ts";
import type { DrainMeans, PortName } from "#hal/model.ts";
import {
  type AttachedPlan,
  attachedPlan,
  attachedSteps,
  isAttachmentUnread,
} from "../platform/cisco-attachment.ts";
import { type CiscoSurroundings, planChains } from "../platform/cisco-plan.ts";
import { type Changed, type OperationOf, rejected } from "../platform/port-change.ts";
import { drainsBy } from "../platform/router-observation.ts";
import { type Maintenance, neighboursOn, type XrConfig } from "./config.ts";
import { ownName } from "./names.ts";

/** A port as it is configured, or as it is to be. */
export type PortPlan = AttachedPlan;

export const { protect } = attachedSteps;

export type Surroundings = CiscoSurroundings<XrConfig>;

const limits = { replayWindowMax: 1_024, sakRekeySeconds: { min: 60, max: 2_592_000 } };

export const planOf = (config: XrConfig, port: PortName): PortPlan =>
  attachedPlan(config, port, drainsOf(config, port));

export const isUnread: (config: XrConfig, port: PortName) => boolean = isAttachmentUnread;

export function drainsOf(config: XrConfig, port: PortName): readonly DrainMeans[] {
  return drainsBy(neighboursOn(config, port), {
    prepend: ({ maintenance }) => maintenance?.isActive === true,
    peeringShutdown: ({ isShut }) => isShut,
  });
}

/**
 * Returns each port of the change as it is and as it is to be.
 * @throws LinksealError `device.*`, with effect "none".
 */
export function planChange(
  change: DeviceChange,
  around: Surroundings,
): readonly Changed<PortPlan>[] {
  return planChains(change, around, {
    ...{ planOf, isUnread, limits, ownName, neighboursOn },
    ...attachedSteps,
    refuseDrain: (operation) => refuseDrain(operation, around),
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

function refuseDrain(
  operation: OperationOf<"port.drain" | "port.restore">,
  around: Surroundings,
): void {
  const neighbours = neighboursOn(around.config, operation.port);
  if (neighbours.some(({ maintenance }) => maintenance !== undefined && !isOurs(maintenance))) {
    const text = "a neighbour has a graceful-maintenance of the operator's, which stays";
    throw rejected(around, operation.port, text);
  }
}
