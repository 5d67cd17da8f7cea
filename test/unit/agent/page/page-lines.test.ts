// What a browser makes of snapshots: rates, gaps where nothing is known, and what is stale.

import { describe, expect, it } from "vitest";
import type { LinkSample, PageSnapshot } from "#agent/page/shape.ts";
import { frameRates, History, last, rates, values } from "#agent/web/history.ts";
import { momentOf, selectedOf, verdictNow } from "#agent/web/model.ts";
import { ageText, countText, percentText, rateText, timeText } from "#agent/web/words.ts";

function sample(seconds: number, rest: Partial<LinkSample> = {}): LinkSample {
  return {
    at: seconds * 1_000,
    protected: String(seconds * 100),
    clear: "0",
    openPps: null,
    failed: "0",
    pnUsed: 0.5,
    livePeers: 1,
    ...rest,
  };
}

const whole = [(each: LinkSample) => each.protected];

describe("a rate", () => {
  it("a rate is the rise of a counter per second", () => {
    const { at, lines } = rates([sample(0), sample(5), sample(10)], whole);
    expect([at, lines]).toEqual([[5, 10], [[100, 100]]]);
  });

  it("a rate is exact where counters exceed 2^53", () => {
    const [from, to] = ["9007199254740993000", "9007199254740993500"];
    const { lines } = rates([sample(0, { protected: from }), sample(5, { protected: to })], whole);
    expect(lines).toEqual([[100]]);
  });

  it("a rate across a reset, an unknown value or a long silence is not known, and not zero", () => {
    const looks = [
      sample(0, { protected: "900" }),
      sample(5, { protected: "3" }),
      sample(10, { protected: null }),
      sample(15, { protected: "1000" }),
      sample(20, { protected: "1500" }),
      sample(600, { protected: "9000" }),
    ];
    expect(rates(looks, whole).lines).toEqual([[null, null, null, 100, null]]);
  });

  it("the clear rate of a port without MACsec is everything that passes", () => {
    const open = { clear: "0", openPps: 1_000 };
    const { lines } = frameRates([sample(0, open), sample(5, open), sample(10)]);
    expect(lines[1]).toEqual([1_000, 0]);
  });
});

it("a line of values has a gap after a long silence", () => {
  const { at, lines } = values([sample(0), sample(5), sample(600)], ({ pnUsed }) => pnUsed);
  expect([at, lines]).toEqual([[0, 5, 5.001, 600], [[0.5, 0.5, null, 0.5]]]);
});

function snapshotOf(newest: LinkSample | null, history?: PageSnapshot["history"]): PageSnapshot {
  const groups = [{ name: "g", links: [{ name: "a", newest }] }];
  const status = { site: "demo", verdict: "protected", groups, tunnels: [] };
  const rest = history === undefined ? {} : { history };
  return { at: 0, status, ...rest } as unknown as PageSnapshot;
}

describe("a history", () => {
  const looks = (history: History): readonly number[] =>
    (history.links.get("g/a") ?? []).map(({ at }) => at / 1_000);

  it("a history begins with the agent's samples, and has each observation once", () => {
    const history = new History();
    const before = { links: { "g/a": [sample(0), sample(5)] }, tunnels: {} };
    history.take(snapshotOf(sample(5), before));
    history.take(snapshotOf(sample(5)));
    history.take(snapshotOf(sample(10)));
    history.take(snapshotOf(null));
    history.take(snapshotOf(sample(10), before));
    expect(looks(history)).toEqual([0, 5, 10]);
  });

  it("a history restarts if the agent's clock was set back, and keeps little of each row", () => {
    const history = new History();
    for (let n = 0; n < 1_000; n += 1) history.take(snapshotOf(sample(n * 5)));
    expect(looks(history)).toHaveLength(24);
    history.take(snapshotOf(sample(7)));
    expect(looks(history)).toEqual([7]);
  });

  it("a history of the part in detail begins with the agent's day, and goes on for an hour", () => {
    const history = new History();
    const day = (samples: readonly LinkSample[]) => ({
      ...{ schema: "linkseal.pageDay/1" as const, slotMs: 120_000, from: 0, states: "pp" },
      samples,
    });
    for (const at of [1_000, 1_005]) history.take(snapshotOf(sample(at)));
    history.keep({ kind: "link", id: "g/a", day: day([sample(0), sample(120), sample(1_005)]) });
    history.take(snapshotOf(sample(1_010)));
    const times = (): readonly number[] => history.ofLink("g/a").map(({ at }) => at / 1_000);
    expect(times()).toEqual([0, 120, 1_000, 1_005, 1_010]);
    // Read again for a new slot, the day repeats what is known.
    history.keep({ kind: "link", id: "g/a", day: day([sample(0), sample(120), sample(1_010)]) });
    expect(times()).toEqual([0, 120, 1_000, 1_005, 1_010]);
    for (let n = 0; n < 2_000; n += 1) history.take(snapshotOf(sample(1_015 + n * 5)));
    expect(times()).toHaveLength(1_440);
    history.keep({ kind: "tunnel", id: "hub", day: { ...day([]), samples: [] } });
    expect([times().length, history.day("link", "g/a")]).toEqual([24, undefined]);
  });

  it("a history forgets a link that is no longer configured", () => {
    const history = new History();
    history.take(snapshotOf(sample(0)));
    const { status, ...rest } = snapshotOf(null);
    history.take({ ...rest, status: { ...status, groups: [] } });
    expect(history.links.size).toBe(0);
  });
});

describe("a moment", () => {
  const seen = { snapshot: snapshotOf(null), cameAt: 1_000 };

  it("a moment is stale after five seconds without a snapshot, or without a connection", () => {
    expect(momentOf(seen, { kind: "open" }, 6_000)).toMatchObject({ isStale: false, ageMs: 5_000 });
    expect(momentOf(seen, { kind: "open" }, 6_001).isStale).toBe(true);
    expect(momentOf(seen, { kind: "lost", why: "" }, 1_000).isStale).toBe(true);
    expect(momentOf(seen, { kind: "opening" }, 1_000).isStale).toBe(true);
  });

  it("a stale moment shows every verdict as unknown", () => {
    expect(verdictNow("protected", { isStale: true })).toBe("unknown");
    expect(verdictNow("protected", { isStale: false })).toBe("protected");
  });
});

it("the first unprotected part is shown in detail unless the address names one", () => {
  const link = (name: string, verdict: string) => ({ name, verdict });
  const groups = [{ name: "g", links: [link("a", "protected"), link("b 1", "down")] }];
  const status = { groups, tunnels: [link("hub", "protected")] };
  const snapshot = { status } as unknown as PageSnapshot;
  expect(selectedOf(snapshot, "")?.id).toBe("g/b 1");
  expect(selectedOf(snapshot, "#/link/g/a")?.id).toBe("g/a");
  expect(selectedOf(snapshot, "#/link/g/b%201")?.id).toBe("g/b 1");
  expect(selectedOf(snapshot, "#/tunnel/hub")?.kind).toBe("tunnel");
  expect(selectedOf(snapshot, "#/link/gone")?.id).toBe("g/b 1");
});

it("an unknown value is written as words and not as a number", () => {
  expect([rateText(null), rateText(0), rateText(2.25), rateText(12_345.6)]).toEqual([
    "not known",
    "0/s",
    "2.3/s",
    "12,346/s",
  ]);
  expect([countText(null), countText("9007199254740993")]).toEqual([
    "not known",
    "9,007,199,254,740,993",
  ]);
  expect([percentText(null), percentText(0), percentText(0.755)]).toEqual([
    "not known",
    "below 0.01 %",
    "75.5 %",
  ]);
  expect([ageText(null, 5_000), ageText(1_000, 5_000)]).toEqual(["never", "6.0 s ago"]);
  const now = "2026-11-24T10:08:55Z";
  expect(timeText("2026-11-24T09:00:00Z", now)).toBe("09:00:00");
  expect(timeText("2026-11-23T09:00:00Z", now)).toBe("11-23 09:00:00");
});

it("the figure beside a plot is the newest of its line", () => {
  expect(last({ at: [1, 2], lines: [[3, 4]] }, 0)).toBe(4);
  expect(last({ at: [], lines: [[]] }, 0)).toBeNull();
});
