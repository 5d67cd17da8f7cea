// The states in which traffic stays on: one small case for each row of the table.

import {
  blind,
  manual,
  port,
  type ReportedCase,
  reports,
  rowsOf,
  shut,
  windowShut,
} from "../../kit/campaign-kit.ts";

rowsOf(
  ["queued", "gated", "awaitingPeer", "held", "done"],
  [
    [
      "rotate",
      "keychain",
      [
        ["queued.free", {}, {}, "gated", undefined],
        ["gated.reopen", { shut: true }, { ...port({ admin: "down" }) }, "gated", "open"],
        ["gated.parkConfirm", {}, { ...port({ pending: "ours" }) }, "gated", "confirm"],
        [
          "gated.parkRollBack",
          {},
          { ...port({ keys: "both", pending: "ours" }) },
          "gated",
          "rollBack",
          { shut: true },
        ],
        ["gated.parkRestore", {}, { ...port({ drain: "on" }) }, "gated", "restore"],
        ["gated.leftoverKey", {}, { ...port({ keys: "else" }) }, "gated", undefined],
        [
          "gated.addForFar",
          {},
          { ...port({ carriedBy: "nothing" }), far: "new" },
          "staging",
          undefined,
          { told: true, aborted: false },
        ],
        ["gated.dark", {}, { ...port({ keys: "new", outage: "lasting" }) }, "held", undefined],
        ["gated.lateChange", {}, { mayLose: "new" }, "gated", undefined],
        [
          "gated.askPerson",
          {},
          { ...port({ keys: "both" }), ...manual },
          "awaitingPeer",
          undefined,
        ],
        ["gated.closed", {}, { ...windowShut }, "gated", undefined],
        ["gated.open", {}, {}, "draining", "drain"],
        [
          "awaitingPeer.parkConfirm",
          {},
          { ...port({ pending: "ours" }) },
          "awaitingPeer",
          "confirm",
        ],
        ["awaitingPeer.parkRestore", {}, { ...port({ drain: "on" }) }, "awaitingPeer", "restore"],
        ["awaitingPeer.unreadable", {}, { ...blind }, "awaitingPeer", undefined],
        [
          "awaitingPeer.changed",
          {},
          { ...port({ keys: "both" }), far: "new" },
          "proving",
          undefined,
          { told: true },
        ],
        ["awaitingPeer.changedEarly", {}, { far: "new" }, "gated", undefined, { told: true }],
        ["awaitingPeer.farOther", {}, { far: "other" }, "held", undefined],
        ["awaitingPeer.newKeyGone", {}, {}, "gated", undefined],
        ["awaitingPeer.oldKeyGone", {}, { ...port({ keys: "new" }) }, "held", undefined],
        [
          "awaitingPeer.proceed",
          { asked: true },
          { ...port({ keys: "both" }) },
          "gated",
          undefined,
        ],
        ["awaitingPeer.waits", {}, { ...port({ keys: "both" }) }, "awaitingPeer", undefined],
        ["held.reopen", { shut: true }, { ...port({ admin: "down" }) }, "held", "open"],
        ["held.parkConfirm", {}, { ...port({ pending: "ours" }) }, "held", "confirm"],
        [
          "held.parkRollBack",
          {},
          { ...port({ keys: "both", pending: "ours" }) },
          "held",
          "rollBack",
          { shut: true },
        ],
        ["held.parkRestore", {}, { ...port({ drain: "on" }) }, "held", "restore"],
        ["held.goesOn", { again: true }, {}, "gated", undefined, { asked: false, aborted: false }],
        ["held.stays", {}, {}, "held", undefined],
        ["done.stays", {}, {}, "done", undefined],
      ],
    ],
    [
      "rotate",
      "breakBeforeMake",
      [
        [
          "gated.follow",
          {},
          { ...port({ carriedBy: "nothing" }), far: "new" },
          "switching",
          undefined,
          { told: true },
        ],
        [
          "awaitingPeer.reopen",
          { shut: true },
          { ...port({ admin: "down" }) },
          "awaitingPeer",
          "open",
        ],
        ["awaitingPeer.follow", {}, { far: "new" }, "switching", undefined, { told: true }],
      ],
    ],
    [
      "enrol",
      "breakBeforeMake",
      [
        [
          "awaitingPeer.parkRollBack",
          {},
          { ...port({ keys: "both", pending: "ours" }) },
          "awaitingPeer",
          "rollBack",
          { shut: true },
        ],
      ],
    ],
  ],
);

const dark = { carriedBy: "nothing", outage: "lasting" } as const;
const newAlone = { keys: "new", ...dark } as const;
const both = { keys: "both" } as const;

const darkCells: readonly ReportedCase[] = [
  ["gated.dark", {}, { ...port(newAlone) }, { code: "farEnd.apart", far: "old" }],
  ["gated.dark", {}, { ...port(newAlone), far: "other" }, { code: "farEnd.apart", far: "other" }],
  ["gated.dark", {}, { ...port(newAlone), far: "other", farIsOff: true }, { code: "farEnd.off" }],
  ["gated.dark", {}, { ...port(newAlone), far: "new" }, { code: "farEnd.apart", far: "new" }],
  ["gated.dark", {}, { ...port({ ...both, ...dark }) }, { code: "farEnd.apart", far: "old" }],
  ["gated.dark", {}, { ...port(newAlone), far: "failed" }, { code: "farEnd.failed" }],
  ["gated.open", { goal: "revert" }, { ...port(newAlone), far: "failed" }, undefined, "drain"],
  ["gated.closed", {}, { ...port(newAlone), ...windowShut, far: "updating" }, shut],
  ["gated.closed", {}, { ...port(newAlone), ...windowShut, far: "unknown" }, shut],
  ["gated.closed", {}, { ...port({ ...newAlone, pending: "foreign" }), ...windowShut }, shut],
  ["gated.open", {}, { ...port({ ...both, ...dark }), far: "new" }, undefined, "drain"],
  ["gated.open", { goal: "revert" }, { ...port(dark), far: "new" }, undefined, "drain"],
];

reports("rotate", "keychain", [
  ...darkCells,
  ["gated.closed", {}, { ...blind, ...windowShut }, shut],
  ["gated.closed", {}, { ...blind, ...windowShut, ...manual }, shut],
  [
    "gated.closed",
    {},
    { ...port({ carriedBy: "nothing", pending: "foreign" }), far: "new", ...windowShut },
    shut,
  ],
  ["gated.open", {}, { ...port({ carriedBy: "nothing" }) }, undefined, "drain"],
  [
    "gated.open",
    {},
    { ...port({ keys: "new", carriedBy: "nothing" }), far: "new" },
    undefined,
    "drain",
  ],
  [
    "gated.closed",
    {},
    { ...port({ ...both, pending: "foreign" }), ...manual, ...windowShut },
    shut,
  ],
  ["gated.closed", {}, { ...port(both), ...manual, ...windowShut, far: "failed" }, shut],
  ["gated.closed", {}, { ...manual, ...windowShut }, shut],
  ["awaitingPeer.unreadable", {}, { ...blind }, { code: "router.unread" }],
  ["awaitingPeer.unreadable", {}, { far: "unknown" }, { code: "farEnd.unread" }],
  ["awaitingPeer.unreadable", {}, { far: "updating" }, { code: "farEnd.unsettled" }],
  ["awaitingPeer.proceed", { asked: true }, { ...blind }],
  ["awaitingPeer.oldKeyGone", {}, { ...port({ keys: "else" }), far: "new" }],
  ["awaitingPeer.farOther", {}, { ...port(both), far: "failed" }],
  ["awaitingPeer.waits", {}, { ...port(both) }, { code: "router.holdsBoth" }],
]);

reports("rotate", "breakBeforeMake", [
  ["gated.open", {}, { ...port(newAlone) }, undefined, "drain"],
  ["gated.askPerson", {}, { ...manual }],
  ["awaitingPeer.waits", {}, {}, { code: "router.untouched" }],
  ["awaitingPeer.changed", {}, { ...port({ keys: "new" }), far: "new" }],
  ["awaitingPeer.oldKeyGone", {}, { ...port({ keys: "new" }) }],
]);

reports("change", "breakBeforeMake", [
  ["gated.open", {}, { ...port({ keys: "half" }) }, undefined, "drain"],
  ["gated.follow", {}, { ...port({ keys: "half", carriedBy: "nothing" }), far: "new" }],
  ["gated.askPerson", {}, { ...port({ keys: "half" }), ...manual }],
  ["awaitingPeer.waits", {}, { ...port({ keys: "half" }) }, { code: "router.untouched" }],
  ["awaitingPeer.follow", {}, { ...port({ keys: "half" }), far: "new" }],
]);

reports("enrol", "breakBeforeMake", [
  [
    "gated.dark",
    { goal: "revert" },
    { ...port(dark), far: "new" },
    { code: "farEnd.apart", far: "new" },
  ],
]);

/** Only packets of our own can show that a drained link carries again. */
reports("rotate", "keychain", [
  ["gated.closed", {}, { ...port({ drain: "on", ...dark }), ...windowShut }, shut, "probe"],
  ["gated.closed", {}, { ...port(dark), ...windowShut }, shut],
  [
    "gated.closed",
    {},
    { ...port({ drain: "on", pending: "foreign", ...dark }), ...windowShut },
    shut,
  ],
  ["held.stays", {}, { ...port({ drain: "on", ...dark }) }, undefined, "probe"],
  ["held.stays", {}, { ...blind }],
]);
