// What a campaign is made of: its record in the journal, the facts of one observation, and a step.

import type { KeyRef, PortName, WantedSettings } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import type { RiskName } from "./desired.ts";
import type { GuardOf, GuardsOf, RuleOf } from "./machine.ts";
import type { Cause, CausedCode, FarEnd, PlainCode, PortKeys, Reason } from "./reason.ts";

/** The states in the order of a campaign that goes forward, then those beside that way. */
export const campaignStates = [
  "queued",
  "gated",
  "draining",
  "staging",
  "staged",
  "awaitingPeer",
  "switching",
  "proving",
  "promoting",
  "retiring",
  "restoring",
  "reverting",
  "held",
  "done",
] as const;
/** The states of a campaign; the journal stores these codes. */
export type CampaignState = (typeof campaignStates)[number];

/** `enrol` brings the first key, `change` keeps the key and changes settings at both ends. */
export type CampaignKind = "enrol" | "change" | "rotate";

/** How the campaign ended for one link. */
export type Outcome = "enrolled" | "changed" | "rotated" | "reverted" | "abandoned";

/** How a router changes keys: with both beside each other, or one after the other. */
export type Overlap = "keychain" | "fallback" | "breakBeforeMake";

/** One link of a campaign, frozen when the campaign is queued. */
export interface CampaignLink {
  /** The link's name in its group. */
  readonly name: string;
  /** The router at our end. */
  readonly device: string;
  /** The port of the link on that router. */
  readonly port: PortName;
  /** The state before the campaign, frozen when it is queued; undefined = MACsec off. */
  readonly old: { readonly key: KeyRef; readonly settings: WantedSettings } | undefined;
  /** The state after it; a `change` keeps the key. */
  readonly new: { readonly key: KeyRef; readonly settings: WantedSettings };
  /** Creation time of the new CAK version. */
  readonly created: WallTime;
  /** The generation of the new CAK version; undefined = the vault does not report it. */
  readonly generation: number | undefined;
  /** How the router changes from the old key to the new one. */
  readonly overlap: Overlap;
  /** undefined = the campaign has not finished this link. */
  readonly outcome: Outcome | undefined;
  /** Why it left the way forward; absent = it has not. */
  readonly turnedBack?: Reason;
}

/** The marks in the journal of the link under way. */
export interface Marks {
  /**
   * An effect was decided on, or a person was asked: this link may no longer be as the campaign
   * found it. It is in the journal before either happens.
   */
  readonly touched: boolean;
  /** A put was sent, or the person was asked: the far end may know the new key. */
  readonly told: boolean;
  /** The operator gave the command `proceed`. */
  readonly asked: boolean;
  /** The operator reported that the far end was changed; it counts if the agent cannot read it. */
  readonly claimed: boolean;
  readonly proved: boolean;
  /** The first pass of `afterSoak` has ended. */
  readonly soaked: boolean;
  /** The staged key is being taken back. */
  readonly aborted: boolean;
  /** The port was shut for a key change or by undoing one, or is about to be. */
  readonly shut: boolean;
  /**
   * In `held`: time alone holds it, so it goes on by itself once both ends are whole. Elsewhere: it
   * went on so, and the next hold waits for a person. Absent = false, as in earlier versions.
   */
  readonly again?: boolean;
  readonly goal: "forward" | "revert";
  /** The token of the confirmed commit that staged the new key. */
  readonly token: string | undefined;
  /** The token of the attempt before it, which a slow router may carry out after the next one. */
  readonly earlierToken: string | undefined;
  /** The SAK that was in use when the old key was taken away. */
  readonly oldSak: string | undefined;
}

/** The marks of a link that the campaign has not begun. */
export const noMarks: Marks = {
  touched: false,
  told: false,
  asked: false,
  claimed: false,
  proved: false,
  soaked: false,
  aborted: false,
  shut: false,
  again: false,
  goal: "forward",
  token: undefined,
  earlierToken: undefined,
  oldSak: undefined,
};

/** The record of a campaign in the journal; every field survives a crash. */
export interface Campaign extends Marks {
  /** The name of the group in the config. */
  readonly group: string;
  /** The kind of change. */
  readonly kind: CampaignKind;
  /** The links in the order in which they are taken. */
  readonly links: readonly CampaignLink[];
  /** Index of the link under way. */
  readonly at: number;
  /** The state of the link under way. */
  readonly state: CampaignState;
  /** When the state was entered. */
  readonly since: WallTime;
  /** Why the campaign is in this state. */
  readonly reason: Reason;
  /** The state that was left for `held`; undefined = none was. */
  readonly heldFrom: CampaignState | undefined;
  /** When the old key leaves both ends: after the proof of the new one, or after the soak. */
  readonly retire: "afterProof" | "afterSoak";
  /** `emergency`: windows do not bind, the old key goes after proof, and the SAK must be fresh. */
  readonly urgency: "planned" | "emergency";
  /** The risks that the operator accepted when asking for it. */
  readonly risks: readonly RiskName[];
  /** Whether the config's policy or an operator began it. */
  readonly origin: "policy" | "operator";
  /** The operator who asked for it, or `intent N` if the policy began it. */
  readonly by: string;
  /** Number of the accepted intent that it serves. */
  readonly intent: number;
  /**
   * 32 hexadecimal digits, drawn for this campaign, by which its permit is known; undefined = an
   * earlier version began it.
   */
  readonly nonce: string | undefined;
  /** When it went to take its first link; undefined = it has not. */
  readonly begunAt: WallTime | undefined;
}

/** Returns the tokens of the staged key; a router has a commit of one of them at most. */
export function stagedBy({ token, earlierToken }: Campaign): readonly string[] {
  return [token, earlierToken].filter((each) => each !== undefined);
}

/** The state of the port under way at our end, in terms of the campaign's tables. */
export interface PortFacts {
  /** The keys of this campaign on the port; `old` of an enrolment is a bare port. */
  readonly keys: PortKeys;
  /** The commit that waits for its confirmation: none, one of this campaign, or another. */
  readonly pending: "none" | "ours" | "foreign";
  /**
   * The key under which the link passes frames (in an enrolment, `old` = in the clear with BGP up).
   * After a move of the far end the link counts only while it still answers.
   */
  readonly carriedBy: "old" | "new" | "nothing";
  /** `lasting`: with light on the fibre and for longer than MKA needs to form. */
  readonly outage: "none" | "brief" | "lasting";
  /**
   * Whether the new key, once it is on the port, has to become the primary one before the old one
   * goes, or is that already; `none` = the router needs no promotion.
   */
  readonly promotion: "none" | "due" | "done";
  /** Whether the device is set to move the traffic of this port away. */
  readonly drain: "off" | "on";
  /** Whether the port is enabled. */
  readonly admin: "up" | "down";
}

/** Whether a condition has lasted without a gap, and what it still lacks. */
export type Evidence =
  | { readonly kind: "held" }
  | { readonly kind: "waiting"; readonly cause: Cause };

/**
 * How many SAKs after the first one a planned rotation proves under the new key, where it can ask
 * for them: with the fifth SAK each of the four association numbers was used once and one of them
 * again.
 */
export const laterSaksNeeded = 4;

/**
 * Whether the later SAKs of the new key are proven while the router still holds the old one; a
 * `number` counts them from 1.
 */
export type LaterSaks =
  /** None is asked for: the device, the far end's role or the campaign does not allow it. */
  | { readonly kind: "notOffered" }
  /** The SAK in use is proven, and the one with this number can be asked for. */
  | { readonly kind: "due"; readonly number: number }
  /** The one with this number was asked for and is not proven. */
  | { readonly kind: "waiting"; readonly number: number; readonly cause: Cause }
  | { readonly kind: "proven" };

/** One observation of both ends and the sibling, in terms of the campaign's tables. */
export interface Facts {
  /** undefined = not readable now. */
  readonly port: PortFacts | undefined;
  /** The key or settings that the far end has. */
  readonly far: FarEnd;
  /** Present if `far` is "other" because MACsec is off there; only the reason depends on it. */
  readonly farIsOff?: true;
  /** `unsure` = not known now: nothing is taken beside it, and nothing is given up. */
  readonly sibling: "carrying" | "unsure" | "lost";
  /** Why a disruptive effect may not run now; undefined = every precondition holds. */
  readonly unmetPrecondition: Cause | undefined;
  /**
   * Why the hub's permit does not let this campaign take the link; undefined = it does, none is
   * needed, or the link is taken already. It is part of `unmetPrecondition`.
   */
  readonly withheld: Cause | undefined;
  /** Whether the link is quiet and no best path uses it, or the risk noDrain is accepted. */
  readonly drained: Evidence;
  /** Whether both keys are configured, the old one is in charge, and no frame fails. */
  readonly staged: Evidence;
  /** The proof (P3) that the link works with the new key or settings. */
  readonly proof: Evidence;
  /** The proof of the old key, which is needed before the new one is taken back. */
  readonly oldProof: Evidence;
  /** True if the SAK in use was made after the old key left. */
  readonly freshSak: boolean;
  /** The proof of the SAKs that follow the first one, before the old key is touched. */
  readonly laterSaks: LaterSaks;
  /** Whether the link has carried traffic, by route and by probe, for the soak time. */
  readonly carrying: Evidence;
  /** The change that waits on the candidate of the device, or why the device refuses it. */
  readonly replacement:
    | { readonly kind: "valid" | "absent" }
    | { readonly kind: "refused"; readonly cause: Cause };
  /** Number of accepted changes of this process that a later observation did not show. */
  readonly lostCommits: number;
  /** The key that a late change of ours may still take from the router. */
  readonly mayLose: "nothing" | "old" | "new" | "both";
  /** Why the last effect failed; absent = it did not. Only the reason depends on it. */
  readonly trouble?: Cause;
  /** True if the campaign has been in its state for longer than its deadline. */
  readonly overdue: boolean;
  /** The party that changes the far end. */
  readonly farEnd: "manual" | "agent";
  /** True if the port must be shut while a key is changed (quirk shutBeforeKeyChange). */
  readonly shutsFirst: boolean;
}

export const actionKinds = [
  "drain",
  "restore",
  "stage",
  "add",
  "confirm",
  "rollBack",
  "prepare",
  "prepareBack",
  "putNew",
  "putOld",
  "promote",
  "removeOld",
  "removeNew",
  "replace",
  "replaceBack",
  "rekeySak",
  "renewSak",
  "open",
  "probe",
] as const;
/** An effect, named by its goal: running it twice does no more than running it once. */
export type ActionKind = (typeof actionKinds)[number];

/** The decision of the tables for one observation. */
export interface Step {
  /** Name of the row of the table that fitted; `unlisted` = none did. */
  readonly row: string;
  /** The state after the step. */
  readonly next: CampaignState;
  /** The effect to run; undefined = none. */
  readonly action: ActionKind | undefined;
  /** Why the step is taken, for the journal and for the operator. */
  readonly reason: Reason;
  /** The marks that the step sets in the journal, and the outcome of the link if it ends here. */
  readonly mark: Partial<Omit<Marks, "touched" | "token" | "earlierToken" | "oldSak">> & {
    readonly outcome?: Outcome;
  };
}

/** All that a row and a guard may read. */
export interface Context {
  /** The record before the step. */
  readonly campaign: Campaign;
  /** The link under way. */
  readonly link: CampaignLink;
  /** The observation to decide on. */
  readonly facts: Facts;
  /** The port of `facts`; undefined = not readable now. */
  readonly port: PortFacts | undefined;
}

interface Rule extends RuleOf<Context, CampaignState, ActionKind> {
  readonly mark?: Step["mark"];
}

/** `name` is `state.what`: storms count it, and it is the code of the reason that the row gives. */
export type Row = Rule &
  (
    | { readonly name: PlainCode; readonly cause?: undefined }
    | { readonly name: CausedCode; readonly cause: (context: Context) => Cause }
    /** The campaign keeps its reason. */
    | { readonly name: `${string}.${string}`; readonly cause: "kept" }
  );

/** The rows of each state; the first row that fits is taken. */
export type Table = Readonly<Record<CampaignState, readonly Row[]>>;

/** A condition without which an action of a campaign may not run. */
export type Guard = GuardOf<Context>;

/** The guards of each action of a campaign. */
export type Guards = GuardsOf<Context, ActionKind>;

/**
 * Returns the link under way.
 * @throws Error if the record has no such link.
 */
export function entryOf(campaign: Campaign): CampaignLink {
  const entry = campaign.links[campaign.at];
  if (entry === undefined) {
    throw new Error(`campaign of ${campaign.group} has no link ${campaign.at}`);
  }
  return entry;
}
