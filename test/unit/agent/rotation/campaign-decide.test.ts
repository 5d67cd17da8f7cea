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
import { decide, decideBy, keyActions, table } from "#agent/rotation/campaign.ts";
import { guards } from "#agent/rotation/guards.ts";
import { blind, calm, campaignOf, port } from "../../kit/campaign-kit.ts";

/** A table with these rows in every state. */
const tableOf = (rows: readonly Row[]): Table =>
  Object.fromEntries(campaignStates.map((state) => [state, rows])) as Table;

const row = (name: string, over: Partial<Row> = {}): Row => ({
  ...{ name, when: () => true, next: "gated", because: `because of ${name}` },
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
  it("is of the first row that fits", () => {
    const rows = [row("one", { when: () => false }), row("two"), row("three")];
    expect(chosen(rows)).toEqual({
      ...{ row: "two", next: "gated", action: undefined, because: "because of two", mark: {} },
    });
  });

  it("passes over a row whose effect may not run", () => {
    const rows = [row("one", { action: "restore" }), row("two", { action: "drain" })];
    expect(chosen(rows)).toMatchObject({ row: "two", action: "drain" });
    const drained = chosen(rows, { facts: port({ drain: "on" }) });
    expect(drained).toMatchObject({ row: "one", action: "restore" });
  });

  it("takes its sentence and its mark from the row", () => {
    const told = row("one", { because: ({ facts }) => `far ${facts.far}`, mark: { told: true } });
    expect(chosen([told])).toMatchObject({ because: "far old", mark: { told: true } });
  });

  it("is held where no row fits, and says what both ends show", () => {
    const none = { row: "unlisted", next: "held", action: undefined, mark: {} };
    expect(chosen([], { facts: port({ keys: "both" }) })).toEqual({
      ...none,
      because: "in staging, the router holds both and the far end is old: no rule fits",
    });
    expect(chosen([], { facts: { ...blind, far: "unknown" } })).toEqual({
      ...none,
      because: "in staging, the router cannot be read and the far end is unknown: no rule fits",
    });
  });

  it("of the real tables is chosen by the real guards", () => {
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

  it.each(["gated", "awaitingPeer", "held"] as const)("is listened to in %s", (state) => {
    expect(listened(state)).toBe("probe");
  });

  it("is not in any other state, nor as the state is left, nor beside another effect", () => {
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

  it("is marked before any effect that changes one or undoes that, and before no other", () => {
    for (const action of actionKinds) {
      const undoes = action === "rollBack";
      const mark = keyActions.includes(action) || undoes ? { shut: true } : {};
      expect([action, marked(action, { facts: shuts })]).toEqual([action, mark]);
      expect([action, marked(action, {})]).toEqual([action, undoes ? { shut: true } : {}]);
    }
    // What is shut already, and not by us, stays so.
    expect(marked("rollBack", { facts: port({ admin: "down" }) })).toEqual({});
    expect(marked("rollBack", { facts: blind })).toEqual({});
    expect(marked(undefined, { facts: shuts })).toEqual({});
    expect(keyActions).toEqual([
      ...["stage", "add", "promote", "removeOld", "removeNew", "replace", "replaceBack"],
    ]);
  });

  it("is marked as open again once a look shows it, with nothing pending", () => {
    const campaign = { shut: true };
    expect(marked("restore", { campaign })).toEqual({ shut: false });
    expect(marked("restore", { campaign, facts: port({ admin: "down" }) })).toEqual({});
    expect(marked("restore", { campaign, facts: port({ pending: "ours" }) })).toEqual({});
    expect(marked("restore", { campaign, facts: blind })).toEqual({});
    expect(marked("stage", { campaign, facts: shuts })).toEqual({ shut: true });
  });
});

describe("the link under way", () => {
  it("is the one at which the campaign stands, or an error", () => {
    expect(entryOf(campaignOf("gated", { at: 1 })).name).toBe("secondary");
    const past = campaignOf("gated", { at: 2 });
    expect(() => entryOf(past)).toThrow("campaign of erd-demo has no link 2");
  });
});
