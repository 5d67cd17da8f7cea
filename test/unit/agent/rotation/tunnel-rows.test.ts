// Each row of the tunnels' table by the smallest facts that take it: the whole step, and what the
// journal keeps of it.

import { describe, expect, it } from "vitest";
import type { Reason } from "#agent/model/reason.ts";
import type {
  TunnelChange,
  TunnelFacts,
  TunnelSight,
  TunnelStep,
} from "#agent/model/tunnel-change.ts";
import {
  advanceTunnel,
  decideTunnel,
  decideTunnelBy,
  isAtRest,
  tunnelGuards,
  tunnelTable,
} from "#agent/rotation/tunnel-change.ts";
import { wallAfter } from "#hal/world.ts";
import { wall } from "../../kit/snapshot-kit.ts";

const kept: Reason = { code: "begin.asked" };
const auth = { kind: "psk", secretId: "https://v/secrets/hub-1-psk/2" } as const;
const unread = { code: "device.unread", device: "edge-a" } as const;
const failed = { cause: unread, kind: "other" } as const;
const sight = (over: Partial<TunnelSight> = {}): TunnelSight => ({
  ...{ name: "hub-1", isRefused: false, proof: "none", traffic: "here", ...over },
});
const refused = sight({ isRefused: true });
const proven = sight({ proof: "proven" });
const silent = sight({ proof: "silent" });

function changeOf(state: TunnelChange["state"], over: Partial<TunnelChange> = {}): TunnelChange {
  return { auth, state, since: wall, reason: kept, ...over };
}

function factsOf(over: Partial<TunnelFacts> = {}): TunnelFacts {
  return {
    ...{ kind: "psk", farEnd: "agent", asked: "policy", unmet: undefined, tunnels: [sight()] },
    ...{ given: "maybe", isTakenBack: false, ours: "unsure", isGivenBack: false, mayLand: false },
    ...over,
  };
}

const person = { asked: "person" } as const;
const manual = { farEnd: "manual" } as const;
const alone = (state: "waiting" | "held") => ({ mark: { alone: state } });
const why = (cause: unknown) => ({ cause });

type Case = readonly [
  row: string,
  facts: Partial<TunnelFacts>,
  next: TunnelStep["next"],
  /** What else the step has: an action, its tunnel, a cause, a mark. */
  rest?: {
    readonly action?: string;
    readonly tunnel?: string;
    readonly cause?: unknown;
    readonly mark?: object;
    readonly turnedBack?: unknown;
    readonly from?: Partial<TunnelChange>;
  },
];

const give = { action: "give" };
const cases: Readonly<Record<TunnelChange["state"], readonly Case[]>> = {
  waiting: [
    ["proceedGive", { ...person, unmet: unread }, "giving", give],
    ["proceed", { ...person, ...manual }, "switching", alone("waiting")],
    ["refused", { tunnels: [sight(), refused] }, "switching", alone("waiting")],
    ["shown", { kind: "certificate", tunnels: [refused] }, "switching", alone("waiting")],
    ["forPerson", manual, "waiting", why("kept")],
    ["give", {}, "giving", give],
    ["closed", { unmet: unread }, "waiting", why(unread)],
  ],
  giving: [
    ["proceed", { ...person, ...manual }, "switching", alone("waiting")],
    ["leave", manual, "waiting"],
    ["given", { given: "yes", failed }, "switching"],
    ["notGiven", { given: "no", failed }, "waiting", why(unread)],
    [
      "withdrawn",
      { isTakenBack: true, failed: { ...failed, kind: "vault" } },
      "returning",
      { ...why(unread), turnedBack: unread },
    ],
    ["either", { failed: { ...failed, kind: "vault" } }, "giving", why(unread)],
    ["either", { isTakenBack: true, failed }, "giving", why(unread)],
    ["allRefused", { tunnels: [refused, refused] }, "switching"],
    ["put", { given: "no", tunnels: [sight(), refused] }, "giving", give],
  ],
  switching: [
    ["unheard", { failed: { ...failed, kind: "transport" } }, "switching", why("kept")],
    ["refused", { failed }, "returning", { ...why(unread), turnedBack: unread }],
    [
      "undrain",
      { tunnels: [sight({ traffic: "away" }), sight({ name: "hub-2", ...away("proven") })] },
      "switching",
      { action: "undrain", tunnel: "hub-2" },
    ],
    ["undrain", { tunnels: [{ ...proven, traffic: "away" }] }, "switching", undrainOf("hub-1")],
    [
      "drain",
      { tunnels: [proven, sight({ name: "hub-2", traffic: "unasked" })] },
      "switching",
      { action: "drain", tunnel: "hub-2" },
    ],
    ["take", { tunnels: [sight({ traffic: "away" })] }, "switching", takeOf("hub-1")],
    ["proven", { tunnels: [silent, proven] }, "done"],
    [
      "unproven",
      { tunnels: [silent] },
      "returning",
      {
        cause: { code: "tunnel.noNewSas", tunnel: "hub-1" },
        turnedBack: { code: "tunnel.noNewSas", tunnel: "hub-1" },
      },
    ],
    [
      "unproven",
      { tunnels: [] },
      "returning",
      {
        cause: { code: "tunnel.noNewSas", tunnel: "it" },
        turnedBack: { code: "tunnel.noNewSas", tunnel: "it" },
      },
    ],
  ],
  returning: [
    ["proceedGive", person, "giving", give],
    ["proceed", { ...person, ...manual }, "switching", alone("waiting")],
    ["failed", { failed }, "returning", why(unread)],
    ["putBack", { isGivenBack: true }, "returning", { action: "putBack" }],
    ["overHeld", { ours: "inUse" }, "held", { from: { alone: "held" } }],
    ["overWaiting", { ours: "inUse" }, "waiting", { from: { alone: "waiting" } }],
    ["overWaiting", { ours: "inUse", ...manual }, "waiting"],
    ["over", { ours: "inUse", isGivenBack: true, mayLand: true }, "held"],
    ["giveBack", { ours: "inUse" }, "returning", { action: "giveBack" }],
    ["mayLand", { ours: "inUse", mayLand: true }, "returning"],
    ["putBack", { ...person, mayLand: true }, "returning", { action: "putBack" }],
  ],
  held: [
    ["proceedGive", { ...person, unmet: unread }, "giving", give],
    ["proceed", { ...person, ...manual }, "switching", alone("waiting")],
    ["refused", { tunnels: [sight(), refused] }, "switching", alone("held")],
    ["stays", {}, "held", why("kept")],
  ],
};

function away(proof: TunnelSight["proof"]) {
  return { proof, traffic: "away" } as const;
}
function undrainOf(tunnel: string) {
  return { action: "undrain", tunnel };
}
function takeOf(tunnel: string) {
  return { action: "take", tunnel };
}

const all = (Object.keys(cases) as TunnelChange["state"][]).flatMap((state) =>
  cases[state].map(([name, facts, next, rest = {}]) => ({ state, name, facts, next, rest })),
);

describe("the table of a tunnel's change", () => {
  it.each(all)("in $state the row $name is taken", ({ state, name, facts, next, rest }) => {
    const row = `tunnel.${state}.${name}`;
    const { cause, mark = {}, action, tunnel, turnedBack, from } = rest;
    const reason = cause === undefined ? { code: row } : { code: row, cause };
    expect(decideTunnel(changeOf(state, from), factsOf(facts))).toEqual({
      ...{ row, next, action, tunnel, mark },
      reason: cause === "kept" ? kept : reason,
      ...(turnedBack === undefined ? {} : { turnedBack }),
    });
  });

  it("each row is among them", () => {
    const rows = Object.values(tunnelTable).flatMap((each) => each.map(({ name }) => name));
    const taken = new Set(all.map(({ state, name }) => `tunnel.${state}.${name}`));
    expect([...taken].toSorted()).toEqual(rows.toSorted());
  });

  it("what it does not list stays as it is, and does nothing", () => {
    const table = { ...tunnelTable, held: [] };
    expect(decideTunnelBy(table, tunnelGuards, changeOf("held"), factsOf())).toStrictEqual({
      ...{ row: "unlisted", next: "held", action: undefined, tunnel: undefined },
      ...{ reason: kept, mark: {} },
    });
  });

  it.each([
    ["an action", { action: "take", next: "switching" }, false],
    ["the same state", { next: "switching" }, true],
    ["waiting", { next: "waiting" }, true],
    ["held", { next: "held" }, true],
    ["the way back", { next: "returning" }, false],
    ["the end", { next: "done" }, false],
  ] as const)("a step with %s may be the last of a turn", (_, over, isRest) => {
    const step = decideTunnel(changeOf("switching"), factsOf({ tunnels: [proven] }));
    expect(isAtRest(changeOf("switching"), { ...step, ...over })).toBe(isRest);
  });
});

describe("the record after a step", () => {
  const later = wallAfter(wall, 1_000);
  const step = (next: TunnelChange["state"], over: Partial<TunnelStep> = {}) => ({
    ...{ row: "r", action: undefined, tunnel: undefined, mark: {} },
    reason: { code: "begin.settings" } as const,
    ...over,
    next,
  });
  const turned = { turnedBack: unread, alone: "held", by: "anna" } as const;

  it("is the same one where nothing has changed, and keeps its time in its state", () => {
    const change = changeOf("giving", turned);
    expect(advanceTunnel(change, step("giving", { reason: kept }), later)).toBe(change);
    expect(advanceTunnel(change, step("giving"), later)).toEqual({
      ...change,
      reason: { code: "begin.settings" },
    });
  });

  it.each([
    ["giving", changeOf("held", turned), { alone: "waiting" }, {}],
    ["switching", changeOf("held", turned), { alone: "held" }, { alone: "held" }],
    ["switching", changeOf("giving", turned), {}, {}],
    ["returning", changeOf("switching", turned), {}, { turnedBack: unread, alone: "held" }],
    ["held", changeOf("returning", turned), {}, { turnedBack: unread, alone: "held" }],
    ["held", changeOf("returning", { by: "anna" }), {}, {}],
  ] as const)("in %s forgets what a new way forward makes stale", (state, change, mark, left) => {
    const after = advanceTunnel(change, step(state, { mark }), later);
    const reason = { code: "begin.settings" };
    expect(after).toStrictEqual({ auth, state, since: later, reason, ...left, by: "anna" });
  });

  it("takes the cause of the turn, and names no one where no one asked", () => {
    const back = step("returning", { turnedBack: { code: "tunnel.notUp" } });
    const after = advanceTunnel(changeOf("switching"), back, later);
    expect(after).toStrictEqual({
      ...{ auth, state: "returning", since: later, reason: { code: "begin.settings" } },
      turnedBack: { code: "tunnel.notUp" },
    });
  });
});
