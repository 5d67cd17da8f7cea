// Applies the operations of a change to a port's plan, and refuses those that must not be sent.

import type { DeviceChange } from "#hal/device.ts";
import type { DrainMeans, PortName } from "#hal/model.ts";
import {
  type AttachedPlan,
  attachedPlan,
  attachedSteps,
  isAttachmentUnread,
} from "../platform/cisco-attachment.ts";
import { isDrainMap, type RouteMaps, whyNotRepeated } from "../platform/cisco-drain.ts";
import { type CiscoSurroundings, planChains } from "../platform/cisco-plan.ts";
import {
  type Changed,
  type OperationOf,
  rejected,
  type SettingsLimits,
} from "../platform/port-change.ts";
import { drainsBy } from "../platform/router-observation.ts";
import { type NxConfig, neighboursOn } from "./config.ts";
import { ownName } from "./names.ts";

/** A port as it is configured, or as it is to be. */
export type PortPlan = AttachedPlan;

export const { protect } = attachedSteps;

export interface Surroundings extends CiscoSurroundings<NxConfig> {
  /** The operator's route maps that a drain replaces, by their names. */
  readonly routeMaps: RouteMaps;
}

const limits: SettingsLimits = {
  replayWindowMax: 596_000_000,
  sakRekeySeconds: { min: 60, max: 2_592_000 },
  why: ({ keyServerPriority }) =>
    keyServerPriority > 255 ? "a key server's priority is at most 255" : undefined,
};

export const planOf = (config: NxConfig, port: PortName): PortPlan =>
  attachedPlan(config, port, drainsOf(config, port));

/** While MACsec is shut for the whole switch, no port has what is configured there. */
export const isUnread = (config: NxConfig, port: PortName): boolean =>
  isAttachmentUnread(config, port) ||
  (config.isMacsecShut && config.interfaces.get(port)?.macsec !== undefined);

export function drainsOf(config: NxConfig, port: PortName): readonly DrainMeans[] {
  return drainsBy(neighboursOn(config, port), {
    prepend: ({ maps }) => isDrainMap(maps.out) || isDrainMap(maps.in),
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

function refuseDrain(
  operation: OperationOf<"port.drain" | "port.restore">,
  around: Surroundings,
): void {
  if (operation.kind !== "port.drain" || operation.means !== "prepend") return;
  const { port } = operation;
  for (const neighbour of neighboursOn(around.config, port)) {
    const why = neighbour.inherits
      ? "takes its policy from a template"
      : whyNotRepeated(neighbour, around.routeMaps);
    if (why !== undefined) {
      throw rejected(around, port, `the neighbour ${neighbour.address} ${why}`);
    }
  }
}
