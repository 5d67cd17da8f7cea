// The new key earns its place: one small case for each row of the table.

import type { Cause } from "#agent/model/reason.ts";
import {
  blind,
  held,
  manual,
  more,
  overdue,
  port,
  reports,
  rowsOf,
  shut,
  waiting,
  windowShut,
} from "../../kit/campaign-kit.ts";

const due = { promotion: "due" } as const;
const laterDue = { laterSaks: { kind: "due", number: 2 } } as const;
const laterAsked = {
  laterSaks: { kind: "waiting", number: 3, cause: { code: "sak.awaited" } },
} as const;
const laterProven = { kind: "proven" } as const;
const ofLater = (number: number, cause: Cause): Cause => ({
  ...{ code: "sak.later", number, needed: 4, cause },
});

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
          { shut: true },
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
          "proving.laterSakLateHeld",
          {},
          { ...port({ keys: "both" }), proof: held, ...laterDue, ...overdue, ...manual },
          "held",
          undefined,
        ],
        [
          "proving.laterSakLate",
          {},
          { ...port({ keys: "both" }), proof: held, ...laterDue, ...overdue },
          "reverting",
          undefined,
        ],
        [
          "proving.laterSak",
          {},
          { ...port({ keys: "both" }), drained: held, proof: held, ...laterDue },
          "proving",
          "renewSak",
        ],
        [
          "proving.laterSakGated",
          {},
          { ...port({ keys: "both" }), proof: held, ...laterDue },
          "gated",
          undefined,
          { proved: true },
        ],
        [
          "proving.laterSakWaits",
          {},
          { ...port({ keys: "both" }), proof: held, ...laterAsked },
          "proving",
          "probe",
        ],
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
          { ...port({ keys: "both", ...due }), drained: held, proof: held },
          "promoting",
          undefined,
          { proved: true },
        ],
        [
          "proving.promoteLater",
          {},
          { ...port({ keys: "both", ...due }), proof: held },
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
        ["promoting.promoted", {}, { ...port({ keys: "both" }) }, "proving", undefined],
        ["promoting.keyGone", {}, {}, "held", undefined],
        [
          "promoting.late",
          {},
          { ...port({ keys: "both", ...due }), ...overdue },
          "held",
          undefined,
        ],
        ["promoting.unread", {}, { ...blind }, "promoting", undefined],
        ["promoting.unproven", {}, { ...port({ keys: "both", ...due }) }, "proving", undefined],
        [
          "promoting.giveUp",
          {},
          { ...port({ keys: "both", ...due }), proof: held },
          "gated",
          undefined,
        ],
        [
          "promoting.promote",
          {},
          { ...port({ keys: "both", ...due }), drained: held, proof: held },
          "promoting",
          "promote",
        ],
        [
          "promoting.waits",
          {},
          { ...port({ keys: "both", ...due, drain: "on" }), proof: held },
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

const proven = { far: "new", proof: held, drained: held } as const;
const both = { keys: "both", carriedBy: "new" } as const;

reports("rotate", "keychain", [
  ["proving.waits", {}, { ...port(both), far: "new" }, more, "probe"],
  ["proving.late", {}, { ...port(both), ...overdue, far: "new" }, more],
  ["proving.lateHeld", {}, { ...port(both), ...overdue, ...manual, far: "new" }, more],
  ["proving.farOther", {}, { ...port(both), far: "other" }, { code: "farEnd.foreign" }],
  ["proving.farOther", {}, { ...port(both), ...manual, far: "other" }, { code: "farEnd.foreign" }],
  ["proving.farOther", {}, { ...port(both), far: "failed" }, { code: "farEnd.failed" }],
  [
    "proving.waits",
    {},
    { ...port({ ...both, pending: "foreign" }), ...proven },
    { code: "proof.held" },
    "probe",
  ],
  ["proving.waits", {}, { ...port({ ...both, pending: "ours" }), far: "unknown" }, more, "probe"],
  ["proving.retireLater", {}, { ...port(both), ...proven, ...windowShut }, shut],
  ["proving.retireLater", {}, { ...port(both), ...proven, drained: waiting }, more],
  ["proving.retire", { urgency: "emergency" }, { ...port(both), ...proven, freshSak: false }],
  ["proving.retire", { retire: "afterSoak", urgency: "emergency" }, { ...port(both), ...proven }],
  ["proving.retire", {}, { ...port({ ...both, promotion: "none" }), ...proven }],
  [
    "proving.laterSak",
    {},
    { ...port(both), ...proven, ...laterDue },
    ofLater(2, { code: "sak.asked" }),
    "renewSak",
  ],
  [
    "proving.laterSakWaits",
    {},
    { ...port(both), ...proven, ...laterAsked },
    ofLater(3, { code: "sak.awaited" }),
    "probe",
  ],
  ["proving.laterSakGated", {}, { ...port(both), ...proven, ...laterDue, ...windowShut }, shut],
  [
    "proving.laterSakGated",
    {},
    { ...port(both), ...proven, ...laterDue, mayLose: "old" },
    { code: "router.lateChange" },
  ],
  // A SAK that was asked for and passes no frames is named as what lacks the proof.
  ["proving.waits", {}, { ...port(both), ...laterAsked, far: "new" }, ofLater(3, more), "probe"],
  ["proving.waits", {}, { ...port(both), ...laterDue, far: "new" }, more, "probe"],
  ["proving.late", {}, { ...port(both), ...laterAsked, ...overdue, far: "new" }, ofLater(3, more)],
  [
    "proving.laterSakLateHeld",
    {},
    { ...port({ ...both, drain: "off" }), ...proven, ...laterAsked, ...overdue, sibling: "lost" },
    ofLater(3, { code: "sak.awaited" }),
  ],
  ["proving.retire", {}, { ...port(both), ...proven, laterSaks: laterProven }],
  // A compromised key does not stay for later SAKs.
  ["proving.retire", { urgency: "emergency" }, { ...port(both), ...proven, ...laterDue }],
  ["proving.soak", { retire: "afterSoak" }, { ...port(both), ...proven, laterSaks: laterProven }],
  [
    "retiring.unproven",
    {},
    { ...port(both), ...proven, ...laterDue },
    ofLater(2, { code: "sak.asked" }),
  ],
  ["proving.newKeyGone", {}, { far: "new" }],
  ["proving.waits", {}, { ...port({}), far: "updating" }, more, "probe"],
  ["proving.waits", {}, { ...blind, far: "new" }, more, "probe"],
  ["retiring.unread", {}, { ...port(both), ...proven, far: "unknown" }],
  ["retiring.giveUp", {}, { ...port(both), ...proven, ...windowShut }, shut],
  ["retiring.unproven", {}, { ...port(both), far: "new" }, more],
]);

reports("rotate", "fallback", [
  ["proving.retire", {}, { ...port({ ...both, promotion: "done" }), ...proven }],
  ["proving.retire", {}, { ...port({ ...both, promotion: "none" }), ...proven }],
  ["proving.promoteLater", {}, { ...port({ ...both, ...due }), ...proven, drained: waiting }, more],
  ["promoting.promote", {}, { ...port({ ...both, ...due }), ...proven }, undefined, "promote"],
  ["promoting.promoted", {}, { ...port({ ...both, promotion: "done" }), ...proven }],
  [
    "promoting.giveUp",
    {},
    { ...port({ ...both, promotion: "done", pending: "foreign" }), ...proven, ...windowShut },
    shut,
  ],
]);

reports("rotate", "breakBeforeMake", [
  ["proving.waits", {}, { ...port({ keys: "new" }), far: "new" }, more, "probe"],
  [
    "proving.farOther",
    {},
    { ...port({ keys: "new" }), ...manual, far: "other" },
    { code: "farEnd.foreign" },
  ],
  ["proving.follow", {}, { far: "new" }],
  ["proving.farBackBroken", {}, { ...port({ keys: "new" }), ...manual }],
  ["proving.farBack", {}, { ...port({ keys: "new" }) }],
  ["proving.newKeyGone", {}, { ...port({ keys: "else" }), far: "new" }],
  ["proving.waits", {}, { far: "updating" }, more, "probe"],
]);

reports("change", "breakBeforeMake", [
  ["proving.newKeyGone", {}, { far: "either" }],
  ["proving.follow", {}, { ...port({ keys: "half" }), far: "new" }],
]);

reports("enrol", "breakBeforeMake", [
  ["proving.lateHeld", {}, { ...port({ keys: "new" }), ...overdue, far: "new" }, more],
]);
