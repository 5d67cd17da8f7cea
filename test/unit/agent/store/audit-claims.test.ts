// Reports that are made at different moments of one history: none certifies what was not seen, and
// no two contradict each other.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { confirmedUntil, timelineOf } from "#agent/evidence/report/timeline.ts";
import type { Observed } from "#agent/runtime/health/observed.ts";
import { AuditBench, lookbackMs, observed, settings } from "../../kit/audit-kit.ts";
import { settled, wallStart } from "../../kit/site-bench.ts";

type Wire = "sealed" | "clear";
type Life = "lives" | "ends" | "killed";

/** A part of a history: what the wire carries, whether it is read, and what happens at its end. */
interface Part {
  readonly polls: number;
  readonly wire: Wire;
  readonly reads: "answered" | "dropped";
  readonly end: Life;
}

interface Look {
  readonly at: number;
  readonly clearFrames: number;
}

const dayMs = 86_400_000;
const { pollMs } = settings;
const good = observed("g/a", "protected");

/** An agent that polls one link, and its reports. */
class History {
  readonly #bench = new AuditBench();
  readonly #staleAfterMs: number;
  #looks: Look[] = [];
  #clearFrames = 0;
  readonly clear: number[] = [];
  readonly reports: { readonly until: number; readonly verdicts: readonly string[] }[] = [];

  constructor(staleAfterMs: number) {
    this.#staleAfterMs = staleAfterMs;
  }

  async run(parts: readonly Part[]): Promise<void> {
    await this.#bench.live();
    for (const part of parts) await this.#take(part);
    await this.#report();
  }

  async #take({ polls, wire, reads, end }: Part): Promise<void> {
    const { clock } = this.#bench;
    for (let poll = 0; poll < polls; poll += 1) {
      if (reads === "answered")
        this.#looks.push({ at: clock.now(), clearFrames: this.#clearFrames });
      const seen = { ...settings, staleAfterMs: this.#staleAfterMs };
      this.#bench.recorder?.turn([this.#verdict(wire)], seen);
      if (wire === "clear") {
        this.#clearFrames += 1;
        this.clear.push(clock.now() + 1, clock.now() + pollMs - 1);
      }
      await clock.runFor(pollMs);
      if (poll % 20 === 19) await this.#report();
    }
    await this.#report();
    if (end === "lives") return;
    if (end === "ends") await settled(clock, this.#bench.recorder?.end() ?? Promise.resolve());
    else this.#bench.disk.crash();
    this.#looks = [];
    await this.#bench.live();
    await this.#report();
  }

  // As links are judged: by a reading that is not stale, and by counters over the evidence window.
  #verdict(wire: Wire): Observed {
    const now = this.#bench.clock.now();
    const newest = this.#looks.at(-1);
    const ageMs = now - (newest?.at ?? Number.NEGATIVE_INFINITY);
    if (newest === undefined || ageMs > this.#staleAfterMs) {
      return observed("g/a", "unknown", { codes: ["reading-stale"] });
    }
    const rest = { observationAgeMs: ageMs };
    if (ageMs === 0 && wire === "clear") {
      return observed("g/a", "unprotected", { codes: ["policy-should-secure"], ...rest });
    }
    const window = this.#looks.filter(({ at }) => at >= newest.at - lookbackMs);
    if (window.length < 2) {
      return observed("g/a", "unknown", { codes: ["collecting-evidence"], ...rest });
    }
    if (window[0]?.clearFrames !== newest.clearFrames) {
      return observed("g/a", "unprotected", { codes: ["frames-untagged"], ...rest });
    }
    return { ...good, ...rest };
  }

  async #report(): Promise<void> {
    const { clock, recorder, log } = this.#bench;
    if (recorder === undefined || log === undefined) throw new Error("no agent lives");
    const trail = await settled(clock, recorder.read());
    const until = confirmedUntil(trail) ?? wallStart;
    if (until <= wallStart) return;
    const { lines } = timelineOf(trail, { from: wallStart, to: until });
    const verdicts: string[] = [];
    for (const { from, to, verdict } of lines[0]?.intervals ?? []) {
      for (let at = Math.ceil(from / 1000); at < to / 1000; at += 1) {
        verdicts[at - wallStart / 1000] = verdict;
      }
    }
    this.reports.push({ until: (until - wallStart) / 1000, verdicts });
  }

  /** The seconds of which a report says that they were protected while clear frames passed. */
  falselyCertified(): readonly string[] {
    const seconds = [...new Set(this.clear.map((ms) => Math.floor(ms / 1000)))];
    return this.reports.flatMap(({ until, verdicts }) => {
      const wrong = seconds.filter((second) => verdicts[second] === "protected");
      return wrong.length === 0 ? [] : [`until ${until}s: ${wrong.at(0)}s to ${wrong.at(-1)}s`];
    });
  }

  /** The moments that are final in two reports, and differ. */
  contradictions(): readonly string[] {
    return this.reports.flatMap((one, index) =>
      this.reports.slice(index + 1).flatMap((other) => {
        const until = Math.floor(Math.min(one.until, other.until));
        const at = one.verdicts.findIndex(
          (verdict, second) => second < until && verdict !== other.verdicts[second],
        );
        return at < 0 ? [] : [`${at}s: ${one.verdicts[at]}, then ${other.verdicts[at]}`];
      }),
    );
  }
}

const part: fc.Arbitrary<Part> = fc.record({
  polls: fc.integer({ min: 1, max: 60 }),
  wire: fc.constantFrom("sealed", "sealed", "clear"),
  reads: fc.constantFrom("answered", "answered", "dropped"),
  end: fc.constantFrom("lives", "lives", "ends", "killed"),
});

describe("reports of one log", () => {
  it.each<Life>(["ends", "killed", "lives"])(
    "half an hour that was not read is not certified after an agent that %s",
    async (end) => {
      const history = new History(dayMs);
      await history.run([
        { polls: 60, wire: "sealed", reads: "answered", end: "lives" },
        { polls: 360, wire: "clear", reads: "dropped", end },
        { polls: 60, wire: "sealed", reads: "answered", end: "lives" },
      ]);
      expect(history.falselyCertified()).toEqual([]);
      expect(history.contradictions()).toEqual([]);
    },
  );

  it("reports of any history agree on what is final, and certify no clear frame", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { minLength: 1, maxLength: 8 }),
        fc.constantFrom(15_000, 30_000, 90_000, dayMs),
        async (parts, staleAfterMs) => {
          const history = new History(staleAfterMs);
          await history.run([
            { polls: 30, wire: "sealed", reads: "answered", end: "lives" },
            ...parts,
          ]);
          expect(history.falselyCertified()).toEqual([]);
          expect(history.contradictions()).toEqual([]);
        },
      ),
      { numRuns: 100 },
    );
  });
});
