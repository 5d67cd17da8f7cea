// A change of ports on routers of Cisco, whose keys stand in chains: one way for all platforms.

import type { DeviceChange } from "#hal/device.ts";
import type { DrainMeans, PortName } from "#hal/model.ts";
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
import { type Changed, type PartOf, planPorts, rejected } from "./port-change.ts";

export interface CiscoPlan extends ChainPlan {
  readonly policy: string | undefined;
  readonly settings?: unknown;
  readonly drains: readonly DrainMeans[];
}

export interface CiscoSurroundings extends ChainSurroundings {
  /** Ports that the router has. */
  readonly ports: ReadonlySet<PortName>;
}

/** What a platform brings. */
interface Platform<P> {
  /** As the port is configured. */
  readonly planOf: (port: PortName) => P;
  /** Something is configured there that is not understood. */
  readonly isUnread: (port: PortName) => boolean;
  /** By port: the policy and the chains that are attached to it. */
  readonly attached: Iterable<readonly [PortName, readonly (string | undefined)[]]>;
  readonly protect: (plan: P, part: PartOf<"macsec.protect">) => P;
  /** The name of a chain of our own for the port. */
  readonly ownOf: (plan: P) => string;
  /** How many neighbours BGP has over it. */
  readonly neighbours: (port: PortName) => number;
  readonly refuseDrain: (part: PartOf<"port.drain" | "port.restore">) => void;
}

/** Each port of the change as it is and as it is to be. Throws `device.*` with effect "none". */
export function planChains<P extends CiscoPlan>(
  change: DeviceChange,
  around: CiscoSurroundings,
  platform: Platform<P>,
): readonly Changed<P>[] {
  const { protect, ownOf } = platform;
  return planPorts<P>(change, {
    ...around,
    ...platform,
    refuseUnread: (port) => refuseUnread(around, port, platform),
    steps: {
      protect,
      addKey: (plan, { key }) => addKey(plan, key, ownOf(plan), around),
      promoteKey: (plan, { ckn }) => promoteKey(plan, ckn, around),
      replaceKey: (plan, { key }) => replaceKey(plan, key, ownOf(plan), around),
      removeKey: (plan, { ckn }) => removeKey(plan, ckn, around),
    },
    holdsKeys: (plan) => keysOf(plan).length > 0,
  });
}

// What is there and not understood must not be written over, nor what another port needs.
function refuseUnread<P extends CiscoPlan>(
  around: CiscoSurroundings,
  port: PortName,
  { planOf, isUnread, attached }: Platform<P>,
): void {
  if (isUnread(port)) throw rejected(around, port, "what is configured there is not understood");
  const { policy, primary, fallback } = planOf(port);
  const names = [policy, primary?.name, fallback?.name];
  if (names.some((name) => name !== undefined && !isToken(name))) {
    throw rejected(around, port, "a name that is configured there is no single word");
  }
  for (const [other, theirs] of attached) {
    if (other === port) continue;
    const shared = theirs.find((name) => name !== undefined && names.includes(name));
    if (shared !== undefined) throw rejected(around, port, `${other} shares ${shared} with it`);
  }
}
