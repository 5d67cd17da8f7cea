// The traffic moves away: one small case for each row of the table.

import {
  blind,
  held,
  manual,
  more,
  overdue,
  port,
  refusedKey,
  reports,
  rowsOf,
  valid,
  withheld,
} from "../../kit/campaign-kit.ts";

rowsOf(
  ["draining"],
  [
    [
      "rotate",
      "keychain",
      [
        [
          "draining.giveBack",
          {},
          { ...port({ drain: "on" }), sibling: "lost" },
          "draining",
          "restore",
        ],
        ["draining.unreadLate", {}, { ...blind, ...overdue }, "held", undefined],
        ["draining.unread", {}, { ...blind }, "draining", undefined],
        [
          "draining.siblingLostBegun",
          {},
          { ...port({ keys: "both" }), sibling: "lost" },
          "gated",
          undefined,
        ],
        [
          "draining.siblingLost",
          {},
          { sibling: "lost" },
          "restoring",
          undefined,
          { outcome: "reverted" },
        ],
        ["draining.withheld", {}, { withheld }, "gated", undefined],
        ["draining.lateBegun", {}, { ...port({ keys: "both" }), ...overdue }, "held", undefined],
        ["draining.late", {}, { ...overdue }, "restoring", undefined, { outcome: "reverted" }],
        ["draining.pending", {}, { ...port({ pending: "ours" }) }, "staging", undefined],
        [
          "draining.foreignCommitStays",
          {},
          { ...port({ pending: "foreign" }), drained: held, ...overdue },
          "held",
          undefined,
        ],
        ["draining.foreignCommit", {}, { ...port({ pending: "foreign" }) }, "draining", undefined],
        [
          "draining.lostBegun",
          {},
          { ...port({ keys: "both" }), lostCommits: 3 },
          "held",
          undefined,
        ],
        ["draining.lost", {}, { lostCommits: 3 }, "restoring", undefined, { outcome: "reverted" }],
        ["draining.again", {}, {}, "draining", "drain"],
        ["draining.waits", {}, { ...port({ drain: "on" }) }, "draining", undefined],
        ["draining.back", { goal: "revert" }, { drained: held }, "reverting", undefined],
        ["draining.strange", {}, { far: "other", drained: held }, "held", undefined],
        ["draining.updating", {}, { far: "updating", drained: held }, "switching", undefined],
        [
          "draining.farUnseenLate",
          {},
          { far: "unknown", drained: held, ...overdue },
          "held",
          undefined,
        ],
        ["draining.farUnseen", {}, { far: "unknown", drained: held }, "draining", undefined],
        [
          "draining.farNew",
          {},
          { ...port({ keys: "both" }), far: "new", drained: held },
          "proving",
          undefined,
        ],
        [
          "draining.farNewFirst",
          {},
          { far: "new", drained: held },
          "staging",
          undefined,
          { aborted: false },
        ],
        ["draining.stages", {}, { drained: held }, "staging", undefined, { aborted: false }],
        ["draining.staged", {}, { ...port({ keys: "both" }), drained: held }, "staged", undefined],
        ["draining.oldKeyGone", {}, { ...port({ keys: "new" }), drained: held }, "held", undefined],
      ],
    ],
    [
      "rotate",
      "breakBeforeMake",
      [
        [
          "draining.follow",
          {},
          { far: "new", drained: held },
          "switching",
          undefined,
          { told: true },
        ],
        [
          "draining.newAlone",
          {},
          { ...port({ keys: "new" }), drained: held },
          "reverting",
          undefined,
        ],
        [
          "draining.refused",
          {},
          { drained: held, ...refusedKey, ...manual },
          "reverting",
          undefined,
        ],
        [
          "draining.validated",
          {},
          { drained: held, ...valid, ...manual },
          "switching",
          undefined,
          { told: true },
        ],
        [
          "draining.unvalidated",
          {},
          { drained: held, ...overdue, ...manual },
          "reverting",
          undefined,
        ],
        ["draining.validates", {}, { drained: held, ...manual }, "draining", "prepare"],
        ["draining.breaks", {}, { drained: held }, "switching", undefined],
      ],
    ],
    [
      "change",
      "breakBeforeMake",
      [["draining.reopen", { shut: true }, { ...port({ admin: "down" }) }, "draining", "open"]],
    ],
  ],
);

reports("rotate", "keychain", [
  ["draining.waits", {}, { ...port({ drain: "on" }) }, more],
  ["draining.late", {}, { ...overdue }, more],
  ["draining.strange", {}, { ...port({ keys: "else" }), drained: held }],
  ["draining.strange", {}, { drained: held, far: "other" }],
  ["draining.strange", {}, { drained: held, far: "failed" }],
]);

reports("rotate", "breakBeforeMake", [
  ["draining.newAlone", {}, { ...port({ keys: "new" }), drained: held, ...manual }],
]);

// A person is not asked for a change that both settings already show.
reports("change", "breakBeforeMake", [
  ["draining.farNew", {}, { ...port({ keys: "new" }), drained: held, far: "either" }],
  ["draining.breaks", {}, { ...manual, drained: held, far: "either" }],
  ["draining.breaks", {}, { ...port({ keys: "half" }), drained: held }],
  ["draining.validated", {}, { ...port({ keys: "half" }), drained: held, ...valid, ...manual }],
]);
