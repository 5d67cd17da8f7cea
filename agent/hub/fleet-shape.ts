// What a hub shows of all sites at one moment, and its words: on its page, and as text or JSON of
// `fleet status`.

import type { MemberState, Wave, WaveState } from "../fleet/wave.ts";
import type { Verdict } from "../model/health.ts";
import { spanText } from "../model/text.ts";
import type { SiteStatus } from "../telemetry/fleet/status-document.ts";

/** All sites of an engine (linkseal.fleetStatus/1). */
export interface FleetView {
  /** Name and version of this shape. */
  readonly schema: "linkseal.fleetStatus/1";
  /** The hub's clock, in UTC. */
  readonly at: string;
  /** Whether the hub reads now. */
  readonly engine:
    | { readonly connected: true }
    | { readonly connected: false; readonly forMs: number; readonly why: string };
  /** The worst verdict of all sites; unknown where there is none. */
  readonly verdict: Verdict;
  /** How many sites have each verdict; a silent site is unknown. */
  readonly verdicts: Readonly<Record<Verdict, number>>;
  /** Sites that have told nothing for too long; they are unknown. */
  readonly silent: number;
  /** Number of all sites. */
  readonly all: number;
  /** The sites, the worst first; cut. */
  readonly sites: readonly SiteRow[];
  /** The freezes in force. */
  readonly freezes: readonly FreezeRow[];
  /** The waves that are not done, and the newest that are. */
  readonly waves: readonly WaveRow[];
}

/** How a hub knows what it shows of a site. */
export type SiteVoice =
  /** Its newest status is recent. */
  | "told"
  /** Its newest status is too old to say anything about now. */
  | "silent"
  /** What is under its key is no status. */
  | "unreadable"
  /** What is under its key was written by the server as a reply, which no site can mean. */
  | "forged";

/** What does not fit together about a site, and is no verdict. */
export type SiteNote =
  /** The status names another site: the key counts, to which that site alone can write. */
  | { readonly kind: "otherName"; readonly name: string }
  /** Its clock is this much ahead of the engine's, or behind (below 0). */
  | { readonly kind: "clock"; readonly aheadMs: number }
  /** The engine has a head of the same log with a higher number: the log was cut or rolled back. */
  | { readonly kind: "logCut"; readonly head: number; readonly newest: number }
  /** The newest head is of the log of another host: the agent has moved, or its log is replaced. */
  | { readonly kind: "otherLog"; readonly host: string };

/** A site at one moment. */
export interface SiteRow {
  /** The key under which the status is. */
  readonly site: string;
  /** `unknown` unless the site has told it recently. */
  readonly verdict: Verdict;
  /** How that is known. */
  readonly voice: SiteVoice;
  /** The last verdict of a site that is silent; null = it has told one, or never did. */
  readonly was: Verdict | null;
  /** Since the engine stored the newest status, in milliseconds; null = that is not known. */
  readonly ageMs: number | null;
  /** What the newest readable status says; null = there is none. */
  readonly told: ToldStatus | null;
  /** The newest head of its audit log on the engine; null = none, or not read yet. */
  readonly head: { readonly seq: number; readonly at: string } | null;
  /** What does not fit together. */
  readonly notes: readonly SiteNote[];
}

/** Parts of a status, each list cut for a view of many sites. */
export type ToldStatus = Pick<
  SiteStatus,
  "at" | "version" | "config" | "verdicts" | "wrong" | "campaigns" | "keys" | "warnings" | "audit"
>;

/** A freeze in force: nothing that takes a link begins. */
export interface FreezeRow {
  /** `fleet`, or the key of one site. */
  readonly key: string;
  /** null = it cannot be read, so every site waits. */
  readonly freeze: { readonly at: string; readonly by: string; readonly why: string } | null;
}

/** A wave at one moment. */
export interface WaveRow {
  /** Its key. */
  readonly name: string;
  /** The kind of its campaigns; null = the record cannot be read. */
  readonly kind: Wave["kind"] | null;
  /** Whether it gives permits; null = the record cannot be read. */
  readonly state: WaveState["kind"] | null;
  /** Why it is in that state; null = the record does not say. */
  readonly why: string | null;
  /** Number of the stage that is under way, from 1 on; 0 = the record cannot be read. */
  readonly stage: number;
  /** Number of all stages. */
  readonly stages: number;
  /** How many of its groups are in each state. */
  readonly progress: readonly { readonly state: MemberState["kind"]; readonly count: number }[];
}

/** True for a site that an operator has to see, and that is not only counted. */
export const isOdd = ({ verdict, notes }: Pick<SiteRow, "verdict" | "notes">): boolean =>
  verdict !== "protected" || notes.length > 0;

/** Returns how a hub knows what it shows of a site. `sinceMs`: the age of the view itself. */
export function voiceText({ voice, was, ageMs }: SiteRow, sinceMs = 0): string {
  const age = ageMs === null ? "at an unknown time" : `${spanText(ageMs + sinceMs)} ago`;
  switch (voice) {
    case "told":
      return `told ${age}`;
    case "silent":
      return `silent: told ${age}${was === null ? "" : ` that it was ${was}`}`;
    case "unreadable":
      return "what it published is no status";
    case "forged":
      return "what is in its place was not written by a site";
  }
}

/** Returns what does not fit together about a site, as one sentence. */
export function noteText(note: SiteNote): string {
  switch (note.kind) {
    case "otherName":
      return `its status names another site: ${note.name}`;
    case "clock": {
      const span = spanText(Math.abs(note.aheadMs));
      return `its clock is ${span} ${note.aheadMs > 0 ? "ahead of" : "behind"} the engine's`;
    }
    case "logCut":
      return `its audit log ends at record ${note.newest}, and the engine has head ${note.head}`;
    case "otherLog":
      return `the newest head is of the log of another host: ${note.host}`;
  }
}

/** Returns a freeze as one sentence. */
export function freezeText({ key, freeze }: FreezeRow): string {
  const about = key === "fleet" ? "all sites" : key.replace(/^site\./, "site ");
  if (freeze === null) return `${about}: the freeze cannot be read, so nothing begins there`;
  return `${about} frozen since ${freeze.at} by ${freeze.by}: ${freeze.why}`;
}

/** Returns how far the groups of a wave are. */
export const progressText = ({ progress }: Pick<WaveRow, "progress">): string =>
  progress.map(({ state, count }) => `${count} ${state}`).join(", ");
