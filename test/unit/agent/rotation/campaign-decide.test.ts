// How a row is chosen, and what goes with it: the first whose guards hold, a sentence, a mark.

import { describe, expect, it } from "vitest";
import {
  type ActionKind,
  actionKinds,
  type Campaign,
  campaignStates,
  entryOf,
  type Facts,
  type Guards,
  type Row,
  type Step,
  type Table,
} from "#agent/model/campaign.ts";
import type { Cause } from "#agent/model/reason.ts";
import { decide, decideBy, keyActions, table } from "#agent/rotation/campaign.ts";
import { guards } from "#agent/rotation/guards.ts";
import { blind, calm, campaignOf, port } from "../../kit/campaign-kit.ts";

/** A table with these rows in every state. */
const tableOf = (rows: readonly Row[]): Table =>
  Object.fromEntries(campaignStates.map((state) => [state, rows])) as Table;

const names = { one: "queued.free", two: "gated.open", three: "staging.stage" } as const;

const row = (name: keyof typeof names, over: Partial<Omit<Row, "name" | "cause">> = {}): Row => ({
  ...{ name: names[name], when: () => true, next: "gated" },
  ...over,
});

interface Scene {
  readonly campaign?: Partial<Campaign>;
  readonly facts?: Partial<Facts>;
}

function chosen(rows: readonly Row[], { campaign = {}, facts = {} }: Scene = {}): Step {
  const before = campaignOf("staging", { kind: "rotate", ...campaign }, "keychain");
  return decideBy(tableOf(rows), guards, before, { ...calm, ...facts });
}

describe("a step", () => {
  it("a step is that of the first row that fits", () => {
    const rows = [row("one", { when: () => false }), row("two"), row("three")];
    expect(chosen(rows)).toEqual({
      ...{ row: "gated.open", next: "gated", action: undefined, mark: {} },
      reason: { code: "gated.open" },
    });
  });

  it("a step skips a row whose effect may not run", () => {
    const rows = [row("one", { action: "restore" }), row("two", { action: "drain" })];
    expect(chosen(rows)).toMatchObject({ row: names.two, action: "drain" });
    const drained = chosen(rows, { facts: port({ drain: "on" }) });
    expect(drained).toMatchObject({ row: names.one, action: "restore" });
  });

  it("a step takes its reason and its mark from its row", () => {
    const told: Row = {
      ...{ name: "gated.dark", when: () => true, next: "gated", mark: { told: true } },
      cause: ({ facts: { far } }) => ({ code: "farEnd.apart", far }),
    };
    expect(chosen([told])).toMatchObject({
      reason: { code: "gated.dark", cause: { code: "farEnd.apart", far: "old" } },
      mark: { told: true },
    });
  });

  it("a step whose row says `kept` keeps the reason of the campaign", () => {
    const kept: Row = { name: "held.stays", when: () => true, next: "held", cause: "kept" };
    const reason = { code: "operator.resume", by: "a person" } as const;
    expect(chosen([kept], { campaign: { reason } }).reason).toBe(reason);
  });

  it("a campaign that no row fits is held, and its reason shows both ends", () => {
    const none = { row: "unlisted", next: "held", action: undefined, mark: {} };
    const unlisted = (cause: Cause) => ({ code: "unlisted", state: "staging", cause });
    expect(chosen([], { facts: port({ keys: "both" }) })).toEqual({
      ...none,
      reason: unlisted({ code: "ends.are", keys: "both", far: "old" }),
    });
    expect(chosen([], { facts: { ...blind, far: "unknown" } })).toEqual({
      ...none,
      reason: unlisted({ code: "ends.are", keys: "unread", far: "unknown" }),
    });
  });

  it("decide uses the real tables with the real guards", () => {
    const campaign = campaignOf("gated", { kind: "rotate" }, "keychain");
    expect(decide(campaign, calm)).toEqual(decideBy(table, guards, campaign, calm));
    expect(decide(campaign, { ...calm, sibling: "lost" }).row).not.toBe("gated.open");
    expect(Object.keys(table)).toEqual([...campaignStates]);
  });
});

describe("a link that is dark and drained while nothing goes on", () => {
  const facts = port({ drain: "on", carriedBy: "nothing" });
  const listened = (state: Campaign["state"], over: Partial<Row> = {}): ActionKind | undefined =>
    chosen([row("one", { next: state, ...over })], { campaign: { state }, facts }).action;

  it.each(["gated", "awaitingPeer", "held"] as const)(
    "a dark, drained link is probed while the campaign waits in %s",
    (state) => {
      expect(listened(state)).toBe("probe");
    },
  );

  it("a dark, drained link is probed in no other state, and beside no other effect", () => {
    for (const state of ["queued", "draining", "restoring", "done"] as const) {
      expect(listened(state)).toBeUndefined();
    }
    expect(listened("gated", { next: "held" })).toBeUndefined();
    expect(listened("gated", { action: "restore" })).toBe("restore");
  });
});

describe("a port that is shut for a change of its key", () => {
  const shuts = { shutsFirst: true };
  const always = Object.fromEntries(actionKinds.map((action) => [action, []])) as unknown;
  const marked = (action: ActionKind | undefined, scene: Scene): Step["mark"] => {
    const rows = tableOf([row("one", action === undefined ? {} : { action })]);
    const before = campaignOf("staging", { kind: "rotate", ...scene.campaign }, "keychain");
    return decideBy(rows, always as Guards, before, { ...calm, ...scene.facts }).mark;
  };

  it("a port is marked as shut before exactly the effects that may shut it", () => {
    for (const action of actionKinds) {
      // A router that makes no SAK on request shuts the port for one.
      const mayShut = action === "rollBack" || action === "rekeySak";
      const mark = keyActions.includes(action) || mayShut ? { shut: true } : {};
      expect([action, marked(action, { facts: shuts })]).toEqual([action, mark]);
      expect([action, marked(action, {})]).toEqual([action, mayShut ? { shut: true } : {}]);
    }
    // What is shut already, and not by us, stays so.
    expect(marked("rollBack", { facts: port({ admin: "down" }) })).toEqual({});
    expect(marked("rollBack", { facts: blind })).toEqual({});
    expect(marked(undefined, { facts: shuts })).toEqual({});
    expect(keyActions).toEqual([
      ...["stage", "add", "promote", "removeOld", "removeNew", "replace", "replaceBack"],
    ]);
  });

  it("a port is marked as open once it is observed open with no commit pending", () => {
    const campaign = { shut: true };
    expect(marked("restore", { campaign })).toEqual({ shut: false });
    expect(marked("restore", { campaign, facts: port({ admin: "down" }) })).toEqual({});
    expect(marked("restore", { campaign, facts: port({ pending: "ours" }) })).toEqual({});
    expect(marked("restore", { campaign, facts: blind })).toEqual({});
    expect(marked("stage", { campaign, facts: shuts })).toEqual({ shut: true });
  });
});

describe("the link under way", () => {
  it("entryOf returns the link under way, and throws where there is none", () => {
    expect(entryOf(campaignOf("gated", { at: 1 })).name).toBe("secondary");
    const past = campaignOf("gated", { at: 2 });
    expect(() => entryOf(past)).toThrow("campaign of erd-demo has no link 2");
  });
});
