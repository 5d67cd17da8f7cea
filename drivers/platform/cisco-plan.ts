// Plans a change of ports on Cisco routers, whose keys are in key chains, alike for all platforms.

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
  type OperationOf,
  planPorts,
  rejected,
  type SettingsLimits,
  type Surroundings,
} from "./port-change.ts";

/** A port as it is configured or shall be. */
export interface CiscoPlan extends ChainPlan {
  /** Name of the MKA policy; undefined = none. */
  readonly policy: string | undefined;
  /** MACsec settings; undefined = MACsec is off. */
  readonly settings?: unknown;
  /** How the port is drained. */
  readonly drains: readonly DrainMeans[];
}

/** A platform whose key servers have a priority of one octet: why it does not accept settings. */
export const octetPriority = ({
  keyServerPriority,
}: Pick<WantedSettings, "keyServerPriority">): string | undefined =>
  keyServerPriority > 255 ? "a key server's priority is at most 255" : undefined;

/** The input for planning a change. */
export type CiscoSurroundings<C> = Surroundings<C> & ChainSurroundings;

/** The functions and data that a platform provides. */
interface Platform<C, P> {
  /** Returns the plan of a port as it is configured. */
  readonly planOf: (config: C, port: PortName) => P;
  /** Returns true if the port has configuration that is not understood. */
  readonly isUnread: (config: C, port: PortName) => boolean;
  /** Returns the names of the policy and the chains that are attached to the port. */
  readonly namesOn: (config: C, port: PortName) => readonly (string | undefined)[];
  readonly limits: SettingsLimits;
  /** Sets the MACsec settings in a plan; `own` returns the name of our objects for the port. */
  readonly protect: (plan: P, settings: WantedSettings, own: () => string) => P;
  /** Returns the name of our policy and chains for the port; undefined = it would be too long. */
  readonly ownName: (port: PortName) => string | undefined;
  /** Returns the BGP neighbours behind the port. */
  readonly neighboursOn: (config: C, port: PortName) => readonly unknown[];
  readonly refuseDrain: (operation: OperationOf<"port.drain" | "port.restore">) => void;
}

/**
 * Returns each port of the change as it is and as it is to be.
 * @throws LinksealError `device.*`, with effect "none".
 */
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

// Configuration that is not understood, or that another port needs, must not be overwritten.
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
    throw rejected(around, port, "a name that is configured there is not a single word");
  }
  for (const other of config.interfaces.keys()) {
    if (other === port) continue;
    const shared = namesOn(config, other).find((name) => names.some((own) => own === name));
    if (shared !== undefined) throw rejected(around, port, `${other} shares ${shared} with it`);
  }
}
