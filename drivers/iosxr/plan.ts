// Applies the operations of a change to a port's plan, and refuses those that must not be sent.

import type { DeviceChange } from "#hal/device.ts";
import type { DrainMeans, MacsecSettings, PortName } from "#hal/model.ts";
import { chainOf, freeChain } from "../platform/cisco-chains.ts";
import { type CiscoPlan, type CiscoSurroundings, planChains } from "../platform/cisco-plan.ts";
import { type Changed, type OperationOf, rejected } from "../platform/port-change.ts";
import { drainsBy } from "../platform/router-observation.ts";
import { type Maintenance, neighboursOn, type XrConfig } from "./config.ts";
import { ownName } from "./names.ts";

/** A port as it is configured, or as it is to be. */
export interface PortPlan extends CiscoPlan {
  readonly settings: MacsecSettings | undefined;
}

export type Surroundings = CiscoSurroundings<XrConfig>;

const limits = { replayWindowMax: 1_024, sakRekeySeconds: { min: 60, max: 2_592_000 } };

function attachmentOn(config: XrConfig, port: PortName) {
  const macsec = config.interfaces.get(port)?.macsec;
  return macsec === "unread" ? undefined : macsec;
}

export function planOf(config: XrConfig, port: PortName): PortPlan {
  const own = config.interfaces.get(port);
  const macsec = attachmentOn(config, port);
  return {
    port,
    admin: own?.isShut === true ? "down" : "up",
    policy: macsec?.policy,
    settings: macsec && config.policies.get(macsec.policy),
    primary: chainOf(config, macsec?.chain),
    fallback: chainOf(config, macsec?.fallback),
    drains: drainsOf(config, port),
  };
}

/** Returns true if something is attached to the port that is not understood. */
export function isUnread(config: XrConfig, port: PortName): boolean {
  const macsec = config.interfaces.get(port)?.macsec;
  if (macsec === undefined) return false;
  if (macsec === "unread" || config.policies.get(macsec.policy) === undefined) return true;
  const chains = [macsec.chain, ...(macsec.fallback === undefined ? [] : [macsec.fallback])];
  return chains.some((name) => config.chains.get(name) === undefined);
}

export function drainsOf(config: XrConfig, port: PortName): readonly DrainMeans[] {
  return drainsBy(neighboursOn(config, port), {
    prepend: ({ maintenance }) => maintenance?.isActive === true,
    peeringShutdown: ({ isShut }) => isShut,
  });
}

/** Provides the policy of a port; `own` returns the name of our objects for it. */
export function protect(plan: PortPlan, _settings: unknown, own: () => string): PortPlan {
  return {
    ...plan,
    policy: plan.policy ?? own(),
    // A policy reaches a port only together with a key chain, which may still be empty.
    primary: plan.primary ?? { name: freeChain(plan, own()), keys: [] },
  };
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
    ...{ planOf, isUnread, limits, ownName, neighboursOn, protect },
    namesOn(config, port) {
      const attached = attachmentOn(config, port);
      return [attached?.policy, attached?.chain, attached?.fallback];
    },
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
