// Which outages of a report were planned, and how old its keys became. Derived from the signed
// document alone, so that every reader derives the same. Pure.

import { type CampaignState, campaignStates } from "../../model/campaign.ts";
import { isPlannedWork } from "../../model/planned.ts";
import type { Report, Subject } from "./document.ts";

/** Unix milliseconds, the end not included. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/** Time in which a subject was not protected, and how many outages that were. */
interface OutageSum {
  readonly ms: number;
  readonly count: number;
}

export interface Outages {
  /** While a campaign worked on the link as planned, or an operator had drained it. */
  readonly planned: OutageSum;
  /** All others; clear frames are never planned. */
  readonly unplanned: OutageSum;
}

/** An outage counts from the last good observation, which may be before the work began. */
const beforeWorkMs = 30_000;

/** Sums the outages of a link or tunnel by whether they were planned. */
export function outagesOf(subject: Subject, report: Report): Outages {
  const work = workOn(subject.name, report);
  const sums = { planned: { ms: 0, count: 0 }, unplanned: { ms: 0, count: 0 } };
  let before: Look | undefined;
  for (const { look, from, to } of partsOf(subject, work)) {
    if (look === "planned" || look === "unplanned") {
      sums[look].ms += to - from;
      if (look !== before) sums[look].count += 1;
    }
    before = look;
  }
  return sums;
}

/** What a part of the period is to a reader. */
export type Look = "protected" | "unknown" | keyof Outages;

interface Part extends Span {
  readonly look: Look;
}

/** Returns the period of a subject in order, cut where planned work begins or ends. */
export function partsOf(
  { intervals }: Pick<Subject, "intervals">,
  work: readonly Span[],
): readonly Part[] {
  return intervals.flatMap(({ from: start, to: end, answer, verdict }): readonly Part[] => {
    const [from, to] = [Date.parse(start), Date.parse(end)];
    if (answer !== "notProtected") return [{ from, to, look: answer }];
    if (verdict === "unprotected") return [{ from, to, look: "unplanned" }];
    const edges = work.flatMap((span) => [span.from, span.to]);
    const cuts = [...new Set([from, ...edges.filter((edge) => edge > from && edge < to), to])];
    cuts.sort((a, b) => a - b);
    return cuts.slice(0, -1).map((cut, index): Part => {
      const isPlanned = work.some((span) => span.from <= cut && cut < span.to);
      return { from: cut, to: cuts[index + 1] ?? to, look: isPlanned ? "planned" : "unplanned" };
    });
  });
}

/** Returns when work was planned on a link or tunnel, as far as the period's records show. */
export function workOn(name: string, { changes, about }: Report): readonly Span[] {
  const end = Date.parse(about.to);
  const group = name.split("/")[0] ?? name;
  return [
    ...spansOf(changes, end, ({ what, about: of, text }) => {
      if (what !== "campaign" || of.split("/")[0] !== group) return undefined;
      const state = stateOf(text);
      return of === name && state !== undefined && isPlannedWork(state) ? "begins" : "ends";
    }),
    ...spansOf(changes, end, ({ what, about: of, text }) => {
      if (what !== "handDrain" || of !== name) return undefined;
      return text.includes("moved away") ? "begins" : "ends";
    }),
  ];
}

function spansOf(
  changes: Report["changes"],
  end: number,
  role: (change: Report["changes"][number]) => "begins" | "ends" | undefined,
): readonly Span[] {
  const spans: Span[] = [];
  let from: number | undefined;
  for (const change of changes) {
    const what = role(change);
    const at = Date.parse(change.at);
    if (what === "begins") from ??= at - beforeWorkMs;
    if (what !== "ends" || from === undefined) continue;
    spans.push({ from, to: at });
    from = undefined;
  }
  return from === undefined ? spans : [...spans, { from, to: end }];
}

/** The records write a campaign's change as `KIND STATE: why`. */
function stateOf(text: string): CampaignState | undefined {
  const word = /^\w+ (\w+):/.exec(text)?.[1];
  return campaignStates.find((state) => state === word);
}

/** A key of a link in the period, and whether it was replaced in time. */
export interface KeyUse {
  readonly link: string;
  readonly ckn: string;
  /** In use from and until, within the period; Unix milliseconds. */
  readonly from: number;
  readonly to: number;
  /** When the vault made it; undefined = no record of the period names it. */
  readonly made: number | undefined;
  /** The age at which it has to be replaced; undefined = the config sets none. */
  readonly limitMs: number | undefined;
  /** `unproven` = the records of the period do not show how old it is. */
  readonly answer: "inTime" | "late" | "unproven" | "noLimit";
}

/** Returns the keys of all links, those of a link in the order in which they came into use. */
export function keyUses({ subjects, changes, about }: Report): readonly KeyUse[] {
  const made = new Map<string, number>();
  for (const { what, text } of changes) {
    const [, ckn, at] =
      /CKN ([0-9a-f]+), .*, made (\S+)$/.exec(what === "binding" ? text : "") ?? [];
    if (ckn !== undefined && at !== undefined) made.set(ckn, Date.parse(at));
  }
  return subjects
    .filter(({ kind }) => kind === "link")
    .flatMap(({ name, intervals }) => {
      const spans = new Map<string, Span>();
      for (const { ckn, from, to } of intervals) {
        if (ckn === null) continue;
        const first = spans.get(ckn)?.from ?? Date.parse(from);
        spans.set(ckn, { from: first, to: Date.parse(to) });
      }
      const limitMs = about.keyAgeLimitsMs?.[name.split("/")[0] ?? ""];
      return [...spans].map(([ckn, span]): KeyUse => {
        const use = { link: name, ckn, ...span, made: made.get(ckn), limitMs };
        return { ...use, answer: answerOf(use) };
      });
    });
}

function answerOf({ from, to, made, limitMs }: Omit<KeyUse, "answer">): KeyUse["answer"] {
  if (limitMs === undefined) return "noLimit";
  if (to - (made ?? from) > limitMs) return "late";
  return made === undefined ? "unproven" : "inTime";
}

/** Returns the interruptions of the record: its beginning is none. */
export function interruptionsOf({ about, breaks }: Report): Report["breaks"] {
  const isBeginning = about.recordedFrom !== null && breaks[0]?.what === "start";
  return isBeginning ? breaks.slice(1) : breaks;
}
