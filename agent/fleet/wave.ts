// The record of a wave: which groups may rotate, in which order, how many at once, and how far each
// is. A hub changes it by compare-and-set, and it is all that a hub knows.

import { count, documentIn, flag, list, object, oneOf, orNull, variants } from "#hal/decoder.ts";
import type { WallTime } from "#hal/world.ts";
import { type Verdict, verdictOrder } from "../model/health.ts";
import { valueBytesMax } from "./engine.ts";
import { type Asked, campaignKind, name, nonce, positive, text, wall } from "./records.ts";

/** Groups of the largest wave. */
const membersMax = 1_000;

/** Why a member failed. */
type FailureCode =
  /** Its campaign ended, and not every link has what was asked for. */
  | "notReached"
  /** Its site's verdict got worse than it was before, within the time of baking. */
  | "worse"
  /** Its campaign began, and did not end in time. */
  | "late"
  /** The site asks for another campaign, and how the one with the permit has ended is not known. */
  | "unknownEnd"
  /** A campaign began that the wave gave no permit for. */
  | "otherCampaign"
  /** A person withdrew its permit. */
  | "withdrawn";

const failureCodes = [
  ...(["notReached", "worse", "late", "unknownEnd", "otherCampaign", "withdrawn"] as const),
] as const satisfies readonly FailureCode[];

/** A permit as the record keeps it. */
interface Given {
  /** Of the ask that it is for. */
  readonly nonce: string;
  /** When a hub decided it. */
  readonly at: WallTime;
  readonly notAfter: WallTime;
}

/** How far a group is; times are those of the hub. */
export type MemberState =
  | { readonly kind: "waiting" }
  /**
   * It may begin, or has begun and could not write it. `isWithdrawn`: the permit was taken back
   * while the wave is stopped, and comes again when it is resumed.
   */
  | (Given & { readonly kind: "permitted"; readonly isWithdrawn: boolean })
  /** Its site wrote that a link may be out of service. */
  | (Given & { readonly kind: "begun" })
  /** Every link of it has what was asked for. */
  | (Given & { readonly kind: "reached" })
  /** `isOpen`: its campaign may still have a link out of service. */
  | (Given & { readonly kind: "failed"; readonly why: FailureCode; readonly isOpen: boolean })
  /** A person left it out. */
  | { readonly kind: "leftOut"; readonly at: WallTime };

/** A group of a wave. */
export interface Member {
  /** Name of its site. */
  readonly site: string;
  /** Its name within the site. */
  readonly group: string;
  /** The verdict of its site when it got its permit; null = it got none. */
  readonly before: Verdict | null;
  /** How far it is. */
  readonly state: MemberState;
}

/** Who did something, and when by the hub's clock. */
export interface Act {
  /** When. */
  readonly at: WallTime;
  /** A person or `hub`, as the hub knows them. */
  readonly by: string;
}

/** Whether a wave gives permits. */
export type WaveState =
  | { readonly kind: "running" }
  /** All sites are frozen; it goes on when they are thawed. */
  | (Act & { readonly kind: "frozen"; readonly why: string })
  /** It gives none until a person resumes it. */
  | (Act & { readonly kind: "stopped"; readonly why: string })
  | { readonly kind: "done"; readonly at: WallTime };

/** linkseal.wave/1: key NAME of `linkseal-waves`. */
export interface Wave {
  /** Its name, which is its key. */
  readonly name: string;
  /** The only kind of campaign that gets a permit of it. */
  readonly kind: Asked["kind"];
  /** Members that may be open at once. */
  readonly shareMax: number;
  /** How long the sites of a stage are watched before the next stage, in milliseconds. */
  readonly bakeMs: number;
  /** How long a campaign may take from its beginning to its end, in milliseconds. */
  readonly lateMs: number;
  /** How long a permit may begin a campaign, in milliseconds. */
  readonly permitMs: number;
  /** Who began it. */
  readonly begun: Act;
  /** Who resumed it last; null = it was not resumed. */
  readonly resumed: Act | null;
  /** Whether it gives permits. */
  readonly state: WaveState;
  /** Index of the stage that is under way; that of no stage when the wave is done. */
  readonly stage: number;
  /** When the last member of the stage ended; null = it has not. */
  readonly bakingSince: WallTime | null;
  /** The canary, then shares. */
  readonly stages: readonly (readonly Member[])[];
}

/** True while a link of the group may be out of service by the wave's permit. */
export function isOpen({ state }: Member): boolean {
  switch (state.kind) {
    case "permitted":
    case "begun":
      return true;
    case "failed":
      return state.isOpen;
    case "waiting":
    case "reached":
    case "leftOut":
      return false;
  }
}

/** Returns a wave as octets of JSON. */
export function waveOctets(wave: Wave): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ schema: "linkseal.wave/1", ...wave }));
}

/** True if the record of a wave stays within the limits of a value, however far its members are. */
export function isFit(wave: Wave): boolean {
  const at = 8_640_000_000_000_000 as WallTime;
  const given = { nonce: "0".repeat(32), at, notAfter: at };
  const state: MemberState = { ...given, kind: "failed", why: "otherCampaign", isOpen: false };
  const stages = wave.stages.map((stage) =>
    stage.map((member): Member => ({ ...member, before: "unprotected", state })),
  );
  const spareBytes = 2_000;
  return (
    stages.flat().length <= membersMax &&
    waveOctets({ ...wave, stages }).length + spareBytes <= valueBytesMax
  );
}

/** Returns what the record of a wave says; undefined = it is none, and gives no permit. */
export function parseWave(octets: Uint8Array): Wave | undefined {
  const limits = { octets: valueBytesMax, values: 50_000 };
  const found = documentIn("linkseal.wave/1", octets, limits, wave);
  return found !== undefined && isConsistent(found) ? found : undefined;
}

function isConsistent({ stage, stages, state }: Wave): boolean {
  const members = stages.flat();
  const keys = new Set(members.map(({ site, group }) => `${site}.${group}`));
  if (members.length > membersMax || keys.size !== members.length) return false;
  // Only a wave that is done has no stage under way.
  return stage <= stages.length && (stage === stages.length) === (state.kind === "done");
}

const act = { at: wall, by: text };
const given = { nonce, at: wall, notAfter: wall };

const memberState = variants<MemberState>({
  waiting: {},
  permitted: { ...given, isWithdrawn: flag },
  begun: given,
  reached: given,
  failed: { ...given, why: oneOf(failureCodes), isOpen: flag },
  leftOut: { at: wall },
});
const member = object<Member>({
  ...{ site: name, group: name, before: orNull(oneOf(verdictOrder)), state: memberState },
});
const wave = object<Wave>({
  ...{ name, kind: campaignKind, shareMax: positive },
  ...{ bakeMs: count(Number.MAX_SAFE_INTEGER), lateMs: positive, permitMs: positive },
  ...{ begun: object<Act>(act), resumed: orNull(object<Act>(act)) },
  state: variants<WaveState>({
    running: {},
    frozen: { ...act, why: text },
    stopped: { ...act, why: text },
    done: { at: wall },
  }),
  stage: count(Number.MAX_SAFE_INTEGER),
  bakingSince: orNull(wall),
  stages: list(list(member, membersMax, 1), membersMax, 1),
});
