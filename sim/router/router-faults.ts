// The faults of a simulated router, and the delays of those that come late.

import type { TunnelSpec } from "#hal/tunnel-spec.ts";

/** A fault of a router's management or of its readings. */
export type RouterFault =
  | "locked"
  | "replyLost"
  /** The reply arrives long after the router has carried out the request. */
  | "replyLate"
  /** The router receives a writing request a second time, some seconds later. */
  | "requestTwice"
  /** A manual operator's commit waits for a confirm that never comes. */
  | "foreignCommit"
  /** The router refuses new keys and settings: a licence or a table is at its limit. */
  | "refusesKeys"
  /** The router refuses to remove a key. */
  | "keepsKeys"
  /** A confirmed commit gets no answer, and takes effect after its client has given up. */
  | "commitsLate"
  /** A final change gets no answer, and takes effect later still than under `commitsLate`. */
  | "finalsLate"
  | "silentRevert"
  | "errorWithSuccess"
  | "slow"
  | "unreachable"
  | "unparsed"
  | "frozenCounters"
  | OuterLoss;

/** What the router itself lacks of the way that the packets of its tunnels leave by. */
type OuterLoss = "outerAddressLost" | "outerRouteLost" | "outerLinkLost";

const outerLosses: Readonly<Record<OuterLoss, (spec: TunnelSpec) => string>> = {
  outerAddressLost: ({ localAddress }) => `no interface has the outer address ${localAddress}`,
  outerRouteLost: ({ remoteAddress }) => `no route leads to ${remoteAddress}`,
  outerLinkLost: ({ remoteAddress }) => `the interface, which leads to ${remoteAddress}, is dead`,
};

/** Returns what the router reports of a tunnel that cannot leave it; undefined = it can. */
export function outerLossOf(
  spec: TunnelSpec,
  faults: ReadonlySet<RouterFault>,
): string | undefined {
  const lost = (Object.keys(outerLosses) as OuterLoss[]).find((one) => faults.has(one));
  return lost === undefined ? undefined : outerLosses[lost](spec);
}

/** A range of delays, from which one is drawn. */
export interface LateSpan {
  /** The shortest delay in milliseconds. */
  readonly low: number;
  /** The longest delay in milliseconds. */
  readonly high: number;
}
