// Every file of the state folders, damaged in every way: a start that says what is wrong, or one
// that goes on without it; never a process that ends on what it read.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { openHostKey, openReportKey } from "#agent/host/key.ts";
import { readMemory, writeMemory } from "#drivers/linux/mka/memory.ts";
import { readExemptPrefixes } from "#drivers/linux/net/exempt-prefixes.ts";
import { readGuard } from "#drivers/linux/net/guard-file.ts";
import { readStoredState } from "#drivers/linux/net/stored-state.ts";
import { Malformed } from "#hal/decoder.ts";
import { LinksealError } from "#hal/error.ts";
import type { Secret } from "#hal/secret.ts";
import type { Disk, WallTime } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../../effort.ts";
import { AgentBench } from "../../kit/agent-bench.ts";
import { caOf } from "../../kit/kay-kit.ts";
import { keysOf } from "../../kit/kay-recorded.ts";
import { refused, settled } from "../../kit/site-bench.ts";
import { hostileText, hostileTexts } from "../hostile-json.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "files";
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const deep = `${'{"__proto__":'.repeat(20_000)}1${"}".repeat(20_000)}`;

function documentIn(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    return { entries: [], text: "version: 1", who: "x", seq: 1 };
  }
}

function damaged(bytes: Uint8Array, prng: Prng): Uint8Array {
  const copy = Uint8Array.from(bytes);
  switch (prng.between(0, 6)) {
    case 0:
      return copy.subarray(0, prng.between(0, copy.length));
    case 1:
      return prng.bytes(prng.between(0, 300));
    case 2:
      return encoder.encode(hostileText(documentIn(bytes), prng));
    case 3:
      return encoder.encode(`${prng.pick(hostileTexts)}\n`);
    case 4:
      return Uint8Array.from([...copy, ...copy]);
    default:
      for (let flips = prng.between(1, 3); flips > 0 && copy.length > 0; flips -= 1) {
        const at = prng.between(0, copy.length - 1);
        copy[at] = (copy[at] ?? 0) ^ (1 << prng.between(0, 7));
      }
      return copy;
  }
}

describe("the state folder of an agent", () => {
  const files = [
    ...["journal", "audit/00", "audit-confirmed", "intent/index.json", "intent/0001.yaml"],
    "queued.yaml",
  ];
  let bench: AgentBench;
  let sound: ReadonlyMap<string, Uint8Array>;
  beforeAll(async () => {
    bench = new AgentBench("clear");
    await bench.live();
    await bench.apply();
    await bench.reach("secondary done");
    await bench.run(300_000);
    await bench.end();
    sound = new Map(bench.disk.contents().map(({ name, bytes }) => [name, bytes]));
  });

  /** Starts with one file as given and the others sound; its journal and its accepted config. */
  async function begun(name: string, bytes: Uint8Array): Promise<string> {
    const { clock } = bench.site;
    for (const file of files) {
      const content = file === name ? bytes : (sound.get(file) ?? new Uint8Array());
      await settled(clock, bench.disk.replace(file, content));
    }
    await bench.live();
    await bench.run(12_000);
    const { journalState, intentDamage } = bench.agent;
    // A journal that lost its end may be in the middle of a campaign. Its next start would find the
    // whole one again, and leave what this one has begun.
    const isOpen = (): boolean =>
      Object.values(bench.agent.memory.campaigns).some(({ state }) => state !== "done");
    for (let minutes = 0; isOpen() && minutes < 60; minutes += 1) await bench.run(60_000);
    await bench.end();
    expect(bench.broken).toEqual([]);
    return intentDamage === undefined ? journalState : intentDamage.code;
  }

  // The process ended at its start, so that nothing reported what was wrong.
  it("A3: with a damaged index an agent runs, reports it and changes nothing", async () => {
    const index = decoder.decode(sound.get("intent/index.json"));
    const other = encoder.encode(index.replace("operator", "0perator").replace("test", "test1"));
    expect(await begun("intent/index.json", other)).toBe("journal.corrupt");
    await bench.live();
    await bench.run(12_000);
    const writes = bench.oracle.agentWrites;
    const damage = "intent/index.json is damaged; nothing is changed";
    expect(bench.agent.status()).toMatchObject({
      verdict: "unknown",
      reasons: [{ code: "journal-lossy", text: expect.stringContaining(damage) }],
    });
    const body = { text: bench.config(), file: "demo.yaml", queue: true };
    for (const [path, asked] of [
      ["POST /v1/apply", body],
      ["POST /v1/adopt", { target: "erd-demo", risks: [] }],
      ["POST /v1/drain", { link: "erd-demo/primary" }],
    ] as const) {
      expect(await bench.ask(path, asked)).toMatchObject({ code: "journal.corrupt", text: damage });
    }
    await bench.run(600_000);
    expect(bench.oracle.agentWrites).toBe(writes);
    await bench.end();
  });

  it.each(files)(
    "a state folder with %s nested without end does not end the agent",
    async (name) => {
      expect(await begun(name, encoder.encode(deep))).toMatch(/^(whole|torn|corrupt|journal\.)/);
    },
  );

  it(`with any damage starts or says why not (LINKSEAL_SEED=${seed})`, async () => {
    const runs = effort(150, 4_000);
    console.log(`damaged state files: LINKSEAL_SEED=${seed}, ${runs} starts`);
    const prng = new Prng(seed);
    const ends = new Set<string>();
    for (let run = 0; run < runs; run += 1) {
      const name = prng.pick(files);
      const bytes = damaged(sound.get(name) ?? new Uint8Array(), prng);
      ends.add(await begun(name, bytes));
    }
    for (const end of ends) expect(end).toMatch(/^(whole|torn|corrupt|journal\.|config\.)/);
    expect([...ends]).toEqual(expect.arrayContaining(["whole", "corrupt"]));
    // Whatever is read, no device is changed on its word.
    expect(bench.violations()).toEqual([]);
  });
});

describe("host.key and report.key", () => {
  it.each([0, 1, 31, 33, 100_000])("keys of %d octets are refused, and named", async (length) => {
    const folder = mkdtempSync(join(tmpdir(), "linkseal-keys-"));
    try {
      for (const [name, open] of [
        ["host.key", openHostKey],
        ["report.key", openReportKey],
      ] as const) {
        writeFileSync(join(folder, name), new Uint8Array(length).fill(0x5b), { mode: 0o600 });
        chmodSync(join(folder, name), 0o600);
        const { code, message } = await refused(open(folder));
        expect([code, message]).toEqual([
          "usage",
          expect.stringContaining(`${name} has ${length}`),
        ]);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe(`the state of linkseal-net (LINKSEAL_SEED=${seed})`, () => {
  const pending = { token: "t", preview: "p", undo: [], revertsAt: 5, within: 5, extent: "whole" };
  const shut = { addresses: ["00"], routes: [], down: ["eth1"] };
  const kept = {
    bootId: "b",
    pending,
    keepsakes: { eth0: shut },
    moves: {},
    standing: {},
    due: [],
  };
  const prefixes = { prefixes: ["10.0.0.0/8", "2001:db8::/32"] };
  const backings = { prefixes: [{ prefix: "10.0.0.0/8", ports: ["eth0"] }] };
  const log = { write: () => undefined };
  const holding = (bytes: Uint8Array): Disk => ({
    ...{ read: async () => bytes, list: async () => [] },
    ...{ append: async () => undefined, replace: async () => undefined },
  });
  const readers: readonly (readonly [unknown, (bytes: Uint8Array) => Promise<unknown>])[] = [
    [kept, async (bytes) => readStoredState(bytes, log)],
    [prefixes, (bytes) => readGuard(holding(bytes), log)],
    [backings, (bytes) => readExemptPrefixes(holding(bytes), log)],
  ];

  it("is read, or counts as none, whatever is in it", async () => {
    const runs = effort(2_000, 200_000);
    console.log(`damaged files of linkseal-net: LINKSEAL_SEED=${seed}, ${runs} reads`);
    const prng = new Prng(seed);
    for (let run = 0; run < runs; run += 1) {
      const [document, read] = prng.pick(readers);
      const bytes = damaged(encoder.encode(JSON.stringify(document)), prng);
      const found = await read(bytes).catch((error: unknown) => error);
      expect(!(found instanceof Error) || found instanceof LinksealError).toBe(true);
    }
  });
});

describe(`what an MKA process leaves to the next (LINKSEAL_SEED=${seed})`, () => {
  const ca = caOf("one");
  const peer = { mi: "cd".repeat(12), sci: "00".repeat(8), mn: 1, version: 3, priority: 1 };
  const octets = writeMemory(
    {
      settings: { keyServerPriority: 9, sakRekeyMs: undefined, delayProtection: "off" },
      pending: undefined,
      snapshot: {
        actors: [
          {
            ...{ ckn: ca.ckn, ...keysOf(ca), mi: "ab".repeat(12), mnReserved: 5, kn: 3 },
            peers: [{ ...peer, keyServer: true, kn: 1 }],
          },
        ],
        ...{ principal: ca.ckn, saks: [], kept: [], spent: [], lastAn: 2 },
      },
    },
    0 as WallTime,
  );
  const plain = (part: Uint8Array | Secret): Uint8Array =>
    part instanceof Uint8Array ? part : new Uint8Array(part.byteLength);
  const whole = Uint8Array.from(octets.flatMap((part) => [...plain(part)]));
  const textEnd = 4 + new DataView(whole.buffer).getUint32(0);

  it("is read or is malformed, whatever is in it", () => {
    const runs = effort(2_000, 200_000);
    console.log(`damaged MKA memory: LINKSEAL_SEED=${seed}, ${runs} reads`);
    expect(readMemory(Uint8Array.from(whole), 0 as WallTime).snapshot?.actors).toHaveLength(1);
    const prng = new Prng(seed);
    for (let run = 0; run < runs; run += 1) {
      const text = damaged(whole.subarray(4, textEnd), prng);
      const head = new Uint8Array(4);
      new DataView(head.buffer).setUint32(0, text.length);
      const spoilt = prng.chance(0.7)
        ? Uint8Array.from([...head, ...text, ...whole.subarray(textEnd)])
        : damaged(whole, prng);
      try {
        readMemory(spoilt, 0 as WallTime);
      } catch (error) {
        if (!(error instanceof Malformed)) throw error;
      }
    }
  });
});
