// The report of a month with faults (of some days in a short run), compared with the truth of every
// second.

import { beforeAll, describe, expect, it } from "vitest";
import { htmlOf } from "#agent/evidence/report/html.ts";
import { reportFile, type SignedReport } from "#agent/evidence/report/statement.ts";
import { publicKeyOf, verifyReport } from "#agent/evidence/report/verify.ts";
import { formatViolation } from "#sim/oracle/oracle.ts";
import { effort } from "../effort.ts";
import { bits, dayMs, Month, waits } from "./month.ts";

const days = effort(8, 30);
const seed = "month-1";
const seconds = (days * dayMs) / 1000;
const pollAndSettleS = (waits.pollMs + waits.settleMs) / 1000;
const windowS = (waits.lookbackMs + waits.pollMs) / 1000;

/** The answers that a report can give for one second. */
const says = { nothing: 0, protected: 1, notProtected: 2, unknown: 3, both: 4 } as const;

interface Judged {
  /** Number of minutes in which the report equals the truth. */
  readonly equal: number;
  readonly near: number;
  readonly excused: number;
  readonly wrong: readonly string[];
  /** The longest time that was reported as protected and was not, in seconds. */
  readonly worstS: number;
}

/** A second that is unknown in part counts as what the report says of its other part. */
function together(before: number, now: number): number {
  if (before === says.nothing || before === says.unknown) return now;
  return now === before || now === says.unknown ? before : says.both;
}

function reported(report: SignedReport, about: string, start: number): Uint8Array {
  const found = new Uint8Array(seconds);
  const subject = report.subjects.find(({ name }) => name === about);
  for (const { from, to, answer } of subject?.intervals ?? []) {
    const [first, end] = [from, to].map((at) => (Date.parse(at) - start) / 1000);
    for (let at = Math.floor(first ?? 0); at < Math.ceil(end ?? 0); at += 1) {
      found[at] = together(found[at] ?? says.nothing, says[answer]);
    }
  }
  return found;
}

/** Marks the seconds so near to a change of the truth that a report may show it late or early. */
function nearChanges(truth: Uint8Array, kind: "link" | "tunnel"): Uint8Array {
  const near = new Uint8Array(seconds);
  for (let at = 1; at < seconds; at += 1) {
    const [before, now] = [truth[at - 1] ?? 0, truth[at] ?? 0];
    if (((before ^ now) & (bits.good | bits.bad)) === 0) continue;
    const isCounted = kind === "tunnel" || (now & bits.dim) !== 0;
    near.fill(1, Math.max(0, at - (isCounted ? windowS : pollAndSettleS)), at + windowS);
  }
  return near;
}

function judge(truth: Uint8Array, reportBytes: Uint8Array, kind: "link" | "tunnel"): Judged {
  const near = nearChanges(truth, kind);
  const wrong = new Runs();
  const minutes = { equal: 0, near: 0, excused: 0 };
  let worstS = 0;
  let run = 0;
  for (let minute = 0; minute < seconds / 60; minute += 1) {
    let worst: "equal" | "near" | "excused" = "equal";
    for (let at = minute * 60; at < (minute + 1) * 60; at += 1) {
      const is = truth[at] ?? 0;
      const isBad = (is & (bits.good | bits.bad)) === bits.bad;
      const isProtected = reportBytes[at] === says.protected;
      run = isBad && isProtected ? run + 1 : 0;
      worstS = Math.max(worstS, run);
      if (reportBytes[at] === (isBad ? says.notProtected : says.protected)) continue;
      if (near[at] === 1) worst = worst === "equal" ? "near" : worst;
      else if ((is & bits.blind) !== 0 && !isProtected) worst = "excused";
      else wrong.add(at, `says ${reportBytes[at]} of ${is}`);
    }
    minutes[worst] += 1;
  }
  return { ...minutes, wrong: wrong.found, worstS };
}

/** Joins consecutive seconds with the same text into one line. */
class Runs {
  readonly found: string[] = [];
  #text = "";
  #next = -1;
  #length = 0;

  add(at: number, text: string): void {
    if (at === this.#next && text === this.#text) this.found.pop();
    else this.#length = 0;
    this.#length += 1;
    this.#text = text;
    this.#next = at + 1;
    const since = new Date((at + 1 - this.#length) * 1000).toISOString().slice(8, 19);
    this.found.push(`${since} ${text} for ${this.#length} s`);
  }
}

describe(`${days} days with faults, seed ${seed}`, () => {
  const month = new Month(seed, days);
  let report: SignedReport;
  beforeAll(async () => {
    await month.play();
    report = await month.report(0, days * dayMs);
  });

  it("the report agrees with the truth, minute by minute", () => {
    console.log(`seed ${seed}: ${JSON.stringify(month.struck)}, ${month.restarts.count} processes`);
    expect(report.subjects.map(({ name }) => name)).toEqual([...month.truth.keys()].sort());
    const all: Record<string, readonly string[]> = {};
    for (const { name, kind } of report.subjects) {
      const truth = month.truth.get(name) ?? new Uint8Array();
      const { equal, near, excused, wrong, worstS } = judge(
        truth,
        reported(report, name, month.wallStart),
        kind,
      );
      const minutes = `${equal} minutes equal, ${near} near a change, ${excused} rightly unknown`;
      console.log(`${name}: ${minutes}; protected and was not: ${worstS} s at most`);
      if (wrong.length > 0) all[name] = wrong.slice(0, 20);
      expect(worstS).toBeLessThanOrEqual(pollAndSettleS);
      expect(equal + near + excused).toBe(seconds / 60);
      expect(equal).toBeGreaterThan((0.9 * seconds) / 60);
    }
    expect(all).toEqual({});
  });

  it("the month has faults, kills, lost records and other keys", () => {
    expect(Object.keys(month.struck).length).toBeGreaterThan(12);
    expect(month.lost.length).toBeGreaterThan(effort(1, 2));
    const links = report.subjects.filter(({ kind }) => kind === "link");
    for (const { keys, totals } of links) {
      expect(new Set(keys.map(({ ckn }) => ckn)).size).toBeGreaterThan(effort(1, 2));
      expect(totals.notProtected.ms).toBeGreaterThan(effort(60_000, 600_000));
      expect(totals.unknown.ms).toBeGreaterThan(effort(60_000, 600_000));
    }
    const whats = new Set(report.breaks.map(({ what }) => what));
    expect([...whats].sort()).toEqual(["gap", "start"]);
    expect(new Set(report.changes.map(({ what }) => what))).toContain("campaign");
  });

  it("time whose records a disk lost is reported as unknown, never as protected", () => {
    for (const { from, to } of month.lost) {
      for (const { intervals } of report.subjects) {
        const answers = intervals
          .filter((each) => Date.parse(each.from) < to && Date.parse(each.to) > from)
          .map(({ answer }) => answer);
        expect(answers).not.toContain("protected");
        expect(answers).toContain("unknown");
      }
    }
  });

  it("the report adds up, verifies, and holds no key", () => {
    for (const { totals } of report.subjects) {
      const all = Object.values(totals);
      expect(all.reduce((sum, { ms }) => sum + ms, 0)).toBe(days * dayMs);
      const percents = all.reduce((sum, { percent }) => sum + Number(percent) * 1000, 0);
      expect(Math.round(percents)).toBe(100_000);
    }
    const { agent, stormSite } = month.run;
    const key = publicKeyOf(agent?.evidence.signer.publicKey ?? "");
    if (key === undefined) throw new Error("no key");
    for (const [form, file] of [reportFile(report), htmlOf(report)].entries()) {
      expect(verifyReport(new TextEncoder().encode(file), key).kind).toBe("sound");
      stormSite.oracle.emitted(`report ${form}`, file);
      expect(file.length).toBeGreaterThan(10_000);
    }
    expect(stormSite.oracle.violations.map(formatViolation)).toEqual([]);
  });

  it("the same report requested again has the same octets", async () => {
    const again = await month.report(0, days * dayMs);
    expect(reportFile(again)).toBe(reportFile(report));
  });
});
