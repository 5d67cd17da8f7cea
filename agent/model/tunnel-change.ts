// What the change of a tunnel's key or certificate is made of: its record in the journal, the facts
// that its table decides on, and a step. One tunnel changes alone, or the two tunnels of a
// connection to an active-active gateway, whose key is one.

import type { TunnelAuth } from "#hal/tunnel-spec.ts";
import type { WallTime } from "#hal/world.ts";
import type { GuardOf, GuardsOf, RuleOf } from "./machine.ts";
import type { Cause, CausedTunnelCode, PlainTunnelCode, Reason } from "./reason.ts";

/**
 * States of a change of credentials. `waiting`: nothing was sent; `giving`: the gateway may have it
 * already; `switching`: our end has it, not proven yet; `returning`: it was refused, and both ends
 * go back to the version in use; `held`: they went back.
 */
export type TunnelChangeState = "waiting" | "giving" | "switching" | "returning" | "held";

/** A newer version of the credentials that a tunnel's end presents, not in use yet. */
export interface TunnelChange {
  /** Kind of authentication and secret id. */
  readonly auth: TunnelAuth;
  /** How far the change is. */
  readonly state: TunnelChangeState;
  /** When that state began. */
  readonly since: WallTime;
  /** Why the change is where it is. */
  readonly reason: Reason;
  /** Why it left the way forward; absent = it has not. */
  readonly turnedBack?: Cause;
  /**
   * Our end changes alone, because the gateway was not given the version by us; the state to which
   * a refusal leads back. Absent = the gateway may have it from us.
   */
  readonly alone?: "waiting" | "held";
  /** The operator or program that asked for it last. */
  readonly by?: string;
}

/** The version that a tunnel was set up with, and the one that comes after it. */
export interface AuthInUse {
  /** The version in use. */
  readonly auth: TunnelAuth;
  /** The newer version; absent = there is none. */
  readonly next?: TunnelChange;
}

/** One tunnel of the change. */
export interface TunnelSight {
  /** The tunnel's name. */
  readonly name: string;
  /** No SA of it is left that another key could cost, because the gateway has another one. */
  readonly isRefused: boolean;
  /**
   * `proven`: SAs exist that the newer version made; `silent`: it was down before, comes not up,
   * and no gateway refuses it; `none`: neither was seen in this run.
   */
  readonly proof: "none" | "proven" | "silent";
  /**
   * `away`: its traffic was led away for the change; `here`: this run asked for that, or gave it
   * back; `unasked`: it did not yet.
   */
  readonly traffic: "unasked" | "away" | "here";
}

/** How the last effect of this run failed. */
export interface TunnelFailure {
  /** Its error, as a cause. */
  readonly cause: Cause;
  /** `vault`: a secret could not be read; `transport`: an end did not answer. */
  readonly kind: "vault" | "transport" | "other";
}

/** One observation of a change, in terms of its table. */
export interface TunnelFacts {
  /** What the tunnel authenticates with. */
  readonly kind: TunnelAuth["kind"];
  /** The one that gives the version to the gateway. */
  readonly farEnd: "manual" | "agent";
  /** Who asks for this step; a person decides once. */
  readonly asked: "policy" | "person";
  /** Why the gateway may not be given it now; undefined = every gate is open. */
  readonly unmet: Cause | undefined;
  /** The tunnels in the order in which they authenticate. */
  readonly tunnels: readonly TunnelSight[];
  /**
   * Whether the gateway has the version from us: `no` = this run knows that it does not, `yes` =
   * Azure reported in this run that it does, `maybe` = neither.
   */
  readonly given: "no" | "maybe" | "yes";
  /** The vault does not offer the version any more. */
  readonly isTakenBack: boolean;
  /** `inUse`: the router is known to have the version in use on all of these tunnels. */
  readonly ours: "inUse" | "unsure";
  /** This run has given the version in use back to the gateway. */
  readonly isGivenBack: boolean;
  /** A write that was sent to the gateway before may still take effect there. */
  readonly mayLand: boolean;
  /** Absent = the last effect of this run did not fail. */
  readonly failed?: TunnelFailure;
}

/**
 * An effect, named by its goal. `take`: set on the routers where this run has not done it, and
 * proven on one tunnel; the others are named as their goals are.
 */
export type TunnelAction = "give" | "giveBack" | "take" | "putBack" | "drain" | "undrain";

/** What a row and a guard of the tunnels' table may read. */
export interface TunnelContext {
  /** The record before the step. */
  readonly change: TunnelChange;
  /** The observation to decide on. */
  readonly facts: TunnelFacts;
}

/** `name` is `tunnel.state.what`, and the code of the reason that the row gives. */
export type TunnelRow = RuleOf<TunnelContext, TunnelChangeState | "done", TunnelAction> & {
  readonly mark?: Pick<TunnelChange, "alone">;
} & (
    | { readonly name: PlainTunnelCode; readonly cause?: undefined }
    | { readonly name: CausedTunnelCode; readonly cause: (context: TunnelContext) => Cause }
    /** The change keeps its reason. */
    | { readonly name: `tunnel.${TunnelChangeState}.${string}`; readonly cause: "kept" }
  );

/** The rows of each state; the first row that fits is taken. */
export type TunnelTable = Readonly<Record<TunnelChangeState, readonly TunnelRow[]>>;
/** A condition without which an action of a tunnel's change may not run. */
export type TunnelGuard = GuardOf<TunnelContext>;
/** The guards of each action of a tunnel's change. */
export type TunnelGuards = GuardsOf<TunnelContext, TunnelAction>;

/** The decision of the table for one observation; `done` = the version is in use. */
export interface TunnelStep {
  /** Name of the row that fitted; `unlisted` = none did, and nothing is done. */
  readonly row: string;
  /** The state after the step. */
  readonly next: TunnelChangeState | "done";
  /** The effect to run; undefined = none. */
  readonly action: TunnelAction | undefined;
  /** The tunnel that the effect is about; undefined = all of them, or their gateway. */
  readonly tunnel: string | undefined;
  /** Why the step is taken. */
  readonly reason: Reason;
  /** Present on the first step back. */
  readonly turnedBack?: Cause;
  /** What the step sets in the record. */
  readonly mark: Pick<TunnelChange, "alone">;
}
