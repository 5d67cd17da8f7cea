// The far end moves, and the router follows: one small case for each row of the table.

import { blind, held, manual, overdue, port, refusedKey, rowsOf, valid } from "./campaign-kit.ts";

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
          { ...overdue, ...manual },
          "gated",
          undefined,
          { asked: false, claimed: false },
        ],
        ["switching.personWaits", {}, { ...manual }, "switching", undefined],
        ["switching.late", {}, { ...overdue }, "reverting", undefined],
        [
          "switching.putAgain",
          {},
          { ...port({ keys: "both" }), drained: held },
          "switching",
          "putNew",
          { told: true },
        ],
        ["switching.putWaits", {}, {}, "switching", undefined],
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
