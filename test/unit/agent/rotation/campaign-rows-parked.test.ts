// The states in which traffic stays on: one small case for each row of the table.

import {
  blind,
  manual,
  port,
  rowsOf,
  type Told,
  tells,
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
        ["gated.dark", {}, { ...port({ keys: "new", darkness: "lasting" }) }, "held", undefined],
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

const shut = "gate.window: the window is shut";
const open = "all gates hold";
const dark = { carriedBy: "nothing", darkness: "lasting" } as const;
const newAlone = { keys: "new", ...dark } as const;
const misfit = (far: string): string =>
  `the link is dark: the far end is on ${far} and does not fit the router`;
const both = { keys: "both" } as const;
const ask = "a person must point the far end at the new key";

const darkCells: readonly Told[] = [
  ["gated.dark", {}, { ...port(newAlone) }, misfit("old")],
  ["gated.dark", {}, { ...port(newAlone), far: "other" }, misfit("other")],
  ["gated.dark", {}, { ...port(newAlone), far: "new" }, misfit("new")],
  ["gated.dark", {}, { ...port({ ...both, ...dark }) }, misfit("old")],
  [
    "gated.dark",
    {},
    { ...port(newAlone), far: "failed" },
    "the far end reports a failed change and the link is dark",
  ],
  ["gated.open", { goal: "revert" }, { ...port(newAlone), far: "failed" }, open, "drain"],
  ["gated.closed", {}, { ...port(newAlone), ...windowShut, far: "updating" }, shut],
  ["gated.closed", {}, { ...port(newAlone), ...windowShut, far: "unknown" }, shut],
  ["gated.closed", {}, { ...port({ ...newAlone, pending: "foreign" }), ...windowShut }, shut],
  ["gated.open", {}, { ...port({ ...both, ...dark }), far: "new" }, open, "drain"],
  ["gated.open", { goal: "revert" }, { ...port(dark), far: "new" }, open, "drain"],
];

tells("rotate", "keychain", [
  ...darkCells,
  ["gated.closed", {}, { ...blind, ...windowShut }, shut],
  ["gated.closed", {}, { ...blind, ...windowShut, ...manual }, shut],
  [
    "gated.closed",
    {},
    { ...port({ carriedBy: "nothing", pending: "foreign" }), far: "new", ...windowShut },
    shut,
  ],
  ["gated.open", {}, { ...port({ carriedBy: "nothing" }) }, open, "drain"],
  ["gated.open", {}, { ...port({ keys: "new", carriedBy: "nothing" }), far: "new" }, open, "drain"],
  [
    "gated.closed",
    {},
    { ...port({ ...both, pending: "foreign" }), ...manual, ...windowShut },
    shut,
  ],
  ["gated.closed", {}, { ...port(both), ...manual, ...windowShut, far: "failed" }, shut],
  ["gated.closed", {}, { ...manual, ...windowShut }, shut],
  ["awaitingPeer.unreadable", {}, { ...blind }, `${ask}; the router cannot be read just now`],
  [
    "awaitingPeer.unreadable",
    {},
    { far: "unknown" },
    `${ask}; the far end cannot be read just now`,
  ],
  [
    "awaitingPeer.unreadable",
    {},
    { far: "updating" },
    `${ask}; the far end is not settled just now`,
  ],
  ["awaitingPeer.proceed", { asked: true }, { ...blind }, "the operator said proceed"],
  [
    "awaitingPeer.oldKeyGone",
    {},
    { ...port({ keys: "else" }), far: "new" },
    "the port does not hold the keys that wait for the person any more",
  ],
  [
    "awaitingPeer.farOther",
    {},
    { ...port(both), far: "failed" },
    "the far end uses something that is not of this campaign",
  ],
  ["awaitingPeer.waits", {}, { ...port(both) }, `${ask}; the router holds both keys`],
]);

tells("rotate", "breakBeforeMake", [
  ["gated.open", {}, { ...port(newAlone) }, open, "drain"],
  ["gated.askPerson", {}, { ...manual }, ask],
  ["awaitingPeer.waits", {}, {}, `${ask}; nothing of ours is on the router`],
  ["awaitingPeer.changed", {}, { ...port({ keys: "new" }), far: "new" }, "the far end was changed"],
  [
    "awaitingPeer.oldKeyGone",
    {},
    { ...port({ keys: "new" }) },
    "the port does not hold the keys that wait for the person any more",
  ],
]);

tells("enrol", "breakBeforeMake", [
  ["gated.dark", { goal: "revert" }, { ...port(dark), far: "new" }, misfit("new")],
]);

/** Only packets of our own can show that a drained link carries again. */
tells("rotate", "keychain", [
  ["gated.closed", {}, { ...port({ drain: "on", ...dark }), ...windowShut }, shut, "probe"],
  ["gated.closed", {}, { ...port(dark), ...windowShut }, shut],
  [
    "gated.closed",
    {},
    { ...port({ drain: "on", pending: "foreign", ...dark }), ...windowShut },
    shut,
  ],
  ["held.stays", {}, { ...port({ drain: "on", ...dark }) }, "what was so before", "probe"],
  ["held.stays", {}, { ...blind }, "what was so before"],
]);
