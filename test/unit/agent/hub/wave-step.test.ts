// What a wave does next: a table of records and what was read, and the record after one step.

import { describe, expect, it } from "vitest";
import { type Ask, type AskState, isFor } from "#agent/fleet/records.ts";
import type { Member, Wave } from "#agent/fleet/wave.ts";
import {
  advance,
  allSites,
  needsOf,
  permitsOf,
  resume,
  settleMs,
  statusMsMax,
  stop,
  toWithdraw,
  type WaveView,
  waitsOf,
  withdrawMember,
  withdrawn,
} from "#agent/hub/wave-step.ts";
import {
  asking,
  askOf,
  begun,
  memberOf,
  nonceOf,
  notReached,
  reached,
  wallAt,
  waveOf,
} from "../../kit/wave-kit.ts";

type Asks = Readonly<Record<string, AskState | Ask>>;

/** What was read at `ms`: asks of sites, with their own fresh and good statuses. */
function viewOf(ms: number, asks: Asks, part: Partial<WaveView> = {}): WaveView {
  const entries = Object.entries(asks).map(([site, ask], index) => {
    return [`${site}.g`, "nonce" in ask ? ask : askOf(site, index + 1, ask)] as const;
  });
  const health = { verdict: "protected", at: wallAt(ms) } as const;
  return {
    ...{ now: wallAt(ms), asks: new Map(entries), freezes: new Map() },
    unreadable: new Set(),
    sites: new Map(Object.keys(asks).map((site) => [site, health])),
    ...part,
  };
}

const frozen = { by: "bob", why: "storm" };
const given = { nonce: nonceOf(1), at: wallAt(0), notAfter: wallAt(600_000) };
const permitted = { ...given, kind: "permitted", isWithdrawn: false } as const;
const act = { at: wallAt(50), by: "ann" };

const kindsOf = ({ stages }: Wave): string =>
  stages.map((stage) => stage.map(({ state }) => state.kind).join(" ")).join(" | ");
const first = ({ stages }: Wave): Member["state"] | undefined => stages[0]?.[0]?.state;
const withMember = (state: Member["state"], part: Partial<Wave> = {}): Wave =>
  waveOf([], {
    stages: [[{ ...memberOf("a", state), before: "protected" }], [memberOf("b")]],
    ...part,
  });

describe("who gets a permit", () => {
  it("as many of a stage as the share allows, in order, and none of the next stage", () => {
    const wave = waveOf([["a", "b", "c"], ["d"]]);
    const next = advance(wave, viewOf(10, { a: asking, b: asking, c: asking, d: asking }));
    expect(kindsOf(next)).toBe("permitted permitted waiting | waiting");
    expect(first(next)).toEqual({
      ...{ kind: "permitted", nonce: nonceOf(1), at: wallAt(10), isWithdrawn: false },
      notAfter: wallAt(600_010),
    });
    expect(next.stages[0]?.[0]?.before).toBe("protected");
    expect(advance(next, viewOf(11, { a: asking, b: asking, c: asking }))).toBe(next);
  });

  it("one group of a site at a time", () => {
    const two = { ...memberOf("a"), group: "h" };
    const wave = waveOf([], { stages: [[memberOf("a"), two]] });
    const view = viewOf(10, { a: asking });
    const asks = new Map([...view.asks, ["a.h", { ...askOf("a", 9), group: "h" }]]);
    const next = advance(wave, { ...view, asks });
    expect(kindsOf(next)).toBe("permitted waiting");
    expect(waitsOf(next, { ...view, asks })).toEqual(new Map([["a.h", "siteOpen"]]));
  });

  it.each<readonly [string, WaveView]>([
    ["noAsk", viewOf(10, {})],
    ["unreadableAsk", viewOf(10, {}, { unreadable: new Set(["a.g"]) })],
    ["underWay", viewOf(10, { a: begun })],
    ["ended", viewOf(10, { a: reached })],
    ["otherKind", viewOf(10, { a: { ...askOf("a", 1), kind: "enrol" } })],
    ["siteFrozen", viewOf(10, { a: asking }, { freezes: new Map([["a", frozen]]) })],
    ["noStatus", viewOf(10, { a: asking }, { sites: new Map() })],
    [
      "noStatus",
      viewOf(
        statusMsMax + 1,
        { a: asking },
        { sites: new Map([["a", { verdict: "protected", at: wallAt(0) }]]) },
      ),
    ],
  ])("none while it waits for: %s", (why, view) => {
    const wave = waveOf([["a"], ["b"]]);
    expect(advance(wave, view)).toBe(wave);
    expect([...waitsOf(wave, view)]).toEqual([
      ["a.g", why],
      ["b.g", "stage"],
    ]);
  });

  it("a campaign that began without a permit counts in the share", () => {
    const wave = waveOf([["a", "b", "c"]]);
    const next = advance(wave, viewOf(10, { a: begun, b: asking, c: asking }));
    expect(kindsOf(next)).toBe("waiting permitted waiting");
  });

  it("a permit whose time is over is given anew for the same ask", () => {
    const wave = withMember(permitted);
    const next = advance(wave, viewOf(600_000, { a: asking }));
    expect(first(next)).toMatchObject({ nonce: nonceOf(1), notAfter: wallAt(1_200_000) });
  });
});

/** Asks that count how often one is looked up. */
class CountedAsks extends Map<string, Ask> {
  gets = 0;

  override get(key: string): Ask | undefined {
    this.gets += 1;
    return super.get(key);
  }
}

describe("a stage of 1,000 groups", () => {
  const names = Array.from({ length: 1_000 }, (_, n) => `s${n}`);
  const wave = waveOf([names], { shareMax: 900 });

  // Each permit had the whole stage looked through for those that are open.
  it("costs as much for each group as one of ten", () => {
    const view = viewOf(10, Object.fromEntries(names.map((name) => [name, asking])));
    const asks = new CountedAsks(view.asks);
    const next = advance(wave, { ...view, asks });
    expect(next.stages[0]?.filter(({ state }) => state.kind === "permitted")).toHaveLength(900);
    expect(asks.gets).toBeLessThan(5 * names.length);
    asks.gets = 0;
    expect([...waitsOf(next, { ...view, asks }).values()]).toEqual(Array(100).fill("share"));
    expect(asks.gets).toBeLessThan(5 * names.length);
  });

  it("needs no more of the engine than the next step depends on", () => {
    const kinds = (state: Member["state"], part: Partial<Wave> = {}) => {
      const stages = [names.map((name) => memberOf(name, state))];
      const { asks, statuses, freezes } = needsOf({ ...wave, stages, ...part });
      return [asks.length, statuses.length, freezes.length];
    };
    const over = { ...given, kind: "reached" } as const;
    expect(kinds({ kind: "waiting" })).toEqual([1_000, 1_000, 1_000]);
    expect(kinds(permitted)).toEqual([1_000, 0, 1_000]);
    expect(kinds(over)).toEqual([0, 0, 0]);
    expect(kinds(over, { bakingSince: wallAt(0) })).toEqual([1_000, 1_000, 0]);
    expect(kinds({ kind: "leftOut", at: wallAt(0) }, { bakingSince: wallAt(0) })).toEqual([
      ...[0, 0, 0],
    ]);
  });
});

describe("a permit is for exactly what is asked", () => {
  it("the permit has the ask's nonce, config and keys, and the wave", () => {
    const ask = askOf("a", 1);
    const permits = permitsOf(withMember(permitted), viewOf(10, { a: ask }));
    const permit = permits.get("a.g");
    expect(permit && isFor(permit, ask)).toBe(true);
    expect(permit).toMatchObject({ wave: "w", notAfter: wallAt(600_000) });
  });

  it.each<readonly [string, Wave, WaveView]>([
    ["another ask is there", withMember(permitted), viewOf(10, { a: askOf("a", 2) })],
    ["the campaign has ended", withMember(permitted), viewOf(10, { a: reached })],
    ["nothing is asked", withMember(permitted), viewOf(10, {})],
    ["it waits", withMember({ kind: "waiting" }), viewOf(10, { a: asking })],
    ["the wave is stopped", stop(withMember(permitted), act, "x"), viewOf(10, { a: asking })],
    [
      "the site is frozen",
      withMember(permitted),
      viewOf(10, { a: asking }, { freezes: new Map([["a", frozen]]) }),
    ],
  ])("there is none if %s", (_what, wave, view) => {
    expect(permitsOf(wave, view).size).toBe(0);
  });
});

describe("what a site writes after its permit", () => {
  it.each<readonly [string, Member["state"], AskState | Ask, number, object, string]>([
    ["it began", permitted, begun, 10, { kind: "begun" }, "running"],
    ["it reached its end", permitted, reached, 10, { kind: "reached" }, "running"],
    [
      ...(["it did not reach it", permitted, notReached, 10] as const),
      ...([{ kind: "failed", why: "notReached", isOpen: false }, "stopped"] as const),
    ],
    [
      "it is under way in time",
      { ...given, kind: "begun" },
      begun,
      3_599_999,
      { kind: "begun" },
      "running",
    ],
    [
      ...(["it is late", { ...given, kind: "begun" }, begun, 3_600_000] as const),
      ...([{ kind: "failed", why: "late", isOpen: true }, "stopped"] as const),
    ],
    [
      ...(["it asks anew, and was never seen to begin", permitted, askOf("a", 2), 10] as const),
      ...([{ kind: "failed", why: "unknownEnd", isOpen: false }, "stopped"] as const),
    ],
    [
      ...(["another campaign began", permitted, askOf("a", 2, begun), 10] as const),
      ...([{ kind: "failed", why: "otherCampaign", isOpen: true }, "stopped"] as const),
    ],
  ])("%s", (_what, state, ask, ms, wanted, wave) => {
    const next = advance(withMember(state), viewOf(ms, { a: ask, b: asking }));
    expect(first(next)).toMatchObject(wanted);
    expect(next.state.kind).toBe(wave);
    expect(kindsOf(next)).toMatch(/\| waiting$/);
  });

  it("an ask that cannot be read any more leaves it open", () => {
    const wave = withMember(permitted);
    expect(advance(wave, viewOf(10, {}))).toBe(wave);
  });
});

describe("a stage bakes", () => {
  const since = wallAt(100);
  const baking = withMember({ ...given, kind: "reached" }, { bakingSince: since });

  it("from the end of its last member, and the next one begins when it has baked", () => {
    const began = advance(withMember({ ...given, kind: "reached" }), viewOf(100, { a: reached }));
    expect(began.bakingSince).toBe(since);
    expect(advance(baking, viewOf(60_099, { a: reached, b: asking }))).toBe(baking);
    const next = advance(baking, viewOf(60_100, { a: reached, b: asking }));
    expect([next.stage, next.bakingSince, kindsOf(next)]).toEqual([1, null, "reached | permitted"]);
  });

  it("a stage bakes on while no status is newer than the campaign's end", () => {
    const ended = askOf("a", 1, { ...reached, at: wallAt(80_000) });
    const old = new Map([["a", { verdict: "protected", at: wallAt(79_999) } as const]]);
    expect(advance(baking, viewOf(90_000, { a: ended }, { sites: old }))).toBe(baking);
    expect(advance(baking, viewOf(90_000, { a: ended }, { sites: new Map() }))).toBe(baking);
    expect(advance(baking, viewOf(90_000, { a: ended })).stage).toBe(1);
  });

  it.each([
    ["settles in time", settleMs - 1, "running", 0],
    ["stays worse", settleMs, "stopped", 0],
  ] as const)("a site that %s after its campaign", (_what, ms, state, stage) => {
    const sites = new Map([["a", { verdict: "degraded", at: wallAt(ms) } as const]]);
    const next = advance(baking, viewOf(70_000, { a: reached }, { sites }));
    expect([next.state.kind, next.stage]).toEqual([state, stage]);
    if (state === "stopped") expect(first(next)).toMatchObject({ kind: "failed", why: "worse" });
  });

  it("a site that was as bad before does not stop the wave", () => {
    const member = {
      ...memberOf("a", { ...given, kind: "reached" } as const),
      before: "down",
    } as const;
    const wave = waveOf([], { stages: [[member]], bakingSince: since });
    const sites = new Map([["a", { verdict: "down", at: wallAt(70_000) } as const]]);
    const next = advance(wave, viewOf(70_000, { a: reached }, { sites }));
    expect(next).toMatchObject({ state: { kind: "done", at: wallAt(70_000) }, stage: 1 });
    expect(advance(next, viewOf(80_000, { a: notReached }))).toBe(next);
  });

  it("a stage of which all were left out does not bake", () => {
    const wave = withMember({ kind: "leftOut", at: wallAt(1) });
    expect(advance(wave, viewOf(10, { b: asking }))).toMatchObject({ stage: 1, bakingSince: null });
  });
});

describe("a freeze of all", () => {
  it("the record has it with its reason, gives no permit, and ends with a thaw", () => {
    const wave = waveOf([["a"]]);
    const freezes = new Map([[allSites, frozen]]);
    const next = advance(wave, viewOf(10, { a: asking }, { freezes }));
    expect([next.state, kindsOf(next)]).toEqual([
      ...[{ kind: "frozen", at: wallAt(10), ...frozen }, "waiting"],
    ]);
    expect(kindsOf(advance(next, viewOf(20, { a: asking })))).toBe("permitted");
  });

  it("a failure stops a frozen wave, and a thaw does not resume it", () => {
    const wave = withMember(permitted, { state: { kind: "frozen", at: wallAt(1), ...frozen } });
    const next = advance(
      wave,
      viewOf(10, { a: notReached }, { freezes: new Map([[allSites, frozen]]) }),
    );
    expect(next.state).toMatchObject({ kind: "stopped", why: "a.g: notReached", by: "hub" });
    expect(advance(next, viewOf(20, { a: notReached }))).toBe(next);
  });
});

describe("a stop, and what a person does", () => {
  it("permits that nothing began with are taken back, once", () => {
    const wave = stop(withMember(permitted), act, "x");
    expect(toWithdraw(wave).map(({ site }) => site)).toEqual(["a"]);
    const taken = withdrawn(wave);
    expect(first(taken)).toMatchObject({ kind: "permitted", isWithdrawn: true });
    expect(toWithdraw(taken)).toEqual([]);
    expect(first(resume(taken, act, new Set()))).toMatchObject({ isWithdrawn: false });
    expect(toWithdraw(stop(withMember({ ...given, kind: "begun" }), act, "x"))).toEqual([]);
  });

  it("a withdrawal fails the member, stops the wave, and can be resumed", () => {
    const wave = withdrawMember(withMember({ ...given, kind: "begun" }), "a.g", act);
    expect(first(wave)).toMatchObject({ kind: "failed", why: "withdrawn", isOpen: true });
    expect(wave.state).toMatchObject({ kind: "stopped", by: "ann" });
    const closed = advance(wave, viewOf(60, { a: notReached }));
    expect(first(closed)).toMatchObject({ isOpen: false });
    expect(first(resume(wave, act, new Set()))).toMatchObject({ kind: "permitted" });
    expect(first(resume(closed, act, new Set()))).toEqual({ kind: "waiting" });
    expect(withdrawMember(wave, "b.g", act)).toBe(wave);
  });

  it.each<readonly [string, Member["state"], string]>([
    ["a late campaign", { ...given, kind: "failed", why: "late", isOpen: true }, "begun"],
    [
      "a late one that has ended",
      { ...given, kind: "failed", why: "late", isOpen: false },
      "waiting",
    ],
    ["a bad end", { ...given, kind: "failed", why: "notReached", isOpen: false }, "waiting"],
    ["a worse site", { ...given, kind: "failed", why: "worse", isOpen: false }, "reached"],
  ])("%s is, once resumed, as it should be", (_what, state, kind) => {
    const wave = stop(withMember(state, { bakingSince: wallAt(1) }), act, "x");
    const next = resume(wave, act, new Set());
    expect(first(next)?.kind).toBe(kind);
    expect(next).toMatchObject({ state: { kind: "running" }, resumed: act, bakingSince: null });
  });

  it("a group is left out, but not while a link of it may be out of service", () => {
    const without = new Set(["a.g", "b.g"]);
    expect(kindsOf(resume(withMember({ kind: "waiting" }), act, without))).toBe(
      "leftOut | leftOut",
    );
    expect(kindsOf(resume(withMember(permitted), act, without))).toBe("permitted | leftOut");
  });

  it("a wave that is over, or stopped already, is not stopped again", () => {
    const stopped = stop(withMember(permitted), act, "x");
    expect(stop(stopped, { ...act, by: "bob" }, "y")).toBe(stopped);
  });
});
