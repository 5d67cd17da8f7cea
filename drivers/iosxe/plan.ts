// What a wanted change makes of a port, part by part, and why it is refused.

import type { DeviceChange } from "#hal/device.ts";
import type { DrainMeans, MacsecSettings, PortName } from "#hal/model.ts";
import type { PlannedChain } from "../platform/cisco-chains.ts";
import { type CiscoPlan, type CiscoSurroundings, planChains } from "../platform/cisco-plan.ts";
import { type Changed, type PartOf, refuseSettings, rejected } from "../platform/port-change.ts";
import { isToken } from "../transport/cli.ts";
import { type MapEntry, type Neighbour, neighboursOn, type XeConfig } from "./config.ts";
import { isDrainMap, ownName } from "./names.ts";

/** A port as it is configured, or as it is to be. */
export interface PortPlan extends CiscoPlan {
  /** undefined = MACsec is not on. */
  readonly settings: MacsecSettings | undefined;
  readonly isSsciBySci: boolean;
}

export interface Surroundings extends CiscoSurroundings {
  readonly config: XeConfig;
  /** Route maps of the operator's that a drain is to take the place of, by their names. */
  readonly routeMaps: ReadonlyMap<string, readonly MapEntry[]>;
}

const limits = { replayWindowMax: 0xffff_ffff, sakRekeySeconds: { min: 30, max: 65_535 } };

export function planOf(config: XeConfig, port: PortName): PortPlan {
  const own = config.interfaces.get(port);
  const macsec = own?.macsec;
  const chainOf = (name: string | undefined): PlannedChain | undefined =>
    name === undefined ? undefined : { name, keys: config.chains.get(name) ?? [] };
  const policy = config.policies.get(macsec?.policyName ?? "");
  return {
    port,
    admin: own?.isShut === true ? "down" : "up",
    policy: macsec?.policyName,
    settings: macsec?.isEnabled && policy ? settingsOf(policy, macsec) : undefined,
    isSsciBySci: policy?.isSsciBySci === true,
    primary: chainOf(macsec?.chain),
    fallback: chainOf(macsec?.fallback),
    drains: drainsOf(config, port),
  };
}

type Part = Omit<MacsecSettings, "policy" | "includeSci" | "replayWindow">;

function settingsOf(
  { suite, confidentialityOffset, keyServerPriority, sakRekeyMs }: Part,
  {
    policy,
    includeSci,
    replayWindow,
  }: Pick<MacsecSettings, "policy" | "includeSci" | "replayWindow">,
): MacsecSettings {
  return {
    ...{ suite, policy, includeSci, confidentialityOffset },
    ...{ keyServerPriority, replayWindow, sakRekeyMs },
  };
}

/** Something is configured there that is not understood. */
export function isUnread(config: XeConfig, port: PortName): boolean {
  const macsec = config.interfaces.get(port)?.macsec;
  if (macsec === undefined) return false;
  const { policyName, chain, fallback, isEnabled } = macsec;
  if (macsec.isUnread || (isEnabled && policyName === undefined)) return true;
  if (policyName !== undefined && config.policies.get(policyName) === undefined) return true;
  return [chain, fallback].some(
    (name) => name !== undefined && config.chains.get(name) === undefined,
  );
}

export function drainsOf(config: XeConfig, port: PortName): readonly DrainMeans[] {
  const means: DrainMeans[] = [];
  const neighbours = neighboursOn(config, port);
  const isDrained = ({ maps }: Neighbour): boolean => isDrainMap(maps.out) || isDrainMap(maps.in);
  if (neighbours.some(isDrained)) means.push("prepend");
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
      [macsec.policyName, macsec.chain, macsec.fallback],
    ]),
    protect: (plan, part) => protect(plan, part, around),
    ownOf: (plan) => ownOf(plan, around),
    neighbours: (port) => neighboursOn(config, port).length,
    refuseDrain: (part) => refuseDrain(part, around),
  });
}

function refuseDrain(part: PartOf<"port.drain" | "port.restore">, around: Surroundings): void {
  if (part.kind !== "port.drain" || part.means !== "prepend") return;
  const { port } = part;
  for (const neighbour of neighboursOn(around.config, port)) {
    const why = whyNoMap(neighbour, around);
    if (why !== undefined)
      throw rejected(around, port, `the neighbour ${neighbour.address} ${why}`);
  }
}

/** IOS XE knows no route map that calls another, so ours repeats what the operator's says. */
function whyNoMap({ vrf, maps, inherits }: Neighbour, around: Surroundings): string | undefined {
  if (vrf !== undefined) return "is in a VRF; it is drained by peeringShutdown alone";
  if (inherits) return "takes its policy from a group or a template";
  const own = [maps.in, maps.out].filter((name) => name !== undefined && !isDrainMap(name));
  const lost = own.find((name) => !isCopied(around.routeMaps.get(name ?? "")));
  return lost && `has the route map ${lost}, which cannot be repeated with a prepend in it`;
}

/** Every word of it stays one, and what it does to a path is a prepend alone. */
function isCopied(entries: readonly MapEntry[] | undefined): boolean {
  const lines = entries?.flatMap((one) => one.lines);
  return (
    lines?.every(
      (words) =>
        words.every(isToken) &&
        (words[1] !== "as-path" || words[0] !== "set" || words[2] === "prepend"),
    ) === true
  );
}

function protect(
  plan: PortPlan,
  { port, settings }: PartOf<"macsec.protect">,
  around: Surroundings,
): PortPlan {
  if (settings.keyServerPriority > 255) {
    throw rejected(around, port, "a key server's priority is at most 255");
  }
  refuseSettings(around, port, settings, limits);
  const policy = plan.policy ?? ownOf(plan, around);
  // With extended packet numbers a far end of another make counts SSCIs by the SCIs.
  const isSsciBySci = settings.suite.includes("xpn") || plan.isSsciBySci;
  return { ...plan, policy, isSsciBySci, settings: { ...settings, policy: "mustSecure" } };
}

function ownOf({ port }: PortPlan, around: Surroundings): string {
  const name = ownName(port);
  if (name === undefined) throw rejected(around, port, "the name of its policy would be too long");
  return name;
}
