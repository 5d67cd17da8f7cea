// Every guard and every row is needed: a machine without it is caught, or the list gives the reason
// why not.

import { describe, expect, it } from "vitest";
import {
  type ActionKind,
  actionKinds,
  type CampaignState,
  type Context,
  entryOf,
} from "#agent/model/campaign.ts";
import { decideBy, table } from "#agent/rotation/campaign.ts";
import { guards } from "#agent/rotation/guards.ts";
import { effort } from "../../effort.ts";
import { configNamed, configs } from "../../model/campaign-configs.ts";
import type { Machine } from "../../model/campaign-observation.ts";
import { type Explored, explore, realMachine } from "../../model/campaign-space.ts";
import type { Config } from "../../model/campaign-world.ts";
import { type NamedGuard, without } from "../../model/lesser-machine.ts";

const every: readonly NamedGuard[] = actionKinds.flatMap((action) =>
  guards[action].map(({ name }) => ({ action, name })),
);

const keychain = "rotate, keychain, agent, afterProof";
const none = "rotate, none, agent";
const routerAlone = "change, router alone";
const fallback = "rotate, fallback, agent, afterProof";
const shutFirst = "rotate, keychain, shut first";
const emergency = "rotate, keychain, emergency";
const laterSaks = "rotate, keychain, later SAKs";

/** A deadline passes while the far end changes, and the campaign stops. */
const heldInSwitching = [
  ...["a turn: queued.free", "a turn: gated.open", "long quiet", "a turn: draining.stages"],
  ...["a turn: staging.stage", "a turn: staging.confirm", "a turn: staging.both"],
  ...["a turn: staged.put", "the deadline passes", "a turn: switching.farUnsettledLate"],
  "a turn: held.parkRestore",
];

/** Guards that are noticed with another setting than `keychain`, one fault and one command. */
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
  "putNew: no late change of ours takes the new key": [none, 2],
  "putNew: the router is ready for it": [none, 1],
  "prepare: the port holds the old key alone, or half of the change": [none, 1],
  "prepareBack: the port holds the new key alone, or half of the change": [none, 1],
  "replace: the change waits, valid, on the candidate": [none, 1],
  "replace: the far end is on new and the link has left its other state": [routerAlone, 1],
  "replaceBack: the port holds the new key alone, or half of the change": [none, 2],
  "replaceBack: the change waits, valid, on the candidate": [none, 1],
  "replaceBack: the far end is on old and the link has left its other state": [routerAlone, 1],
  "promote: the link is drained": [fallback, 1],
  "rekeySak: every gate is open": [emergency, 1],
  "rekeySak: the link is drained": [emergency, 1],
  "renewSak: every gate is open": [laterSaks, 1],
  "renewSak: the link is drained": [laterSaks, 1],
  "renewSak: no late change of ours takes the old key": [laterSaks, 2],
};

/** Guards that are kept as safeguards although no promise is broken without them. */
const harmless: Readonly<Record<string, string>> = {
  "add: the far end is on new, or told with every gate open":
    "a key that joins the old one on a port that stays open does not interrupt the link",
  "rollBack: the far end was never told":
    "only the key that the router has just received is removed, and the old one stays",
};

/** The rows that ask for the effect already require this; the guard checks it once more. */
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
  "promote: no later SAK of the new key is to be proven": "promoting.unproven",
  "removeOld: no later SAK of the new key is to be proven": "retiring.unproven",
  "removeNew: the port holds both keys": "reverting.noOldKey, reverting.removed",
  "removeNew: the link is secured by the old key": "reverting.notYet",
  "removeNew: the old key is proven": "reverting.notYet",
  "removeNew: the far end is on old": "the rows of a far end that is back",
  "replace: the router holds one key": "switching.both",
  "replace: nothing is pending on the device": "switching.foreignCommit",
  "replace: the port holds the old key alone, or half of the change":
    "switching.followed, switching.strange",
  "replaceBack: the router holds one key": "reverting.replaceBack asks for it",
  "replaceBack: nothing is pending on the device": "reverting.foreignCommit",
  "replaceBack: there is an old key to go back to": "reverting.enrolBare, reverting.enrolKeyed",
  "rekeySak: the port holds the new key alone": "proving.freshSak asks for it",
  "rekeySak: the new key is proven": "proving requires it before proving.freshSak",
  "renewSak: the port holds both keys": "only beside the old key are later SAKs lacking",
  "renewSak: the new key is proven": "proving requires it before proving.laterSak",
  "renewSak: the next SAK can be asked for": "proving.laterSak asks for it",
  "open: it was shut for a key change": "every row that opens asks for it",
};

const nameOf = ({ action, name }: NamedGuard): string => `${action}: ${name}`;

/** Explores a machine without the guard, up to the first property that it breaks. */
function noticed(each: NamedGuard, [config, faults, words = 1, after = []]: Where): Explored {
  const limits = { faults, words, links: 1, stopEarly: true, after } as const;
  return explore(configNamed(config), limits, { ...realMachine, guards: without(each) });
}

describe("every guard", () => {
  const excused = { ...impliedByRows, ...harmless };
  const needed = every.filter((each) => excused[nameOf(each)] === undefined);

  it.each(needed.map((each) => [nameOf(each), each] as const))(
    "%s: a machine without this guard is caught",
    (name, each) => {
      const { broken, states } = noticed(each, noticedIn[name] ?? [keychain, 1]);
      console.log(`${name}: ${[...broken.keys()][0] ?? "unnoticed"} after ${states} states`);
      expect([...broken.keys()]).not.toEqual([]);
    },
  );

  it("the whole machine is not caught by the searches that catch a lack of a guard", () => {
    const far = needed.flatMap((each): readonly (readonly [NamedGuard, Where])[] => {
      const where = noticedIn[nameOf(each)];
      return where !== undefined && where[1] > 2 ? [[each, where]] : [];
    });
    expect(far.length).toBeGreaterThan(0);
    for (const [each, where] of far) {
      const [config, faults, words = 1, after = []] = where;
      const all = { faults, words, links: 1 } as const;
      // A short run explores as many states as it takes to catch the machine without the guard.
      const some = () => ({ ...all, after, statesMax: noticed(each, where).states });
      const { broken } = explore(configNamed(config), effort(some, () => all)());
      expect(Object.fromEntries(broken)).toEqual({});
    }
  });

  it.each(Object.keys(harmless))("%s: a machine without this guard breaks no promise", (name) => {
    const each = every.find((one) => nameOf(one) === name);
    if (each === undefined) throw new RangeError(name);
    const limits = { faults: effort(1, 3), words: 1, links: 1 } as const;
    const machine = { ...realMachine, guards: without(each) };
    const { broken } = explore(configNamed(shutFirst), limits, machine);
    expect(Object.fromEntries(broken)).toEqual({});
  });

  it("a guard listed as implied by the rows changes no decision", () => {
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

  it("a machine that rolls a lost staged key back, or waits for its timer, is caught", () => {
    const guarded = without({ action: "rollBack", name: "the port holds both keys" });
    const machine = { ...realMachine, table: Object.fromEntries(rows), guards: guarded };
    const { broken } = explore(configNamed(keychain), { faults: 2, words: 0, links: 1 }, machine);
    expect([...broken.keys()]).toContain(
      "KEYLOST: what it goes back to never had the key in use (rollBack)",
    );
    expect([...broken.keys()]).toContain(
      "TIMER: it takes a key away that the agent could keep, in staging",
    );
  });
});

describe("the later SAKs of a new key", () => {
  const unaware = (context: Context): Context => ({
    ...context,
    facts: { ...context.facts, laterSaks: { kind: "notOffered" } },
  });
  const rows = Object.entries(table).map(([state, some]) => [
    state,
    some.map((row) => ({ ...row, when: (context: Context) => row.when(unaware(context)) })),
  ]);
  const guarded = Object.entries(guards).map(([action, some]) => [
    action,
    some.map(({ name, holds }) => ({ name, holds: (one: Context) => holds(unaware(one)) })),
  ]);

  it.each([
    [laterSaks, "P3: the later SAKs are not proven (removeOld)"],
    ["rotate, fallback, later SAKs", "P3: the later SAKs are not proven (promote)"],
  ])("a machine that asks for none is caught: %s", (config, broken) => {
    const changed = { table: Object.fromEntries(rows), guards: Object.fromEntries(guarded) };
    const machine = { ...realMachine, ...changed };
    const limits = { faults: 0, words: 0, links: 1 } as const;
    expect([...explore(configNamed(config), limits, machine).broken.keys()]).toContain(broken);
  });

  it("a router that loses a link at a later SAK leaves the old key as the way back", () => {
    const limits = { faults: 1, words: 0, links: 1 } as const;
    const { broken, rows: taken } = explore(configNamed(laterSaks), limits);
    expect(Object.fromEntries(broken)).toEqual({});
    for (const row of ["proving.laterSak", "proving.late", "reverting.put", "restoring.reverted"]) {
      expect([...taken]).toContain(row);
    }
  });
});

describe("a port that is shut for a fresh SAK", () => {
  const limits = { faults: 2, words: 0, links: 1, stopEarly: true } as const;
  const brokenBy = (advance: Machine["advance"]): readonly string[] => {
    const machine = { ...realMachine, advance };
    return [...explore(configNamed(emergency), limits, machine).broken.keys()];
  };

  it("a machine that does not mark it, so that no successor opens it, is caught", () => {
    const broken = brokenBy((campaign, step, at) => {
      const unmarked = step.action === "rekeySak" ? { ...step, mark: {} } : step;
      return realMachine.advance(campaign, unmarked, at);
    });
    expect(broken).toContain("DARKWAIT: the port stays shut in held");
  });

  it("a machine that keeps the mark, and opens a port that a person shut, is caught", () => {
    const broken = brokenBy((campaign, step, at) => {
      const next = realMachine.advance(campaign, step, at);
      return next.at === campaign.at ? { ...next, shut: campaign.shut || next.shut } : next;
    });
    expect(broken).toContain("HAND: a port that a person shut is opened (open)");
  });
});

describe("the permit of a hub", () => {
  const permits = configNamed("rotate, keychain, permits");
  const brokenBy = (machine: Machine): readonly string[] => {
    const { broken } = explore(permits, { faults: 1, words: 0, links: 1 }, machine);
    return [...broken.keys()];
  };
  const cold = ({ facts }: Context): boolean => facts.withheld === undefined;

  it("a machine that drains again without it is caught", () => {
    const draining = table.draining.filter(({ name }) => name !== "draining.withheld");
    const machine = { ...realMachine, table: { ...table, draining } };
    expect(brokenBy(machine)).toContain("P8: a link is taken without a permit (drain)");
  });

  it("a machine that begins without it is caught", () => {
    const gated = table.gated.map((row) =>
      row.name === "gated.closed"
        ? { ...row, when: (context: Context) => cold(context) && row.when(context) }
        : row,
    );
    const machine = { ...realMachine, table: { ...table, gated } };
    expect(brokenBy(machine)).toContain("P8: a link is taken without a permit (drain)");
  });

  it("a machine that gives no traffic back without it is caught", () => {
    const restore = [...guards.restore, { name: "a permit is there", holds: cold }];
    const machine = { ...realMachine, guards: { ...guards, restore } };
    expect(brokenBy(machine)).toContain(
      "P8: an effect that gives waits for a permit (gated.closed in gated)",
    );
  });
});

describe("a campaign that an operator abandons", () => {
  const manual = configNamed("rotate, none, manual");
  const limits = { faults: 2, words: 2, links: 1 } as const;
  const notAsFound = "ABANDON: the link is not as it was, and does not carry (gated)";
  const brokenBy = (machine: Machine, config = manual): readonly string[] => [
    ...explore(config, { ...limits, stopEarly: true }, machine).broken.keys(),
  ];

  it("a link that nothing has touched is left as it was, whatever can be read of it", () => {
    let unread = 0;
    const command: Machine["command"] = (campaign, input, observed, at) => {
      const verdict = realMachine.command(campaign, input, observed, at);
      const isAbandoned = input.verb === "abandon" && verdict.kind === "accepted";
      if (isAbandoned && campaign.state === "gated" && observed.port === undefined) unread += 1;
      return verdict;
    };
    expect(brokenBy({ ...realMachine, command })).toEqual([]);
    expect(unread).toBeGreaterThan(0);
  });

  it.each([manual, configNamed(keychain), configNamed("enrol, agent")])(
    "a machine that takes every link in gated for untouched is caught: $name",
    (config) => {
      const command: Machine["command"] = (campaign, ...said) =>
        realMachine.command({ ...campaign, touched: false }, ...said);
      expect(brokenBy({ ...realMachine, command }, config)).toContain(notAsFound);
    },
  );

  it("a machine that forgets that a person was asked is caught", () => {
    const advance: Machine["advance"] = (campaign, taken, at) => {
      const touched = campaign.touched || taken.action !== undefined || taken.mark.told === true;
      return { ...realMachine.advance(campaign, taken, at), touched };
    };
    expect(brokenBy({ ...realMachine, advance })).toContain(notAsFound);
  });
});

describe("a removal of the new key that the router may still carry out", () => {
  const manual = configNamed("rotate, keychain, manual, afterSoak");
  const resumed = [
    ...["a turn: queued.free", "a turn: gated.open", "long quiet", "a turn: draining.stages"],
    ...["a turn: staging.stage", "the deadline passes"],
    ...["a turn whose effect dies before it: staging.rollBack", "the agent starts"],
    ...["a turn: staging.needed", "the grace of a put ends", "a turn: staging.bothAborted"],
    ...["long quiet", "long proven by the old key", "the sibling is judged"],
    ...["a turn whose effect comes late: reverting.remove", "the deadline passes"],
    ...["a turn: reverting.late", "a turn: held.parkRestore", "operator: resume"],
  ];
  const limits = { faults: 2, words: 2, links: 1, after: resumed } as const;

  it("a person who resumes is not sent to the far end while it may come", () => {
    const { broken, states, rows } = explore(manual, limits);
    console.log(`${states} states`);
    // Beside the one way that comes first there is no way to an end.
    const known = [...broken.keys()].filter((what) => !what.startsWith("STUCK"));
    expect(known).toEqual([]);
    expect([...rows]).toContain("gated.lateChange");
  });

  it("a machine that sends that person is caught", () => {
    const gated = table.gated.filter(({ name }) => name !== "gated.lateChange");
    const machine = { ...realMachine, table: { ...table, gated } };
    const { broken } = explore(manual, limits, machine);
    expect([...broken.keys()]).toContain("LATE: it cuts the link in switching");
  });
});

const seen = new Map<Config, Explored>();
/** Explores with every fault once, and returns the inputs of the machine. */
function explored(config: Config): Explored {
  const known = seen.get(config);
  if (known !== undefined) return known;
  const fresh = explore(config, { faults: effort(1, 2), words: 2, links: 1 });
  seen.set(config, fresh);
  return fresh;
}

const actionsIn = (state: CampaignState): ReadonlySet<ActionKind | undefined> =>
  new Set(table[state].map(({ action }) => action));

/** Returns the guards without which the machine would answer one of the inputs differently. */
function differingIn({ pairs }: Explored, listed: readonly NamedGuard[]): ReadonlySet<string> {
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

/** Rows that no path in the abstract world reaches, and their purpose. */
const unreached: Readonly<Record<string, string>> = {
  "staged.reopen": "a port that was shut is opened in the states that shut it, or in gated",
  "awaitingPeer.reopen": "the same",
  "draining.pending": "a safeguard: the journal may know less than the device shows",
  "staged.pending": "the same safeguard",
  "awaitingPeer.parkConfirm": "the same safeguard, by the parking rule",
  "awaitingPeer.parkRollBack": "the same safeguard, by the parking rule",
  "proving.pending": "the same safeguard",
  "reverting.confirm": "the same safeguard",
  "reverting.rollBack": "the same safeguard",
  "reverting.pending": "the same safeguard",
  "done.stays": "the rotation runner does not run a campaign that is done",
};

/** Rows that need a second fault are reached in one of these. */
const twice = ["rotate, keychain, manual, afterProof", shutFirst, "change, half fits old"];

describe("every row", () => {
  it("every row is taken somewhere, or has a reason why not", () => {
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
