// Asks, permits and freezes: what is written is read again, and nothing else is.

import { describe, expect, it } from "vitest";
import {
  type Ask,
  type Asked,
  type AskState,
  askOctets,
  type Freeze,
  freezeOctets,
  isFor,
  type Permit,
  parseAsk,
  parseFreeze,
  parsePermit,
  permitOctets,
  recordBytesMax,
} from "#agent/fleet/records.ts";
import type { WallTime } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../../effort.ts";

const wall = 1_790_000_000_000 as WallTime;
const ckn = "ab".repeat(32);
const primary = { link: "primary", old: ckn, new: "01" };
const secondary = { link: "secondary", old: null, new: null };
const asked: Asked = {
  nonce: "0f".repeat(16),
  site: "dublin",
  group: "erd-1",
  kind: "rotate",
  config: { number: 7, sha256: "cd".repeat(32) },
  keys: [primary, secondary],
};
const ask: Ask = { ...asked, at: wall, state: { kind: "asking" } };
const permit: Permit = { ...asked, wave: "spring", notAfter: wall };
const freeze: Freeze = { state: "frozen", at: wall, by: "anna", why: "a fault at the exchange" };

const octets = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const changed = (record: Uint8Array, change: (fields: Record<string, unknown>) => void) => {
  const fields = JSON.parse(new TextDecoder().decode(record)) as Record<string, unknown>;
  change(fields);
  return octets(fields);
};

describe("a record that was written", () => {
  const states: readonly AskState[] = [
    { kind: "asking" },
    { kind: "begun", at: wall },
    { kind: "ended", at: wall, end: "reached" },
    { kind: "ended", at: wall, end: "notReached" },
  ];
  it.each(states)("an ask is read as it was written: %j", (state) => {
    expect(parseAsk(askOctets({ ...ask, state }))).toEqual({ ...ask, state });
  });

  it("a time with a fraction, as a simulated site has it, is read as whole milliseconds", () => {
    const at = 1_795_515_653_365.64 as WallTime;
    const whole = 1_795_515_653_365;
    const state = { kind: "begun", at } as const;
    expect(parseAsk(askOctets({ ...ask, at, state }))).toMatchObject({
      ...{ at: whole, state: { kind: "begun", at: whole } },
    });
    expect(parsePermit(permitOctets({ ...permit, notAfter: at }))?.notAfter).toBe(whole);
    expect(parseFreeze(freezeOctets({ ...freeze, at }))?.at).toBe(whole);
  });

  it("a permit and a freeze are read as they were written", () => {
    expect(parsePermit(permitOctets(permit))).toEqual(permit);
    expect(parsePermit(permitOctets({ ...permit, wave: null }))?.wave).toBeNull();
    expect(parseFreeze(freezeOctets(freeze))).toEqual(freeze);
    expect(parseFreeze(freezeOctets({ ...freeze, state: "thawed" }))?.state).toBe("thawed");
  });

  it("a name that is not known is not kept", () => {
    const more = changed(permitOctets(permit), (fields) => {
      fields["later"] = "a version";
    });
    expect(parsePermit(more)).toEqual(permit);
  });

  it("a permit that was withdrawn is none, and so is a record of another kind", () => {
    const withdrawn = octets({ schema: "linkseal.permit/1", withdrawn: true });
    expect(parsePermit(withdrawn)).toBeUndefined();
    expect(parsePermit(askOctets(ask))).toBeUndefined();
    expect(parseAsk(permitOctets(permit))).toBeUndefined();
    expect(parseFreeze(permitOctets(permit))).toBeUndefined();
  });
});

describe("a permit is for what is asked", () => {
  const others: readonly Partial<Permit>[] = [
    { nonce: "0e".repeat(16) },
    { site: "cork" },
    { group: "erd-2" },
    { kind: "enrol" },
    { config: { ...asked.config, number: 8 } },
    { config: { ...asked.config, sha256: "ce".repeat(32) } },
    { keys: asked.keys.slice(0, 1) },
    { keys: asked.keys.toReversed() },
    { keys: [{ ...primary, new: "02" }, secondary] },
    { keys: [{ ...primary, old: null }, secondary] },
    { keys: [{ ...primary, link: "tertiary" }, secondary] },
  ];
  it.each(others)("one that differs in %j is for something else", (other) => {
    expect(isFor({ ...permit, ...other }, asked)).toBe(false);
  });

  it("one that names the same is for it, whatever its wave and its end", () => {
    expect(isFor(permit, ask)).toBe(true);
    expect(isFor({ ...permit, notAfter: 0 as WallTime } as Permit, ask)).toBe(true);
  });
});

describe("a record of a hostile hub", () => {
  type Change = readonly [path: string, value: unknown];
  const changes: readonly Change[] = [
    ["schema", "linkseal.permit/2"],
    ["nonce", "0F".repeat(16)],
    ["nonce", "0f".repeat(17)],
    ["nonce", 7],
    ["site", ""],
    ["site", "-other"],
    ["site", "a.b"],
    ["site", "x".repeat(64)],
    ["group", null],
    ["kind", "drain"],
    ["config", { number: 0, sha256: "cd".repeat(32) }],
    ["config", { number: 1.5, sha256: "cd".repeat(32) }],
    ["config", { number: 7, sha256: "cd" }],
    ["config", [7]],
    ["keys", []],
    ["keys", {}],
    ["keys", [null]],
    ["keys", [{ link: "primary", old: "abc", new: null }]],
    ["keys", [{ link: "primary", old: "zz", new: null }]],
    ["keys", [{ link: "primary", old: null }]],
    ["keys", Array.from({ length: 17 }, () => ({ link: "p", old: null, new: null }))],
    ["wave", ""],
    ["wave", undefined],
    ["notAfter", -1],
    ["notAfter", "2026-11-24"],
    ["notAfter", 2 ** 60],
  ];
  it.each(changes)("a permit whose %s is %j is none", (path, value) => {
    const wrong = changed(permitOctets(permit), (fields) => {
      fields[path] = value;
    });
    expect(parsePermit(wrong)).toBeUndefined();
  });

  it.each([
    ["state", "melting"],
    ["at", null],
    ["by", ""],
    ["by", "a\nb"],
    ["why", "\u001b[31mred"],
    ["why", "\u202eright to left"],
    ["why", "x".repeat(301)],
  ])("a freeze whose %s is %j is none, and a reader waits", (path, value) => {
    const wrong = changed(freezeOctets(freeze), (fields) => {
      fields[path] = value;
    });
    expect(parseFreeze(wrong)).toBeUndefined();
  });

  it.each([
    [{ kind: "waiting" }],
    [{ kind: "begun" }],
    [{ kind: "ended", at: wall }],
    [{ kind: "ended", at: wall, end: "perhaps" }],
    ["asking"],
    [null],
  ])("an ask whose state is %j is none", (state) => {
    const wrong = changed(askOctets(ask), (fields) => {
      fields["state"] = state;
    });
    expect(parseAsk(wrong)).toBeUndefined();
  });

  it("octets that are too many, no UTF-8 or no JSON are none", () => {
    const long = changed(permitOctets(permit), (fields) => {
      fields["more"] = "x".repeat(recordBytesMax);
    });
    const wrongs = [long, new Uint8Array(), Uint8Array.of(0xff, 0xfe), octets([]), octets("x")];
    for (const wrong of [...wrongs, new TextEncoder().encode("[".repeat(9_000))]) {
      expect([parseAsk(wrong), parsePermit(wrong), parseFreeze(wrong)]).toEqual([
        ...[undefined, undefined, undefined],
      ]);
    }
  });

  it("octets that were changed at random never throw, and never make a record larger", () => {
    const seed = "records-fuzz";
    console.log(`seed ${seed}`);
    const prng = new Prng(seed);
    const records = [askOctets(ask), permitOctets(permit), freezeOctets(freeze)];
    const count = effort(20_000, 1_000_000);
    let read = 0;
    for (let round = 0; round < count; round += 1) {
      const wrong = Uint8Array.from(prng.pick(records));
      for (let flips = prng.between(1, 4); flips > 0; flips -= 1) {
        wrong[prng.between(0, wrong.length - 1)] = prng.between(0, 255);
      }
      const cut = prng.chance(0.2) ? wrong.subarray(0, prng.between(0, wrong.length)) : wrong;
      for (const found of [parseAsk(cut), parsePermit(cut), parseFreeze(cut)]) {
        if (found === undefined) continue;
        read += 1;
        if (JSON.stringify(found).length > recordBytesMax) throw new Error("it has grown");
      }
    }
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(count);
  });
});
