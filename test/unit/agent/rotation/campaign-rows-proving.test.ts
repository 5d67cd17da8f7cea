// The new key earns its place: one small case for each row of the table.

import {
  blind,
  held,
  manual,
  overdue,
  port,
  rowsOf,
  tells,
  waiting,
  windowShut,
} from "../../kit/campaign-kit.ts";

rowsOf(
  ["proving", "promoting", "retiring"],
  [
    [
      "rotate",
      "keychain",
      [
        ["proving.reopen", { shut: true }, { ...port({ admin: "down" }) }, "proving", "open"],
        [
          "proving.giveBack",
          {},
          { ...port({ drain: "on" }), sibling: "lost" },
          "proving",
          "restore",
        ],
        [
          "proving.freshSak",
          { urgency: "emergency" },
          { ...port({ keys: "new" }), drained: held, proof: held, freshSak: false },
          "proving",
          "rekeySak",
        ],
        [
          "proving.staleSak",
          { urgency: "emergency" },
          { ...port({ keys: "new" }), proof: held, freshSak: false },
          "proving",
          undefined,
        ],
        [
          "proving.staleSakLate",
          { urgency: "emergency" },
          { ...port({ keys: "new" }), proof: held, freshSak: false, ...overdue },
          "held",
          undefined,
        ],
        [
          "proving.proven",
          {},
          { ...port({ keys: "new" }), proof: held },
          "restoring",
          undefined,
          { proved: true },
        ],
        ["proving.strange", {}, { proof: held }, "held", undefined],
        [
          "proving.soak",
          { retire: "afterSoak" },
          { ...port({ keys: "both" }), proof: held },
          "restoring",
          undefined,
          { proved: true, soaked: true },
        ],
        [
          "proving.retire",
          {},
          { ...port({ keys: "both" }), drained: held, proof: held },
          "retiring",
          undefined,
          { proved: true },
        ],
        [
          "proving.retireLater",
          {},
          { ...port({ keys: "both" }), proof: held },
          "gated",
          undefined,
          { proved: true },
        ],
        [
          "proving.farBackByHand",
          {},
          { ...manual },
          "gated",
          undefined,
          { asked: false, claimed: false },
        ],
        ["proving.farBack", {}, {}, "reverting", undefined],
        ["proving.farOther", {}, { far: "other" }, "held", undefined],
        ["proving.newKeyGone", {}, { far: "new" }, "held", undefined],
        [
          "proving.lateHeld",
          {},
          { ...port({ keys: "both" }), far: "new", sibling: "lost", ...overdue },
          "held",
          undefined,
        ],
        [
          "proving.late",
          {},
          { ...port({ keys: "both" }), far: "new", ...overdue },
          "reverting",
          undefined,
        ],
        ["proving.waits", {}, { ...port({ keys: "both" }), far: "new" }, "proving", "probe"],
        ["retiring.reopen", { shut: true }, { ...port({ admin: "down" }) }, "retiring", "open"],
        [
          "retiring.fresh",
          { urgency: "emergency" },
          { ...port({ keys: "new" }) },
          "proving",
          undefined,
        ],
        ["retiring.retired", {}, { ...port({ keys: "new" }) }, "restoring", undefined],
        ["retiring.newKeyGone", {}, {}, "held", undefined],
        [
          "retiring.giveBack",
          {},
          { ...port({ keys: "both", drain: "on" }), sibling: "lost" },
          "retiring",
          "restore",
        ],
        ["retiring.late", {}, { ...port({ keys: "both" }), ...overdue }, "held", undefined],
        ["retiring.unread", {}, { ...blind }, "retiring", undefined],
        ["retiring.unproven", {}, { ...port({ keys: "both" }) }, "proving", undefined],
        ["retiring.giveUp", {}, { ...port({ keys: "both" }), proof: held }, "gated", undefined],
        [
          "retiring.remove",
          {},
          { ...port({ keys: "both" }), drained: held, proof: held },
          "retiring",
          "removeOld",
        ],
        [
          "retiring.waits",
          {},
          { ...port({ keys: "both", drain: "on" }), proof: held },
          "retiring",
          undefined,
        ],
      ],
    ],
    [
      "rotate",
      "fallback",
      [
        ["proving.pending", {}, { ...port({ pending: "ours" }) }, "proving", "confirm"],
        [
          "proving.promote",
          {},
          { ...port({ keys: "both" }), drained: held, proof: held },
          "promoting",
          undefined,
          { proved: true },
        ],
        [
          "proving.promoteLater",
          {},
          { ...port({ keys: "both" }), proof: held },
          "gated",
          undefined,
          { proved: true },
        ],
        ["promoting.reopen", { shut: true }, { ...port({ admin: "down" }) }, "promoting", "open"],
        [
          "promoting.giveBack",
          {},
          { ...port({ drain: "on" }), sibling: "lost" },
          "promoting",
          "restore",
        ],
        [
          "promoting.promoted",
          {},
          { ...port({ keys: "both", promoted: true }) },
          "proving",
          undefined,
        ],
        ["promoting.keyGone", {}, {}, "held", undefined],
        ["promoting.late", {}, { ...port({ keys: "both" }), ...overdue }, "held", undefined],
        ["promoting.unread", {}, { ...blind }, "promoting", undefined],
        ["promoting.unproven", {}, { ...port({ keys: "both" }) }, "proving", undefined],
        ["promoting.giveUp", {}, { ...port({ keys: "both" }), proof: held }, "gated", undefined],
        [
          "promoting.promote",
          {},
          { ...port({ keys: "both" }), drained: held, proof: held },
          "promoting",
          "promote",
        ],
        [
          "promoting.waits",
          {},
          { ...port({ keys: "both", drain: "on" }), proof: held },
          "promoting",
          undefined,
        ],
      ],
    ],
    [
      "rotate",
      "breakBeforeMake",
      [["proving.farBackBroken", {}, { ...manual }, "held", undefined]],
    ],
    [
      "enrol",
      "breakBeforeMake",
      [
        ["proving.farBackEnrol", {}, {}, "held", undefined],
        ["proving.follow", {}, { far: "new" }, "switching", undefined],
      ],
    ],
  ],
);

const more = "7 s more to be sure";
const proven = { far: "new", proof: held, drained: held } as const;
const both = { keys: "both", carriedBy: "new" } as const;
const shut = "gate.window: the window is shut";
const retire = "the new key is proven both ways: the old one goes";
const foreignFar = "the far end uses a key that is not of this campaign";

tells("rotate", "keychain", [
  ["proving.waits", {}, { ...port(both), far: "new" }, more, "probe"],
  ["proving.late", {}, { ...port(both), ...overdue, far: "new" }, `no proof in time: ${more}`],
  [
    "proving.lateHeld",
    {},
    { ...port(both), ...overdue, ...manual, far: "new" },
    `no proof in time: ${more}`,
  ],
  ["proving.farOther", {}, { ...port(both), far: "other" }, foreignFar],
  ["proving.farOther", {}, { ...port(both), ...manual, far: "other" }, foreignFar],
  [
    "proving.farOther",
    {},
    { ...port(both), far: "failed" },
    "the far end reports a failed change while the new key is proven",
  ],
  // What is pending may still take the new key away.
  [
    "proving.waits",
    {},
    { ...port({ ...both, pending: "foreign" }), ...proven },
    "the new key is proven",
    "probe",
  ],
  ["proving.waits", {}, { ...port({ ...both, pending: "ours" }), far: "unknown" }, more, "probe"],
  ["proving.retireLater", {}, { ...port(both), ...proven, ...windowShut }, shut],
  ["proving.retireLater", {}, { ...port(both), ...proven, drained: waiting }, more],
  [
    "proving.retire",
    { urgency: "emergency" },
    { ...port(both), ...proven, freshSak: false },
    retire,
  ],
  [
    "proving.retire",
    { retire: "afterSoak", urgency: "emergency" },
    { ...port(both), ...proven },
    retire,
  ],
  ["proving.retire", {}, { ...port({ ...both, promoted: false }), ...proven }, retire],
  ["proving.newKeyGone", {}, { far: "new" }, "the new key is gone from the port"],
  ["proving.waits", {}, { ...port({}), far: "updating" }, more, "probe"],
  ["proving.waits", {}, { ...blind, far: "new" }, more, "probe"],
  [
    "retiring.unread",
    {},
    { ...port(both), ...proven, far: "unknown" },
    "router or far end cannot be read",
  ],
  ["retiring.giveUp", {}, { ...port(both), ...proven, ...windowShut }, shut],
  [
    "retiring.unproven",
    {},
    { ...port(both), far: "new" },
    `the proof does not hold any more: ${more}`,
  ],
]);

tells("rotate", "fallback", [
  ["proving.retire", {}, { ...port({ ...both, promoted: true }), ...proven }, retire],
  ["proving.promoteLater", {}, { ...port(both), ...proven, drained: waiting }, more],
  [
    "promoting.promote",
    {},
    { ...port(both), ...proven },
    "the new key is made the primary one",
    "promote",
  ],
  [
    "promoting.giveUp",
    {},
    { ...port({ ...both, promoted: true, pending: "foreign" }), ...proven, ...windowShut },
    shut,
  ],
]);

tells("rotate", "breakBeforeMake", [
  ["proving.waits", {}, { ...port({ keys: "new" }), far: "new" }, more, "probe"],
  ["proving.farOther", {}, { ...port({ keys: "new" }), ...manual, far: "other" }, foreignFar],
  ["proving.follow", {}, { far: "new" }, "the new key is not on the port"],
  [
    "proving.farBackBroken",
    {},
    { ...port({ keys: "new" }), ...manual },
    "the far end went back to the old key and the router holds the new one",
  ],
  ["proving.farBack", {}, { ...port({ keys: "new" }) }, "the far end went back to the old key"],
  [
    "proving.newKeyGone",
    {},
    { ...port({ keys: "else" }), far: "new" },
    "the new key is gone from the port",
  ],
  ["proving.waits", {}, { far: "updating" }, more, "probe"],
]);

tells("change", "breakBeforeMake", [
  ["proving.newKeyGone", {}, { far: "either" }, "the new key is gone from the port"],
]);

tells("enrol", "breakBeforeMake", [
  [
    "proving.lateHeld",
    {},
    { ...port({ keys: "new" }), ...overdue, far: "new" },
    `no proof in time: ${more}`,
  ],
]);
