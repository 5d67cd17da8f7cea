// The far end moves, and the router follows: one small case for each row of the table.

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
  windowShut,
} from "../../kit/campaign-kit.ts";

rowsOf(
  ["switching"],
  [
    [
      "rotate",
      "keychain",
      [
        [
          "switching.giveBack",
          {},
          { ...port({ drain: "on" }), sibling: "lost" },
          "switching",
          "restore",
        ],
        ["switching.farUnsettledLate", {}, { far: "updating", ...overdue }, "held", undefined],
        ["switching.farUnsettled", {}, { far: "updating" }, "switching", undefined],
        ["switching.farFailed", {}, { far: "failed" }, "held", undefined],
        ["switching.both", {}, { far: "new" }, "proving", undefined],
        [
          "switching.personLate",
          {},
          { ...port({ keys: "both" }), ...overdue, ...manual },
          "gated",
          undefined,
          { asked: false, claimed: false },
        ],
        [
          "switching.personWaits",
          {},
          { ...port({ keys: "both" }), ...manual },
          "switching",
          undefined,
        ],
        ["switching.unready", {}, { ...port({ keys: "else" }), ...manual }, "switching", undefined],
        ["switching.newKeyGone", {}, {}, "gated", undefined],
        ["switching.late", {}, { ...port({ keys: "both" }), ...overdue }, "reverting", undefined],
        [
          "switching.putAgain",
          {},
          { ...port({ keys: "both" }), drained: held },
          "switching",
          "putNew",
          { told: true },
        ],
        ["switching.putWaits", {}, { ...port({ keys: "both" }) }, "switching", undefined],
      ],
    ],
    [
      "rotate",
      "breakBeforeMake",
      [
        ["switching.reopen", { shut: true }, { ...port({ admin: "down" }) }, "switching", "open"],
        ["switching.unreadLate", {}, { ...blind, far: "new", ...overdue }, "held", undefined],
        ["switching.unread", {}, { ...blind, far: "new" }, "switching", undefined],
        ["switching.followed", {}, { ...port({ keys: "new" }), far: "new" }, "proving", undefined],
        ["switching.strange", {}, { ...port({ keys: "else" }), far: "new" }, "held", undefined],
        [
          "switching.foreignCommitStays",
          {},
          { ...port({ pending: "foreign" }), far: "new", ...overdue },
          "held",
          undefined,
        ],
        [
          "switching.foreignCommit",
          {},
          { ...port({ pending: "foreign" }), far: "new" },
          "switching",
          undefined,
        ],
        ["switching.half", {}, { far: "new", ...overdue }, "held", undefined],
        ["switching.stillOld", {}, { far: "new" }, "switching", "probe"],
        [
          "switching.refused",
          {},
          { ...port({ carriedBy: "nothing" }), far: "new", ...refusedKey },
          "held",
          undefined,
        ],
        [
          "switching.lostCommits",
          {},
          { ...port({ carriedBy: "nothing" }), far: "new", lostCommits: 3 },
          "held",
          undefined,
        ],
        [
          "switching.replace",
          {},
          { ...port({ carriedBy: "nothing" }), far: "new", ...valid },
          "switching",
          "replace",
        ],
        [
          "switching.unpreparedLate",
          {},
          { ...port({ carriedBy: "nothing" }), far: "new", ...overdue },
          "held",
          undefined,
        ],
        [
          "switching.prepare",
          {},
          { ...port({ carriedBy: "nothing" }), far: "new" },
          "switching",
          "prepare",
        ],
        ["switching.oldRefused", {}, { ...refusedKey }, "reverting", undefined],
        ["switching.lateAlone", {}, { sibling: "lost", ...overdue }, "gated", undefined],
        ["switching.prepareFirst", {}, {}, "switching", "prepare"],
      ],
    ],
    [
      "change",
      "breakBeforeMake",
      [
        ["switching.eitherLate", {}, { far: "either", ...overdue }, "reverting", undefined],
        ["switching.eitherWaits", {}, { far: "either", ...valid }, "switching", undefined],
      ],
    ],
  ],
);

const more = "7 s more to be sure";
const settles = "waiting for the far end to finish its change";
const obeyed = "nobody knows whether the far end obeyed: look at it before anything else";
const now = "change the far end now: it is still as before";
const leave = "leave the far end as it is: the router holds";
const notTaken = "the router did not take the new settings:";
const gate = "gate.window: the window is shut";

tells("rotate", "breakBeforeMake", [
  ["switching.personWaits", {}, { ...manual }, now],
  ["switching.unready", {}, { ...manual, ...port({ keys: "new" }) }, `${leave} the new key`],
  [
    "switching.unready",
    {},
    { ...manual, ...blind },
    "the router cannot be read: leave the far end as it is for now",
  ],
  ["switching.putWaits", {}, { ...windowShut }, gate],
  ["switching.putWaits", {}, { ...valid }, more],
  [
    "switching.putWaits",
    {},
    { ...port({ pending: "foreign" }), drained: held },
    "a commit is pending on the router",
  ],
  [
    "switching.putAgain",
    {},
    { ...valid, drained: held },
    "the far end is asked to use the new key",
    "putNew",
  ],
]);

tells("rotate", "keychain", [
  ["switching.personWaits", {}, { ...manual, ...port({ keys: "both" }) }, now],
  ["switching.unready", {}, { ...manual, ...port({ keys: "else" }) }, `${leave} a foreign key`],
  ["switching.putWaits", {}, { ...blind }, more],
  ["switching.putWaits", {}, { ...blind, drained: held }, "the router cannot be read"],
  ["switching.farUnsettled", {}, { far: "unknown" }, settles],
  ["switching.farUnsettled", {}, { far: "updating" }, settles],
  ["switching.farUnsettledLate", {}, { far: "unknown", ...overdue }, obeyed],
  ["switching.farUnsettledLate", {}, { far: "updating", ...overdue }, obeyed],
  ["switching.farFailed", {}, { far: "failed" }, "the far end reports that its change failed"],
  ["switching.farFailed", {}, { far: "other" }, "the far end is set to another key"],
]);

tells("change", "breakBeforeMake", [
  ["switching.eitherLate", {}, { far: "either", ...refusedKey }, `${notTaken} suite not offered`],
  ["switching.eitherLate", {}, { far: "either", ...valid, ...overdue }, `${notTaken} ${more}`],
]);
