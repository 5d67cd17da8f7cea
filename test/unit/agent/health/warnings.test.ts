import { describe, expect, it } from "vitest";
import {
  advance,
  noWarnings,
  type Raised,
  type Tracker,
  type WarningEvent,
} from "#agent/health/warnings.ts";
import {
  isWarningCode,
  nextFor,
  type WarningCode,
  warningRows,
} from "#agent/model/warning-rows.ts";
import { errorRows } from "#hal/error.ts";
import type { Instant } from "#hal/world.ts";
import { isVerb } from "../../../verbs.ts";

const at = (seconds: number): Instant => (seconds * 1000) as Instant;
const about = "erd-demo/primary";
const raise = (code: WarningCode, place = about, text = "it is so"): Raised => ({
  code,
  about: place,
  within: place === about ? ["erd-demo", "edge-a"] : [],
  text,
  next: nextFor(code, place),
});

/**
 * Runs a script of [second, raised] and returns what opened, what closed, and what is visible at
 * the end.
 */
function play(script: readonly (readonly [number, readonly Raised[]])[]) {
  let tracker: Tracker = noWarnings;
  const events: WarningEvent[] = [];
  let visible: readonly string[] = [];
  for (const [second, raised] of script) {
    const step = advance(tracker, raised, at(second));
    tracker = step.tracker;
    events.push(...step.events);
    visible = step.visible.map((each) => each.code);
  }
  const reported = events.map((event) => `${event.at / 1000} ${event.kind} ${event.code}`);
  return { reported, visible };
}

const down = raise("mka-no-live-peer");

describe("the tracker", () => {
  it("a warning opens after its settling time", () => {
    expect(
      play([
        [0, [down]],
        [9, [down]],
      ]),
    ).toEqual({ reported: [], visible: [] });
    expect(
      play([
        [0, [down]],
        [10, [down]],
      ]),
    ).toEqual({
      reported: ["10 opened mka-no-live-peer"],
      visible: ["mka-no-live-peer"],
    });
  });

  it("a warning of clear traffic opens at once", () => {
    expect(play([[0, [raise("frames-untagged")]]]).visible).toEqual(["frames-untagged"]);
  });

  it("a short fault opens no warning", () => {
    expect(
      play([
        [0, [down]],
        [5, []],
        [40, []],
        [41, [down]],
      ]).reported,
    ).toEqual([]);
  });

  it("a fault that ended before it settled opens no warning", () => {
    const script = [
      [0, [down]],
      [5, []],
      [15, []],
      [20, []],
    ] as const;
    expect(play(script)).toEqual({ reported: [], visible: [] });
  });

  it("visible warnings are sorted by severity, then place, then code", () => {
    const reported = [
      raise("frames-untagged", "b"),
      raise("commit-lost", "b"),
      raise("key-age-soon", "a"),
      raise("key-age", "c"),
      raise("journal-lossy", "c"),
      raise("commit-lost", "a"),
      raise("clock-skew", "a"),
    ];
    for (const raised of [reported, reported.toReversed()]) {
      const { tracker } = advance(noWarnings, raised, at(0));
      const { visible } = advance(tracker, raised, at(60));
      expect(visible.map(({ severity, about, code }) => `${severity} ${about} ${code}`)).toEqual([
        "error a commit-lost",
        "error b commit-lost",
        "error b frames-untagged",
        "error c journal-lossy",
        "warning a clock-skew",
        "warning c key-age",
        "info a key-age-soon",
      ]);
    }
  });

  it("a warning opens once and closes once", () => {
    const script = Array.from({ length: 60 }, (_, index) => [index, [down]] as const);
    const reported = play([...script, [60, []], [89, []], [90, []], [200, []]]).reported;
    expect(reported).toEqual(["10 opened mka-no-live-peer", "90 closed mka-no-live-peer"]);
  });

  it("a warning about what cannot be read is not over until it was read without it", () => {
    const clear = raise("frames-untagged");
    const silent = { ...raise("device-unreachable", "edge-a"), within: [] };
    const script = [
      [0, [{ ...clear, within: ["edge-a"] }]],
      [1, [silent]],
      [200, [silent]],
      [201, []],
      [230, []],
      [231, []],
    ] as const;
    const ofIt = play(script).reported.filter((line) => line.includes("frames-untagged"));
    expect(ofIt).toEqual(["0 opened frames-untagged", "231 closed frames-untagged"]);
  });

  it("a link that flaps at 1 Hz for ten minutes is one outage", () => {
    const flap: (readonly [number, readonly Raised[]])[] = [];
    for (let half = 0; half < 1200; half += 1) flap.push([half / 2, half % 2 === 0 ? [down] : []]);
    for (let second = 600; second < 700; second += 1) flap.push([second, []]);
    const { reported } = play(flap);
    expect(reported.map((line) => line.split(" ")[1])).toEqual(["opened", "closed"]);
  });

  it("an open warning keeps its start and takes the newest text", () => {
    const first = advance(noWarnings, [raise("rotation-held", about, "old")], at(5));
    const second = advance(first.tracker, [raise("rotation-held", about, "new")], at(50));
    expect(second.visible).toMatchObject([{ since: at(5), text: "new", severity: "error" }]);
  });

  it("a warning about a name that left the config ends at once (C14)", () => {
    const named = new Set([about]);
    const opened = advance(noWarnings, [down], at(0), named);
    const open = advance(opened.tracker, [down], at(20), named);
    const kept = advance(open.tracker, [], at(30), named);
    expect(kept.visible).toHaveLength(1);
    const ended = advance(open.tracker, [], at(30), new Set());
    expect([ended.visible, ended.tracker.size]).toEqual([[], 0]);
    expect(ended.events.map(({ kind, at: when }) => [kind, when])).toEqual([["closed", at(30)]]);
  });

  it("a warning about a name that the config never had waits for its return", () => {
    const open = advance(advance(noWarnings, [down], at(0)).tracker, [down], at(20));
    expect(advance(open.tracker, [], at(30)).visible).toHaveLength(1);
  });

  it("an open warning shows since when its fault is absent, until the fault returns", () => {
    let tracker = noWarnings;
    const seen = [0, 20, 30, 40, 50].map((second) => {
      const raised = second === 30 || second === 40 ? [] : [down];
      const step = advance(tracker, raised, at(second));
      tracker = step.tracker;
      return step.visible.map(({ absentSince }) => absentSince);
    });
    expect(seen).toEqual([[], [undefined], [at(30)], [at(30)], [undefined]]);
  });

  it.each([
    ["a cause on the same link", raise("link-down")],
    ["a cause on its device", raise("device-unreachable", "edge-a")],
  ])("a warning's consequences are silenced by %s", (_name, cause) => {
    const { reported, visible } = play([
      [0, [cause, down]],
      [60, [cause, down]],
    ]);
    expect(visible).toEqual([cause.code]);
    expect(reported.filter((line) => line.includes("mka"))).toEqual([]);
  });

  it("a cause on another device silences nothing", () => {
    const both = [raise("device-unreachable", "edge-b"), down];
    const { visible } = play([
      [0, both],
      [60, both],
    ]);
    expect(visible).toEqual(["device-unreachable", "mka-no-live-peer"]);
  });

  it("a consequence settles again once its cause is gone", () => {
    const both = [raise("link-down"), down];
    const { reported } = play([
      [0, both],
      [60, both],
      [61, [down]],
      [69, [down]],
      [70, [down]],
    ]);
    expect(reported).toEqual(["60 opened link-down", "70 opened mka-no-live-peer"]);
  });

  it("an open consequence is hidden while its cause lasts, without a second pair of events", () => {
    const cause = raise("link-down");
    const before = [
      [0, [down]],
      [10, [down]],
    ] as const;
    const during = [
      [20, [down, cause]],
      [30, [down, cause]],
    ] as const;
    expect(play(before).visible).toEqual(["mka-no-live-peer"]);
    expect(play([...before, ...during]).visible).toEqual(["link-down"]);
    const after = play([...before, ...during, [31, [down]], [61, [down]]]);
    expect(after.visible).toEqual(["mka-no-live-peer"]);
    expect(after.reported.filter((line) => line.includes("mka"))).toEqual([
      "10 opened mka-no-live-peer",
    ]);
  });
});

describe("the registry", () => {
  const codes = new Set(Object.keys(warningRows));

  it("every warning that an error raises is registered", () => {
    const raised = Object.values(errorRows).flatMap(({ warning }) => warning ?? []);
    expect(raised.filter((code) => !codes.has(code))).toEqual([]);
  });

  it("the registry contains every basic warning", () => {
    const first =
      "device-unreachable reading-stale mka-no-live-peer principal-key-unexpected " +
      "fallback-not-ready frames-not-valid frames-untagged packet-number-high " +
      "policy-should-secure suite-mismatch sci-mismatch drift vault-unreachable key-age " +
      "key-unpaired rotation-held sibling-unhealthy commit-lost clock-skew journal-lossy " +
      "tunnel-configured-but-absent sequence-number-high clear-path-beside-tunnel";
    expect(first.split(" ").filter((code) => !codes.has(code))).toEqual([]);
  });

  it("the causes in the registry have no cycle", () => {
    const climbs = (code: WarningCode, path: readonly string[]): readonly string[] => {
      if (path.includes(code)) return [...path, code];
      return warningRows[code].dependsOn.flatMap((cause) => climbs(cause, [...path, code]));
    };
    const circles = Object.keys(warningRows).flatMap((code) => climbs(code as WarningCode, []));
    expect(circles).toEqual([]);
  });

  it("the next steps in the registry use existing verbs, and name their subject", () => {
    for (const code of Object.keys(warningRows) as WarningCode[]) {
      expect([nextFor(code, about), isVerb(nextFor(code, about))]).toEqual([
        expect.any(String),
        true,
      ]);
      expect(nextFor(code, about)).not.toMatch(/ABOUT|GROUP/);
    }
    expect(nextFor("key-not-known", about)).toBe("linkseal adopt erd-demo");
    expect(nextFor("link-down", about)).toBe("linkseal links erd-demo/primary");
  });

  it("the registry knows its own codes and no others", () => {
    expect(isWarningCode("link-down")).toBe(true);
    expect(isWarningCode("toString")).toBe(false);
  });
});
