// The far end moves, and the router follows: one small case for each row of the table.

import type { Facts, PortFacts } from "#agent/model/campaign.ts";
import {
  blind,
  held,
  manual,
  more,
  overdue,
  port,
  refused,
  refusedKey,
  reports,
  rowsOf,
  shut,
  valid,
  windowShut,
} from "../../kit/campaign-kit.ts";

const half = (carriedBy: PortFacts["carriedBy"]): Partial<Facts> =>
  port({ keys: "half", carriedBy });

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
        ["switching.halfUndrained", {}, { ...half("new"), far: "new" }, "gated", undefined],
        [
          "switching.halfWaits",
          {},
          { ...half("new"), far: "new", ...valid, drained: held, ...windowShut },
          "switching",
          undefined,
        ],
      ],
    ],
  ],
);

reports("rotate", "breakBeforeMake", [
  ["switching.personWaits", {}, { ...manual }],
  [
    "switching.unready",
    {},
    { ...manual, ...port({ keys: "new" }) },
    { code: "port.keys", keys: "new" },
  ],
  ["switching.unready", {}, { ...manual, ...blind }, { code: "router.unread" }],
  ["switching.putWaits", {}, { ...windowShut }, shut],
  ["switching.putWaits", {}, { ...valid }, more],
  [
    "switching.putWaits",
    {},
    { ...port({ pending: "foreign" }), drained: held },
    { code: "router.commitPending" },
  ],
  ["switching.putAgain", {}, { ...valid, drained: held }, undefined, "putNew"],
]);

reports("rotate", "keychain", [
  ["switching.personWaits", {}, { ...manual, ...port({ keys: "both" }) }],
  [
    "switching.unready",
    {},
    { ...manual, ...port({ keys: "else" }) },
    { code: "port.keys", keys: "else" },
  ],
  ["switching.putWaits", {}, { ...blind }, more],
  ["switching.putWaits", {}, { ...blind, drained: held }, { code: "router.unread" }],
  ["switching.farUnsettled", {}, { far: "unknown" }],
  ["switching.farUnsettled", {}, { far: "updating" }],
  ["switching.farUnsettledLate", {}, { far: "unknown", ...overdue }],
  ["switching.farUnsettledLate", {}, { far: "updating", ...overdue }],
  ["switching.farFailed", {}, { far: "failed" }, { code: "farEnd.failed" }],
  ["switching.farFailed", {}, { far: "other" }, { code: "farEnd.foreign" }],
  ["switching.farFailed", {}, { far: "other", farIsOff: true }, { code: "farEnd.off" }],
]);

reports("change", "breakBeforeMake", [
  ["switching.prepare", {}, { ...half("nothing"), far: "new" }, undefined, "prepare"],
  ["switching.replace", {}, { ...half("nothing"), far: "new", ...valid }, undefined, "replace"],
  [
    "switching.replace",
    {},
    { ...half("new"), far: "new", ...valid, drained: held },
    undefined,
    "replace",
  ],
  ["switching.stillOld", {}, { ...half("old"), far: "new", ...valid }, undefined, "probe"],
  ["switching.halfUndrained", {}, { ...half("old"), far: "either" }],
  ["switching.prepareFirst", {}, { ...half("old") }, undefined, "prepare"],
  ["switching.putAgain", {}, { ...half("old"), ...valid, drained: held }, undefined, "putNew"],
  ["switching.personWaits", {}, { ...half("old"), ...manual }],
  [
    "switching.halfWaits",
    {},
    { ...half("new"), far: "new", ...valid, drained: held, ...windowShut },
    shut,
  ],
  ["switching.eitherLate", {}, { far: "either", ...refusedKey }, refused],
  ["switching.eitherLate", {}, { far: "either", ...valid, ...overdue }, more],
]);
