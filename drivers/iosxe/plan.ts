// Applies the operations of a change to a port's plan, and refuses those that must not be sent.

import type { DeviceChange } from "#hal/device.ts";
import type { DrainMeans, MacsecSettings, PortName } from "#hal/model.ts";
import { chainOf } from "../platform/cisco-chains.ts";
import { mapDrains, type RouteMaps, refuseMaps } from "../platform/cisco-drain.ts";
import {
  type CiscoPlan,
  type CiscoSurroundings,
  octetPriority,
  planChains,
} from "../platform/cisco-plan.ts";
import { aggregateWith } from "../platform/egress.ts";
import { type Changed, rejected } from "../platform/port-change.ts";
import { isToken } from "../transport/cli.ts";
import { type Neighbour, neighboursOn, type XeConfig } from "./config.ts";
import { ownName } from "./names.ts";

/** A port as it is configured, or as it is to be. */
export interface PortPlan extends CiscoPlan {
  /** undefined = MACsec is off. */
  readonly settings: MacsecSettings | undefined;
  readonly isSsciBySci: boolean;
}

export interface Surroundings extends CiscoSurroundings<XeConfig> {
  /** The operator's route maps that a drain replaces, by their names. */
  readonly routeMaps: RouteMaps;
}

const limits = {
  replayWindowMax: 0xffff_ffff,
  sakRekeySeconds: { min: 30, max: 65_535 },
  why: octetPriority,
};

export function planOf(config: XeConfig, port: PortName): PortPlan {
  const own = config.interfaces.get(port);
  const macsec = own?.macsec;
  const policy = config.policies.get(macsec?.policyName ?? "");
  return {
    port,
    admin: own?.isShut === true ? "down" : "up",
    policy: macsec?.policyName,
    settings: macsec?.isEnabled && policy ? settingsOf(policy, macsec) : undefined,
    isSsciBySci: policy?.isSsciBySci === true,
    primary: chainOf(config, macsec?.chain),
    fallback: chainOf(config, macsec?.fallback),
    drains: drainsOf(config, port),
  };
}

type MkaPolicySettings = Omit<MacsecSettings, "policy" | "includeSci" | "replayWindow">;

function settingsOf(
  { suite, confidentialityOffset, keyServerPriority, sakRekeyMs }: MkaPolicySettings,
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

/** Returns true if the port has configuration that is not understood. */
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

export const drainsOf = (config: XeConfig, port: PortName): readonly DrainMeans[] =>
  mapDrains(neighboursOn(config, port));

/** Provides the policy of a port; `own` returns the name of our objects for it. */
export function protect(
  plan: PortPlan,
  { suite }: Pick<MacsecSettings, "suite">,
  own: () => string,
): PortPlan {
  return {
    ...plan,
    policy: plan.policy ?? own(),
    // A far end of another vendor derives SSCIs from the SCIs if packet numbers are extended.
    isSsciBySci: suite.includes("xpn") || plan.isSsciBySci,
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
    namesOn({ interfaces }, port) {
      const attached = interfaces.get(port)?.macsec;
      return [attached?.policyName, attached?.chain, attached?.fallback];
    },
    refuseDrain: (operation) =>
      refuseMaps(operation, neighboursOn(around.config, operation.port), around, whyNoMap),
  });
}

/**
 * Refuses the first MACsec of a member of a port channel: the router does not remove it from a
 * member, so neither its timer nor anything else could take the change back.
 * @throws LinksealError `device.rejected`, with effect "none".
 */
export function refuseFirstOnMember(
  { before, after }: Changed<PortPlan>,
  around: Pick<Surroundings, "config" | "work">,
): void {
  const aggregate = aggregateWith(around.config.aggregates, after.port);
  const isFirst = before.settings === undefined && after.settings !== undefined;
  if (aggregate === undefined || !isFirst) return;
  const why = `it is a member of ${aggregate.name}, from which the router does not remove MACsec`;
  throw rejected(around, after.port, `${why}: configure MACsec before the port joins`);
}

/** Returns why a neighbour cannot be drained; undefined = its route maps decide. */
function whyNoMap({ vrf, asn, inherits }: Neighbour): string | undefined {
  if (inherits) return "takes its policy from a group or a template";
  const isNamed = asn !== undefined && isToken(vrf ?? "") && vrf?.includes("@") !== true;
  if (vrf === undefined || isNamed) return undefined;
  return "is in a VRF whose routes cannot be exchanged again by a command";
}
