// The record of a wave: what a hub wrote is read as it was, and anything else is no wave.

import { describe, expect, it } from "vitest";
import {
  isFit,
  isOpen,
  type MemberState,
  parseWave,
  type Wave,
  waveOctets,
} from "#agent/fleet/wave.ts";
import { memberOf, nonceOf, wallAt, waveOf } from "../../kit/wave-kit.ts";

const given = { nonce: nonceOf(7), at: wallAt(1), notAfter: wallAt(2) };
const states: readonly MemberState[] = [
  { kind: "waiting" },
  { ...given, kind: "permitted", isWithdrawn: true },
  { ...given, kind: "begun" },
  { ...given, kind: "reached" },
  { ...given, kind: "failed", why: "late", isOpen: true },
  { kind: "leftOut", at: wallAt(3) },
];

const act = { at: wallAt(4), by: "ann@hub" };

describe("the record of a wave", () => {
  it("every state of a member and of the wave is read as it was written", () => {
    const stages = states.map((state, at) => [{ ...memberOf(`s${at}`, state), before: "down" }]);
    const wave = waveOf([], { stages: stages as unknown as Wave["stages"] });
    expect(parseWave(waveOctets(wave))).toEqual(wave);
    for (const state of [
      { kind: "running" },
      { ...act, kind: "frozen", why: "x" },
      { ...act, kind: "stopped", why: "x" },
    ] as const) {
      const other = { ...wave, state, resumed: act, stage: 1, bakingSince: wallAt(5) };
      expect(parseWave(waveOctets(other))).toEqual(other);
    }
    const done = { ...wave, state: { kind: "done", at: wallAt(9) }, stage: 6 } as const;
    expect(parseWave(waveOctets(done))).toEqual(done);
  });

  it.each<readonly [string, (wave: Wave) => object]>([
    ["another schema", (wave) => ({ ...wave, schema: "linkseal.wave/2" })],
    ["no share", (wave) => ({ ...wave, shareMax: 0 })],
    ["a share of a part", (wave) => ({ ...wave, shareMax: 1.5 })],
    ["a name with a dot", (wave) => ({ ...wave, name: "hub.lease" })],
    ["another kind", (wave) => ({ ...wave, kind: "wipe" })],
    ["no stage", (wave) => ({ ...wave, stages: [] })],
    ["an empty stage", (wave) => ({ ...wave, stages: [[]] })],
    ["a group twice", (wave) => ({ ...wave, stages: [...wave.stages, ...wave.stages] })],
    ["a stage beyond the last", (wave) => ({ ...wave, stage: 3 })],
    ["a wave that runs after its last stage", (wave) => ({ ...wave, stage: 2 })],
    ["a wave that is done within a stage", (wave) => ({ ...wave, state: { kind: "done", at: 1 } })],
    ["a time that is none", (wave) => ({ ...wave, bakingSince: "now" })],
    ["an unknown state", (wave) => ({ ...wave, state: { kind: "fast" } })],
    [
      "a reason with a line feed",
      (wave) => ({ ...wave, state: { ...act, kind: "stopped", why: "a\nb" } }),
    ],
    [
      "a failure of an unknown code",
      (wave) => withState(wave, { ...given, kind: "failed", why: "x", isOpen: true }),
    ],
    [
      "a permit without its nonce",
      (wave) => withState(wave, { kind: "begun", at: 1, notAfter: 2 }),
    ],
    ["a permit that is half withdrawn", (wave) => withState(wave, { ...given, kind: "permitted" })],
    [
      "an unknown verdict",
      (wave) => ({ ...wave, stages: [[{ ...memberOf("a"), before: "well" }]] }),
    ],
  ])("%s is no wave", (_what, change) => {
    const wave = waveOf([["a"], ["b"]]);
    const text = JSON.stringify({ schema: "linkseal.wave/1", ...change(wave) });
    expect(parseWave(Buffer.from(text))).toBeUndefined();
    expect(parseWave(waveOctets(wave))).toEqual(wave);
  });

  it("octets that are no JSON, or too many, are no wave", () => {
    for (const text of ["", "{", "[]", "null", " ".repeat(300_000)]) {
      expect(parseWave(Buffer.from(text))).toBeUndefined();
    }
  });

  it("1,000 groups with names of 20 characters fit in one record, 1,001 do not", () => {
    const wave = (count: number): Wave => {
      const names = Array.from(
        { length: count },
        (_none, at) => `site-${String(at).padStart(8, "0")}`,
      );
      return waveOf([names]);
    };
    expect(isFit(wave(1_000))).toBe(true);
    expect(isFit(wave(1_001))).toBe(false);
    expect(parseWave(waveOctets(wave(1_000)))).toEqual(wave(1_000));
  });

  it("a member counts as open from its permit to its end", () => {
    expect(states.map((state) => isOpen(memberOf("a", state)))).toEqual([
      ...[false, true, true, false, true, false],
    ]);
    expect(isOpen(memberOf("a", { ...given, kind: "failed", why: "late", isOpen: false }))).toBe(
      false,
    );
  });
});

function withState(wave: Wave, state: object): object {
  return { ...wave, stages: [[{ ...memberOf("a"), state }], ["b"].map((site) => memberOf(site))] };
}
