// Records of requests in the audit log: each names its subject, is written before the answer, and
// survives any number of refused requests.

import { beforeAll, describe, expect, it } from "vitest";
import { htmlOf } from "#agent/evidence/report/html.ts";
import type { SignedReport } from "#agent/evidence/report/statement.ts";
import { unknownClient } from "#agent/model/client.ts";
import { LinksealError } from "#hal/error.ts";
import type { Disk } from "#hal/world.ts";
import { AgentBench, group, operatorText } from "../../kit/agent-bench.ts";
import { AuditBench, observed, settings } from "../../kit/audit-kit.ts";

const primary = `${group}/primary`;
const audits = (name: string): boolean => name.startsWith("audit");

/** A disk that refuses only the audit log's writes while `isFull` is set. */
class Shelf {
  isFull = false;

  around(disk: Disk): Disk {
    const write = async (name: string, run: () => Promise<void>): Promise<void> => {
      if (!this.isFull || !audits(name)) return await run();
      const details = { effect: "none", where: name, next: "free space" } as const;
      throw new LinksealError("journal.full", "no space left; nothing was changed", details);
    };
    return {
      read: (name) => disk.read(name),
      list: (prefix) => disk.list(prefix),
      append: (name, bytes) => write(name, () => disk.append(name, bytes)),
      replace: (name, bytes) => write(name, () => disk.replace(name, bytes)),
    };
  }
}

async function protectedSite(shelf = new Shelf()): Promise<AgentBench> {
  const bench = new AgentBench("clear");
  await bench.live((world) => ({ ...world, disk: shelf.around(world.disk) }));
  await bench.apply();
  await bench.reach("secondary done");
  return bench;
}

/**
 * Returns the records as `WHAT
 * ABOUT
 * WHO
 * TEXT`.
 */
async function evidence(bench: AgentBench): Promise<readonly string[]> {
  const to = new Date(bench.site.clock.wall() + 1000).toISOString();
  const report = (await bench.ask(`GET /v1/report?from=2026-11-24&to=${to}`)) as SignedReport;
  return report.changes.map(({ what, about, who, text }) => [what, about, who, text].join(" | "));
}

const asked = async (bench: AgentBench): Promise<readonly string[]> =>
  (await evidence(bench)).filter((line) => line.startsWith("asked"));

describe("a change beside refused requests", () => {
  it("a change is in the report despite many refused requests and a full disk", async () => {
    const shelf = new Shelf();
    const bench = await protectedSite(shelf);
    shelf.isFull = true;
    for (let index = 0; index < 3_000; index += 1) {
      if (index === 1_000) await bench.ask("POST /v1/drain", { link: primary });
      if (index === 1_500) await bench.ask("POST /v1/undrain", { link: primary });
      await bench.ask("POST /v1/retire", { name: "yyy" });
    }
    shelf.isFull = false;
    await bench.run(200_000);
    const reported = await asked(bench);
    expect(reported).toContain(`asked | ${primary} | ${operatorText} | drain: done`);
    expect(reported).toContain(`asked | ${primary} | ${operatorText} | undrain: done`);
    // Every refusal is counted, in one record a minute.
    const counts = reported.filter((line) => line.includes("retire: refused: usage"));
    const sum = counts.map((line) => Number(/\| (\d+) requests/.exec(line)?.[1]));
    expect(sum.reduce((all, one) => all + one, 0)).toBe(3_000);
    expect(counts.length).toBeLessThan(10);
    expect(bench.broken).toEqual([]);
  });

  it("refused requests displace no finding from the report", async () => {
    const client = unknownClient("admin");
    const bench = new AuditBench();
    const recorder = await bench.live();
    await bench.evaluate(300_000, observed("g/a", "protected"));
    bench.disk.setFault("full", true);
    recorder.turn([observed("g/a", "down", { codes: ["link-down"] })], settings);
    for (let index = 0; index < 5_000; index += 1) {
      recorder.refused({ client, about: "x", text: "retire: refused: usage" });
    }
    await bench.evaluate(60_000, observed("g/a", "down", { codes: ["link-down"] }));
    bench.disk.setFault("full", false);
    await bench.evaluate(300_000, observed("g/a", "protected"));
    const { entries } = await bench.trail();
    expect(entries.map(({ kind }) => kind)).not.toContain("gap");
    expect((await bench.line()).join()).toContain("down");
  });
});

describe("A5: requests for what is so already", () => {
  it("A5: they are counted a minute, send nothing to a router, and make no config", async () => {
    const bench = await protectedSite();
    await bench.run(400_000);
    const before = [bench.agent.journal.length, bench.agent.intents.history().length];
    const text = bench.config();
    const rounds = 20;
    for (let round = 0; round < rounds; round += 1) {
      expect(await bench.ask("POST /v1/adopt", { target: group, risks: [] })).toEqual({
        adopted: [],
      });
      expect(await bench.ask("POST /v1/undrain", { link: primary })).toEqual({
        ...{ undrained: primary, changed: false },
      });
      const config = { text, file: "demo.yaml", queue: false };
      const unchanged = { kind: "unchanged", number: 1 };
      expect(await bench.ask("POST /v1/apply", config)).toEqual(unchanged);
      expect(await bench.ask("POST /v1/config/rollback", { number: 1 })).toEqual(unchanged);
    }
    expect([bench.agent.journal.length, bench.agent.intents.history().length]).toEqual(before);
    await bench.run(200_000);
    const reported = await asked(bench);
    const records = reported.filter((line) => line.includes("nothing to do"));
    const counted = records.flatMap((line) => [...line.matchAll(/nothing to do \((\d+)\)/g)]);
    expect(counted.reduce((sum, [, count]) => sum + Number(count), 0)).toBe(4 * rounds);
    expect(records.length).toBeLessThan(4);
    expect((await evidence(bench)).join()).not.toContain("its traffic was given back");
  });
});

describe("what was dropped", () => {
  it("the time of dropped records is unknown, never protected by an earlier finding", async () => {
    const bench = new AuditBench();
    const recorder = await bench.live();
    await bench.evaluate(300_000, observed("g/a", "protected"));
    bench.disk.setFault("full", true);
    await bench.evaluate(400_000, observed("g/a", "down", { codes: ["link-down"] }));
    for (let index = 0; index < 2_001; index += 1) {
      recorder.changed({ what: "warning", about: "g/a", who: null, text: `warning ${index}` });
    }
    await bench.evaluate(100_000, observed("g/a", "down", { codes: ["link-down"] }));
    bench.disk.setFault("full", false);
    await bench.evaluate(400_000, observed("g/a", "protected"));
    const { entries } = await bench.trail();
    expect(entries.map((entry) => (entry.kind === "gap" ? entry.why : ""))).toContain("dropped");
    // The link is protected up to the fault and unknown up to the gap; later verdicts count only
    // from the gap on.
    const [first, second] = await bench.line();
    const end = Number(/^0s-(\d+)s protected$/.exec(first ?? "")?.[1]);
    expect(end).toBeGreaterThan(100);
    expect(end).toBeLessThanOrEqual(300);
    expect(second).toMatch(/unknown$/);
  });
});

describe("the subject of a request", () => {
  let bench: AgentBench;
  beforeAll(async () => {
    bench = await protectedSite();
  });

  it("the subject of a request is the member that its verb uses, never a decoy", async () => {
    const decoy = { link: primary, target: "lab/unused" };
    expect(await bench.ask("POST /v1/drain", decoy)).toMatchObject({ code: "usage" });
    expect(bench.drained()).toEqual([false, false]);
    await bench.ask("POST /v1/drain", { link: primary });
    await bench.ask("POST /v1/undrain", { link: primary });
    await bench.run(200_000);
    const reported = await asked(bench);
    expect(reported.filter((line) => line.includes("lab/unused"))).toEqual([]);
    expect(reported).toContain(`asked | ${primary} | ${operatorText} | drain: done`);
  });

  it("every verb with a subject records it", async () => {
    await bench.ask("POST /v1/psk/proceed", { tunnel: "hub-9" });
    await bench.run(120_000);
    await bench.ask("POST /v1/config/rollback", { number: 7 });
    await bench.run(120_000);
    const reported = await asked(bench);
    expect(reported).toContain(`asked | hub-9 | ${operatorText} | psk/proceed: refused: usage`);
    expect(reported).toContain(
      `asked | config 7 | ${operatorText} | config/rollback: refused: usage`,
    );
  });

  it("the subject of a config that is accepted again is its number", async () => {
    expect(await bench.apply(`${bench.config()}\n`)).toMatchObject({ number: 2 });
    expect(await bench.ask("POST /v1/config/rollback", { number: 1 })).toMatchObject({ number: 3 });
    expect(await asked(bench)).toContain(
      `asked | config 1 | ${operatorText} | config/rollback: accepted`,
    );
  });
});

describe("who asked", () => {
  it("each record names uid, gid, pid and login uid of the process that asked", async () => {
    const bench = await protectedSite();
    bench.client = { uid: 1007, gid: 50, pid: 4711, loginUid: null };
    await bench.ask("POST /v1/drain", { link: primary });
    bench.client = { ...bench.client, uid: 0, loginUid: 1008 };
    await bench.ask("POST /v1/undrain", { link: primary });
    await bench.run(120_000);
    const to = new Date(bench.site.clock.wall() + 1000).toISOString();
    const report = (await bench.ask(`GET /v1/report?from=2026-11-24&to=${to}`)) as SignedReport;
    const changes = report.changes.filter(({ what }) => what === "asked");
    expect(changes.map(({ text, client }) => [text, client])).toEqual([
      ["drain: done", { socket: "admin", uid: 1007, gid: 50, pid: 4711, loginUid: null }],
      ["undrain: done", { socket: "admin", uid: 0, gid: 50, pid: 4711, loginUid: 1008 }],
    ]);
    // What the journal repeats later names the same user.
    const moved = report.changes.find(({ text }) => text === "its traffic was moved away");
    expect(moved?.who).toBe("admin socket: uid 1007, gid 50, pid 4711, login uid unknown");
    expect(htmlOf(report)).toContain("uid 1007, gid 50, pid 4711, login uid unknown");
  });

  it("a record of a client that the kernel did not name says so", async () => {
    const bench = await protectedSite();
    bench.client = { uid: null, gid: null, pid: null, loginUid: null };
    await bench.ask("POST /v1/drain", { link: primary });
    await bench.run(120_000);
    expect(await asked(bench)).toContain(
      `asked | ${primary} | admin socket: user unknown | drain: done`,
    );
  });
});

describe("an answer", () => {
  it("the answer comes once its record is on the disk, so no crash loses the record", async () => {
    const bench = await protectedSite();
    await bench.ask("POST /v1/drain", { link: primary });
    bench.disk.crash();
    await bench.end();
    await bench.live();
    await bench.run(120_000);
    expect(await asked(bench)).toContain(`asked | ${primary} | ${operatorText} | drain: done`);
  });

  it("the answer reports that the log has no record, and the traffic is back", async () => {
    const shelf = new Shelf();
    const bench = await protectedSite(shelf);
    expect(await bench.ask("POST /v1/drain", { link: primary })).toEqual({ drained: primary });
    shelf.isFull = true;
    expect(await bench.ask("POST /v1/undrain", { link: primary })).toEqual({
      ...{ undrained: primary, changed: true },
      unrecorded: expect.stringMatching(/carried out, and the audit log does not have it yet/),
    });
    expect(bench.drained()).toEqual([false, false]);
    shelf.isFull = false;
    await bench.run(120_000);
    expect(await asked(bench)).toContain(`asked | ${primary} | ${operatorText} | undrain: done`);
  });

  it("the answer to an undrain that the journal cannot record reports what was done", async () => {
    const bench = new AgentBench("clear");
    let isFull = false;
    const full = (disk: Disk): Disk => ({
      read: (name) => disk.read(name),
      list: (prefix) => disk.list(prefix),
      replace: (name, bytes) => disk.replace(name, bytes),
      append: async (name, bytes) => {
        const text = new TextDecoder().decode(bytes);
        if (!isFull || !text.includes('"drain":null')) return await disk.append(name, bytes);
        const details = { effect: "none", where: name, next: "free space" } as const;
        throw new LinksealError("journal.full", "no space left; nothing was changed", details);
      },
    });
    await bench.live((world) => ({ ...world, disk: full(world.disk) }));
    await bench.apply();
    await bench.reach("secondary done");
    await bench.ask("POST /v1/drain", { link: primary });
    isFull = true;
    expect(await bench.ask("POST /v1/undrain", { link: primary })).toMatchObject({
      ...{ code: "journal.full", effect: "applied" },
      text: `${primary} has its traffic back, and the journal does not know: journal.full`,
    });
    expect(bench.drained()).toEqual([false, false]);
    await bench.run(120_000);
    const reported = await asked(bench);
    expect(reported).toContain(
      `asked | ${primary} | ${operatorText} | undrain: failed: journal.full, effect applied`,
    );
  });
});

describe("requests without effect", () => {
  it("requests without effect are one record per socket, user and minute", async () => {
    const bench = await protectedSite();
    for (let index = 0; index < 30; index += 1) {
      await bench.ask("POST /v1/retire", { name: `gone-${index}` });
      if (index % 3 === 0) await bench.ask("POST /v1/apply", { text: "version: 1", file: "x" });
      await bench.run(500);
    }
    await bench.reply("POST /v1/drain", { link: primary }, "view");
    bench.client = { ...bench.client, uid: 1003 };
    await bench.ask("POST /v1/retire", { name: "x" });
    await bench.run(120_000);
    const reported = await asked(bench);
    expect(reported).toEqual([
      expect.stringMatching(/^asked \| site \| admin socket: uid 1000, .* in 1\d s: /),
      expect.stringMatching(/^asked \| site \| view socket: uid 1000, .* agent.forbidden$/),
      "asked | x | admin socket: uid 1003, gid 1001, pid 4242, login uid 1002 | " +
        "retire: refused: usage",
    ]);
    expect(reported[0]).toContain("| 40 requests without effect in ");
    expect(reported[0]).toMatch(/: retire: refused: usage \(30\), apply: refused \(10\)$/);
  });
});
