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

/** What a rehearsal is asked for; it has no key, and goes to the laboratory as JSON. */
export interface RehearsalRequest {
  /** The group that the simulated site copies. */
  readonly twin: RehearsalSnapshot;
  /** The group, or one link of it. */
  readonly target: string;
  /** The urgency of the rehearsed rotation. */
  readonly urgency: Campaign["urgency"];
  /** The time that the person at the far end takes to act, in milliseconds; absent = a minute. */
  readonly personMs?: number;
}

/** The result of a rehearsal as scripts read it (linkseal.rehearsal/1). */
export interface Rehearsal {
  /** Name and version of the schema. */
  readonly schema: "linkseal.rehearsal/1";
  /** The group as `group`, or one link of it as `group/link`. */
  readonly target: string;
  /** `good`: every link was rotated, and no promise was broken. */
  readonly verdict: "good" | "bad";
  /** One sentence that explains the verdict. */
  readonly because: string;
  /** Simulated time until the last step, in milliseconds. */
  readonly tookMs: number;
  /** Each link of the rotation; an `outcome` of null = it did not end. */
  readonly links: readonly {
    readonly link: string;
    readonly outcome: Outcome | null;
    /** The whole outage, the part until the far end was ready, and the rest. */
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
  /** The promises (docs/promises.md) that were broken, one sentence each; empty = none. */
  readonly brokenPromises: readonly string[];
}
