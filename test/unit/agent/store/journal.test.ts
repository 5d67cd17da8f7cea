// Design section 5 "Journal"; threats F40 to F42, T41.

import { describe, expect, it } from "vitest";
import { Journal, type JsonRecord } from "#agent/store/journal/journal.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import type { Clock, Disk, Instant, WallTime } from "#hal/world.ts";

const clock: Clock = {
  now: () => 0 as Instant,
  wall: () => 1_800_000_000_000 as WallTime,
  sleep: () => Promise.resolve(),
  alarm: () => () => undefined,
};

const hostKey = (fill = 7): Secret => Secret.take("host key", new Uint8Array(32).fill(fill));

/** What the next write does instead of working; a number keeps that many bytes and fails. */
type Trouble = "before" | "after" | number;

class ScriptedDisk implements Disk {
  readonly files = new Map<string, Uint8Array>();
  readonly calls: string[] = [];
  script: (Trouble | undefined)[] = [];

  read(name: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.files.get(name));
  }
  list(prefix: string): Promise<readonly string[]> {
    return Promise.resolve([...this.files.keys()].filter((name) => name.startsWith(prefix)).sort());
  }
  append(name: string, bytes: Uint8Array): Promise<void> {
    const old = this.files.get(name) ?? new Uint8Array();
    return this.#write(
      "append",
      name,
      (kept) => Buffer.concat([old, bytes.subarray(0, kept)]),
      bytes,
    );
  }
  replace(name: string, bytes: Uint8Array): Promise<void> {
    return this.#write("replace", name, () => bytes.slice(), bytes);
  }

  async #write(
    call: string,
    name: string,
    content: (kept: number) => Uint8Array,
    bytes: Uint8Array,
  ): Promise<void> {
    this.calls.push(`${call} ${name}`);
    await Promise.resolve();
    const trouble = this.script.shift();
    const kept = typeof trouble === "number" ? trouble : bytes.length;
    const lands = trouble !== "before" && (call === "append" || typeof trouble !== "number");
    if (lands) this.files.set(name, Uint8Array.from(content(kept)));
    if (trouble !== undefined) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
  }
}

const open = (disk: Disk, host = "host-a", key = hostKey()): ReturnType<typeof Journal.open> =>
  Journal.open({ disk, clock }, { key, host });

const three: readonly JsonRecord[] = [
  { kind: "one", text: "plain" },
  { kind: "two", nested: { "link/x": [1, null, 10n] }, text: "ü\n\u{fffd}" },
  { kind: "three", text: "\u2028 end" },
];

async function written(records = three, host = "host-a", fill = 7): Promise<Uint8Array> {
  const disk = new ScriptedDisk();
  const { journal } = await open(disk, host, hostKey(fill));
  for (const record of records) await journal.append(record);
  return disk.files.get("journal") ?? new Uint8Array();
}

async function reopened(
  bytes: Uint8Array,
  host = "host-a",
): Promise<Awaited<ReturnType<typeof open>>> {
  const disk = new ScriptedDisk();
  disk.files.set("journal", bytes);
  return open(disk, host);
}

const linesOf = (bytes: Uint8Array): string[] => new TextDecoder().decode(bytes).split(/(?<=\n)/);
const bytesOf = (...lines: (string | undefined)[]): Uint8Array =>
  new TextEncoder().encode(lines.join(""));
const kinds = (journal: Journal): string[] => journal.records().map((entry) => entry.kind);

describe("a journal", () => {
  it("a journal returns what was appended, chained, numbered and named", async () => {
    const { journal, recovered } = await reopened(await written());
    expect(recovered).toEqual({ kind: "whole" });
    expect(journal.state).toBe("whole");
    expect(journal.records()).toMatchObject(
      three.map((record, index) => ({
        ...record,
        seq: index + 1,
        at: clock.wall(),
        host: "host-a",
      })),
    );
    expect(new Set(journal.records().map((entry) => entry.mac)).size).toBe(3);
  });

  it("a journal that would be longer than its limit stays as it was, and says so", async () => {
    const disk = new ScriptedDisk();
    const { journal } = await open(disk);
    await journal.append({ kind: "one" });
    const before = disk.files.get("journal");
    const long = { kind: "two", text: "x".repeat(3_900_000) };
    const error = await journal.compact(long, ...Array.from({ length: 17 }, () => long)).then(
      () => undefined,
      (caught: unknown) => caught,
    );
    expect(error).toMatchObject({ code: "journal.full", effect: "none" });
    expect(journal.trouble).toBe(error);
    expect([disk.files.get("journal"), kinds(journal)]).toEqual([before, ["one"]]);
    await journal.append({ kind: "three" });
    expect(journal.trouble).toBeUndefined();
  });

  it("a journal has the same entries before and after it was opened again", async () => {
    const disk = new ScriptedDisk();
    const { journal } = await open(disk);
    for (const record of three) await journal.append(record);
    expect((await open(disk)).journal.records()).toEqual(journal.records());
  });

  it("a journal keeps simultaneous appends in order, each durable when it resolves", async () => {
    const disk = new ScriptedDisk();
    const { journal } = await open(disk);
    await Promise.all(Array.from({ length: 20 }, (_, n) => journal.append({ kind: `k${n}` })));
    const again = await open(disk);
    expect(again.recovered.kind).toBe("whole");
    expect(kinds(again.journal)).toEqual(Array.from({ length: 20 }, (_, n) => `k${n}`));
  });

  it("a payload cannot overwrite the head of a journal record", async () => {
    const disk = new ScriptedDisk();
    const { journal } = await open(disk);
    const forged: Record<string, unknown> = { kind: "x", seq: 9, host: "host-b", mac: "00", at: 0 };
    await journal.append(forged as JsonRecord);
    await journal.append({ kind: "y" });
    const again = await open(disk);
    expect(again.recovered.kind).toBe("whole");
    expect(again.journal.records()[0]).toMatchObject({ seq: 1, host: "host-a", at: clock.wall() });
  });

  it("a journal refuses a record longer than 64 KB and goes on", async () => {
    const disk = new ScriptedDisk();
    const { journal } = await open(disk);
    const long = journal.append({ kind: "long", text: "x".repeat(65_536) });
    await expect(long).rejects.toMatchObject({ code: "agent.internal", effect: "none" });
    await journal.append({ kind: "short", text: "x".repeat(65_000) });
    expect(kinds((await open(disk)).journal)).toEqual(["short"]);
  });
});

describe("a journal cut short (F41)", () => {
  it("a journal cut short at any byte is whole or torn, never corrupt", async () => {
    const bytes = await written();
    const ends = linesOf(bytes).map(
      (_, index, lines) => bytesOf(...lines.slice(0, index + 1)).length,
    );
    for (let length = 0; length <= bytes.length; length += 1) {
      const disk = new ScriptedDisk();
      disk.files.set("journal", bytes.slice(0, length));
      const { journal, recovered } = await open(disk);
      const whole = ends.filter((end) => end <= length).length;
      const atEdge = length === 0 || ends.includes(length);
      expect([length, recovered.kind]).toEqual([length, atEdge ? "whole" : "torn"]);
      await journal.append({ kind: "next" });
      const again = await open(disk);
      expect(again.recovered.kind).toBe("whole");
      expect(kinds(again.journal)).toEqual(["one", "two", "three"].slice(0, whole).concat("next"));
    }
  });

  it("a torn journal on a full disk is readable, and is cut later", async () => {
    const bytes = await written();
    const disk = new ScriptedDisk();
    disk.files.set("journal", bytes.slice(0, -5));
    disk.script = ["before", "before"];
    const { journal, recovered } = await open(disk);
    expect(recovered.kind).toBe("torn");
    expect(kinds(journal)).toEqual(["one", "two"]);
    await expect(journal.append({ kind: "a" })).rejects.toMatchObject({ code: "journal.full" });
    await journal.append({ kind: "b" });
    expect(kinds((await open(disk)).journal)).toEqual(["one", "two", "b"]);
  });

  it("a journal with a tail of zeros counts as torn", async () => {
    const bytes = await written();
    const { recovered } = await reopened(Buffer.concat([bytes, new Uint8Array(300)]));
    expect(recovered).toEqual({ kind: "torn", bytes: 300 });
  });
});

describe("a tampered journal (T41)", () => {
  it("a tampered journal is detected whichever byte is changed, and however", async () => {
    const bytes = await written();
    const edges = linesOf(bytes);
    const lastFeed = bytes.length - 1;
    for (let at = 0; at < bytes.length; at += 1) {
      for (const flip of [0x01, 0x20, 0x80, 0xff, (bytes[at] ?? 0) ^ 0x0a]) {
        if (flip === 0) continue;
        const changed = bytes.slice();
        changed[at] = (changed[at] ?? 0) ^ flip;
        const { journal, recovered } = await reopened(changed);
        const line = edges.findIndex((_, n) => bytesOf(...edges.slice(0, n + 1)).length > at) + 1;
        // Without its line feed the last record is one that was never finished.
        const torn = { kind: "torn" };
        expect(recovered).toMatchObject(at === lastFeed ? torn : { kind: "corrupt", line });
        expect(kinds(journal)).toEqual(["one", "two", "three"].slice(0, line - 1));
      }
    }
  });

  it.each([
    ["a record taken out", [0, 2], 2],
    ["the first record taken out", [1, 2], 1],
    ["two records exchanged", [0, 2, 1], 2],
    ["a record twice", [0, 1, 1, 2], 3],
    ["the last record twice", [0, 1, 2, 2], 4],
  ])("a journal with %s is corrupt", async (_name, order, line) => {
    const lines = linesOf(await written());
    const { recovered } = await reopened(bytesOf(...order.map((n) => lines[n])));
    expect(recovered).toMatchObject({ kind: "corrupt", line });
  });

  it("a journal with an empty line is corrupt", async () => {
    const [first, ...rest] = linesOf(await written());
    const { recovered } = await reopened(bytesOf(first, "\n", ...rest));
    expect(recovered).toMatchObject({ kind: "corrupt", line: 2 });
  });

  it("a record spliced in from another journal of this host is corrupt", async () => {
    const [first] = linesOf(await written());
    const [, second] = linesOf(await written([{ kind: "other" }, { kind: "two" }]));
    const { recovered } = await reopened(bytesOf(first, second));
    expect(recovered).toMatchObject({ kind: "corrupt", line: 2 });
  });

  it("the journal of another host is corrupt, with the same key and with its own", async () => {
    const sameKey = await reopened(await written(three, "host-b"));
    expect(sameKey.recovered).toMatchObject({ line: 1, why: "it was written on another host" });
    const ownKey = await reopened(await written(three, "host-b", 8));
    expect(ownKey.recovered).toMatchObject({ kind: "corrupt", line: 1 });
    expect(ownKey.journal.records()).toEqual([]);
  });

  it("a line longer than any record is corrupt, ended or not", async () => {
    const bytes = await written();
    for (const end of ["", "\n"]) {
      const long = bytesOf("x".repeat(4 * 2 ** 20), end);
      const { recovered } = await reopened(Buffer.concat([bytes, long]));
      expect(recovered).toMatchObject({ kind: "corrupt", line: 4 });
    }
  });
});

describe("a corrupt journal", () => {
  async function broken(): Promise<{ disk: ScriptedDisk; journal: Journal; bytes: Uint8Array }> {
    const bytes = bytesOf(
      ...linesOf(await written()).map((line, n) => (n === 1 ? `x${line}` : line)),
    );
    const disk = new ScriptedDisk();
    disk.files.set("journal", bytes);
    return { disk, bytes, journal: (await open(disk)).journal };
  }

  it("a corrupt journal refuses every write, and names the next command", async () => {
    const { disk, journal, bytes } = await broken();
    const refusal = {
      code: "journal.corrupt",
      effect: "none",
      where: "journal:2",
      next: "linkseal journal accept-loss",
    };
    await expect(journal.append({ kind: "a" })).rejects.toMatchObject(refusal);
    await expect(journal.compact({ kind: "a" })).rejects.toMatchObject(refusal);
    expect(disk.calls).toEqual([]);
    expect(disk.files.get("journal")).toEqual(bytes);
    expect(journal.state).toBe("corrupt");
  });

  it("a corrupt journal goes on after its loss was accepted, and keeps the file", async () => {
    const { disk, journal, bytes } = await broken();
    await journal.acceptLoss("operator");
    await journal.append({ kind: "next" });
    const again = await open(disk);
    expect(again.recovered).toEqual({ kind: "whole" });
    expect(kinds(again.journal)).toEqual(["one", "journal.lossAccepted", "next"]);
    const kept = bytesOf(linesOf(bytes)[0]).length;
    expect(again.journal.records()[1]).toMatchObject({
      seq: 2,
      who: "operator",
      line: 2,
      droppedBytes: bytes.length - kept,
      keptAs: "journal-broken",
    });
    expect(disk.files.get("journal-broken")).toEqual(bytes);
  });

  it.each([[["before"]], [["after"]], [[undefined, "before"]], [[undefined, "after"]]] as const)(
    "stays corrupt when accepting fails at %j, and keeps the old file on the second try",
    async (script) => {
      const { disk, journal, bytes } = await broken();
      disk.script = [...script];
      const failed = journal.acceptLoss("operator");
      await expect(failed).rejects.toMatchObject({ code: "journal.full", effect: "none" });
      expect(journal.state).toBe("corrupt");
      await expect(journal.append({ kind: "a" })).rejects.toMatchObject({
        code: "journal.corrupt",
      });
      await journal.acceptLoss("operator");
      expect(disk.files.get("journal-broken")).toEqual(bytes);
      expect(kinds((await open(disk)).journal)).toEqual(["one", "journal.lossAccepted"]);
    },
  );

  it("a whole journal has no loss to accept", async () => {
    const { journal } = await reopened(await written());
    await expect(journal.acceptLoss("operator")).rejects.toMatchObject({ code: "usage" });
  });
});

describe("a disk that fails (F42)", () => {
  const troubles: readonly Trouble[] = ["before", "after", 0, 1, 50];

  it.each(troubles)(
    "at an append (%s): not journaled, and the next append heals the file",
    async (trouble) => {
      const disk = new ScriptedDisk();
      const { journal } = await open(disk);
      await journal.append({ kind: "one" });
      disk.script = [trouble];
      const failed = journal.append({ kind: "lost" });
      await expect(failed).rejects.toBeInstanceOf(LinksealError);
      await expect(failed).rejects.toMatchObject({ code: "journal.full", effect: "none" });
      expect(kinds(journal)).toEqual(["one"]);
      await journal.append({ kind: "two" });
      const again = await open(disk);
      expect(again.recovered.kind).toBe("whole");
      expect(kinds(again.journal)).toEqual(["one", "two"]);
    },
  );

  it.each(troubles)(
    "at an append (%s) and dead at once: opens again without a break",
    async (trouble) => {
      const disk = new ScriptedDisk();
      const { journal } = await open(disk);
      await journal.append({ kind: "one" });
      disk.script = [trouble];
      await expect(journal.append({ kind: "maybe" })).rejects.toMatchObject({
        code: "journal.full",
      });
      const again = await open(disk);
      expect(again.recovered.kind).not.toBe("corrupt");
      expect(kinds(again.journal)).toEqual(trouble === "after" ? ["one", "maybe"] : ["one"]);
    },
  );

  it.each(["before", "after"] as const)(
    "at a compaction (%s): old or new, never a mix",
    async (trouble) => {
      const disk = new ScriptedDisk();
      const { journal } = await open(disk);
      for (const record of three) await journal.append(record);
      disk.script = [trouble];
      const failed = journal.compact({ kind: "snapshot" });
      await expect(failed).rejects.toMatchObject({ code: "journal.full" });
      const found = await open(disk);
      expect(kinds(found.journal)).toEqual(
        trouble === "before" ? ["one", "two", "three"] : ["snapshot"],
      );
      await journal.append({ kind: "next" });
      expect(kinds((await open(disk)).journal)).toEqual(["one", "two", "three", "next"]);
    },
  );

  it("a journal keeps refusing while the disk is full, one write at a time", async () => {
    const disk = new ScriptedDisk();
    const { journal } = await open(disk);
    disk.script = [3, "before", "before", "before"];
    const all = await Promise.allSettled([1, 2, 3, 4, 5].map(() => journal.append({ kind: "k" })));
    expect(all.map((result) => result.status)).toEqual([
      "rejected",
      "rejected",
      "rejected",
      "rejected",
      "fulfilled",
    ]);
    expect(kinds((await open(disk)).journal)).toEqual(["k"]);
  });
});

describe("a compacted journal", () => {
  it("a compacted journal has the snapshot alone, and continues the numbers", async () => {
    const disk = new ScriptedDisk();
    const { journal } = await open(disk);
    for (const record of three) await journal.append(record);
    const long = "x".repeat(100_000);
    await journal.compact({ kind: "snapshot", long }, { kind: "snapshot", a: 2 });
    await journal.append({ kind: "next" });
    const again = await open(disk);
    expect(again.recovered.kind).toBe("whole");
    expect(again.journal.records().map(({ seq, kind }) => [seq, kind])).toEqual([
      [4, "snapshot"],
      [5, "snapshot"],
      [6, "next"],
    ]);
  });

  it("a compacted journal cannot be joined to the records it replaced", async () => {
    const disk = new ScriptedDisk();
    const { journal } = await open(disk);
    for (const record of three) await journal.append(record);
    const before = linesOf(disk.files.get("journal") ?? new Uint8Array());
    await journal.compact({ kind: "snapshot" });
    const after = linesOf(disk.files.get("journal") ?? new Uint8Array());
    expect((await reopened(bytesOf(...before, ...after))).recovered.kind).toBe("corrupt");
    expect((await reopened(bytesOf(...after, before[1]))).recovered.kind).toBe("corrupt");
  });
});
