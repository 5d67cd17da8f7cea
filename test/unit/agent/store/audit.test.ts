// The audit log: a loss can only hide what was protected, never invent it.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { timelineOf } from "#agent/evidence/report/timeline.ts";
import { type AuditTrail, segmentsMax } from "#agent/store/audit/log.ts";
import type { WallTime } from "#hal/world.ts";
import { AuditBench, lookbackMs, observed, settings } from "../../kit/audit-kit.ts";
import { without } from "../../kit/lost-file.ts";
import { settled, wallStart } from "../../kit/site-bench.ts";

const good = observed("g/a", "protected");
const cut = observed("g/a", "down", { codes: ["link-down"] });
const stale = observed("g/a", "degraded", { codes: ["frames-not-valid"] });

/** The bytes of the only segment. */
async function segment(bench: AuditBench): Promise<Uint8Array> {
  return (await bench.disk.read("audit/00")) ?? new Uint8Array();
}

async function rewritten(bench: AuditBench, change: (lines: string[]) => string[]): Promise<void> {
  const lines = new TextDecoder().decode(await segment(bench)).split(/(?<=\n)/);
  const bytes = new TextEncoder().encode(change(lines).join(""));
  await settled(bench.clock, bench.disk.replace("audit/00", bytes));
}

describe("protected time", () => {
  it("protected time counts up to the last confirmation and is unknown after it", async () => {
    const bench = new AuditBench();
    await bench.live();
    await bench.evaluate(600_000, good);
    expect(await bench.held()).toBe(540 - lookbackMs / 1000);
    expect(await bench.line()).toEqual(["0s-440s protected", "440s-600s unknown"]);
  });

  it("protected time ends at the last good observation before a visible fault", async () => {
    const bench = new AuditBench();
    await bench.live();
    await bench.evaluate(300_000, good);
    await bench.evaluate(300_000, cut);
    // The observation of 295 s was good, and its MKA session may have been six seconds old.
    expect(await bench.line()).toEqual([
      "0s-289s protected",
      "289s-440s down",
      "440s-600s unknown",
    ]);
  });

  it("protected time ends an evidence window before a fault that counters show", async () => {
    const bench = new AuditBench();
    await bench.live();
    await bench.evaluate(300_000, good);
    await bench.evaluate(300_000, stale);
    expect((await bench.line())[0]).toBe("0s-200s protected");
  });

  it("protected time begins again with the verdict that says so", async () => {
    const bench = new AuditBench();
    await bench.live();
    await bench.evaluate(300_000, cut);
    await bench.evaluate(300_000, good);
    expect((await bench.line()).slice(0, 2)).toEqual(["0s-300s down", "300s-440s protected"]);
  });

  it("time is unknown from the last observation on if nothing is read any more", async () => {
    const bench = new AuditBench();
    await bench.live();
    await bench.evaluate(300_000, good);
    await bench.evaluate(20_000, { ...good, observationAgeMs: 15_000 });
    await bench.evaluate(300_000, observed("g/a", "unknown", { codes: ["reading-stale"] }));
    expect((await bench.line())[0]).toBe("0s-294s protected");
  });
});

describe("a process that ends", () => {
  it("a killed process keeps the time that was confirmed, and nothing after it", async () => {
    const bench = new AuditBench();
    await bench.live();
    await bench.evaluate(590_000, good);
    bench.disk.crash();
    await bench.clock.runFor(300_000);
    await bench.live();
    await bench.evaluate(400_000, good);
    expect((await bench.line()).slice(0, 3)).toEqual([
      "0s-440s protected",
      "440s-890s unknown",
      "890s-1150s protected",
    ]);
  });

  it("a process that ends in good order keeps all time but the evidence window", async () => {
    const bench = new AuditBench();
    await bench.live();
    await bench.evaluate(590_000, good);
    await settled(bench.clock, bench.recorder?.end() ?? Promise.resolve());
    expect((await bench.line())[0]).toBe("0s-485s protected");
    const { breaks } = timelineOf(await bench.trail(), { from: wallStart, to: bench.clock.wall() });
    expect(breaks.map(({ what }) => what)).toEqual(["start", "stop"]);
  });

  it("a lost tail of the audit log is reported, and its time is unknown", async () => {
    const bench = new AuditBench();
    await bench.live();
    await bench.evaluate(300_000, good);
    const kept = await segment(bench);
    await bench.evaluate(300_000, cut);
    await bench.evaluate(300_000, good);
    // The chain is an old copy now, and the confirmation speaks of records that it has not.
    await settled(bench.clock, bench.disk.replace("audit/00", kept));
    await bench.live();
    expect(bench.log?.tail).toBe("lost");
    await bench.evaluate(400_000, good);
    const [first, second] = await bench.line();
    expect([first, second]).toEqual(["0s-900s unknown", "900s-1160s protected"]);
    const { breaks } = timelineOf(await bench.trail(), { from: wallStart, to: bench.clock.wall() });
    expect(breaks.at(-1)?.text).toContain("records of the process before are lost");
  });

  // 155 of 215 records were cut, and the report said that the last one was whole.
  it("B6: without its confirmation a log that was cut is not called whole", async () => {
    const bench = new AuditBench();
    await bench.live();
    await bench.evaluate(300_000, good);
    const kept = await segment(bench);
    await bench.evaluate(600_000, cut);
    await settled(bench.clock, bench.disk.replace("audit/00", kept));
    await settled(bench.clock, bench.begin(without(bench.disk, "audit-confirmed")));
    expect(bench.log?.tail).toBe("unconfirmed");
    await bench.evaluate(400_000, good);
    expect((await bench.line())[0]).toBe("0s-900s unknown");
    const { breaks } = timelineOf(await bench.trail(), { from: wallStart, to: bench.clock.wall() });
    expect(breaks.at(-1)?.text).toContain(
      "nothing confirms that the records of the process before",
    );
  });

  it("an altered confirmation does not confirm anything", async () => {
    const bench = new AuditBench();
    await bench.live();
    await bench.evaluate(300_000, good);
    const text = new TextDecoder().decode(await bench.disk.read("audit-confirmed"));
    const later = text.replace(/"until":\d+/, `"until":${wallStart + 900_000}`);
    expect(later).not.toBe(text);
    const bytes = new TextEncoder().encode(later);
    await settled(bench.clock, bench.disk.replace("audit-confirmed", bytes));
    expect(await bench.line()).toEqual(["0s-301s unknown"]);
  });
});

describe("a clock that is set", () => {
  it.each([
    ["forward", 600_000],
    ["back", -200_000],
  ])("a clock that is set %s leaves a gap that does not count as protected", async (_way, step) => {
    const bench = new AuditBench();
    await bench.live();
    await bench.evaluate(600_000, good);
    bench.clock.jumpWall(step);
    await bench.evaluate(600_000, good);
    const line = await bench.line();
    const held = 495;
    expect(line[0]).toBe(`0s-${Math.min(held, 600 + step / 1000)}s protected`);
    expect(line[1]).toContain("unknown");
    const { breaks } = timelineOf(await bench.trail(), {
      from: wallStart,
      to: wallStart + 2_000_000,
    });
    expect(breaks.map(({ what }) => what)).toEqual(["start", "gap"]);
    expect(breaks[1]?.text).toBe(`this host's clock was set by ${step} ms`);
  });

  it("of two verdicts with the same time the worse one counts", async () => {
    const bench = new AuditBench();
    await bench.live();
    await bench.evaluate(600_000, good);
    bench.clock.jumpWall(-400_000);
    await bench.evaluate(600_000, cut);
    expect((await bench.line()).slice(0, 2)).toEqual(["0s-200s protected", "200s-640s down"]);
  });
});

describe("a health evaluator that stands still", () => {
  it("a health evaluator that stops makes a gap", async () => {
    const bench = new AuditBench();
    await bench.live();
    await bench.evaluate(600_000, good);
    await bench.clock.runFor(300_000);
    await bench.evaluate(300_000, good);
    expect((await bench.line()).slice(0, 3)).toEqual([
      "0s-495s protected",
      "495s-900s unknown",
      "900s-1040s protected",
    ]);
  });
});

describe("a damaged log", () => {
  async function reported(): Promise<AuditBench> {
    const bench = new AuditBench();
    await bench.live();
    await bench.evaluate(200_000, good);
    await bench.evaluate(200_000, cut);
    await bench.evaluate(400_000, good);
    return bench;
  }

  const protectedOf = async (bench: AuditBench): Promise<number> =>
    timelineOf(await bench.trail(), { from: wallStart, to: wallStart + 10_000_000 })
      .lines.flatMap(({ intervals }) => intervals)
      .filter(({ verdict }) => verdict === "protected")
      .reduce((sum, { from, to }) => sum + to - from, 0);

  const changes: readonly (readonly [string, (lines: string[]) => string[]])[] = [
    ["a record taken out", (lines) => lines.filter((_, at) => at !== 2)],
    ["two records exchanged", ([a = "", b = "", c = "", ...rest]) => [a, c, b, ...rest]],
    ["a verdict changed", (lines) => lines.map((line) => line.replace('"down"', '"protected"'))],
    ["a time changed", (lines) => lines.map((line) => line.replace(/"since":1/, '"since":2'))],
    ["a record twice", ([a = "", b = "", ...rest]) => [a, b, b, ...rest]],
  ];

  it.each(changes)(
    "%s in the audit log is found, and adds no protected time",
    async (_name, change) => {
      const bench = await reported();
      const before = await protectedOf(bench);
      await rewritten(bench, change);
      const { losses } = await bench.trail();
      expect(losses).toHaveLength(1);
      expect(await protectedOf(bench)).toBeLessThanOrEqual(before);
    },
  );

  it("files that were checked and have the same octets give the same records again", async () => {
    const bench = await reported();
    const first = await bench.trail();
    expect(first.entries.length).toBeGreaterThan(3);
    expect(await bench.trail()).toEqual(first);
  });

  it("a damaged audit log stays as it is, and goes on in another file", async () => {
    const bench = await reported();
    await rewritten(bench, (lines) => lines.map((line) => line.replace('"down"', '"protected"')));
    const damaged = await segment(bench);
    await bench.live();
    expect(bench.log?.tail).toBe("corrupt");
    await bench.evaluate(400_000, good);
    expect(await segment(bench)).toEqual(damaged);
    const { entries, losses } = await bench.trail();
    expect(losses).toHaveLength(1);
    expect(entries.at(-1)?.kind).toBe("found");
    expect((await bench.line()).at(-2)).toMatch(/^800s-\d+s protected$/);
  });

  it("a changed byte anywhere in the audit log only makes time unknown", async () => {
    const bench = await reported();
    const bytes = await segment(bench);
    const before = await protectedOf(bench);
    for (let at = 0; at < bytes.length; at += 7) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      await settled(bench.clock, bench.disk.replace("audit/00", changed));
      const { losses } = await bench.trail();
      // The last line feed makes the last record one that was never finished.
      expect([at, losses.length]).toEqual([at, at === bytes.length - 1 ? 0 : 1]);
      expect(await protectedOf(bench)).toBeLessThanOrEqual(before);
    }
  });
});

describe("a full disk", () => {
  it("a full disk stays a trouble while verdicts wait for their confirmation", async () => {
    const bench = new AuditBench();
    const recorder = await bench.live();
    await bench.evaluate(120_000, good);
    bench.disk.setFault("full", true);
    await bench.evaluate(61_000, good);
    for (let turns = 0; turns < 60; turns += 1) {
      expect(recorder.trouble?.code).toBe("journal.full");
      await bench.evaluate(settings.pollMs, good);
    }
    const heldBefore = await bench.held();
    bench.disk.setFault("full", false);
    await bench.evaluate(2 * settings.pollMs, good);
    expect(recorder.trouble).toBeUndefined();
    expect(await bench.held()).toBeGreaterThan(heldBefore);
  });

  it("an audit log on a full disk keeps its records and writes them later", async () => {
    const bench = new AuditBench();
    const recorder = await bench.live();
    await bench.evaluate(300_000, good);
    bench.disk.setFault("full", true);
    await bench.evaluate(100_000, cut);
    expect(recorder.trouble?.code).toBe("journal.full");
    expect((await bench.line()).at(-1)).toContain("unknown");
    bench.disk.setFault("full", false);
    await bench.evaluate(400_000, good);
    expect(recorder.trouble).toBeUndefined();
    expect((await bench.line()).slice(0, 3)).toEqual([
      "0s-289s protected",
      "289s-400s down",
      "400s-680s protected",
    ]);
    expect((await bench.trail()).losses).toEqual([]);
  });
});

describe("the ring of segments", () => {
  it("the ring of segments stays bounded, and overwritten records are not a loss", async () => {
    const bench = new AuditBench(3_000);
    await bench.live();
    for (let round = 0; round < 90; round += 1) {
      await bench.evaluate(60_000, good, observed("g/b", "protected"));
      await bench.evaluate(60_000, cut, observed("g/b", "protected"));
    }
    const files = bench.disk.contents().filter(({ name }) => name.startsWith("audit/"));
    expect(files.length).toBe(segmentsMax);
    expect(Math.max(...files.map(({ bytes }) => bytes.length))).toBeLessThan(5_000);
    const trail = await bench.trail();
    expect(trail.losses).toEqual([]);
    expect(trail.entries[0]).toMatchObject({ kind: "segment" });
    const [first, second] = await bench.line("g/b");
    expect(first).toMatch(/^0s-\d+s unknown$/);
    // It never changed, and no record that is left began it.
    expect(second).toMatch(/protected$/);
  });

  it("the ring of segments knows beforehand when it overwrites which records", async () => {
    const bench = new AuditBench(6_000);
    await bench.live();
    const oldest = async (): Promise<number | undefined> => (await bench.trail()).entries[0]?.at;
    const first = await oldest();
    let foreseen = 0;
    // The ring has room for a while: what comes is known long before, and ever more exactly.
    while ((await oldest()) === first) {
      const next = bench.log?.rollOver(bench.clock.wall());
      if (next !== undefined) {
        expect(next.from).toBe(first);
        expect(next.until).toBeGreaterThan(next.from);
        foreseen = next.at;
      }
      await bench.evaluate(60_000, good, observed("g/b", "protected"));
      await bench.evaluate(60_000, cut, observed("g/b", "protected"));
    }
    expect(foreseen).toBeGreaterThan(0);
    expect(Math.abs(bench.clock.wall() - foreseen)).toBeLessThanOrEqual(5 * 60_000);
    // The next process knows the same from the disk.
    const before = bench.log?.rollOver(bench.clock.wall());
    await bench.live();
    expect(bench.log?.rollOver(bench.clock.wall())).toMatchObject({
      ...{ from: before?.from, until: before?.until },
    });
  });

  it("the ring of segments foresees nothing from one segment or a clock set back", async () => {
    const bench = new AuditBench(3_000);
    await bench.live();
    await bench.evaluate(60_000, good);
    expect(bench.log?.rollOver(bench.clock.wall())).toBeUndefined();
    for (let round = 0; round < 12; round += 1) {
      await bench.evaluate(60_000, cut);
      await bench.evaluate(60_000, good);
    }
    expect(bench.log?.rollOver(bench.clock.wall())).toBeDefined();
    expect(bench.log?.rollOver(wallStart as WallTime)).toBeUndefined();
  });

  it("a segment that is missing from the middle of the ring is reported", async () => {
    const bench = new AuditBench(1_500);
    await bench.live();
    for (let round = 0; round < 6; round += 1) {
      await bench.evaluate(60_000, good);
      await bench.evaluate(60_000, cut);
    }
    await settled(bench.clock, bench.disk.replace("audit/01", new Uint8Array()));
    const { losses } = await bench.trail();
    expect(losses.map(({ why }) => why)).toEqual([expect.stringMatching(/are missing$/)]);
  });
});

describe("any history of verdicts, deaths and cut writes", () => {
  it("no history of verdicts and kills reports unprotected time as protected", async () => {
    const step = fc.record({
      what: fc.constantFrom("good", "cut", "stale", "kill", "lie", "full", "gone"),
      seconds: fc.integer({ min: 5, max: 400 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 12 }), async (steps) => {
        const bench = new AuditBench(2_000);
        await bench.live();
        const bad: { from: number; to: number }[] = [];
        for (const { what, seconds } of steps) {
          const from = bench.clock.wall();
          const ms = seconds * 1000;
          if (what === "good") await bench.evaluate(ms, good);
          else if (what === "cut") await bench.evaluate(ms, cut);
          else if (what === "stale") {
            // Counters show it late.
            await bench.evaluate(Math.min(ms, 80_000), good);
            await bench.evaluate(ms, stale);
          } else if (what === "gone") await bench.evaluate(ms);
          else await broken(bench, what, ms);
          const isBad = what !== "good" && what !== "full";
          if (isBad) bad.push({ from, to: bench.clock.wall() });
        }
        const line = timelineOf(await bench.trail(), {
          from: wallStart,
          to: bench.clock.wall() + 1000,
        }).lines[0];
        for (const { from, to, verdict } of line?.intervals ?? []) {
          if (verdict !== "protected") continue;
          const wrong = bad.filter((each) => each.from < to && each.to > from);
          expect(wrong).toEqual([]);
        }
      }),
      { numRuns: 150 },
    );
  });

  async function broken(bench: AuditBench, what: string, ms: number): Promise<void> {
    if (what === "lie") bench.disk.setFault("lies", true);
    if (what === "full") bench.disk.setFault("full", true);
    if (what !== "kill") await bench.evaluate(ms, what === "full" ? good : cut);
    if (what === "full") {
      bench.disk.setFault("full", false);
      return;
    }
    bench.disk.crash();
    bench.disk.setFault("lies", false);
    await bench.clock.runFor(ms);
    await bench.live();
  }
});

describe("the same records", () => {
  it("the same records give the same timeline for a past period, whatever came later", async () => {
    const bench = new AuditBench();
    await bench.live();
    await bench.evaluate(300_000, good);
    await bench.evaluate(60_000, cut);
    await bench.evaluate(300_000, good);
    const period = { from: wallStart + 60_000, to: wallStart + 500_000 };
    const then = timelineOf(await bench.trail(), period);
    await bench.evaluate(300_000, cut, observed("g/new", "protected"));
    bench.disk.crash();
    await bench.live();
    await bench.evaluate(100_000, good);
    const trail: AuditTrail = await bench.trail();
    expect(timelineOf(trail, period)).toEqual(then);
  });
});

it("an audit log is kept on a disk that was full at its very start", async () => {
  const bench = new AuditBench();
  bench.disk.setFault("full", true);
  await bench.live();
  await bench.evaluate(60_000, good);
  bench.disk.setFault("full", false);
  await bench.evaluate(300_000, good);
  expect((await bench.line())[0]).toBe("0s-200s protected");
});
