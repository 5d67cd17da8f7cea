// Planned and unplanned outages of a report, the age of its keys, and what its page shows of both.

import { describe, expect, it } from "vitest";
import { type Report, reportOf } from "#agent/evidence/report/document.ts";
import { htmlOf } from "#agent/evidence/report/html.ts";
import { interruptionsOf, keyUses, outagesOf } from "#agent/evidence/report/outages.ts";
import { signerOf, signReport } from "#agent/evidence/report/sign.ts";
import { Secret } from "#hal/secret.ts";
import { AuditBench, observed } from "../../kit/audit-kit.ts";
import { wallStart } from "../../kit/site-bench.ts";

const day = 86_400_000;
const ckn = { old: "ab".repeat(32), new: "cd".repeat(32) };

/** A campaign's change of state, as the journal's records become it. */
const campaign = (state: string, about = "g/a") =>
  ({ what: "campaign", about, who: "ops", text: `rotate ${state}: a reason` }) as const;

interface Reported {
  readonly report: Report;
  readonly outages: ReturnType<typeof outagesOf>;
}

/** Records of one link; `write` makes them, from the beginning of the records. */
async function reported(
  write: (bench: AuditBench, down: () => Promise<void>) => Promise<void>,
  limits?: Report["about"]["keyAgeLimitsMs"],
): Promise<Reported> {
  const bench = new AuditBench();
  await bench.live();
  await bench.evaluate(200_000, observed("g/a", "protected"));
  const down = (): Promise<void> =>
    bench.evaluate(60_000, observed("g/a", "down", { codes: ["link-down"] }));
  await write(bench, down);
  await bench.evaluate(300_000, observed("g/a", "protected"));
  const period = { from: wallStart, to: bench.clock.wall() - 120_000 };
  const keyAgeLimits = limits === undefined ? {} : { keyAgeLimitsMs: limits };
  const trail = await bench.trail();
  const report = reportOf({ site: "demo", host: "host-a", trail, period, ...keyAgeLimits });
  const [link] = report.subjects;
  if (link === undefined) throw new Error("no link");
  return { report, outages: outagesOf(link, report) };
}

describe("the outages of a report", () => {
  it("an outage without planned work is unplanned", async () => {
    const { outages, report } = await reported((_bench, down) => down());
    expect(outages.planned).toEqual({ ms: 0, count: 0 });
    expect(outages.unplanned.count).toBe(1);
    expect(outages.unplanned.ms).toBe(report.subjects[0]?.totals.notProtected.ms);
  });

  it("an outage while a campaign works on the link is planned, from its beginning", async () => {
    const { outages, report } = await reported(async ({ recorder }, down) => {
      recorder?.changed(campaign("switching"));
      await down();
    });
    expect(outages.unplanned).toEqual({ ms: 0, count: 0 });
    expect(outages.planned.count).toBe(1);
    expect(outages.planned.ms).toBe(report.subjects[0]?.totals.notProtected.ms);
  });

  it.each(["held", "reverting", "done", "queued"])(
    "an outage after the campaign is %s is unplanned",
    async (state) => {
      const { outages } = await reported(async (bench, down) => {
        bench.recorder?.changed(campaign("switching"));
        await bench.evaluate(60_000, observed("g/a", "protected"));
        bench.recorder?.changed(campaign(state));
        await bench.evaluate(60_000, observed("g/a", "protected"));
        await down();
      });
      expect([outages.planned.count, outages.unplanned.count]).toEqual([0, 1]);
    },
  );

  it("a campaign that goes on to the next link ends its work on this one", async () => {
    const { outages } = await reported(async (bench, down) => {
      bench.recorder?.changed(campaign("restoring"));
      bench.recorder?.changed(campaign("queued", "g/b"));
      await bench.evaluate(60_000, observed("g/a", "protected"));
      await down();
    });
    expect([outages.planned.count, outages.unplanned.count]).toEqual([0, 1]);
  });

  it("an outage that outlasts its planned work is both", async () => {
    const { outages, report } = await reported(async ({ recorder }, down) => {
      recorder?.changed(campaign("switching"));
      await down();
      recorder?.changed(campaign("held"));
      await down();
    });
    expect([outages.planned.count, outages.unplanned.count]).toEqual([1, 1]);
    const whole = report.subjects[0]?.totals.notProtected.ms;
    expect(outages.planned.ms + outages.unplanned.ms).toBe(whole);
  });

  it("clear frames are never planned", async () => {
    const { outages } = await reported(async (bench) => {
      bench.recorder?.changed(campaign("switching"));
      await bench.evaluate(60_000, observed("g/a", "unprotected"));
    });
    expect([outages.planned.count, outages.unplanned.count]).toEqual([0, 1]);
  });

  it("an outage of a link that an operator drained is planned, until it is undrained", async () => {
    const drain = { what: "handDrain", about: "g/a", who: "ops" } as const;
    const { outages } = await reported(async (bench, down) => {
      bench.recorder?.changed({ ...drain, text: "its traffic was moved away" });
      await down();
      await bench.evaluate(60_000, observed("g/a", "protected"));
      bench.recorder?.changed({ ...drain, who: null, text: "its traffic was given back" });
      await bench.evaluate(60_000, observed("g/a", "protected"));
      await down();
    });
    expect([outages.planned.count, outages.unplanned.count]).toEqual([1, 1]);
  });
});

describe("the keys of a report", () => {
  const bound = (key: string, made: number) =>
    ({
      ...({ what: "binding", about: "g/a", who: null } as const),
      text: `rotated: CKN ${key}, CAK version cak/1, made ${new Date(made).toISOString()}`,
    }) as const;

  it("a key is in time if its age at the end of its use is below the limit", async () => {
    const { report } = await reported(
      async ({ recorder }) => recorder?.changed(bound(ckn.old, wallStart - 80 * day)),
      { g: 90 * day },
    );
    expect(keyUses(report)).toMatchObject([
      { link: "g/a", ckn: ckn.old, answer: "inTime", made: wallStart - 80 * day },
    ]);
  });

  it("a key beyond the limit is late, and one of unknown age is not proven", async () => {
    const answers = async (made: number | undefined, limits?: Record<string, number>) => {
      const { report } = await reported(async ({ recorder }) => {
        if (made !== undefined) recorder?.changed(bound(ckn.old, made));
      }, limits);
      return keyUses(report).map(({ answer }) => answer);
    };
    expect(await answers(wallStart - 91 * day, { g: 90 * day })).toEqual(["late"]);
    expect(await answers(undefined, { g: 90 * day })).toEqual(["unproven"]);
    expect(await answers(undefined, { g: 60_000 })).toEqual(["late"]);
    expect(await answers(wallStart - 91 * day)).toEqual(["noLimit"]);
    expect(await answers(wallStart - 91 * day, { other: day })).toEqual(["noLimit"]);
  });

  it("each key of a link has its time of use", async () => {
    const { report } = await reported(async (bench) => {
      await bench.evaluate(100_000, observed("g/a", "protected", { ckn: ckn.new }));
    });
    const uses = keyUses(report);
    expect(uses.map((use) => use.ckn)).toEqual([ckn.old, ckn.new]);
    for (const { from, to } of uses) expect(from).toBeLessThan(to);
  });
});

describe("the page of a report", () => {
  const page = async (): Promise<string> => {
    const { report } = await reported(async (bench, down) => {
      bench.recorder?.changed(campaign("switching"));
      await down();
    });
    const key = Secret.take("report key", new Uint8Array(32).fill(3));
    return htmlOf(signReport(report, signerOf(key)));
  };

  it("the beginning of the records is no interruption of them", async () => {
    const { report } = await reported((_bench, down) => down());
    expect(report.breaks.map(({ what }) => what)).toEqual(["start"]);
    expect(interruptionsOf(report)).toEqual([]);
    const html = await page();
    expect(html).toContain("The records begin at 2026-11-24 10:00:00");
    expect(html).not.toContain('<td class="word">start</td>');
  });

  it("the bar of a link has an axis and a legend, and shows planned outages apart", async () => {
    const html = await page();
    const [, bar = ""] = /<svg class="bar"[^>]*>(.*?)<\/svg>/.exec(html) ?? [];
    expect(bar.match(/class="\w+"/g)).toEqual([
      'class="protected"',
      'class="protected"',
      'class="planned"',
    ]);
    expect(
      html.match(/<div class="axis">(<span>2026-11-24 10:\d\d<\/span>){5}<\/div>/g),
    ).toHaveLength(1);
    for (const name of ["unplanned", "planned", "unknown"]) expect(html).toContain(name);
  });

  it("a word or a time of a table stays on one line, and a row on one page", async () => {
    const html = await page();
    expect(html).toContain(".time, .word { white-space: nowrap }");
    expect(html).toContain("tr { break-inside: avoid } thead { display: table-header-group }");
    expect(html).toContain('<td class="word">not protected: down</td>');
    expect(html).toContain('<td class="time">2026-11-24 10:00:00.000</td>');
  });
});
