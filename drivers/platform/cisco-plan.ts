// A change of ports on routers of Cisco, whose keys stand in chains: one way for all platforms.

import type { DeviceChange } from "#hal/device.ts";
import type { DrainMeans, PortName, WantedSettings } from "#hal/model.ts";
import { isToken } from "../transport/cli.ts";
import {
  addKey,
  type ChainPlan,
  type ChainSurroundings,
  keysOf,
  promoteKey,
  removeKey,
  replaceKey,
} from "./cisco-chains.ts";
import type { CiscoConfig } from "./cisco-config.ts";
import {
  type Changed,
  type PartOf,
  planPorts,
  rejected,
  type SettingsLimits,
  type Surroundings,
} from "./port-change.ts";

export interface CiscoPlan extends ChainPlan {
  readonly policy: string | undefined;
  readonly settings?: unknown;
  readonly drains: readonly DrainMeans[];
}

export type CiscoSurroundings<C> = Surroundings<C> & ChainSurroundings;

/** What a platform brings. */
interface Platform<C, P> {
  /** As the port is configured. */
  readonly planOf: (config: C, port: PortName) => P;
  /** Something is configured there that is not understood. */
  readonly isUnread: (config: C, port: PortName) => boolean;
  /** Of the policy and the chains that are attached to the port. */
  readonly namesOn: (config: C, port: PortName) => readonly (string | undefined)[];
  readonly limits: SettingsLimits;
  /** What holds the settings; `own`: how what is ours on the port is called. */
  readonly protect: (plan: P, settings: WantedSettings, own: () => string) => P;
  /** The name of a policy and chains of our own for the port; undefined = it would be too long. */
  readonly ownName: (port: PortName) => string | undefined;
  /** Of BGP, over the port. */
  readonly neighboursOn: (config: C, port: PortName) => readonly unknown[];
  readonly refuseDrain: (part: PartOf<"port.drain" | "port.restore">) => void;
}

/** Each port of the change as it is and as it is to be. Throws `device.*` with effect "none". */
export function planChains<C extends CiscoConfig, P extends CiscoPlan>(
  change: DeviceChange,
  around: CiscoSurroundings<C>,
  platform: Platform<C, P>,
): readonly Changed<P>[] {
  const { planOf, neighboursOn, limits, protect, ownName, refuseDrain } = platform;
  const ownOf = ({ port }: P): string => {
    const name = ownName(port);
    if (name !== undefined) return name;
    throw rejected(around, port, "the name of its policy would be too long");
  };
  return planPorts<C, P>(change, {
    ...around,
    ...{ planOf, neighboursOn, limits, refuseDrain },
    refuseUnread: (port) => refuseUnread(around, port, platform),
    steps: {
      protect: (plan, { settings }) => protect(plan, settings, () => ownOf(plan)),
      addKey: (plan, { key }) => addKey(plan, key, ownOf(plan), around),
      promoteKey: (plan, { ckn }) => promoteKey(plan, ckn, around),
      replaceKey: (plan, { key }) => replaceKey(plan, key, ownOf(plan), around),
      removeKey: (plan, { ckn }) => removeKey(plan, ckn, around),
    },
    holdsKeys: (plan) => keysOf(plan).length > 0,
  });
}

// What is there and not understood must not be written over, nor what another port needs.
function refuseUnread<C extends CiscoConfig, P extends CiscoPlan>(
  around: CiscoSurroundings<C>,
  port: PortName,
  { namesOn, isUnread }: Platform<C, P>,
): void {
  const { config } = around;
  if (isUnread(config, port)) {
    throw rejected(around, port, "what is configured there is not understood");
  }
  const names = namesOn(config, port).filter((name) => name !== undefined);
  if (!names.every(isToken)) {
    throw rejected(around, port, "a name that is configured there is no single word");
  }
  for (const other of config.interfaces.keys()) {
    if (other === port) continue;
    const shared = namesOn(config, other).find((name) => names.some((own) => own === name));
    if (shared !== undefined) throw rejected(around, port, `${other} shares ${shared} with it`);
  }
}
