// Heads of the audit log in another log: a log that was cut, rolled over or replaced is found by
// them, and a whole one is not.

import { describe, expect, it } from "vitest";
import { type Report, reportOf } from "#agent/evidence/report/document.ts";
import { type Head, headsIn, headText } from "#agent/evidence/report/head.ts";
import { checkHeads } from "#agent/evidence/report/heads.ts";
import { htmlOf } from "#agent/evidence/report/html.ts";
import { signerOf, signReport } from "#agent/evidence/report/sign.ts";
import { reportFile } from "#agent/evidence/report/statement.ts";
import { momentText } from "#agent/evidence/report/time.ts";
import { publicKeyOf, verifyReport } from "#agent/evidence/report/verify.ts";
import { Secret } from "#hal/secret.ts";
import { AuditBench, observed } from "../../kit/audit-kit.ts";
import { settled, wallStart } from "../../kit/site-bench.ts";

const host = "host-a";
const good = observed("g/a", "protected");
const cut = observed("g/a", "down", { codes: ["link-down"] });

/** Writes a head of the log as it is now. */
async function headOf(bench: AuditBench): Promise<Head> {
  const head = await settled(bench.clock, bench.recorder?.head() ?? Promise.resolve(undefined));
  if (head === undefined) throw new Error("there is no new record");
  return { host, seq: head.seq, at: momentText(head.at), hash: head.mac };
}

async function reported(bench: AuditBench, from = wallStart): Promise<Report> {
  const period = { from, to: bench.clock.wall() + 1_000 };
  return reportOf({ site: "demo", host, trail: await bench.trail(), period });
}

/** A log with four changes, and a head after each. */
async function logged(bench = new AuditBench()): Promise<readonly Head[]> {
  const recorder = await bench.live();
  const heads: Head[] = [];
  for (const text of ["one", "two", "three", "four"]) {
    await bench.evaluate(60_000, good);
    recorder.changed({ what: "asked", about: "g/a", who: null, text });
    heads.push(await headOf(bench));
  }
  return heads;
}

const replaced = async (bench: AuditBench, name: string, bytes: Uint8Array): Promise<void> =>
  await settled(bench.clock, bench.disk.replace(name, bytes));

describe("heads of a log", () => {
  it("a report of the same log contains its heads", async () => {
    const bench = new AuditBench();
    const heads = await logged(bench);
    await bench.evaluate(60_000, good);
    expect(checkHeads(await reported(bench), heads)).toEqual({ found: 4, outside: 0, faults: [] });
  });

  it("a head is written once for the same records", async () => {
    const bench = new AuditBench();
    const last = (await logged(bench)).at(-1)?.seq;
    const again = await settled(bench.clock, bench.recorder?.head() ?? Promise.resolve(undefined));
    expect([again?.seq, bench.log?.newestSeq]).toEqual([last, last]);
  });

  it("no head is written while the disk takes no records", async () => {
    const bench = new AuditBench();
    await bench.live();
    await bench.evaluate(60_000, good);
    bench.disk.setFault("full", true);
    const refused = bench.recorder?.head() ?? Promise.resolve(undefined);
    expect(await settled(bench.clock, refused)).toBeUndefined();
    bench.disk.setFault("full", false);
    await bench.evaluate(60_000, good);
    const next = await headOf(bench);
    expect(checkHeads(await reported(bench), [next]).faults).toEqual([]);
  });

  it("a log whose newest records were cut off is found by its heads", async () => {
    const bench = new AuditBench();
    const heads = await logged(bench);
    const lines = new TextDecoder().decode(await bench.disk.read("audit/00")).split(/(?<=\n)/);
    await replaced(bench, "audit/00", new TextEncoder().encode(lines.slice(0, -3).join("")));
    // The next process goes on behind the cut, and its chain is whole in itself.
    await bench.live();
    await bench.evaluate(60_000, good);
    const report = await reported(bench);
    expect((await bench.trail()).losses).toEqual([]);
    const { found, faults } = checkHeads(report, heads);
    expect([found, faults.length]).toEqual([2, 2]);
    expect(faults[0]).toMatchObject({ where: expect.stringContaining(`head ${heads[2]?.seq} of`) });
    expect(faults.every(({ text }) => text.includes("it was"))).toBe(true);
  });

  it("a log that ends before a head is named as cut", async () => {
    const bench = new AuditBench();
    const heads = await logged(bench);
    const lines = new TextDecoder().decode(await bench.disk.read("audit/00")).split(/(?<=\n)/);
    await replaced(bench, "audit/00", new TextEncoder().encode(lines.slice(0, -3).join("")));
    const { faults } = checkHeads(await reported(bench), heads);
    expect(faults.at(-1)?.text).toMatch(/^the log ends with record \d+: it was cut/);
  });

  it("a log in whose place another was written is found by its heads", async () => {
    const heads = await logged();
    const other = new AuditBench();
    const recorder = await other.live();
    for (const text of ["one", "two", "something else", "four"]) {
      await other.evaluate(60_000, good);
      recorder.changed({ what: "asked", about: "g/a", who: null, text });
      await headOf(other);
    }
    const { found, faults } = checkHeads(await reported(other), heads);
    expect(found).toBe(2);
    expect(faults.map(({ text }) => text)).toEqual([
      "the log has another record of that number: it was replaced",
      "the log has another record of that number: it was replaced",
    ]);
  });

  it("a log that rolled over is found by the heads of its first records", async () => {
    const bench = new AuditBench(1_500);
    const heads = await logged(bench);
    for (let round = 0; round < 90; round += 1) {
      await bench.evaluate(60_000, good);
      await bench.evaluate(60_000, cut);
    }
    const last = await headOf(bench);
    const trail = await bench.trail();
    const from = trail.entries[0]?.at ?? 0;
    for (const begin of [wallStart, from]) {
      const { found, faults } = checkHeads(await reported(bench, begin), [...heads, last]);
      expect([found, faults.length]).toEqual([1, 4]);
      expect(faults[0]?.text).toMatch(/^the log begins with record \d+: it was rolled over/);
    }
  });

  it("heads of another time count as neither found nor lacking", async () => {
    const bench = new AuditBench();
    const heads = await logged(bench);
    const [, , third] = heads;
    const from = Date.parse(third?.at ?? "");
    expect(checkHeads(await reported(bench, from), heads)).toEqual({
      ...{ found: 2, outside: 2, faults: [] },
    });
    const late = { ...heads[0], at: "2030-01-01T00:00:00.000Z" } as Head;
    expect(checkHeads(await reported(bench, from), [...heads, late]).outside).toBe(3);
  });

  it("heads that cannot be compared are a fault, and never a pass", async () => {
    const bench = new AuditBench();
    const heads = await logged(bench);
    const report = await reported(bench);
    const foreign = heads.map((head) => ({ ...head, host: "host-b" }));
    expect(checkHeads(report, foreign).faults[0]?.text).toBe("no head is of host host-a");
    const late = heads.map((head) => ({ ...head, at: "2030-01-01T00:00:00.000Z" }));
    expect(checkHeads(report, late).faults[0]?.text).toBe("no head is of the report's period");
    // A log that was written anew without heads gives a report without any.
    const { heads: _heads, ...chain } = report.chain;
    expect(checkHeads({ ...report, chain }, heads)).toMatchObject({
      ...{ found: 0, faults: heads.map(() => ({ text: expect.stringContaining("replaced") })) },
    });
  });
});

describe("the text of a head", () => {
  const head: Head = {
    ...{ host: "0123456789abcdef", seq: 42, at: "2026-11-24T10:00:00.000Z" },
    hash: "5a".repeat(32),
  };
  const line = headText(head);

  it.each([
    ["itself", line],
    ["a line of syslog", `Nov 24 10:00:00 edge linkseal[77]: ${line}\n`],
    ["journalctl -o export", `__CURSOR=s=1\nPRIORITY=6\nMESSAGE=${line}\n_UID=998\n\n`],
    ["journalctl -o json", `${JSON.stringify({ PRIORITY: "6", MESSAGE: line })}\n`],
    ["two lines of the same head", `${line}\n${line}\n`],
  ])("a head is found in %s", (_name, text) => {
    expect(headsIn(text)).toEqual([head]);
  });

  it.each([
    ["a short MAC", line.slice(0, -1)],
    ["a long MAC", `${line}a`],
    ["a number that is too long", line.replace("42", "1".repeat(16))],
    ["a time that is none", line.replace("2026-11-24", "2026-99-99")],
    ["a host with blanks", line.replace("host=0", "host=0 ")],
    ["nothing", ""],
  ])("text with %s has no head", (_name, text) => {
    expect(headsIn(text)).toEqual([]);
  });
});

describe("a report of an earlier version", () => {
  it("a report without clients and heads still verifies, as JSON and as HTML", async () => {
    const bench = new AuditBench();
    await logged(bench);
    const report = await reported(bench);
    const { heads: _heads, ...chain } = report.chain;
    const earlier = { ...report, chain };
    const signer = signerOf(Secret.take("report key", new Uint8Array(32).fill(3)));
    const signed = signReport(earlier, signer);
    const key = publicKeyOf(signer.publicKey);
    if (key === undefined) throw new Error("no key");
    const octets = (text: string): Uint8Array => new TextEncoder().encode(text);
    expect(verifyReport(octets(reportFile(signed)), key).kind).toBe("sound");
    expect(verifyReport(octets(htmlOf(signed)), key).kind).toBe("sound");
  });
});
