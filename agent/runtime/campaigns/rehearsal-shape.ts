// A rotation that is tried on a simulated twin: what it is asked with, and what it reports.

import type { Campaign, CampaignState, Outcome } from "../../model/campaign.ts";
import type { Reason } from "../../model/reason.ts";
import type { RehearsalSnapshot } from "./rehearsal-snapshot.ts";

/** How long a link carried nothing, and on whose side the reason was; in milliseconds. */
interface DarkTime {
  readonly wholeMs: number;
  readonly theirsMs: number;
  readonly oursMs: number;
}

export interface RehearsalOptions {
  readonly twin: RehearsalSnapshot;
  /** The group, or one link of it. */
  readonly target: string;
  readonly urgency: Campaign["urgency"];
  /** The time that the person at the far end takes to act, in milliseconds; absent = a minute. */
  readonly personMs?: number;
  /** Ends it early: the caller, which has a clock, bounds the real time. */
  readonly stop: AbortSignal;
}

export interface Rehearsal {
  readonly schema: "linkseal.rehearsal/1";
  readonly target: string;
  /** `good`: every link was rotated, and no promise was broken. */
  readonly verdict: "good" | "bad";
  readonly because: string;
  readonly tookMs: number;
  readonly links: readonly {
    readonly link: string;
    readonly outcome: Outcome | null;
    /** Whole, of it until the far end was ready, and the rest. */
    readonly dark: DarkTime;
    readonly steps: readonly {
      readonly atMs: number;
      readonly state: CampaignState;
      readonly because: string;
      readonly reason: Reason;
    }[];
  }[];
  /** Frames of the pair that never arrived, as decimal text. */
  readonly lostFrames: string;
  readonly brokenPromises: readonly string[];
}
