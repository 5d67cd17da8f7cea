// The new key joins the old one on the router: one small case for each row of the table.

import {
  blind,
  held,
  manual,
  overdue,
  port,
  refusedKey,
  rowsOf,
  tells,
  windowShut,
} from "../../kit/campaign-kit.ts";

rowsOf(
  ["staging", "staged"],
  [
    [
      "rotate",
      "keychain",
      [
        ["staging.reopen", { shut: true }, { ...port({ admin: "down" }) }, "staging", "open"],
        [
          "staging.giveBack",
          {},
          { ...port({ drain: "on" }), sibling: "lost" },
          "staging",
          "restore",
        ],
        ["staging.unreadLate", {}, { ...blind, ...overdue }, "held", undefined],
        ["staging.unread", {}, { ...blind }, "staging", undefined],
        ["staging.needed", {}, { ...port({ pending: "ours" }) }, "staging", "confirm"],
        [
          "staging.confirm",
          {},
          { ...port({ keys: "both", pending: "ours" }), staged: held },
          "staging",
          "confirm",
        ],
        [
          "staging.rollBack",
          {},
          { ...port({ keys: "both", pending: "ours" }), ...overdue },
          "staging",
          "rollBack",
          { aborted: true, shut: true },
        ],
        [
          "staging.stuck",
          { aborted: true },
          { ...port({ keys: "both", pending: "ours", carriedBy: "nothing" }), ...overdue },
          "held",
          undefined,
        ],
        [
          "staging.abort",
          {},
          { ...port({ keys: "both", pending: "ours", carriedBy: "nothing" }), ...overdue },
          "staging",
          undefined,
          { aborted: true },
        ],
        [
          "staging.verifies",
          {},
          { ...port({ keys: "both", pending: "ours" }) },
          "staging",
          undefined,
        ],
        [
          "staging.foreignCommitStays",
          {},
          { ...port({ pending: "foreign" }), ...overdue },
          "held",
          undefined,
        ],
        ["staging.foreignCommit", {}, { ...port({ pending: "foreign" }) }, "staging", undefined],
        [
          "staging.bothAborted",
          { aborted: true },
          { ...port({ keys: "both" }) },
          "reverting",
          undefined,
        ],
        ["staging.both", {}, { ...port({ keys: "both" }) }, "staged", undefined],
        ["staging.addForFar", {}, { far: "new" }, "staging", "add"],
        [
          "staging.farNewRefused",
          {},
          { far: "new", lostCommits: 3, ...overdue },
          "held",
          undefined,
        ],
        ["staging.refused", {}, { ...refusedKey }, "restoring", undefined, { outcome: "reverted" }],
        ["staging.turnBack", {}, { ...overdue }, "restoring", undefined, { outcome: "reverted" }],
        ["staging.undrained", {}, {}, "gated", undefined],
        ["staging.stage", {}, { drained: held }, "staging", "stage"],
        ["staging.addAgain", { told: true }, { drained: held }, "staging", "add"],
        ["staging.waits", {}, { ...port({ drain: "on" }) }, "staging", undefined],
        ["staging.newAlone", {}, { ...port({ keys: "new" }), far: "new" }, "proving", undefined],
        ["staging.oldKeyGone", {}, { ...port({ keys: "else" }) }, "held", undefined],
        ["staged.giveBack", {}, { ...port({ drain: "on" }), sibling: "lost" }, "staged", "restore"],
        ["staged.unreadLate", {}, { ...blind, ...overdue }, "held", undefined],
        ["staged.unread", {}, { ...blind }, "staged", undefined],
        [
          "staged.foreignCommitStays",
          {},
          { ...port({ pending: "foreign" }), ...overdue },
          "held",
          undefined,
        ],
        ["staged.foreignCommit", {}, { ...port({ pending: "foreign" }) }, "staged", undefined],
        ["staged.updating", {}, { far: "updating" }, "switching", undefined],
        ["staged.newKeyGone", {}, {}, "gated", undefined],
        ["staged.farNew", {}, { ...port({ keys: "both" }), far: "new" }, "proving", undefined],
        ["staged.strange", {}, { ...port({ keys: "both" }), far: "other" }, "held", undefined],
        [
          "staged.askPerson",
          {},
          { ...port({ keys: "both" }), ...manual },
          "awaitingPeer",
          undefined,
        ],
        ["staged.giveUp", {}, { ...port({ keys: "both" }) }, "gated", undefined],
        [
          "staged.tellPerson",
          { asked: true },
          { ...port({ keys: "both" }), drained: held, ...manual },
          "switching",
          undefined,
          { told: true },
        ],
        [
          "staged.put",
          {},
          { ...port({ keys: "both" }), drained: held },
          "switching",
          "putNew",
          { told: true },
        ],
        ["staged.waits", {}, { ...port({ keys: "both", drain: "on" }) }, "staged", undefined],
      ],
    ],
    [
      "rotate",
      "breakBeforeMake",
      [
        ["staged.reopen", { shut: true }, { ...port({ admin: "down" }) }, "staged", "open"],
        ["staged.pending", {}, { ...port({ pending: "ours" }) }, "staging", undefined],
      ],
    ],
  ],
);

const more = "7 s more to be sure";
const rolledBack = "the staged key could not be verified: it is rolled back";
const turnedBack = "the new key could not be put beside the old one";
const neither = "the port holds neither the old key nor what was staged";
const unread = "router or far end cannot be read";
const beside = { keys: "both", pending: "ours" } as const;
const pending = port(beside);
const gone = { pending: "ours" } as const;
const foreignKey = port({ keys: "else" });
const sibling = { sibling: "lost" } as const;
const notTaken = "the far end is new, the router does not take it:";

const needed = "the staged key is needed: its commit is confirmed";
const overtaken =
  "the staged key is gone again: its commit is confirmed, as undoing it might undo more";

tells("rotate", "keychain", [
  ["staging.needed", {}, { ...pending, far: "new" }, needed, "confirm"],
  ["staging.needed", {}, { ...pending, far: "updating" }, needed, "confirm"],
  ["staging.needed", {}, { ...port({ ...beside, carriedBy: "new" }) }, needed, "confirm"],
  ["staging.needed", { aborted: true }, { ...port(gone) }, overtaken, "confirm"],
  ["staging.needed", {}, { ...port({ ...gone, keys: "else" }), ...overdue }, overtaken, "confirm"],
  ["staging.verifies", {}, { ...port({ ...gone, keys: "else", carriedBy: "nothing" }) }, more],
  ["staging.verifies", {}, { ...port({ ...beside, keys: "new", carriedBy: "nothing" }) }, more],
  ["staging.unread", { shut: true }, { ...blind }, "the router cannot be read"],
  ["staging.rollBack", { aborted: true }, { ...pending, staged: held }, rolledBack, "rollBack"],
  ["staging.rollBack", {}, { ...pending, staged: held, ...overdue }, rolledBack, "rollBack"],
  ["staging.rollBack", {}, { ...pending, staged: held, ...sibling }, rolledBack, "rollBack"],
  [
    "staging.abort",
    { told: true },
    { ...pending, ...sibling },
    "the staged key could not be verified: the device will revert it",
  ],
  [
    "staging.verifies",
    { aborted: true, told: true },
    { ...pending },
    "waiting until the device has reverted the staged key",
  ],
  ["staging.verifies", {}, { ...pending }, more],
  ["staging.verifies", {}, { ...pending, staged: held, far: "unknown" }, "waiting for the far end"],
  [
    "staging.both",
    { aborted: true },
    { ...port({ keys: "both" }), far: "new" },
    "the router holds both keys",
  ],
  [
    "staging.addForFar",
    {},
    { far: "new", ...overdue },
    "the far end has the new key: the router gets it too",
    "add",
  ],
  [
    "staging.farNewRefused",
    {},
    { far: "new", ...overdue, ...refusedKey },
    `${notTaken} suite not offered`,
  ],
  ["staging.farNewRefused", {}, { far: "new", ...overdue, lostCommits: 3 }, `${notTaken} ${more}`],
  ["staging.oldKeyGone", {}, { ...foreignKey, far: "new", ...overdue, ...refusedKey }, neither],
  ["staging.oldKeyGone", {}, { ...foreignKey, ...refusedKey }, neither],
  ["staging.oldKeyGone", {}, { ...foreignKey, ...overdue }, neither],
  ["staging.oldKeyGone", {}, { ...port({ keys: "new" }) }, neither],
  ["staging.oldKeyGone", {}, { ...foreignKey, far: "new" }, neither],
  ["staging.turnBack", {}, { ...port({ carriedBy: "nothing" }), ...sibling }, turnedBack],
  ["staging.turnBack", {}, { lostCommits: 3 }, turnedBack],
  [
    "staging.stage",
    {},
    { lostCommits: 2, drained: held },
    "the new key is put beside the old one",
    "stage",
  ],
  [
    "staging.waits",
    { told: true },
    { far: "failed", drained: held },
    "the port holds the old key and the far end is failed",
  ],
  ["staging.waits", {}, { ...port({ drain: "on" }) }, more],
]);

const both = port({ keys: "both" });
const dark = port({ keys: "both", carriedBy: "nothing" });
const gate = "gate.window: the window is shut";

tells("rotate", "keychain", [
  ["staged.unreadLate", {}, { ...both, far: "unknown", ...overdue }, unread],
  ["staged.unread", {}, { ...both, far: "unknown" }, unread],
  ["staged.unread", {}, { ...blind }, unread],
  [
    "staged.strange",
    {},
    { ...both, far: "other" },
    "the far end is other while both keys wait on the router",
  ],
  [
    "staged.strange",
    {},
    { ...foreignKey },
    "the old key is gone from the port while the far end still uses it",
  ],
  ["staged.giveUp", {}, { ...dark, ...sibling, drained: held, ...windowShut }, gate],
  ["staged.giveUp", {}, { ...both, ...overdue, drained: held, ...windowShut }, gate],
  ["staged.giveUp", {}, { ...both }, more],
  ["staged.waits", { asked: true }, { ...both, ...manual, drained: held, ...windowShut }, gate],
  ["staged.waits", { asked: true }, { ...port({ keys: "both", drain: "on" }), ...manual }, more],
]);
