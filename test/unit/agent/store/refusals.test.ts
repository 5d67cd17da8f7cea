// Counts of requests without effect: who sent how many, in few records.

import { describe, expect, it } from "vitest";
import type { Client } from "#agent/model/client.ts";
import { segmentsMax } from "#agent/store/audit/log.ts";
import type { Change } from "#agent/store/audit/record.ts";
import { Refusals } from "#agent/store/audit/refusals.ts";
import { encodeJson } from "#hal/json.ts";
import type { Instant } from "#hal/world.ts";
import { AuditBench, observed } from "../../kit/audit-kit.ts";
import { settled } from "../../kit/site-bench.ts";

const minuteMs = 60_000;
const text = "retire: refused: usage";
const client = (uid: number, more: Partial<Client> = {}): Client => ({
  ...{ socket: "admin", uid, gid: 50, pid: 7, loginUid: uid, ...more },
});

const whole = (uid: number): string => `socket: uid ${uid}, gid 50, pid 7, login uid ${uid}`;

/** Takes all records that are due. */
function taken(refusals: Refusals, now: number): readonly Change[] {
  const changes: Change[] = [];
  for (let due = refusals.due(now as Instant); due !== undefined; ) {
    changes.push(due);
    refusals.written();
    due = refusals.due(now as Instant);
  }
  return changes;
}

/** Adds each client's refusals within one minute; returns the records at its end. */
function counted(clients: readonly Client[], about = "x"): readonly Change[] {
  const refusals = new Refusals();
  for (const each of clients) refusals.add({ client: each, about, text }, 0 as Instant, 0);
  return taken(refusals, minuteMs);
}

describe("counts of refusals", () => {
  it("refusals are counted for each socket and user apart", () => {
    const records = counted([
      ...[client(1000), client(1000), client(1001)],
      ...[client(1000, { socket: "view" }), client(1000)],
    ]);
    expect(records.map(({ who, text: words }) => `${who} | ${words}`)).toEqual([
      `admin ${whole(1000)} | 3 requests without effect in 1 s: ${text} (3)`,
      `admin ${whole(1001)} | ${text}`,
      `view ${whole(1000)} | ${text}`,
    ]);
  });

  it("a count of several processes of a user names the user alone", () => {
    const [record] = counted([client(1000), client(1000, { pid: 8, loginUid: null, gid: 51 })]);
    expect(record?.client).toEqual(client(1000, { pid: null, loginUid: null, gid: null }));
    expect(record?.who).toBe("admin socket: uid 1000, several processes, login uid unknown");
  });

  it("a process that is thousands of users fills no more than five records a minute", () => {
    const records = counted(Array.from({ length: 10_000 }, (_, index) => client(index)));
    expect(records).toHaveLength(5);
    const total = /^9996 requests without effect of further users in 1 s: /;
    expect(records.at(-1)).toMatchObject({
      ...{ who: "admin socket: user unknown", text: expect.stringMatching(total) },
    });
  });

  it("a client with an unknown user is counted too", () => {
    const unknown = client(0, { uid: null, gid: null, pid: null, loginUid: null });
    expect(counted([unknown, unknown]).map(({ who }) => who)).toEqual([
      "admin socket: user unknown",
    ]);
  });

  it("a day of refusals by one user takes less than 2 MiB of the log", () => {
    const record = counted([client(2 ** 32 - 2), client(2 ** 32 - 2)], "\u{4e00}".repeat(4000))[0];
    // The number, the time, the host and the MAC of a line take less than 300 octets.
    const octets = Buffer.byteLength(encodeJson({ ...record })) + 300;
    expect(octets * 24 * 60).toBeLessThan(2 * 1024 * 1024);
  });
});

describe("a log beside refusals", () => {
  it("85,000 refusals roll no older record out", async () => {
    const bench = new AuditBench();
    const recorder = await bench.live();
    await bench.evaluate(120_000, observed("g/a", "protected"));
    recorder.changed({ what: "asked", about: "g/a", who: "test", text: "drain: done" });
    const sizeBefore = size(bench);
    // Six minutes at 240 a second, each with a name as long as a request may have.
    for (let second = 0; second < 360; second += 1) {
      for (let index = 0; index < 237; index += 1) {
        recorder.refused({ client: client(1000), about: `${index}`.repeat(1000), text });
      }
      if (second % 5 === 0) await bench.evaluate(5_000, observed("g/a", "protected"));
    }
    await bench.evaluate(120_000, observed("g/a", "protected"));
    const { entries, losses } = await bench.trail();
    expect(losses).toEqual([]);
    const changes = entries.flatMap((entry) => (entry.kind === "change" ? [entry] : []));
    expect(changes[0]).toMatchObject({ about: "g/a", text: "drain: done" });
    const sums = changes.map((each) => Number(/^(\d+) requests/.exec(each.text)?.[1] ?? 0));
    expect(sums.reduce((sum, count) => sum + count, 0)).toBe(360 * 237);
    expect(changes.length).toBeLessThan(10);
    expect(size(bench) - sizeBefore).toBeLessThan(10_000);
    const files = bench.disk.contents().filter(({ name }) => name.startsWith("audit/"));
    expect(files.length).toBeLessThan(segmentsMax);
    await settled(bench.clock, recorder.end());
  });

  it("a change is written before a count of refusals that is due already", async () => {
    const bench = new AuditBench();
    const recorder = await bench.live();
    await bench.evaluate(5_000, observed("g/a", "protected"));
    recorder.refused({ client: client(1000), about: "x", text });
    await bench.clock.runFor(minuteMs);
    // The disk takes one record after the other: the count is due, and both wait for this one.
    const durable = ["one", "two"].map((about) =>
      recorder.recorded({ what: "asked", about, who: "test", text: "drain: done" }),
    );
    expect(await settled(bench.clock, Promise.all(durable))).toEqual([undefined, undefined]);
    await settled(bench.clock, recorder.end());
    const { entries } = await bench.trail();
    const changes = entries.flatMap((entry) => (entry.kind === "change" ? [entry.about] : []));
    expect(changes).toEqual(["one", "two", "x"]);
  });
});

function size(bench: AuditBench): number {
  const files = bench.disk.contents().filter(({ name }) => name.startsWith("audit/"));
  return files.reduce((sum, { bytes }) => sum + bytes.length, 0);
}
