// Traffic comes back, or the old key does: one small case for each row of the table.

import {
  blind,
  held,
  manual,
  overdue,
  port,
  refusedKey,
  rowsOf,
  tells,
  valid,
} from "./campaign-kit.ts";

rowsOf(
  ["restoring", "reverting"],
  [
    [
      "rotate",
      "keychain",
      [
        ["restoring.reopen", { shut: true }, { ...port({ admin: "down" }) }, "restoring", "open"],
        ["restoring.unreadLate", {}, { ...blind, ...overdue }, "held", undefined],
        ["restoring.unread", {}, { ...blind }, "restoring", undefined],
        ["restoring.confirm", {}, { ...port({ pending: "ours" }) }, "restoring", "confirm"],
        [
          "restoring.rollBack",
          {},
          { ...port({ keys: "both", pending: "ours" }) },
          "restoring",
          "rollBack",
          { shut: true },
        ],
        [
          "restoring.foreignCommitStays",
          {},
          { ...port({ pending: "foreign" }), ...overdue },
          "held",
          undefined,
        ],
        [
          "restoring.foreignCommit",
          {},
          { ...port({ pending: "foreign" }) },
          "restoring",
          undefined,
        ],
        ["restoring.restore", {}, { ...port({ drain: "on" }) }, "restoring", "restore"],
        [
          "restoring.rotated",
          {},
          { ...port({ keys: "new" }), far: "new", carrying: held },
          "done",
          undefined,
          { outcome: "rotated" },
        ],
        ["restoring.reverted", {}, { carrying: held }, "done", undefined, { outcome: "reverted" }],
        ["restoring.both", {}, { ...port({ keys: "both" }), carrying: held }, "gated", undefined],
        ["restoring.late", {}, { ...overdue }, "held", undefined],
        ["restoring.waits", {}, {}, "restoring", "probe"],
        ["reverting.reopen", { shut: true }, { ...port({ admin: "down" }) }, "reverting", "open"],
        [
          "reverting.giveBack",
          {},
          { ...port({ drain: "on" }), sibling: "lost" },
          "reverting",
          "restore",
        ],
        [
          "reverting.foreignCommitStays",
          {},
          { ...port({ pending: "foreign" }), ...overdue },
          "held",
          undefined,
        ],
        [
          "reverting.foreignCommit",
          {},
          { ...port({ pending: "foreign" }) },
          "reverting",
          undefined,
        ],
        ["reverting.late", {}, { ...overdue }, "held", undefined],
        ["reverting.unread", {}, { ...blind }, "reverting", undefined],
        ["reverting.farOther", {}, { far: "other" }, "held", undefined],
        ["reverting.farByHand", {}, { far: "new", ...manual }, "held", undefined],
        ["reverting.oldKeyGone", {}, { ...port({ keys: "new" }), far: "new" }, "held", undefined],
        ["reverting.undrained", {}, { far: "new" }, "gated", undefined, { goal: "revert" }],
        [
          "reverting.put",
          {},
          { ...port({ carriedBy: "nothing" }), far: "new" },
          "reverting",
          "putOld",
          { told: true },
        ],
        ["reverting.putWaits", {}, { far: "new", sibling: "lost" }, "reverting", undefined],
        ["reverting.noOldKey", {}, { ...port({ keys: "else" }) }, "held", undefined],
        ["reverting.notYet", {}, { ...port({ carriedBy: "nothing" }) }, "reverting", "probe"],
        ["reverting.removed", {}, {}, "restoring", undefined, { outcome: "reverted" }],
        [
          "reverting.removeUndrained",
          {},
          { ...port({ keys: "both" }), oldProof: held },
          "gated",
          undefined,
          { goal: "revert" },
        ],
        [
          "reverting.remove",
          {},
          { ...port({ keys: "both" }), drained: held, oldProof: held },
          "reverting",
          "removeNew",
        ],
        [
          "reverting.removeWaits",
          {},
          { ...port({ keys: "both" }), sibling: "lost", oldProof: held },
          "reverting",
          undefined,
        ],
      ],
    ],
    [
      "rotate",
      "fallback",
      [
        ["reverting.confirm", {}, { ...port({ pending: "ours" }) }, "reverting", "confirm"],
        [
          "reverting.rollBack",
          {},
          { ...port({ keys: "both", pending: "ours" }) },
          "reverting",
          "rollBack",
          { shut: true },
        ],
      ],
    ],
    [
      "rotate",
      "breakBeforeMake",
      [
        [
          "reverting.prepare",
          {},
          { ...port({ keys: "new", drain: "on" }), far: "new" },
          "reverting",
          "prepareBack",
        ],
        [
          "reverting.refused",
          {},
          { ...port({ drain: "on" }), far: "new", ...refusedKey },
          "held",
          undefined,
        ],
        ["reverting.replacedBack", {}, {}, "restoring", undefined, { outcome: "reverted" }],
        [
          "reverting.replaceBack",
          {},
          { ...port({ keys: "new" }), ...valid },
          "reverting",
          "replaceBack",
        ],
        ["reverting.prepareLate", {}, { ...port({ keys: "new" }) }, "reverting", "prepareBack"],
        [
          "reverting.backRefused",
          {},
          { ...port({ carriedBy: "nothing" }), ...refusedKey },
          "held",
          undefined,
        ],
        ["reverting.breakWaits", {}, { ...port({ carriedBy: "nothing" }) }, "reverting", "probe"],
      ],
    ],
    [
      "enrol",
      "breakBeforeMake",
      [
        [
          "restoring.enrolled",
          {},
          { ...port({ keys: "new" }), far: "new", carrying: held },
          "done",
          undefined,
          { outcome: "enrolled" },
        ],
        [
          "reverting.pending",
          {},
          { ...port({ keys: "both", pending: "ours", carriedBy: "nothing" }) },
          "reverting",
          undefined,
        ],
        ["reverting.farEnrol", {}, { far: "new" }, "held", undefined],
        ["reverting.enrolBare", {}, {}, "restoring", undefined, { outcome: "reverted" }],
        ["reverting.enrolKeyed", {}, { ...port({ keys: "else" }) }, "held", undefined],
      ],
    ],
    [
      "change",
      "breakBeforeMake",
      [
        [
          "restoring.changed",
          {},
          { ...port({ keys: "new" }), far: "new", carrying: held },
          "done",
          undefined,
          { outcome: "changed" },
        ],
      ],
    ],
  ],
);

const more = "7 s more to be sure";
const late = "the link does not carry again:";
const odd = "the link carries, and not as it should:";
const proveFirst = "the old key must be proven before the new one goes:";
const askAgain = "the far end is asked to use the old key again";
const bothOld = { keys: "both", carriedBy: "old" } as const;

tells("rotate", "keychain", [
  ["restoring.waits", {}, {}, more, "probe"],
  ["restoring.late", {}, { ...overdue }, `${late} ${more}`],
  [
    "restoring.late",
    {},
    { ...overdue, far: "updating", carrying: held },
    `${odd} the router holds the old key and the far end is updating`,
  ],
  [
    "restoring.waits",
    {},
    { far: "new", carrying: held },
    "the router holds the old key and the far end is new",
    "probe",
  ],
  [
    "restoring.waits",
    {},
    { ...port({ keys: "else" }), carrying: held },
    "the router holds a foreign key and the far end is old",
    "probe",
  ],
  [
    "restoring.waits",
    { told: true },
    { ...port({ keys: "both", pending: "ours" }), carrying: held },
    "the router holds both keys and the far end is old",
    "probe",
  ],
  [
    "restoring.late",
    {},
    { ...port({ drain: "on" }), ...overdue, carrying: held },
    `${odd} the router holds the old key and the far end is old`,
  ],
  [
    "reverting.farByHand",
    {},
    { ...port(bothOld), ...manual, far: "failed" },
    "a person must point the far end back at the old key, then resume or revert",
  ],
  ["reverting.put", {}, { ...port(bothOld), far: "new", drained: held }, askAgain, "putOld"],
  [
    "reverting.notYet",
    {},
    { ...port({ keys: "both", carriedBy: "nothing" }), oldProof: held },
    `${proveFirst} it is not in charge yet`,
    "probe",
  ],
  ["reverting.notYet", {}, { ...port(bothOld) }, `${proveFirst} ${more}`, "probe"],
  ["reverting.removeWaits", {}, { ...port({ ...bothOld, drain: "on" }), oldProof: held }, more],
  ["reverting.unread", {}, { far: "unknown" }, "waiting to read both ends"],
  ["reverting.unread", {}, { far: "updating" }, "waiting to read both ends"],
]);

tells("rotate", "breakBeforeMake", [
  [
    "reverting.put",
    {},
    { ...port({ keys: "new", carriedBy: "nothing" }), ...valid, far: "new" },
    askAgain,
    "putOld",
  ],
  [
    "reverting.breakWaits",
    {},
    { ...port({ keys: "new", carriedBy: "new" }), ...valid },
    "waiting for the link to work with the old key",
    "probe",
  ],
  [
    "reverting.noOldKey",
    {},
    { ...port({ keys: "else" }) },
    "the old key is not on the port: it cannot go back by itself",
  ],
]);
