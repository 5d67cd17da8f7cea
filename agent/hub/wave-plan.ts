// A wave from what a person asks for: its groups in stages, first the canary, then shares.

import type { Asked } from "../fleet/records.ts";
import { isName } from "../fleet/records.ts";
import { groupKey } from "../fleet/subjects.ts";
import type { Act, Member, Wave } from "../fleet/wave.ts";

/** A wave as it is asked for; durations are in milliseconds. */
export interface WaveRequest {
  readonly name: string;
  readonly kind: Asked["kind"];
  /** All groups, the canary's among them, as SITE.GROUP. */
  readonly groups: readonly string[];
  readonly canary: readonly string[];
  /** A number of groups, or a part of them: `2`, `10%`. */
  readonly share: string;
  readonly bakeMs: number;
  readonly lateMs: number;
  readonly permitMs: number;
}

/** A wave, or why there is none, as a sentence. */
export type PlannedWave =
  | { readonly kind: "wave"; readonly wave: Wave }
  | { readonly kind: "fault"; readonly why: string };

/** Plans a wave; `begun`: who begins it. */
export function plannedWave(request: WaveRequest, begun: Act): PlannedWave {
  const fault = (why: string): PlannedWave => ({ kind: "fault", why });
  const { name, kind, groups, canary, share, bakeMs, lateMs, permitMs } = request;
  if (!isName(name)) return fault("the name has a-z, 0-9 and -, and at most 63 characters");
  const members = new Map<string, Member>();
  for (const text of groups) {
    const member = memberOf(text);
    if (member === undefined) return fault(`${text} is not SITE.GROUP`);
    if (members.has(text)) return fault(`${text} is named twice`);
    members.set(text, member);
  }
  const first = new Set(canary);
  const unknown = canary.find((key) => !members.has(key));
  if (unknown !== undefined) return fault(`${unknown} of the canary is not among the groups`);
  if (first.size === 0) return fault("a wave begins with a canary of at least one group");
  const shareMax = shareOf(share, members.size);
  if (shareMax === undefined) return fault("a share is a number of groups, or 1% to 100%");
  const early = [...members.values()].filter((member) => first.has(keyIn(member)));
  const rest = [...members.values()].filter((member) => !first.has(keyIn(member)));
  const stages = [...sharesOf(early, shareMax), ...sharesOf(rest, shareMax)];
  return {
    kind: "wave",
    wave: {
      ...{ name, kind, shareMax, bakeMs, lateMs, permitMs, begun, resumed: null },
      ...{ state: { kind: "running" }, stage: 0, bakingSince: null, stages },
    },
  };
}

const keyIn = ({ site, group }: Member): string => groupKey(site, group);

function memberOf(text: string): Member | undefined {
  const [site, group, ...more] = text.split(".");
  if (!isName(site) || !isName(group) || more.length > 0) return undefined;
  return { site, group, before: null, state: { kind: "waiting" } };
}

function shareOf(text: string, all: number): number | undefined {
  const [, digits = "", percent] = /^([1-9]\d{0,3})(%?)$/.exec(text) ?? [];
  if (digits === "") return undefined;
  if (percent === "") return Number(digits);
  const part = Number(digits);
  return part > 100 ? undefined : Math.max(1, Math.floor((all * part) / 100));
}

function sharesOf(members: readonly Member[], shareMax: number): readonly (readonly Member[])[] {
  const shares: Member[][] = [];
  for (let at = 0; at < members.length; at += shareMax) {
    shares.push(members.slice(at, at + shareMax));
  }
  return shares;
}
