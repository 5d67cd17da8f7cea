// What a site publishes, on an engine that is well, down, full or mute: each audit record once and
// in order, nothing of a key, and no time of the agent's loops.

import { describe, expect, it } from "vitest";
import { headsIn } from "#agent/evidence/report/head.ts";
import { checkHeads } from "#agent/evidence/report/heads.ts";
import type { SignedReport } from "#agent/evidence/report/statement.ts";
import { type FleetEngine, valueBytesMax } from "#agent/fleet/engine.ts";
import { AuditFeed } from "#agent/telemetry/fleet/audit-feed.ts";
import { lastMonth, publish } from "#agent/telemetry/fleet/publisher.ts";
import { type SiteStatus, statusOctets } from "#agent/telemetry/fleet/status-document.ts";
import { AgentBench, group } from "../../kit/agent-bench.ts";
import { AuditBench } from "../../kit/audit-kit.ts";
import { MemoryEngine } from "../../kit/engine-kit.ts";
import { settled } from "../../kit/site-bench.ts";

const status = "$KV.linkseal-status.demo";

/** An agent that publishes to an engine in memory. */
class Publishing {
  readonly bench = new AgentBench("protected");
  readonly engine = new MemoryEngine();
  readonly warned: string[] = [];
  #end = new AbortController();

  async begin(engine: FleetEngine = this.engine): Promise<this> {
    const { bench } = this;
    await bench.live();
    await bench.apply();
    this.follow(engine);
    return this;
  }

  follow(engine: FleetEngine = this.engine): void {
    this.#end = new AbortController();
    const { agent, site } = this.bench;
    const log = { write: (_level: string, code: string) => void this.warned.push(code) };
    const world = { clock: site.clock, log };
    const { whenUp } = this.engine;
    const parts = { agent, world, engine, whenUp, site: "demo", headsMs: 600_000 };
    void publish(parts, this.#end.signal);
  }

  stop(): void {
    this.#end.abort();
  }

  status(): SiteStatus {
    return JSON.parse(this.engine.texts(status).at(-1) ?? "null") as SiteStatus;
  }

  seqs(): readonly number[] {
    return seqsOf(this.engine);
  }

  async toAndFro(): Promise<void> {
    await this.bench.ask("POST /v1/drain", { link: `${group}/primary` });
    await this.bench.run(120_000);
    await this.bench.ask("POST /v1/undrain", { link: `${group}/primary` });
    await this.bench.run(120_000);
  }
}

const seqsOf = (engine: MemoryEngine): readonly number[] =>
  engine
    .texts("linkseal.events.demo")
    .map((text) => (JSON.parse(text) as { readonly seq: number }).seq);

/** 1, 2, 3 and so on up to `last`. */
const upTo = (last: number): readonly number[] => Array.from({ length: last }, (_, at) => at + 1);

describe("what a site publishes", () => {
  it("its status names verdicts, codes and config, and how far the records are", async () => {
    const site = await new Publishing().begin();
    await site.bench.run(300_000);
    const { newestSeq } = site.bench.agent.evidence.audit;
    // A key that was never proven is known to no config.
    const wrong = ["primary", "secondary"].map((name) => ({
      ...{ about: `${group}/${name}`, verdict: "degraded", codes: ["key-not-known"] },
    }));
    expect(site.status()).toMatchObject({
      schema: "linkseal.siteStatus/1",
      ...{ site: "demo", verdict: "degraded", wrong: { all: 2, first: wrong } },
      ...{ config: { number: 1 }, audit: { lost: 0 } },
    });
    expect(site.status().audit.published).toBeGreaterThan(newestSeq - 3);
  });

  it("a changed verdict is published within seconds, else the status twice a minute", async () => {
    const site = await new Publishing().begin();
    await site.bench.run(600_000);
    const before = site.engine.texts(status).length;
    await site.bench.run(600_000);
    const quiet = site.engine.texts(status).length - before;
    expect(quiet).toBeGreaterThan(15);
    expect(quiet).toBeLessThan(40);
    const down = (): boolean => site.bench.agent.status().verdict === "down";
    site.bench.link("primary").fibre.setUp(false);
    expect(await site.bench.run(600_000, down)).toBe(true);
    await site.bench.run(3_000);
    expect(site.status().verdict).toBe("down");
    expect(site.status().wrong.first[0]?.about).toBe(`${group}/primary`);
  });

  it("the status is published at once when the connection returns", async () => {
    const site = await new Publishing().begin();
    await site.bench.run(600_000);
    const returned: number[] = [];
    for (const outageMs of [3_500, 7_500, 11_500, 45_500]) {
      site.engine.isUp = false;
      await site.bench.run(outageMs);
      const before = site.engine.texts(status).length;
      site.engine.isUp = true;
      await site.bench.run(500);
      returned.push(site.engine.texts(status).length - before);
    }
    expect(returned).toEqual([1, 1, 1, 1]);
  });

  it("every audit record is published once and in order, with its number and MAC", async () => {
    const site = await new Publishing().begin();
    await site.toAndFro();
    await site.bench.run(60_000);
    const seqs = site.seqs();
    expect(seqs).toEqual(upTo(seqs.length));
    const { entries } = await settled(site.bench.site.clock, site.bench.agent.evidence.read());
    const published = site.engine
      .texts("linkseal.events.demo")
      .map((text) => (JSON.parse(text) as { readonly record: { readonly mac: string } }).record);
    const macs = entries.map(({ mac }) => mac);
    expect(published.map(({ mac }) => mac)).toEqual(macs.slice(0, published.length));
  });

  it("the heads are in the site's report, and a log that was cut lacks them", async () => {
    const site = await new Publishing().begin();
    await site.toAndFro();
    await site.bench.run(700_000);
    const heads = headsIn(site.engine.texts("linkseal.heads.demo").join("\n"));
    expect(heads.length).toBeGreaterThan(0);
    const to = new Date(site.bench.site.clock.wall() + 1_000).toISOString();
    const ask = async (): Promise<SignedReport> =>
      (await site.bench.ask(`GET /v1/report?from=2026-11-24&to=${to}`)) as SignedReport;
    expect(checkHeads(await ask(), heads).faults).toEqual([]);
    // The log of a process that began without the records before.
    site.stop();
    await site.bench.end();
    for (const name of await settled(site.bench.site.clock, site.bench.disk.list("audit/"))) {
      await settled(site.bench.site.clock, site.bench.disk.replace(name, new Uint8Array()));
    }
    await site.bench.live();
    await site.bench.run(300_000);
    expect(checkHeads(await ask(), heads).faults).not.toEqual([]);
  });

  it("the report of a month that has ended is published once, signed as it was made", async () => {
    const site = await new Publishing().begin();
    expect(site.engine.texts("linkseal.reports.demo")).toEqual([]);
    // The clock of the host is set to the next month.
    site.bench.site.clock.jumpWall(86_400_000 * 8);
    await site.bench.run(900_000);
    const reports = site.engine.texts("linkseal.reports.demo");
    expect(reports).toHaveLength(1);
    const report = JSON.parse(reports[0] ?? "") as SignedReport;
    expect(report.about).toMatchObject({
      ...{ site: "demo", end: "final", from: "2026-11-01T00:00:00.000Z" },
    });
    expect(report.seal.statement).toContain(site.bench.agent.evidence.signer.keyId);
  });

  it("an agent that starts again publishes no report for the second time", async () => {
    const site = await new Publishing().begin();
    site.bench.site.clock.jumpWall(86_400_000 * 8);
    await site.bench.run(900_000);
    site.stop();
    site.follow();
    await site.bench.run(900_000);
    expect(site.engine.texts("linkseal.reports.demo")).toHaveLength(1);
    // One that another log has published does not count.
    site.stop();
    site.engine.messages.length = 0;
    await site.engine.publish("LINKSEAL-REPORTS", "demo", { octets: Buffer.from("{}") });
    site.follow();
    await site.bench.run(900_000);
    expect(site.engine.texts("linkseal.reports.demo")).toHaveLength(2);
  });

  it("a month is a calendar month in UTC", () => {
    expect(lastMonth(Date.UTC(2026, 0, 1))).toEqual({ from: "2025-12-01", to: "2026-01-01" });
    expect(lastMonth(Date.UTC(2024, 2, 31, 23))).toEqual({ from: "2024-02-01", to: "2024-03-01" });
  });

  it("nothing that is published has an octet of a key", async () => {
    const site = await new Publishing().begin();
    await site.bench.ask("POST /v1/rotate", { group });
    await site.bench.run(600_000);
    site.bench.site.clock.jumpWall(86_400_000 * 8);
    await site.bench.run(900_000);
    const keys = site.bench.site.vault.secretsForOracle();
    expect(keys.length).toBeGreaterThan(2);
    const subjects = new Set(site.engine.messages.map(({ subject }) => subject));
    expect([...subjects].toSorted()).toEqual([
      ...[status, "linkseal.events.demo", "linkseal.heads.demo", "linkseal.reports.demo"],
    ]);
    const leaks = (): number =>
      keys.flatMap(({ bytes }) => {
        const forms = (["hex", "base64", "base64url", "latin1"] as const).map((form) =>
          Buffer.from(bytes).toString(form).replace(/=+$/, ""),
        );
        return site.engine.messages.filter(({ octets }) => {
          const text = Buffer.from(octets).toString("latin1");
          return forms.some((form) => text.includes(form) || text.includes(form.toUpperCase()));
        });
      }).length;
    expect(leaks()).toBe(0);
    // The search itself: a message with a key would be found.
    const octets = Buffer.from(`"${Buffer.from(keys[0]?.bytes ?? []).toString("hex")}"`);
    site.engine.messages.push({ subject: status, octets, revision: 0 });
    expect(leaks()).toBe(1);
  });
});

describe("an engine that is down, full, mute or hostile", () => {
  it("what was recorded during an outage is published after it, once and in order", async () => {
    const site = await new Publishing().begin();
    await site.bench.run(60_000);
    site.engine.isUp = false;
    await site.toAndFro();
    const before = site.seqs().length;
    site.engine.isUp = true;
    await site.bench.run(60_000);
    const seqs = site.seqs();
    expect(seqs.length).toBeGreaterThan(before);
    expect(seqs).toEqual(upTo(seqs.length));
  });

  it("answers that are lost publish no record twice", async () => {
    const site = await new Publishing().begin();
    for (let turn = 0; turn < 4; turn += 1) {
      site.engine.isMute = turn % 2 === 0;
      await site.toAndFro();
    }
    site.engine.isMute = false;
    await site.bench.run(60_000);
    const seqs = site.seqs();
    expect(seqs).toEqual(upTo(seqs.length));
    expect(seqs.length).toBeGreaterThan(8);
  });

  it("a message that comes between two records is a conflict: each is there once", async () => {
    const site = await new Publishing().begin();
    await site.bench.run(60_000);
    const { engine } = site;
    const last = engine.texts("linkseal.events.demo").at(-1) ?? "";
    for (const text of [last, '{"host":"other","seq":3}']) {
      const revision = engine.messages.length + 1;
      const octets = Buffer.from(text);
      engine.messages.push({ subject: "linkseal.events.demo", octets, revision });
      await site.toAndFro();
    }
    const own = engine.texts("linkseal.events.demo").filter((text) => !text.includes("other"));
    own.splice(own.indexOf(last), 1);
    const seqs = own.map((text) => (JSON.parse(text) as { readonly seq: number }).seq);
    expect(seqs).toEqual(upTo(seqs.length));
    expect(seqs.length).toBeGreaterThan(4);
  });

  it("a head whose answer was lost is published once", async () => {
    const site = await new Publishing().begin();
    site.engine.isMute = true;
    await site.bench.run(300_000);
    site.engine.isMute = false;
    await site.bench.run(60_000);
    const lines = site.engine.texts("linkseal.heads.demo");
    expect(lines.length).toBeGreaterThan(0);
    expect(new Set(lines).size).toBe(lines.length);
  });

  it("an agent that starts again goes on after the last record that the engine has", async () => {
    const site = await new Publishing().begin();
    await site.toAndFro();
    site.stop();
    await site.bench.end();
    await site.bench.live();
    await site.bench.run(30_000);
    site.follow();
    await site.toAndFro();
    const seqs = site.seqs();
    expect(seqs).toEqual(upTo(seqs.length));
  });

  it("a full engine is asked again with rests between, and gets all of it later", async () => {
    const site = await new Publishing().begin();
    site.engine.fault = () => ({ kind: "refused", reason: "full" });
    await site.bench.run(60_000);
    const before = site.engine.calls;
    await site.bench.run(600_000);
    expect(site.engine.calls - before).toBeLessThan(600);
    site.engine.fault = undefined;
    await site.bench.run(60_000);
    expect(site.seqs()).toEqual(upTo(site.seqs().length));
    expect(site.seqs().length).toBeGreaterThan(0);
  });

  it.each([
    ["a number beyond the log", JSON.stringify({ host: "HOST", seq: 1e12 })],
    ["a record of another host", JSON.stringify({ host: "other", seq: 3 })],
    ["no number", JSON.stringify({ host: "HOST", seq: "3" })],
    ["no JSON", "{"],
    ["a number below 0", JSON.stringify({ host: "HOST", seq: -5 })],
  ])("%s as the newest record: the site publishes its own from the start", async (_what, text) => {
    const site = new Publishing();
    const { bench, engine } = site;
    await bench.live();
    await bench.apply();
    const octets = Buffer.from(text.replace("HOST", bench.agent.evidence.host));
    engine.messages.push({ subject: "linkseal.events.demo", octets, revision: 1 });
    site.follow();
    await bench.run(60_000);
    const own = engine.texts("linkseal.events.demo").slice(1);
    const seqs = own.map((each) => (JSON.parse(each) as { readonly seq: number }).seq);
    expect(seqs).toEqual(upTo(seqs.length));
    expect(seqs.length).toBeGreaterThan(0);
  });

  it("an engine that never answers changes no effect and no verdict of the agent", async () => {
    const dead = new Proxy(new MemoryEngine(), {
      get: (engine, name) => (name === "state" ? engine.state : () => new Promise(() => undefined)),
    });
    const told = async (site: Publishing): Promise<readonly string[]> => {
      await site.toAndFro();
      const { entries } = await settled(site.bench.site.clock, site.bench.agent.evidence.read());
      const kinds = entries.filter(({ kind }) => kind !== "head");
      return kinds.map((entry) => JSON.stringify({ ...entry, seq: 0, mac: "", host: "", held: 0 }));
    };
    const [without, beside] = [new Publishing(), new Publishing()];
    await without.bench.live();
    await without.bench.apply();
    await beside.begin(dead);
    const plain = (lines: readonly string[]): readonly string[] =>
      lines.map((line) => line.replace(/"previous":"[^"]*"/, ""));
    expect(plain(await told(beside))).toEqual(plain(await told(without)));
  });
});

describe("the status of a large site", () => {
  it("2,000 links that are all wrong fit into one value", async () => {
    const bench = await new AgentBench("protected").live();
    await bench.apply();
    await bench.run(60_000);
    const { agent } = bench;
    const small = agent.status();
    const [one] = small.groups;
    if (one === undefined) throw new Error("no group");
    const reasons = Array.from({ length: 12 }, () => ({
      ...{ code: "peer-silent", text: "x".repeat(400), next: "y".repeat(400) },
    }));
    const groups = Array.from({ length: 1_000 }, (_, at) => ({
      ...{ ...one, name: `${"g".repeat(58)}${at}` },
      links: one.links.map((link) => ({ ...link, verdict: "down" as const, reasons })),
    }));
    const warnings = Array.from({ length: 4_000 }, () => ({
      ...{ code: "peer-silent", severity: "error", about: "a".repeat(120), text: "t", next: "n" },
    }));
    const status = () => ({ ...small, groups, warnings }) as unknown as typeof small;
    const { memory, intent, evidence } = agent;
    const octets = statusOctets({ status, memory, intent, evidence }, bench.site.clock.wall(), {
      ...{ published: 0, lost: 0 },
    });
    expect(octets.length).toBeLessThan(valueBytesMax / 4);
    expect(JSON.parse(Buffer.from(octets).toString())).toMatchObject({ wrong: { all: 2_000 } });
  });
});

describe("the feed of audit records", () => {
  it("records that were overwritten during an outage are counted, the rest is sent", async () => {
    const bench = new AuditBench(4_096);
    const recorder = await bench.live();
    const engine = new MemoryEngine();
    const evidence = { host: "host-a", audit: bench.log as NonNullable<typeof bench.log> };
    const feed = new AuditFeed({ engine, evidence, clock: bench.clock, site: "demo" });
    const end = new AbortController();
    void feed.run(end.signal);
    await bench.clock.runFor(10_000);
    const before = seqsOf(engine).length;
    engine.isUp = false;
    for (let at = 0; at < 600; at += 1) {
      recorder.changed({ what: "effect", about: "edge-a", who: null, text: `${at} `.repeat(60) });
      await bench.clock.runFor(100);
    }
    engine.isUp = true;
    await bench.clock.runFor(60_000);
    end.abort();
    const seqs = seqsOf(engine);
    const { entries } = await bench.trail();
    const [oldest] = entries;
    expect(oldest?.seq).toBeGreaterThan(before + 1);
    expect(seqs.slice(before)).toEqual(entries.map(({ seq }) => seq));
    expect(feed.progress.lost).toBe((oldest?.seq ?? 0) - before - 1);
  });
});
