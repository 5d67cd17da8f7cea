// A full or read-only disk is reported at once, whatever the agent is doing when the fault comes.

import { describe, expect, it } from "vitest";
import type { Status } from "#agent/runtime/health/status.ts";
import { Scrape } from "#agent/telemetry/scrape.ts";
import type { DiskFault } from "#sim/base/disk.ts";
import { AgentBench, group } from "../../kit/agent-bench.ts";

type Warning = Status["warnings"][number];

const code = "state-unwritable";
const primary = `${group}/primary`;

const warnings = (bench: AgentBench): readonly Warning[] =>
  bench.agent.status().warnings.filter((each) => each.code === code);

function siteWarning(bench: AgentBench): Warning | undefined {
  return warnings(bench).find(({ about }) => about === "site");
}

/** Adopts protected pairs; if a state is named, a rotation has reached it. */
async function rotating(state: string | undefined): Promise<AgentBench> {
  const bench = await new AgentBench("protected").live();
  await bench.run(60_000);
  await bench.apply();
  await bench.run(30_000);
  await bench.ask("POST /v1/adopt", { target: group });
  await bench.run(30_000);
  if (state === undefined) return bench;
  for (const { key } of bench.site.links) bench.site.vault.generatePair(key, "gcm-aes-xpn-256");
  await bench.ask("POST /v1/rotate", { target: group });
  await bench.reach(`primary ${state}`);
  return bench;
}

const helps: Readonly<
  Record<"full" | "readOnly", { readonly why: string; readonly next: string }>
> = {
  full: {
    why: "no space is left on its disk",
    next: "free space in the state folder, then linkseal status",
  },
  readOnly: {
    why: "its file system is read-only",
    next: "mount the state folder read-write (mount -o remount,rw), then linkseal status",
  },
};

/** Each minute a confirmation is written to the audit log, and a poll later health is evaluated. */
const idleMs = 70_000;
/** A write of the campaign fails, and a poll later health is evaluated. */
const busyMs = 15_000;

const cases = [
  { state: undefined, withinMs: idleMs, isDrained: false },
  { state: "draining", withinMs: busyMs, isDrained: false },
  { state: "staging", withinMs: busyMs, isDrained: true },
  { state: "switching", withinMs: busyMs, isDrained: true },
] as const;

const scraped = ({ agent, site }: AgentBench): string =>
  Buffer.from(new Scrape(agent, site).answer("GET", "/metrics").body).toString();

/** Heals the disk: the campaign then ends, and so does the warning. */
async function heals(bench: AgentBench, fault: DiskFault): Promise<void> {
  bench.disk.setFault(fault, false);
  expect(await bench.run(120_000, () => warnings(bench).length === 0)).toBe(true);
  const isDone = (): boolean => bench.state()?.endsWith("done") !== false;
  expect(await bench.run(1_800_000, isDone)).toBe(true);
  await bench.run(60_000);
  const { verdict } = bench.agent.status();
  expect([verdict, bench.drained()]).toEqual(["protected", [false, false]]);
  expect([warnings(bench), bench.violations(), bench.broken]).toEqual([[], [], []]);
}

describe.each(["full", "readOnly"] as const)("a disk that is %s", (fault) => {
  it.each(cases)(
    "a disk fault is reported at once while the campaign is $state, until it ends",
    async (each) => {
      const { state, withinMs, isDrained } = each;
      const bench = await rotating(state);
      bench.disk.setFault(fault, true);
      expect(await bench.run(withinMs, () => siteWarning(bench) !== undefined)).toBe(true);
      const { why, next } = helps[fault];
      expect(siteWarning(bench)).toMatchObject({ severity: "error", next });
      expect(siteWarning(bench)?.text).toContain(`cannot be written: ${why}`);

      await bench.run(1_800_000);
      const { text = "" } = siteWarning(bench) ?? {};
      const isNamed = text.includes(`${primary} is drained by its campaign`);
      expect([isNamed, bench.drained()[0]]).toEqual([isDrained, isDrained]);
      const waits = `the campaign of ${group} (rotate) waits in ${state} since `;
      expect(text.includes(waits)).toBe(state !== undefined);
      expect(scraped(bench)).toMatch(/^linkseal_warning_open\{.*code="state-unwritable".* 1$/m);
      // The events that the page and the webhook receive.
      const events = bench.agent.events.after(0).events.filter((event) => event.code === code);
      expect(events.map(({ severity, over }) => [severity, over])).toEqual([["error", undefined]]);

      await heals(bench, fault);
    },
  );
});

it("a campaign whose deadline passes while the journal cannot be written is overdue", async () => {
  const bench = await rotating("staging");
  const overdue = (): Warning | undefined =>
    bench.agent.status().warnings.find((each) => each.code === "rotation-overdue");
  bench.disk.setFault("full", true);
  await bench.run(30_000);
  expect([siteWarning(bench)?.severity, overdue()]).toEqual(["error", undefined]);
  // `verify` of the bench is 20 s, and the state has twice that.
  await bench.run(30_000);
  expect(overdue()).toMatchObject({
    about: group,
    text: expect.stringMatching(
      /^staging since .*Z: its deadline passed at .*Z, and the journal cannot be written$/,
    ),
  });
  await heals(bench, "full");
  expect(overdue()).toBeUndefined();
});

// Both links were out for as long as the disk took no write: the record of giving back came first.
it.each(["staging", "switching", "proving"])(
  "a link that can carry has its traffic back beside a lost sibling, without a record, in %s",
  async (state) => {
    const bench = await rotating(state);
    await bench.run(60_000, () => bench.drained()[0] === true);
    bench.disk.setFault("readOnly", true);
    await bench.run(15_000);
    expect(bench.drained()).toEqual([true, false]);
    bench.link("secondary").far.setFault("silent", true);
    expect(await bench.run(30_000, () => bench.drained()[0] === false)).toBe(true);
    await bench.run(60_000);
    expect([bench.drained(), bench.violations()]).toEqual([[false, false], []]);
    // A successor has no record of it, and goes on from what it sees.
    await bench.end();
    await bench.live();
    await bench.run(60_000);
    expect([bench.drained(), bench.violations()]).toEqual([[false, false], []]);
    bench.link("secondary").far.setFault("silent", false);
    await heals(bench, "readOnly");
  },
);

it("a link drained by hand has its traffic back beside a lost sibling, once", async () => {
  const bench = await rotating(undefined);
  await bench.ask("POST /v1/drain", { link: primary });
  await bench.run(30_000);
  expect(bench.drained()).toEqual([true, false]);
  bench.disk.setFault("full", true);
  bench.link("secondary").far.setFault("silent", true);
  expect(await bench.run(60_000, () => bench.drained()[0] === false)).toBe(true);
  await bench.run(60_000);
  expect([bench.drained(), bench.violations()]).toEqual([[false, false], []]);
  bench.link("secondary").far.setFault("silent", false);
  await bench.run(60_000);
  await heals(bench, "full");
  expect(bench.agent.memory.drains).toEqual({});
});

it("a drained link that cannot carry keeps its drain, and its own verdict says so", async () => {
  const bench = await rotating("switching");
  bench.disk.setFault("readOnly", true);
  await bench.run(15_000);
  bench.link("primary").far.setFault("silent", true);
  await bench.run(30_000);
  bench.link("secondary").far.setFault("silent", true);
  await bench.run(60_000);
  expect([bench.drained(), bench.agent.status().verdict]).toEqual([[true, false], "down"]);
  expect(siteWarning(bench)?.text).toContain(`${primary} is drained by its campaign`);
  for (const name of ["primary", "secondary"] as const) {
    bench.link(name).far.setFault("silent", false);
  }
  await heals(bench, "readOnly");
});

it("a start on a disk that takes no write observes, and reports the fault", async () => {
  const bench = await rotating(undefined);
  await bench.end();
  bench.disk.setFault("readOnly", true);
  await bench.live();
  await bench.run(30_000);
  expect(bench.agent.status().verdict).toBe("protected");
  expect(siteWarning(bench)).toMatchObject({ severity: "error", next: helps.readOnly.next });
  await heals(bench, "readOnly");
});

it("an accepted config that finds no room is reported until the disk takes a write", async () => {
  const bench = await rotating(undefined);
  bench.disk.setFault("full", true);
  const text = `${bench.config()}\n# another\n`;
  const refused = await bench.ask("POST /v1/apply", { text, file: "demo.yaml", queue: false });
  expect(refused).toMatchObject({ code: "journal.full", effect: "none" });
  await bench.run(10_000);
  expect(siteWarning(bench)?.text).toContain("the accepted config cannot be written: no space");
  await heals(bench, "full");
});
