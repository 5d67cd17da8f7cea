// Why a campaign is where it is, as data: a code with typed arguments. Its sentence is made where a
// person reads it (reason-text.ts). All of it survives JSON; the codes are published and stored.

import type { Verdict } from "./health.ts";
import type {
  causedRows,
  causedTunnelRows,
  plainRows,
  plainTunnelRows,
  sharedCausedRows,
  sharedRows,
} from "./reason-rows.ts";
import type { WarningCode } from "./warning-rows.ts";

/**
 * `old` = as before this campaign (for enrol: MACsec off), `either` = both ends of a change look
 * the same from there.
 */
export type FarEnd = "old" | "new" | "either" | "other" | "updating" | "failed" | "unknown";

/**
 * The keys of a campaign that a port holds; `old` of an enrolment is a bare port. `half`: of the
 * settings that a change makes, some are the old ones and some the new ones, and none is another.
 */
export type PortKeys = "old" | "both" | "half" | "new" | "else";

type PlainRow = keyof typeof plainRows;
type CausedRow = keyof typeof causedRows;
type RowState = PlainRow extends `${infer State}.${string}` ? State | "held" | "done" : never;

/** The name of a row whose sentence depends on nothing. */
export type PlainCode = PlainRow | `${RowState}.${keyof typeof sharedRows}`;
/** The name of a row whose sentence depends on a cause below it. */
export type CausedCode = CausedRow | `${RowState}.${keyof typeof sharedCausedRows}`;

/** The name of a row of the tunnels' tables, or how the change of a tunnel's key began. */
export type PlainTunnelCode = keyof typeof plainTunnelRows;
/** As `PlainTunnelCode`, of a row whose sentence depends on a cause below it. */
export type CausedTunnelCode = keyof typeof causedTunnelRows;

/** The commands of operators to a campaign. */
type OperatorCode = "operator.proceed" | "operator.resume" | "operator.revert" | "operator.abandon";

/** Why a campaign is where it is. */
export type Reason =
  | { readonly code: PlainCode | PlainTunnelCode }
  | { readonly code: CausedCode | CausedTunnelCode; readonly cause: Cause }
  /** No row of the tables fits. */
  | { readonly code: "unlisted"; readonly state: string; readonly cause: EndsCause }
  /** How it began. `next.link`: the previous link finished. */
  | { readonly code: "begin.asked" | "begin.unprotected" | "begin.settings" | "next.link" }
  | { readonly code: "begin.broughtBack" }
  | { readonly code: "begin.newerKey"; readonly on: string }
  | { readonly code: OperatorCode; readonly by: string }
  /** What an earlier version, or a later one, wrote as a sentence. */
  | { readonly code: "recorded"; readonly text: string };

/** The keys at both ends of the link; `unread` = the router cannot be read. */
export interface EndsCause {
  /** Code of the cause. */
  readonly code: "ends.are";
  /** The keys on the router's port. */
  readonly keys: PortKeys | "unread";
  /** The key or settings of the far end. */
  readonly far: FarEnd;
}

/**
 * A cause below a row. Times are UTC text; the codes with `gate.` are those of
 * docs/codes.md.
 */
export type Cause =
  | GateCause
  | WindowCause
  | PermitCause
  | SiblingCause
  | EvidenceCause
  | EndsCause
  | { readonly code: PlainCause }
  /** What a later SAK of the new key lacks: `number` of `needed`, without the first one. */
  | {
      readonly code: "sak.later";
      readonly number: number;
      readonly needed: number;
      readonly cause: Cause;
    }
  /** A change of the keys that the port holds. */
  | { readonly code: "port.keys"; readonly keys: PortKeys }
  | { readonly code: "farEnd.is" | "farEnd.apart" | "farEnd.besideBoth"; readonly far: FarEnd }
  /** A device refuses a change: its error code, and its words. */
  | { readonly code: "router.refuses"; readonly error: string; readonly text: string }
  /** The last effect failed: the code of its error, and its words. */
  | { readonly code: "effect.failed"; readonly error: string; readonly text: string }
  /** The gateway refuses to authenticate: the code of the error, and its words. */
  | { readonly code: "gateway.refuses"; readonly error: string; readonly text: string }
  | DeviceCause
  | TunnelCause
  /** What an earlier version wrote as a sentence. */
  | { readonly code: "recorded"; readonly text: string }
  | RefusalCause;

type With<Each extends Cause, Code> = Each extends unknown
  ? Code extends Each["code"]
    ? Each
    : never
  : never;
/** The cause that has this code, with its arguments. */
export type CauseOf<Code extends Cause["code"]> = With<Cause, Code>;

/** A cause whose sentence depends on nothing. */
export type PlainCause =
  | "router.unread"
  | "router.commitPending"
  | "router.lateChange"
  | "router.untouched"
  | "router.holdsBoth"
  | "farEnd.unread"
  | "farEnd.unsettled"
  | "farEnd.failed"
  | "farEnd.foreign"
  | "farEnd.off"
  | "farEnd.awaited"
  | "port.oldKeyGone"
  | "port.bothKeys"
  | "staged.needed"
  | "staged.overtaken"
  | "staged.reverting"
  | "sak.ofOldKey"
  | "sak.asked"
  | "sak.awaited"
  | "oldKey.notInCharge"
  | "clocks.apart"
  | "group.noSibling"
  | "rates.unread"
  | "link.drainedAlready";

/** The precondition that is not met. */
export type GateCause =
  | { readonly code: "gate.siblingUnhealthy"; readonly sibling: string; readonly cause: Cause }
  | { readonly code: "gate.stale"; readonly cause: { readonly code: PlainCause } }
  | { readonly code: "gate.window"; readonly cause: WindowCause }
  | { readonly code: "gate.permit"; readonly cause: PermitCause }
  | { readonly code: "gate.ownPath"; readonly path: "overThisLink" | "unknown" }
  | { readonly code: "gate.riskNotAccepted"; readonly risk: "agentOnSibling" }
  | { readonly code: "gate.leftoverKey"; readonly sibling: string; readonly keys: number }
  /** `scope` is a resource id, `others` the number of further rights that are missing. */
  | {
      readonly code: "gate.rightsMissing";
      readonly action: string;
      readonly scope: string;
      readonly others: number;
    }
  | { readonly code: "port.aggregated"; readonly aggregate: string; readonly members: number }
  | {
      readonly code: "port.drifted";
      readonly leaf: string;
      readonly observed: string;
      readonly wanted: string;
    }
  | { readonly code: "sibling.noRoom"; readonly sibling: string }
  /** The new pair of a link of the campaign cannot be read: the code of the error, its words. */
  | {
      readonly code: "vault.refuses";
      readonly link: string;
      readonly error: string;
      readonly text: string;
    };

/** Why no window is open, or too little of it is left. */
export type WindowCause =
  | { readonly code: "window.frozen"; readonly until: string; readonly freeze: string }
  | { readonly code: "window.none" }
  | { readonly code: "window.opens"; readonly window: string; readonly at: string }
  | { readonly code: "window.short"; readonly minutes: number }
  /** The pause after the change of a sibling, up to this time. */
  | { readonly code: "window.bakes"; readonly sibling: string; readonly until: string };

/** Why no permit of a hub lets a campaign take a link. */
export type PermitCause =
  /** `permit.unknown`: the engine was not read lately; `permit.unreadable`: not as a freeze is. */
  | { readonly code: "permit.missing" | "permit.other" | "permit.unknown" | "permit.unreadable" }
  | { readonly code: "permit.expired"; readonly end: string }
  | { readonly code: "permit.frozen"; readonly scope: "fleet" | "site" };

/** Why a sibling is not known to carry. */
export type SiblingCause =
  | {
      readonly code:
        | "sibling.unread"
        | "sibling.linkDown"
        | "sibling.drained"
        | "sibling.bgpDown"
        | "sibling.commitPending"
        | "sibling.foreignMacsec"
        | "sibling.farEndKeyed"
        | "sibling.unsecured"
        | "sibling.notMustSecure"
        | "sibling.farEndMoved"
        | "sibling.farEndOff"
        | "health.notJudged";
    }
  /** Its device could not be read: the error code, and the words of it. */
  | { readonly code: "sibling.failed"; readonly error: string; readonly text: string }
  /** A change of ours may still take it. */
  | {
      readonly code: "sibling.lateChange";
      readonly what: "drain" | "shut" | "keys";
      readonly sentAt: string;
      readonly until: string;
    }
  | { readonly code: "health.old"; readonly seconds: number }
  /** `reason` is the first one of the verdict; null = the verdict has none. */
  | {
      readonly code: "health.verdict";
      readonly verdict: Verdict;
      readonly reason: WarningCode | null;
    };

/** What is missing for a proof, a drain or a return of the traffic. */
type EvidenceCause =
  | {
      readonly code:
        | "evidence.none"
        | "mka.unread"
        | "mka.peerWithoutSak"
        | "mka.sakOneWay"
        | "macsec.notMustSecure"
        | "frames.unread"
        | "frames.reset"
        | "farEnd.rewritten"
        | "frames.notValid"
        | "frames.clear"
        | "port.notBoth"
        | "port.oldNotInCharge"
        | "link.drained"
        | "link.unusable"
        | "link.isDrained"
        | "bgp.down"
        | "probe.unanswered"
        | "drain.notInForce"
        | "drain.unread"
        | "proof.held";
    }
  | { readonly code: "mka.port"; readonly state: string }
  | { readonly code: "mka.otherPrincipal"; readonly wanted: "new" | "old" }
  | { readonly code: "mka.livePeers"; readonly count: number }
  /** null = no known suite. */
  | { readonly code: "macsec.suite"; readonly suite: string | null }
  | {
      readonly code: "macsec.setting";
      readonly leaf: string;
      readonly observed: string;
      readonly wanted: string;
    }
  | {
      readonly code: "frames.lacking";
      readonly direction: "receive" | "transmit";
      readonly count: number;
    }
  | { readonly code: "proof.settles" | "carrying.settles"; readonly seconds: number }
  | { readonly code: "drain.bestPath"; readonly prefix: string }
  | { readonly code: "drain.traffic"; readonly packetsPerSecond: number }
  | { readonly code: "drain.quiet"; readonly samples: number; readonly needed: number };

/** Why a device takes no change of its tunnels now. */
type DeviceCause = {
  readonly code:
    | "device.unread"
    | "device.noFreshAuthentication"
    | "device.unconfirmed"
    | "device.inCampaign"
    | "device.noDrain";
  readonly device: string;
};

/** Why a tunnel does not carry, or stays as it is. */
export type TunnelCause =
  | {
      readonly code:
        | "tunnel.absent"
        | "tunnel.ikeDown"
        | "tunnel.noSas"
        | "tunnel.silent"
        | "tunnel.bgpUnread"
        | "tunnel.bgpDown"
        | "tunnel.drained"
        | "tunnel.otherDrained"
        | "tunnel.otherChanging"
        | "tunnel.noNewSas"
        | "tunnel.mayLand";
      readonly tunnel: string;
    }
  | { readonly code: "tunnel.noWayOut"; readonly tunnel: string; readonly text: string }
  /** No round trip of it was answered since this time. */
  | { readonly code: "tunnel.undelivered"; readonly tried: number; readonly since: string }
  | { readonly code: "tunnel.notUp" | "tunnel.alone" };

/** Why what an operator sent is not taken. */
export type RefusalCause =
  | {
      readonly code: "refused.notAwaiting" | "refused.notHeld" | "refused.notParked";
      readonly state: string;
    }
  | {
      readonly code:
        | "refused.unread"
        | "refused.enrolment"
        | "refused.oldKeyGone"
        | "refused.compromised"
        | "refused.notCarrying"
        | "refused.farEndUnread"
        | "refused.farEndUpdating";
    }
  | { readonly code: "refused.farEndForeign"; readonly version: "old" | "new" }
  | {
      readonly code: "refused.apart";
      readonly far: "old" | "new";
      readonly keys: PortKeys;
      /** The old key can still be put back. */
      readonly mayRevert: boolean;
    };

/** Returns true for reasons that make the same sentence. */
export function sameReason(one: Reason, other: Reason): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
