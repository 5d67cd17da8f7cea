// What a wanted change makes of a port, part by part, and why it is refused.

import type { DeviceChange } from "#hal/device.ts";
import type { DrainMeans, MacsecSettings, PortName } from "#hal/model.ts";
import { freeChain, type PlannedChain } from "../platform/cisco-chains.ts";
import { type CiscoPlan, type CiscoSurroundings, planChains } from "../platform/cisco-plan.ts";
import { type Changed, type PartOf, refuseSettings, rejected } from "../platform/port-change.ts";
import { type Maintenance, neighboursOn, type XrConfig } from "./config.ts";
import { ownName } from "./names.ts";

/** A port as it is configured, or as it is to be. */
export interface PortPlan extends CiscoPlan {
  readonly settings: MacsecSettings | undefined;
}

export interface Surroundings extends CiscoSurroundings {
  readonly config: XrConfig;
}

const limits = { replayWindowMax: 1_024, sakRekeySeconds: { min: 60, max: 2_592_000 } };

export function planOf(config: XrConfig, port: PortName): PortPlan {
  const own = config.interfaces.get(port);
  const macsec = own?.macsec === "unread" ? undefined : own?.macsec;
  const chainOf = (name: string | undefined): PlannedChain | undefined =>
    name === undefined ? undefined : { name, keys: config.chains.get(name) ?? [] };
  return {
    port,
    admin: own?.isShut === true ? "down" : "up",
    policy: macsec?.policy,
    settings: macsec && config.policies.get(macsec.policy),
    primary: chainOf(macsec?.chain),
    fallback: chainOf(macsec?.fallback),
    drains: drainsOf(config, port),
  };
}

/** Something is attached there that is not understood. */
export function isUnread(config: XrConfig, port: PortName): boolean {
  const macsec = config.interfaces.get(port)?.macsec;
  if (macsec === undefined) return false;
  if (macsec === "unread" || config.policies.get(macsec.policy) === undefined) return true;
  const chains = [macsec.chain, ...(macsec.fallback === undefined ? [] : [macsec.fallback])];
  return chains.some((name) => config.chains.get(name) === undefined);
}

export function drainsOf(config: XrConfig, port: PortName): readonly DrainMeans[] {
  const means: DrainMeans[] = [];
  const neighbours = neighboursOn(config, port);
  if (neighbours.some(({ maintenance }) => maintenance?.isActive)) means.push("prepend");
  if (neighbours.some(({ isShut }) => isShut)) means.push("peeringShutdown");
  return means;
}

/** Each port of the change as it is and as it is to be. Throws `device.*` with effect "none". */
export function planChange(
  change: DeviceChange,
  around: Surroundings,
): readonly Changed<PortPlan>[] {
  const { config } = around;
  return planChains(change, around, {
    planOf: (port) => planOf(config, port),
    isUnread: (port) => isUnread(config, port),
    attached: [...config.interfaces].map(([port, { macsec }]) => [
      port,
      macsec === undefined || macsec === "unread"
        ? []
        : [macsec.policy, macsec.chain, macsec.fallback],
    ]),
    protect: (plan, part) => protect(plan, part, around),
    ownOf: (plan) => ownOf(plan, around),
    neighbours: (port) => neighboursOn(config, port).length,
    refuseDrain: (part) => refuseDrain(part, around),
  });
}

/** The values that a drain of ours gives a neighbour. */
export const maintenanceLines = ["local-preference 50", "as-prepends 6", "activate"] as const;

const isOurs = ({ lines }: Maintenance): boolean =>
  lines.every((one) => maintenanceLines.some((line) => line === one));

function refuseDrain(part: PartOf<"port.drain" | "port.restore">, around: Surroundings): void {
  const neighbours = neighboursOn(around.config, part.port);
  if (neighbours.some(({ maintenance }) => maintenance !== undefined && !isOurs(maintenance))) {
    const text = "a neighbour has a graceful-maintenance of somebody else, which stays";
    throw rejected(around, part.port, text);
  }
}

function protect(
  plan: PortPlan,
  { port, settings }: PartOf<"macsec.protect">,
  around: Surroundings,
): PortPlan {
  refuseSettings(around, port, settings, limits);
  const policy = plan.policy ?? ownOf(plan, around);
  // A policy reaches a port only together with a key chain, which may still be empty.
  const primary = plan.primary ?? { name: freeChain(plan, ownOf(plan, around)), keys: [] };
  return { ...plan, policy, primary, settings: { ...settings, policy: "mustSecure" } };
}

function ownOf({ port }: PortPlan, around: Surroundings): string {
  const name = ownName(port);
  if (name === undefined) throw rejected(around, port, "the name of its policy would be too long");
  return name;
}
