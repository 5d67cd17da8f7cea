import { describe, expect, it } from "vitest";
import { freezeOf, windowOf } from "#agent/config/span.ts";
import type { RotatePolicy } from "#agent/model/desired.ts";
import {
  type DatedKey,
  jitterMs,
  type RotationDue,
  type RotationInput,
  rotationDue,
} from "#agent/rotation/policy.ts";
import type { WallTime } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import { ckn } from "../../kit/site-bench.ts";

const dayMs = 86_400_000;
const wall = Date.UTC(2026, 10, 24, 10) as WallTime;

/** A version that the vault made so many days ago. */
function key(id: string, daysAgo: number): DatedKey {
  return {
    key: { ckn: ckn("a"), cakSecretId: `cak/${id}`, cknSecretId: `ckn/${id}` },
    created: (wall - daysAgo * dayMs) as WallTime,
  };
}

type Pair = readonly [bound: DatedKey | undefined, newest: DatedKey | undefined];

function due(
  policy: Partial<RotatePolicy>,
  pairs: readonly Pair[],
  freezes: RotationInput["freezes"] = [],
): RotationDue {
  const links = pairs.map(([bound, newest], index) => ({ name: `link-${index}`, bound, newest }));
  const full = { on: "hand", maxAgeMs: undefined, windows: [], ...policy } as const;
  return rotationDue({ policy: full, freezes, links, wall });
}

const [old, young, next] = [key("1", 100), key("2", 10), key("3", 1)];
const maxAgeMs = 90 * dayMs;

describe("a rotation on a new vault version", () => {
  const on = "vaultVersion" as const;

  it("a rotation on vaultVersion is due for links with a newer version of any age", () => {
    expect(
      due({ on }, [
        [young, next],
        [young, young],
        [old, next],
      ]),
    ).toEqual({
      kind: "due",
      links: ["link-0", "link-2"],
    });
  });

  it.each([
    ["the same version", [young, young]],
    ["no version that may be used", [young, undefined]],
    ["an older version, since the bound one was disabled", [next, young]],
    ["no bound key, which is an enrolment's matter", [undefined, next]],
  ] as const)("a rotation on vaultVersion is not due with %s", (_name, pair) => {
    const why = "noNewerKey";
    expect(due({ on }, [pair])).toEqual({ kind: "notYet", why, at: undefined });
  });

  it("a rotation on vaultVersion is due for a new version of either secret", () => {
    for (const half of [{ cknSecretId: "ckn/9" }, { cakSecretId: "cak/9" }]) {
      const made = { ...young, key: { ...young.key, ...half } };
      expect(due({ on }, [[young, made]])).toMatchObject({ kind: "due" });
    }
  });

  it("a rotation on vaultVersion is overdue with an old key and no newer one", () => {
    expect(
      due({ on, maxAgeMs }, [
        [old, old],
        [young, young],
      ]),
    ).toEqual({
      kind: "overdue",
      links: ["link-0"],
      lacking: ["link-0"],
    });
  });

  it("a rotation that is due for one link is due and not overdue", () => {
    const found = due({ on, maxAgeMs }, [
      [old, old],
      [old, next],
    ]);
    expect(found).toMatchObject({ kind: "due", links: ["link-1"] });
  });
});

describe("a rotation by age", () => {
  const policy = { on: "age", maxAgeMs } as const;

  it("a rotation by age is due once a key is too old and there is a newer one", () => {
    expect(
      due(policy, [
        [old, next],
        [young, next],
      ]),
    ).toEqual({
      kind: "due",
      links: ["link-0"],
    });
  });

  it("a rotation by age waits until the first key with a newer one is too old", () => {
    expect(
      due(policy, [
        [young, next],
        [key("4", 20), next],
        [key("5", 30), undefined],
      ]),
    ).toEqual({
      kind: "notYet",
      why: "younger",
      at: wall + 70 * dayMs,
    });
  });

  it("a rotation by age waits for the same moment in any order of links", () => {
    const pairs: readonly Pair[] = [
      [key("4", 20), next],
      [young, next],
    ];
    for (const order of [pairs, pairs.toReversed()]) {
      expect(due(policy, order)).toMatchObject({ kind: "notYet", at: wall + 70 * dayMs });
    }
  });

  it("a rotation by age without an age is never due", () => {
    const why = "younger";
    expect(due({ on: "age" }, [[old, next]])).toEqual({ kind: "notYet", why, at: undefined });
  });

  it("an overdue rotation names every link that lacks a newer key", () => {
    const found = due(policy, [
      [old, old],
      [old, undefined],
    ]);
    expect(found).toMatchObject({ lacking: ["link-0", "link-1"] });
  });

  it("a rotation by age is due from the moment at which a key is too old", () => {
    expect(due(policy, [[key("6", 90), next]])).toMatchObject({ kind: "due" });
  });

  it("a rotation by age is overdue with an old key and no newer one", () => {
    expect(due(policy, [[old, undefined]])).toMatchObject({ kind: "overdue", links: ["link-0"] });
  });

  it("a rotation by age without a newer key has no time to wait for", () => {
    const why = "noNewerKey";
    expect(due(policy, [[young, young]])).toEqual({ kind: "notYet", why, at: undefined });
  });
});

describe("a rotation by hand", () => {
  it("a rotation by hand never begins by itself", () => {
    const why = "byHand";
    expect(due({ on: "hand" }, [[old, next]])).toEqual({ kind: "notYet", why, at: undefined });
    expect(due({ on: "hand", maxAgeMs }, [[young, next]])).toMatchObject({ kind: "notYet", why });
  });

  it("a rotation by hand is overdue once a key is too old", () => {
    expect(
      due({ on: "hand", maxAgeMs }, [
        [old, next],
        [old, next],
      ]),
    ).toEqual({
      kind: "overdue",
      links: ["link-0", "link-1"],
      lacking: [],
    });
  });
});

describe("a closed window", () => {
  const window = "Sat 02:00-06:00 Europe/Dublin";
  const windows = [windowOf(window)];

  it.each(["vaultVersion", "age"] as const)(
    "a closed window keeps a rotation on %s waiting",
    (on) => {
      expect(due({ on, maxAgeMs, windows }, [[old, next]])).toEqual({
        kind: "notYet",
        why: "window",
        at: Date.UTC(2026, 10, 28, 2),
      });
    },
  );

  it("a closed window is not named while nothing is due", () => {
    const found = due({ on: "vaultVersion", windows }, [[young, young]]);
    expect(found).toMatchObject({ kind: "notYet", why: "noNewerKey" });
  });

  it("a closed window does not hide what is overdue", () => {
    expect(due({ on: "age", maxAgeMs, windows }, [[old, old]])).toMatchObject({ kind: "overdue" });
  });

  it("a rotation in a freeze waits for its end", () => {
    const frozen = due(
      { on: "vaultVersion" },
      [[young, next]],
      [freezeOf("2026-11-24/2026-11-25")],
    );
    expect(frozen).toMatchObject({ kind: "notYet", at: Date.UTC(2026, 10, 26) });
  });

  it("a rotation in an open window is due", () => {
    const open = [windowOf("Tue 09:00-11:00 UTC")];
    expect(due({ on: "vaultVersion", windows: open }, [[young, next]])).toMatchObject({
      kind: "due",
    });
  });
});

describe("jitter", () => {
  it.each([
    [[], 0],
    [[0, 0, 0, 0], 0],
    [[128, 0], 300_000],
    [[0, 128], 1_171],
    [[255, 255, 255, 255], 599_999],
  ])("the jitter of %j is %d ms", (octets, ms) => {
    expect(jitterMs(Uint8Array.from(octets))).toBe(ms);
  });

  it("jitter spreads over all of the ten minutes (seed jitter)", () => {
    const prng = new Prng("jitter");
    const minutes = new Set(
      Array.from({ length: 400 }, () => Math.floor(jitterMs(prng.bytes(4)) / 60_000)),
    );
    expect([...minutes].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});
