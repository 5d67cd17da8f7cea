// What must hold on the very observation before each effect: all of it, and each without which none
// runs.

import { describe, expect, it } from "vitest";
import {
  type ActionKind,
  actionKinds,
  type Campaign,
  entryOf,
  type Facts,
} from "#agent/model/campaign.ts";
import { guards } from "#agent/rotation/guards.ts";
import {
  blind,
  calm,
  campaignOf,
  held,
  manual,
  port,
  refusedKey,
  valid,
  waiting,
  windowShut,
} from "../../kit/campaign-kit.ts";

interface Scene {
  readonly kind?: Campaign["kind"];
  readonly overlap?: Campaign["links"][number]["overlap"];
  readonly marks?: Partial<Campaign>;
  readonly facts?: Partial<Facts>;
}

/** The guards of the action that do not hold. */
function missing(action: ActionKind, scene: Scene): readonly string[] {
  const { kind = "rotate", overlap = "keychain", marks, facts } = scene;
  const campaign = campaignOf("switching", { kind, ...marks }, overlap);
  const seen = { ...calm, ...facts };
  const context = { campaign, link: entryOf(campaign), facts: seen, port: seen.port };
  return guards[action].filter(({ holds }) => !holds(context)).map(({ name }) => name);
}

const bbm = "breakBeforeMake" as const;
const drained = { drained: held };
const undrained = { drained: waiting };
const lost = { sibling: "lost" } as const;
const both = { keys: "both" } as const;
const laterSaks = { kind: "due", number: 1 } as const;
const staged = port({ ...both, pending: "ours" });
const half = { keys: "half" } as const;
const gone = { keys: "new", carriedBy: "nothing" } as const;
const proven = { ...drained, proof: held, far: "new" } as const;

/** All that each effect needs. */
const ready: Readonly<Record<ActionKind, Scene>> = {
  drain: {},
  restore: { facts: port({ drain: "on" }) },
  stage: { facts: drained },
  add: { facts: { far: "new" } },
  confirm: { facts: port({ pending: "ours" }) },
  rollBack: { facts: port({ ...both, pending: "ours" }) },
  prepare: { overlap: bbm },
  prepareBack: { overlap: bbm, facts: port(gone) },
  putNew: { facts: { ...port(both), ...drained } },
  putOld: { facts: { ...port(both), ...drained, far: "new" } },
  promote: { facts: { ...port(both), ...proven } },
  removeOld: { facts: { ...port(both), ...proven } },
  removeNew: { facts: { ...port(both), ...drained, oldProof: held } },
  replace: { overlap: bbm, facts: { ...port({ carriedBy: "nothing" }), ...valid, far: "new" } },
  replaceBack: { overlap: bbm, facts: { ...port(gone), ...valid } },
  rekeySak: { facts: { ...port({ keys: "new" }), ...proven } },
  renewSak: { facts: { ...port(both), ...proven, laterSaks } },
  open: { marks: { shut: true }, facts: port({ admin: "down" }) },
  probe: {},
};

describe("an effect may run", () => {
  it.each(actionKinds)("%s may run when all that it needs holds", (action) => {
    expect(missing(action, ready[action])).toEqual([]);
  });

  /** The cases of guards that hold in more than one way. */
  const others: readonly (readonly [ActionKind, string, Scene])[] = [
    [
      "stage",
      "with a far end that is the same under both",
      { facts: { ...drained, far: "either" } },
    ],
    [
      "add",
      "by shutting a dark port, whatever else",
      {
        facts: {
          ...port({ carriedBy: "nothing" }),
          ...{ far: "new", shutsFirst: true },
          ...undrained,
        },
      },
    ],
    [
      "add",
      "by shutting a drained port that works",
      { facts: { far: "new", shutsFirst: true, ...drained } },
    ],
    ["add", "once the far end was told", { marks: { told: true }, facts: drained }],
    [
      "rollBack",
      "while the far end is the same under both",
      { facts: { ...staged, far: "either" } },
    ],
    ["rollBack", "while the far end cannot be read", { facts: { ...staged, far: "unknown" } }],
    ["putNew", "with a valid replacement", { overlap: bbm, facts: { ...valid, ...drained } }],
    ["putOld", "with one key", { overlap: bbm, facts: { ...port(gone), far: "failed" } }],
    [
      "putOld",
      "on a dark link, whatever else",
      { facts: { ...port({ ...both, carriedBy: "nothing" }), ...lost, far: "new" } },
    ],
    [
      "replace",
      "with nothing to do for the far end",
      { overlap: bbm, facts: { ...valid, ...drained, far: "either" } },
    ],
    ["prepare", "over half of a change", { overlap: bbm, facts: port(half) }],
    ["prepareBack", "over half of a change", { overlap: bbm, facts: port(half) }],
    [
      "putNew",
      "over half of a change",
      { overlap: bbm, facts: { ...port(half), ...valid, ...drained } },
    ],
    ...(["replace", "replaceBack"] as const).flatMap((action) => {
      const far = action === "replace" ? "new" : "old";
      const dark = { ...port({ ...half, carriedBy: "nothing" }), ...undrained, ...windowShut };
      const works = { ...port({ ...half, carriedBy: far }), ...drained };
      return [
        [action, "over half of a dark link", { overlap: bbm, facts: { ...dark, ...valid, far } }],
        [
          action,
          "over half of a drained one",
          { overlap: bbm, facts: { ...works, ...valid, far } },
        ],
      ] as const;
    }),
    [
      "replaceBack",
      "with nothing to do for the far end",
      { overlap: bbm, facts: { ...port({ keys: "new" }), ...valid, ...drained, far: "either" } },
    ],
  ];
  it.each(others)("%s may run %s", (action, _name, scene) => {
    expect(missing(action, scene)).toEqual([]);
  });
});

const quiet = "nothing is pending on the device";
const preconditions = "every gate is open";
const isDrained = "the link is drained";
const oldAlone = "the port holds the old key alone";
const newAlone = "the port holds the new key alone";
const oldOrHalf = "the port holds the old key alone, or half of the change";
const newOrHalf = "the port holds the new key alone, or half of the change";
const bothKeys = "the port holds both keys";
const byOld = "the link is secured by the old key";
const oneKey = "the router holds one key";
const twoKeys = "the router can hold both keys";
const oldExists = "there is an old key to go back to";
const farWritten = "the far end is ours to write";
const isProven = "the new key is proven";
const laterProven = "no later SAK of the new key is to be proven";
const validated = "the change waits, valid, on the candidate";
const farOld = "the far end is on old";
const followsNew = "the far end is on new and the link has left its other state";
const followsOld = "the far end is on old and the link has left its other state";
const told = "the far end is on new, or told with every gate open";
const mayShut = "a port that is shut for it carries nothing, or may be taken";
const lossless = "nothing is lost by it";
const isReady = "the router is ready for it";
const settled = "the far end is settled";
const unreadOrOld = "the far end is on old, or unreadable";

/** One thing changed, and the guard that it breaks. */
type Spoil = readonly [action: ActionKind, change: Scene, guard: string];

const spoils: readonly Spoil[] = [
  ["drain", { facts: lost }, "the sibling carries"],
  ["drain", { facts: port({ pending: "foreign" }) }, quiet],
  ["restore", { facts: port({}) }, "the link is drained by us"],
  ["restore", { facts: port({ drain: "on", pending: "ours" }) }, quiet],
  ["stage", { overlap: bbm }, twoKeys],
  ["stage", { facts: { ...drained, ...windowShut } }, preconditions],
  ["stage", { facts: undrained }, isDrained],
  ["stage", { facts: { ...drained, ...port({ pending: "ours" }) } }, quiet],
  ["stage", { facts: { ...drained, ...port(both) } }, oldAlone],
  ["stage", { facts: { ...drained, far: "failed" } }, "the far end is settled on old"],
  ["stage", { facts: { ...drained, ...port({ carriedBy: "nothing" }) } }, byOld],
  ["stage", { marks: { told: true } }, "the far end was never told"],
  ["add", { overlap: bbm }, twoKeys],
  ["add", { facts: { far: "new", ...port({ pending: "foreign" }) } }, quiet],
  ["add", { facts: { far: "new", ...port({ keys: "new" }) } }, oldAlone],
  ["add", { facts: drained }, told],
  ["add", { marks: { told: true }, facts: { ...drained, ...windowShut } }, told],
  ["add", { marks: { told: true }, facts: undrained }, told],
  ["add", { facts: { far: "new", shutsFirst: true, ...undrained } }, mayShut],
  ["add", { facts: { far: "new", shutsFirst: true, ...drained, ...windowShut } }, mayShut],
  ["confirm", { facts: port({ pending: "foreign" }) }, "the pending commit is ours"],
  ["rollBack", { facts: port(both) }, "the pending commit is ours"],
  ["rollBack", { facts: port({ pending: "ours" }) }, bothKeys],
  ["rollBack", { facts: port({ ...both, pending: "ours", carriedBy: "nothing" }) }, byOld],
  ["rollBack", { marks: { told: true }, facts: staged }, "the far end was never told"],
  ["rollBack", { facts: { ...staged, far: "other" } }, unreadOrOld],
  ["prepare", { overlap: "fallback" }, oneKey],
  ["prepare", { facts: port({ pending: "foreign" }) }, quiet],
  ["prepare", { facts: port({ keys: "new" }) }, oldOrHalf],
  ["prepareBack", { overlap: "fallback" }, oneKey],
  ["prepareBack", { facts: port({ ...gone, pending: "foreign" }) }, quiet],
  ["prepareBack", { facts: port({}) }, newOrHalf],
  ["prepareBack", { kind: "enrol" }, oldExists],
  ["putNew", { facts: { ...port(both), ...drained, ...manual } }, farWritten],
  ["putNew", { facts: { ...port(both), ...drained, ...windowShut } }, preconditions],
  ["putNew", { facts: { ...port(both), ...undrained } }, isDrained],
  ["putNew", { facts: { ...port(both), ...drained, far: "either" } }, farOld],
  ["putNew", { facts: { ...port({}), ...drained } }, isReady],
  ["putNew", { overlap: bbm, facts: { ...port({}), ...drained } }, isReady],
  ["putNew", { overlap: bbm, facts: { ...port(gone), ...drained, ...valid } }, isReady],
  ...(["new", "both"] as const).map((mayLose): Spoil => {
    const facts = { ...port(both), ...drained, mayLose };
    return ["putNew", { facts }, "no late change of ours takes the new key"];
  }),
  ...(["old", "both"] as const).map((mayLose): Spoil => {
    const facts = { ...port(both), ...drained, far: "new", mayLose } as const;
    return ["putOld", { facts }, "no late change of ours takes the old key"];
  }),
  ["putOld", { facts: { ...port(both), ...drained, ...manual, far: "new" } }, farWritten],
  ["putOld", { kind: "enrol" }, oldExists],
  ["putOld", { facts: { ...port({ ...both, pending: "ours" }), ...drained, far: "new" } }, quiet],
  [
    "putOld",
    { facts: { ...port({ keys: "new" }), ...drained } },
    "the old key waits on the router",
  ],
  ["putOld", { facts: { ...port(both), ...drained, far: "updating" } }, settled],
  ["putOld", { facts: { ...port(both), ...drained, far: "unknown" } }, settled],
  ["putOld", { facts: { ...port(both), ...drained, ...lost, far: "new" } }, lossless],
  ["putOld", { facts: { ...port(both), ...undrained, far: "new" } }, lossless],
  ...(["promote", "removeOld"] as const).flatMap((action): readonly Spoil[] => [
    [action, { facts: { ...port(both), ...proven, ...windowShut } }, preconditions],
    [action, { facts: { ...port(both), ...proven, ...undrained } }, isDrained],
    [action, { facts: { ...port({ keys: "new" }), ...proven } }, bothKeys],
    [action, { facts: { ...port(both), ...proven, proof: waiting } }, isProven],
    [action, { facts: { ...port(both), ...proven, laterSaks } }, laterProven],
  ]),
  [
    "removeNew",
    { facts: { ...port(both), ...drained, oldProof: held, ...windowShut } },
    preconditions,
  ],
  ["removeNew", { facts: { ...port(both), ...undrained, oldProof: held } }, isDrained],
  ["removeNew", { facts: { ...port({}), ...drained, oldProof: held } }, bothKeys],
  [
    "removeNew",
    { facts: { ...port({ ...both, carriedBy: "new" }), ...drained, oldProof: held } },
    byOld,
  ],
  ["removeNew", { facts: { ...port(both), ...drained } }, "the old key is proven"],
  ["removeNew", { facts: { ...port(both), ...drained, oldProof: held, far: "either" } }, farOld],
  ["replace", { overlap: "keychain" }, oneKey],
  [
    "replace",
    { facts: { ...port({ carriedBy: "nothing", pending: "foreign" }), ...valid, far: "new" } },
    quiet,
  ],
  ["replace", { facts: { ...port(gone), ...valid, far: "new" } }, oldOrHalf],
  [
    "replace",
    { facts: { ...port({ carriedBy: "nothing" }), ...refusedKey, far: "new" } },
    validated,
  ],
  ["replace", { facts: { ...port({}), ...valid, far: "new" } }, followsNew],
  ["replace", { facts: { ...port({ carriedBy: "nothing" }), ...valid, ...drained } }, followsNew],
  ["replace", { facts: { ...valid, ...drained, ...windowShut, far: "either" } }, followsNew],
  ["replace", { facts: { ...valid, ...undrained, far: "either" } }, followsNew],
  ...(["replace", "replaceBack"] as const).flatMap((action): readonly Spoil[] => {
    const far = action === "replace" ? ("new" as const) : ("old" as const);
    const works = { ...port({ ...half, carriedBy: far }), ...valid, far };
    const guard = action === "replace" ? followsNew : followsOld;
    const other = port({ ...half, carriedBy: far === "new" ? "old" : "new" });
    return [
      [action, { facts: { ...works, ...undrained } }, guard],
      [action, { facts: { ...works, ...drained, ...windowShut } }, guard],
      [action, { facts: { ...works, ...other, ...drained } }, guard],
    ];
  }),
  ["replaceBack", { overlap: "keychain" }, oneKey],
  ["replaceBack", { facts: { ...port({ ...gone, pending: "foreign" }), ...valid } }, quiet],
  ["replaceBack", { facts: { ...port({}), ...valid } }, newOrHalf],
  ["replaceBack", { kind: "enrol" }, oldExists],
  ["replaceBack", { facts: port(gone) }, validated],
  ["replaceBack", { facts: { ...port({ ...gone, carriedBy: "new" }), ...valid } }, followsOld],
  ["replaceBack", { facts: { ...port(gone), ...valid, ...drained, far: "new" } }, followsOld],
  ["rekeySak", { facts: { ...port({ keys: "new" }), ...proven, ...windowShut } }, preconditions],
  ["rekeySak", { facts: { ...port({ keys: "new" }), ...proven, ...undrained } }, isDrained],
  ["rekeySak", { facts: { ...port(both), ...proven } }, newAlone],
  ["rekeySak", { facts: { ...port({ keys: "new" }), ...proven, proof: waiting } }, isProven],
  ["renewSak", { facts: { ...port(both), ...proven, laterSaks, ...windowShut } }, preconditions],
  ["renewSak", { facts: { ...port(both), ...proven, laterSaks, ...undrained } }, isDrained],
  ["renewSak", { facts: { ...port({ keys: "new" }), ...proven, laterSaks } }, bothKeys],
  ["renewSak", { facts: { ...port(both), ...proven, laterSaks, proof: waiting } }, isProven],
  ...(["old", "both"] as const).map((mayLose): Spoil => {
    const facts = { ...port(both), ...proven, laterSaks, mayLose };
    return ["renewSak", { facts }, "no late change of ours takes the old key"];
  }),
  ["renewSak", { facts: { ...port(both), ...proven } }, "the next SAK can be asked for"],
  ["open", { marks: {} }, "it was shut for a key change"],
  ["open", { facts: port({ admin: "up" }) }, "it was shut for a key change"],
  ["open", { facts: port({ admin: "down", pending: "ours" }) }, quiet],
];

describe("an effect may not run", () => {
  const cells = spoils.map(([action, change, guard]) => {
    return [action, guard, JSON.stringify(change), change] as const;
  });
  it.each(cells)("%s may not run unless %s (%s)", (action, guard, _shown, change) => {
    expect(missing(action, { ...ready[action], ...change })).toEqual([guard]);
  });

  it("no effect but a probe may run while the router cannot be read", () => {
    for (const action of actionKinds.filter((each) => each !== "probe")) {
      expect(missing(action, { ...ready[action], facts: blind }), action).not.toEqual([]);
    }
    expect(missing("prepare", { overlap: bbm, facts: blind })).toEqual([quiet, oldOrHalf]);
    const put = { ...blind, ...valid, ...drained };
    expect(missing("putNew", { overlap: bbm, facts: put })).toEqual([isReady]);
  });

  it("each guard of each action has a case that needs it", () => {
    for (const action of actionKinds) {
      const named = new Set(spoils.filter(([each]) => each === action).map(([, , guard]) => guard));
      expect([action, [...named].toSorted()]).toEqual([
        action,
        guards[action].map(({ name }) => name).toSorted(),
      ]);
    }
  });
});
