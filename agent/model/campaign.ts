// What a campaign is made of: its record in the journal, the facts of one observation, and a step.

import type { KeyRef, PortName, WantedSettings } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import type { RiskName } from "./desired.ts";
import type { Cause, CausedCode, FarEnd, PlainCode, PortKeys, Reason } from "./reason.ts";

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
export type CampaignState = (typeof campaignStates)[number];

/** `enrol` brings the first key, `change` keeps the key and changes settings at both ends. */
export type CampaignKind = "enrol" | "change" | "rotate";

export type Outcome = "enrolled" | "changed" | "rotated" | "reverted" | "abandoned";

/** How old and new meet on the router: beside each other, or one after the other. */
export type Overlap = "keychain" | "fallback" | "breakBeforeMake";

export interface CampaignLink {
  readonly name: string;
  readonly device: string;
  readonly port: PortName;
  /** The state before the campaign, frozen when it is queued; undefined = MACsec off. */
  readonly old: { readonly key: KeyRef; readonly settings: WantedSettings } | undefined;
  /** The state after it; a `change` keeps the key. */
  readonly new: { readonly key: KeyRef; readonly settings: WantedSettings };
  /** Creation time of the new CAK version. */
  readonly created: WallTime;
  /** The generation of the new CAK version; undefined = the vault does not report it. */
  readonly generation: number | undefined;
  readonly overlap: Overlap;
  readonly outcome: Outcome | undefined;
}

/** The marks in the journal of the link under way. */
export interface Marks {
  /** A put was sent, or the person was asked: the far end may know the new key. */
  readonly told: boolean;
  /** The operator said `proceed`. */
  readonly asked: boolean;
  /** The operator sent that the far end was changed, where the agent cannot read it. */
  readonly claimed: boolean;
  readonly proved: boolean;
  /** The first pass of `afterSoak` is over. */
  readonly soaked: boolean;
  /** The staged key is being taken back. */
  readonly aborted: boolean;
  /** The port was shut for a key change or by undoing one, or is about to be. */
  readonly shut: boolean;
  readonly goal: "forward" | "revert";
  /** The token of the confirmed commit that staged the new key. */
  readonly token: string | undefined;
  /** The token of the attempt before it, which a slow router may carry out after the next one. */
  readonly earlierToken: string | undefined;
  /** The SAK that was in use when the old key was taken away. */
  readonly oldSak: string | undefined;
}

export const noMarks: Marks = {
  told: false,
  asked: false,
  claimed: false,
  proved: false,
  soaked: false,
  aborted: false,
  shut: false,
  goal: "forward",
  token: undefined,
  earlierToken: undefined,
  oldSak: undefined,
};

/** The record of a campaign in the journal; every field survives a crash. */
export interface Campaign extends Marks {
  readonly group: string;
  readonly kind: CampaignKind;
  /** The links in the order in which they are taken. */
  readonly links: readonly CampaignLink[];
  /** Index of the link under way. */
  readonly at: number;
  readonly state: CampaignState;
  readonly since: WallTime;
  readonly reason: Reason;
  /** The state that was left for `held`. */
  readonly heldFrom: CampaignState | undefined;
  readonly retire: "afterProof" | "afterSoak";
  /** `emergency`: windows do not bind, the old key goes after proof, and the SAK must be fresh. */
  readonly urgency: "planned" | "emergency";
  readonly risks: readonly RiskName[];
  readonly origin: "policy" | "operator";
  readonly by: string;
  /** Number of the accepted intent that it serves. */
  readonly intent: number;
}

/** The tokens of its staged key; a router holds a commit of one of them at most. */
export function stagedBy({ token, earlierToken }: Campaign): readonly string[] {
  return [token, earlierToken].filter((each) => each !== undefined);
}

export interface PortFacts {
  /** The keys of this campaign on the port; `old` of an enrolment is a bare port. */
  readonly keys: PortKeys;
  readonly pending: "none" | "ours" | "foreign";
  /**
   * Under which key the link passes frames (for enrol, old = in clear with BGP up); once the far
   * end moved only while it still answers.
   */
  readonly carriedBy: "old" | "new" | "nothing";
  /** `lasting`: with light on the fibre and for longer than MKA needs to form. */
  readonly outage: "none" | "brief" | "lasting";
  /** The new key is the primary one, on a platform that tells them apart. */
  readonly promoted: boolean;
  /** Whether the device is set to move the traffic of this port away. */
  readonly drain: "off" | "on";
  readonly admin: "up" | "down";
}

/** Something that must hold without a gap, and how far it has come. */
export type Evidence =
  | { readonly kind: "held" }
  | { readonly kind: "waiting"; readonly cause: Cause };

export interface Facts {
  /** undefined = not readable now. */
  readonly port: PortFacts | undefined;
  readonly far: FarEnd;
  /** `unsure` = not known now: nothing is taken beside it, and nothing is given up. */
  readonly sibling: "carrying" | "unsure" | "lost";
  /** Why a disruptive effect may not run now; undefined = every precondition holds. */
  readonly unmetPrecondition: Cause | undefined;
  /** Quiet samples and no best path over the link, or the risk accepted by name. */
  readonly drained: Evidence;
  /** Both keys configured, the old one in charge, no frame failing. */
  readonly staged: Evidence;
  readonly proof: Evidence;
  /** The same of the old key, before the new one may be taken back. */
  readonly oldProof: Evidence;
  /** The SAK in use was made after the old key left. */
  readonly freshSak: boolean;
  /** The link carries by route and by probe and has stayed healthy for the soak time. */
  readonly carrying: Evidence;
  /** The change that waits on the candidate of the device, or why the device refuses it. */
  readonly replacement:
    | { readonly kind: "valid" | "absent" }
    | { readonly kind: "refused"; readonly cause: Cause };
  /** Accepted changes of this process that a later observation did not show. */
  readonly lostCommits: number;
  /** Which key a change of ours that comes late may still take from the router. */
  readonly mayLose: "nothing" | "old" | "new" | "both";
  readonly overdue: boolean;
  readonly farEnd: "manual" | "agent";
  /** The device needs its port shut while a key is changed (quirk shutBeforeKeyChange). */
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
  "open",
  "probe",
] as const;
/** Named by the goal: running one twice does no more than running it once. */
export type ActionKind = (typeof actionKinds)[number];

export interface Step {
  /** Name of the row of the table that fitted; `unlisted` = none did. */
  readonly row: string;
  readonly next: CampaignState;
  readonly action: ActionKind | undefined;
  /** Why the step is taken, for the journal and for the operator. */
  readonly reason: Reason;
  readonly mark: Partial<Omit<Marks, "token" | "earlierToken" | "oldSak">> & {
    readonly outcome?: Outcome;
  };
}

/** All that a row and a guard may read. */
export interface Context {
  readonly campaign: Campaign;
  readonly link: CampaignLink;
  readonly facts: Facts;
  readonly port: PortFacts | undefined;
}

interface Rule {
  readonly when: (context: Context) => boolean;
  readonly next: CampaignState;
  /** The row fits only if the guards of its action hold as well. */
  readonly action?: ActionKind;
  readonly mark?: Step["mark"];
}

/** `name` is `state.what`: storms count it, and it is the code of the reason that the row gives. */
export type Row = Rule &
  (
    | { readonly name: PlainCode; readonly cause?: undefined }
    | { readonly name: CausedCode; readonly cause: (context: Context) => Cause }
    /** The reason that the campaign has already stays. */
    | { readonly name: `${string}.${string}`; readonly cause: "kept" }
  );

export type Table = Readonly<Record<CampaignState, readonly Row[]>>;

export interface Guard {
  readonly name: string;
  readonly holds: (context: Context) => boolean;
}

export type Guards = Readonly<Record<ActionKind, readonly Guard[]>>;

/** The link under way. */
export function entryOf(campaign: Campaign): CampaignLink {
  const entry = campaign.links[campaign.at];
  if (entry === undefined) {
    throw new Error(`campaign of ${campaign.group} has no link ${campaign.at}`);
  }
  return entry;
}
