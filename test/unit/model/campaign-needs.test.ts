// Every guard and every row is needed: a machine without it is caught, or it says why not.

import { describe, expect, it } from "vitest";
import {
  type ActionKind,
  actionKinds,
  type CampaignState,
  type Context,
  entryOf,
  type Guards,
} from "#agent/model/campaign.ts";
import { decideBy, table } from "#agent/rotation/campaign.ts";
import { guards } from "#agent/rotation/guards.ts";
import { effort } from "../../effort.ts";
import { configs } from "../../model/campaign-configs.ts";
import { type Explored, explore, realMachine } from "../../model/campaign-space.ts";
import type { Config } from "../../model/campaign-world.ts";

interface Named {
  readonly action: ActionKind;
  readonly name: string;
}

const every: readonly Named[] = actionKinds.flatMap((action) =>
  guards[action].map(({ name }) => ({ action, name })),
);

function without({ action, name }: Named): Guards {
  return { ...guards, [action]: guards[action].filter((each) => each.name !== name) };
}

const keychain = "rotate, keychain, agent, afterProof";
const none = "rotate, none, agent";
const routerAlone = "change, router alone";
const fallback = "rotate, fallback, agent, afterProof";
const shutFirst = "rotate, keychain, shut first";
const emergency = "rotate, keychain, emergency";

/** A deadline passes while the far end changes, and the campaign is held. */
const heldInSwitching = [
  ...["a turn: queued.free", "a turn: gated.open", "long quiet", "a turn: draining.stages"],
  ...["a turn: staging.stage", "a turn: staging.confirm", "a turn: staging.both"],
  ...["a turn: staged.put", "the deadline passes", "a turn: switching.farUnsettledLate"],
  "a turn: held.parkRestore",
];

/** Guards that are noticed elsewhere than with `keychain`, one fault and one word. */
type Where = readonly [config: string, faults: number, words?: number, after?: readonly string[]];
const noticedIn: Readonly<Record<string, Where>> = {
  "restore: the link is drained by us": [keychain, 0],
  "stage: the link is secured by the old key": [keychain, 2],
  "rollBack: the link is secured by the old key": [keychain, 3, 0],
  "open: nothing is pending on the device": [shutFirst, 1],
  "add: a port that is shut for it carries nothing, or may be taken": [
    shutFirst,
    3,
    1,
    heldInSwitching,
  ],
  "putNew: the router is ready for it": [none, 1],
  "prepare: the port holds the old key alone": [none, 1],
  "prepareBack: the port holds the new key alone": [none, 1],
  "replace: the change waits, valid, on the candidate": [none, 1],
  "replace: the far end is on new and the link has left its other state": [routerAlone, 1],
  "replaceBack: the port holds the new key alone": [none, 2],
  "replaceBack: the change waits, valid, on the candidate": [none, 1],
  "replaceBack: the far end is on old and the link has left its other state": [routerAlone, 1],
  "promote: the link is drained": [fallback, 1],
  "rekeySak: every gate is open": [emergency, 1],
  "rekeySak: the link is drained": [emergency, 1],
};

/** Guards that the design asks for, and without which no promise is broken. */
const harmless: Readonly<Record<string, string>> = {
  "add: the far end is on new, or told with every gate open":
    "what joins the old key on a port that stays open takes nothing from the link",
  "rollBack: the far end was never told":
    "what goes back is the key that the router has only just got, and the old one stays",
};

/** The rows that ask for the effect ask for this as well; the guard says it once more. */
const impliedByRows: Readonly<Record<string, string>> = {
  "drain: nothing is pending on the device": "gated.closed, draining.foreignCommit",
  "stage: the router can hold both keys": "break-before-make never enters staging",
  "stage: nothing is pending on the device": "staging.verifies, staging.foreignCommit",
  "stage: the far end is settled on old": "a closed gate, or staging.addForFar",
  "add: the router can hold both keys": "break-before-make never enters staging",
  "add: nothing is pending on the device": "staging.verifies, staging.foreignCommit",
  "rollBack: the port holds both keys": "staging.needed and its like confirm what has lost a key",
  "rollBack: the far end is on old, or unreadable": "a far end on its way to new: confirm",
  "prepare: the router holds one key": "switching.newKeyGone, and the port must hold old alone",
  "prepare: nothing is pending on the device": "a closed gate, or switching.foreignCommit",
  "prepareBack: the router holds one key": "reverting.prepare, reverting.prepareLate",
  "prepareBack: nothing is pending on the device": "reverting.foreignCommit",
  "prepareBack: there is an old key to go back to": "reverting.farEnrol, reverting.enrolKeyed",
  "putNew: the far end is ours to write": "staged.tellPerson, switching.personWaits",
  "putNew: the far end is on old": "staged.strange, and switching asks for old",
  "putOld: the far end is ours to write": "reverting.farByHand",
  "putOld: there is an old key to go back to": "reverting.farEnrol",
  "putOld: nothing is pending on the device": "reverting.pending, reverting.foreignCommit",
  "putOld: the old key waits on the router": "reverting.oldKeyGone",
  "putOld: the far end is settled": "reverting.unread",
  "promote: every gate is open": "promoting.giveUp",
  "promote: the port holds both keys": "promoting.keyGone",
  "promote: the new key is proven": "promoting.unproven",
  "removeOld: every gate is open": "retiring.giveUp",
  "removeOld: the port holds both keys": "retiring.retired, retiring.newKeyGone",
  "removeOld: the new key is proven": "retiring.unproven",
  "removeNew: the port holds both keys": "reverting.noOldKey, reverting.removed",
  "removeNew: the link is secured by the old key": "reverting.notYet",
  "removeNew: the old key is proven": "reverting.notYet",
  "removeNew: the far end is on old": "the rows of a far end that is back",
  "replace: the router holds one key": "switching.both",
  "replace: nothing is pending on the device": "switching.foreignCommit",
  "replace: the port holds the old key alone": "switching.followed, switching.strange",
  "replaceBack: the router holds one key": "reverting.replaceBack asks for it",
  "replaceBack: nothing is pending on the device": "reverting.foreignCommit",
  "replaceBack: there is an old key to go back to": "reverting.enrolBare, reverting.enrolKeyed",
  "rekeySak: the port holds the new key alone": "proving.freshSak asks for it",
  "rekeySak: the new key is proven": "proving asks for it before proving.freshSak",
  "open: it was shut for a key change": "every row that opens asks for it",
};

const configNamed = (name: string): Config => {
  const found = configs.find((config) => config.name === name);
  if (found === undefined) throw new RangeError(`no configuration is called ${name}`);
  return found;
};

const nameOf = ({ action, name }: Named): string => `${action}: ${name}`;

/** What is seen of a machine without the guard, up to the first property that it breaks. */
function noticed(each: Named, [config, faults, words = 1, after = []]: Where): Explored {
  const limits = { faults, words, links: 1, stopEarly: true, after } as const;
  return explore(configNamed(config), limits, { ...realMachine, guards: without(each) });
}

describe("every guard", () => {
  const excused = { ...impliedByRows, ...harmless };
  const needed = every.filter((each) => excused[nameOf(each)] === undefined);

  it.each(needed.map((each) => [nameOf(each), each] as const))(
    "%s: a machine without it is caught",
    { timeout: 300_000 },
    (name, each) => {
      const { broken, states } = noticed(each, noticedIn[name] ?? [keychain, 1]);
      console.log(`${name}: ${[...broken.keys()][0] ?? "unnoticed"} after ${states} states`);
      expect([...broken.keys()]).not.toEqual([]);
    },
  );

  it("is not caught for what catches the whole machine too", { timeout: 600_000 }, () => {
    const far = needed.flatMap((each): readonly (readonly [Named, Where])[] => {
      const where = noticedIn[nameOf(each)];
      return where !== undefined && where[1] > 2 ? [[each, where]] : [];
    });
    expect(far.length).toBeGreaterThan(0);
    for (const [each, where] of far) {
      const [config, faults, words = 1, after = []] = where;
      const all = { faults, words, links: 1 } as const;
      // Where time is short, among as many states as it takes to catch the machine without it.
      const some = () => ({ ...all, after, statesMax: noticed(each, where).states });
      const { broken } = explore(configNamed(config), effort(some, () => all)());
      expect(Object.fromEntries(broken)).toEqual({});
    }
  });

  it.each(Object.keys(harmless))("%s: nothing breaks without it", { timeout: 600_000 }, (name) => {
    const each = every.find((one) => nameOf(one) === name);
    if (each === undefined) throw new RangeError(name);
    const limits = { faults: effort(1, 3), words: 1, links: 1 } as const;
    const machine = { ...realMachine, guards: without(each) };
    const { broken } = explore(configNamed(shutFirst), limits, machine);
    expect(Object.fromEntries(broken)).toEqual({});
  });

  it("is listed as implied by the rows only if no question is answered otherwise without it", {
    timeout: 1_200_000,
  }, () => {
    expect(
      Object.keys(impliedByRows).filter((name) => !every.some((e) => nameOf(e) === name)),
    ).toEqual([]);
    const listed = every.filter((each) => impliedByRows[nameOf(each)] !== undefined);
    const differing = new Set(
      configs.flatMap((config) => [...differingIn(explored(config), listed)]),
    );
    expect([...differing]).toEqual([]);
  });
});

describe("a staged key that is gone again", () => {
  const asBefore = ({ campaign, facts, port }: Context): boolean =>
    port?.keys !== "old" || campaign.told || ["new", "updating"].includes(facts.far);
  const settles = /\.(needed|parkConfirm|confirm)$/;
  const rows = Object.entries(table).map(([state, some]) => [
    state,
    some.map((row) =>
      row.action === "confirm" && settles.test(row.name)
        ? { ...row, when: (context: Context) => asBefore(context) && row.when(context) }
        : row,
    ),
  ]);

  it("is confirmed: a machine that rolls it back, or waits for its timer, is caught", () => {
    const guarded = without({ action: "rollBack", name: "the port holds both keys" });
    const machine = { table: Object.fromEntries(rows), guards: guarded };
    const { broken } = explore(configNamed(keychain), { faults: 2, words: 0, links: 1 }, machine);
    expect([...broken.keys()]).toContain(
      "KEYLOST: what it goes back to never had the key in use (rollBack)",
    );
    expect([...broken.keys()]).toContain(
      "TIMER: it takes a key away that the agent could keep, in staging",
    );
  });
});

const seen = new Map<Config, Explored>();
/** With every fault once: what the machine is asked in it. */
function explored(config: Config): Explored {
  const known = seen.get(config);
  if (known !== undefined) return known;
  const fresh = explore(config, { faults: effort(1, 2), words: 2, links: 1 });
  seen.set(config, fresh);
  return fresh;
}

const actionsIn = (state: CampaignState): ReadonlySet<ActionKind | undefined> =>
  new Set(table[state].map(({ action }) => action));

/** Guards without which the machine would answer one of the questions otherwise. */
function differingIn({ pairs }: Explored, listed: readonly Named[]): ReadonlySet<string> {
  const differing = new Set<string>();
  const tried = listed.map((each) => ({
    name: nameOf(each),
    action: each.action,
    holds: guards[each.action].find(({ name }) => name === each.name)?.holds,
    guarded: without(each),
  }));
  for (const { campaign, facts, row } of pairs()) {
    const context: Context = { campaign, link: entryOf(campaign), facts, port: facts.port };
    const actions = actionsIn(campaign.state);
    for (const { name, action, holds, guarded } of tried) {
      if (!actions.has(action) || holds?.(context) !== false) continue;
      if (decideBy(table, guarded, campaign, facts).row !== row) differing.add(name);
    }
  }
  return differing;
}

/** Rows that nothing in the abstract world leads to, and what they are for. */
const unreached: Readonly<Record<string, string>> = {
  "draining.reopen": "a port that was shut is opened in the states that shut it, or in gated",
  "staged.reopen": "the same",
  "awaitingPeer.reopen": "the same",
  "restoring.reopen": "the same",
  "draining.pending": "design: a journal that says less than the device shows",
  "staged.pending": "design: the same",
  "awaitingPeer.parkConfirm": "design: the same, by the parking rule",
  "awaitingPeer.parkRollBack": "design: the same, by the parking rule",
  "proving.pending": "design: the same",
  "reverting.confirm": "design: the same",
  "reverting.rollBack": "design: the same",
  "reverting.pending": "design: the same",
  "done.stays": "the conductor leaves a campaign that is done alone",
};

/** Rows that need a second fault are led to in one of these. */
const twice = ["rotate, keychain, manual, afterProof", shutFirst];

describe("every row", () => {
  it("is taken somewhere, or says why not", { timeout: 1_200_000 }, () => {
    const limits = { faults: 2, words: 1, links: 1 } as const;
    const taken = new Set([
      ...configs.flatMap((config) => [...explored(config).rows]),
      ...twice.flatMap((name) => [...explore(configNamed(name), limits).rows]),
    ]);
    const names = Object.values(table).flatMap((rows) => rows.map(({ name }): string => name));
    console.log(`${names.length} rows, ${taken.size} of them taken`);
    expect(new Set(names).size).toBe(names.length);
    expect(taken.has("unlisted")).toBe(false);
    const never = names.filter((name) => !taken.has(name));
    expect(never.filter((name) => unreached[name] === undefined)).toEqual([]);
    expect(Object.keys(unreached).filter((name) => !never.includes(name))).toEqual([]);
  });
});
