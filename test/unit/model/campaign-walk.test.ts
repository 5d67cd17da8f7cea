// Every cell of the machine: each campaign with each combination of facts, checked against its
// rules.

import { describe, expect, it } from "vitest";
import {
  type ActionKind,
  type Campaign,
  campaignStates,
  type Facts,
  type PortFacts,
  type Step,
} from "#agent/model/campaign.ts";
import { reasonText } from "#agent/model/reason-text.ts";
import { decide } from "#agent/rotation/campaign.ts";
import { but, campaignCell, FactsCell } from "../../model/campaign-cells.ts";
import { Choices } from "../../model/choices.ts";

interface Cell {
  readonly campaign: Campaign;
  readonly facts: Facts;
  readonly step: Step;
}

const parking = ["queued", "gated", "awaitingPeer", "held", "done"];
const does = ({ step }: Cell, ...kinds: readonly ActionKind[]): boolean =>
  step.action !== undefined && kinds.includes(step.action);
const isDrained = ({ facts }: Cell): boolean => facts.drained.kind === "held";
const isOpen = ({ facts }: Cell): boolean => facts.unmetPrecondition === undefined;
const breaks = ({ campaign }: Cell): boolean => campaign.links[0]?.overlap === "breakBeforeMake";
const isUsable = ({ facts: { port } }: Cell): boolean =>
  port !== undefined && port.carriedBy !== "nothing";

const hasKeys = ({ facts: { port } }: Cell, ...keys: readonly PortFacts["keys"][]): boolean =>
  port !== undefined && keys.includes(port.keys);
/** The router took a change of settings by half. */
const isHalf = (cell: Cell): boolean => hasKeys(cell, "half");

const writesRouter: readonly ActionKind[] = [
  ...(["drain", "restore", "stage", "add", "promote", "removeOld", "removeNew"] as const),
  ...(["replace", "replaceBack", "rekeySak", "open", "prepare", "prepareBack"] as const),
  "renewSak",
];

/** True if the next step must be to restore the traffic. */
function dueBack(cell: Cell): boolean {
  const { port } = cell.facts;
  return isUsable(cell) && port?.drain === "on" && port.pending === "none";
}

/**
 * Effects that come before the traffic is restored: a port that the agent has shut carries none.
 */
const comesFirst: readonly ActionKind[] = ["restore", "open"];

/** Decides with the same facts in the state that was entered; its deadline has just begun. */
function after({ campaign, facts, step }: Cell): Step {
  return decide(but(campaign, { ...step.mark, state: step.next }), but(facts, { overdue: false }));
}

type Rule = readonly [
  name: string,
  applies: (cell: Cell) => boolean,
  holds: (cell: Cell) => boolean,
];

/** Reasons that ask a person to change the far end at once. */
const asksNow: readonly string[] = [
  "draining.validated",
  "staged.tellPerson",
  "switching.personWaits",
];

const farRules: readonly Rule[] = [
  [
    "the far end is changed only by the agent, after all checks, off a drained link, from old",
    (cell) => does(cell, "putNew"),
    (cell) =>
      cell.facts.farEnd === "agent" && isOpen(cell) && isDrained(cell) && cell.facts.far === "old",
  ],
  [
    "the far end gets only a key that the router holds, or is known to accept",
    (cell) => does(cell, "putNew"),
    (cell) =>
      breaks(cell)
        ? hasKeys(cell, "old", "half") && cell.facts.replacement.kind === "valid"
        : cell.facts.port?.keys === "both",
  ],
  [
    "a change of the far end is marked before it happens",
    (cell) => does(cell, "putNew", "putOld"),
    ({ step }) => step.mark.told === true,
  ],
  [
    "the far end goes back only by the agent, settled, and without a loss of traffic",
    (cell) => does(cell, "putOld"),
    (cell) => {
      const { farEnd, far, sibling } = cell.facts;
      const free = !isUsable(cell) || (sibling === "carrying" && isDrained(cell));
      return farEnd === "agent" && cell.campaign.kind !== "enrol" && far !== "updating" && free;
    },
  ],
  [
    "a campaign waits for an operator only if the agent does not write the far end",
    ({ campaign, step }) => step.next === "awaitingPeer" && campaign.state !== "awaitingPeer",
    ({ facts }) => facts.farEnd === "manual",
  ],
  [
    "an operator is asked to change the far end only if the router is ready for it",
    (cell) =>
      asksNow.includes(cell.step.reason.code) &&
      !(breaks(cell) && cell.campaign.state === "staged"),
    (cell) => {
      const keys = cell.facts.port?.keys;
      return breaks(cell) ? hasKeys(cell, "old", "half") : keys === "both" || keys === "new";
    },
  ],
  [
    "an operator is asked only while no commit is pending on the router",
    ({ campaign, facts, step }) =>
      facts.farEnd === "manual" &&
      (step.next === "awaitingPeer" || step.next === "switching") &&
      step.next !== campaign.state &&
      facts.far === "old",
    ({ facts: { port } }) => port?.pending === "none",
  ],
];

const keyRules: readonly Rule[] = [
  [
    "a timer is armed only on a drained link, old at both ends and in use, before the far end",
    (cell) => does(cell, "stage"),
    (cell) => {
      const { port, far } = cell.facts;
      const isOld = port?.keys === "old" && port.carriedBy === "old" && far === "old";
      return isOld && isOpen(cell) && isDrained(cell) && !cell.campaign.told && !breaks(cell);
    },
  ],
  [
    "a key is added for good only beside old, for a far end that has or gets it",
    (cell) => does(cell, "add"),
    (cell) => {
      const { port, far } = cell.facts;
      const told = cell.campaign.told && isOpen(cell) && isDrained(cell);
      return port?.keys === "old" && (far === "new" || told);
    },
  ],
  [
    "a pending commit is settled only if it is ours",
    (cell) => does(cell, "confirm", "rollBack"),
    ({ facts: { port } }) => port?.pending === "ours",
  ],
  [
    "the new key is rolled back only while the link works by the old one",
    (cell) => does(cell, "rollBack"),
    ({ campaign, facts: { port, far } }) =>
      port?.carriedBy === "old" && !campaign.told && far !== "new" && far !== "updating",
  ],
  [
    "a key that is needed is confirmed, whatever the deadline",
    ({ campaign, facts: { port, far } }) =>
      campaign.state === "staging" &&
      port?.pending === "ours" &&
      (port.carriedBy === "new" || far === "new" || far === "updating"),
    (cell) => does(cell, "confirm", "open", "restore") && cell.step.next === "staging",
  ],
  [
    "the old key goes, and the new one leads, only proven, drained, with all checks passed (P3)",
    (cell) => does(cell, "removeOld", "promote"),
    (cell) =>
      cell.facts.proof.kind === "held" &&
      cell.facts.port?.keys === "both" &&
      isOpen(cell) &&
      isDrained(cell),
  ],
  [
    "the new key takes the place of the primary one only where that is due",
    (cell) => does(cell, "promote"),
    ({ facts: { port } }) => port?.promotion === "due",
  ],
  [
    "the new key goes only while the old one is proven and the far end is on it",
    (cell) => does(cell, "removeNew"),
    (cell) => {
      const { port, far, oldProof } = cell.facts;
      const isOld = port?.carriedBy === "old" && far === "old" && oldProof.kind === "held";
      return isOld && port.keys === "both" && isOpen(cell) && isDrained(cell);
    },
  ],
  [
    "the router follows only a far end that is new, on a link that has left its old state",
    (cell) => does(cell, "replace"),
    (cell) => {
      const { far, port, replacement } = cell.facts;
      const left = far === "new" && port?.carriedBy === "nothing";
      const free = far === "either" || (isHalf(cell) && far === "new" && port?.carriedBy === far);
      const may = left || (free && isOpen(cell) && isDrained(cell));
      return hasKeys(cell, "old", "half") && may && replacement.kind === "valid";
    },
  ],
  [
    "the router goes back only to a far end that is on old, on a link that is not usable",
    (cell) => does(cell, "replaceBack"),
    (cell) => {
      const { far, port } = cell.facts;
      const left = far === "old" && port?.carriedBy === "nothing";
      const free = far === "either" || (isHalf(cell) && far === "old" && port?.carriedBy === far);
      const may = left || (free && isOpen(cell) && isDrained(cell));
      return hasKeys(cell, "new", "half") && may && cell.campaign.kind !== "enrol";
    },
  ],
  [
    "a fresh SAK is requested only where the old key is gone, and in an emergency",
    (cell) => does(cell, "rekeySak"),
    ({ campaign, facts: { port } }) => port?.keys === "new" && campaign.urgency === "emergency",
  ],
  [
    "a later SAK is asked for only beside the old key, proven, drained, with all checks passed",
    (cell) => does(cell, "renewSak"),
    (cell) =>
      cell.facts.laterSaks.kind === "due" &&
      cell.facts.proof.kind === "held" &&
      cell.facts.port?.keys === "both" &&
      cell.campaign.urgency === "planned" &&
      isOpen(cell) &&
      isDrained(cell),
  ],
  [
    "the old key is touched only once no later SAK of a planned rotation is to be proven",
    (cell) => does(cell, "removeOld", "promote") && cell.campaign.urgency === "planned",
    ({ facts: { laterSaks } }) => laterSaks.kind === "proven" || laterSaks.kind === "notOffered",
  ],
  [
    "an emergency waits for no later SAK",
    ({ campaign, facts: { port } }) =>
      campaign.state === "proving" && campaign.urgency === "emergency" && port?.keys === "both",
    (cell) => !does(cell, "renewSak") && !cell.step.row.includes("laterSak"),
  ],
  [
    "a port is opened only if it was shut by us",
    (cell) => does(cell, "open"),
    ({ campaign, facts: { port } }) => campaign.shut && port?.admin === "down",
  ],
  [
    "a port that a key change shuts is marked first",
    (cell) =>
      cell.facts.shutsFirst &&
      does(cell, "stage", "add", "promote", "removeOld", "removeNew", "replace", "replaceBack"),
    ({ step }) => step.mark.shut === true,
  ],
  [
    "a port that a fresh SAK may shut is marked first",
    (cell) => does(cell, "rekeySak"),
    ({ step }) => step.mark.shut === true,
  ],
  [
    "nothing is written to a router on which a commit is pending",
    (cell) => does(cell, ...writesRouter),
    ({ facts: { port } }) => port?.pending === "none",
  ],
  [
    "no key is changed beside one that is not ours",
    (cell) => cell.step.action !== undefined && cell.facts.port?.keys === "else",
    (cell) => does(cell, "probe", "restore", "confirm", "rollBack", "open", "drain", "putOld"),
  ],
];

const trafficRules: readonly Rule[] = [
  [
    "a link that nothing has taken is not taken without the permit that it needs",
    (cell) => does(cell, "drain"),
    ({ facts }) => facts.withheld === undefined,
  ],
  [
    "a drain needs a sibling that carries",
    (cell) => does(cell, "drain"),
    ({ facts }) => facts.sibling === "carrying",
  ],
  [
    "a failed check lets nothing begin",
    (cell) => cell.campaign.state === "gated" && !isOpen(cell),
    ({ step }) => step.next !== "draining",
  ],
  [
    "traffic comes back only to a link that can carry it",
    (cell) => does(cell, "restore"),
    (cell) =>
      cell.facts.port?.drain === "on" && (isUsable(cell) || cell.campaign.state === "restoring"),
  ],
  [
    "traffic comes back by a step that leaves the record as it is",
    (cell) => does(cell, "restore"),
    ({ campaign, step: { next, mark } }) =>
      next === campaign.state && Object.keys(mark).every((name) => name === "shut"),
  ],
  [
    "sibling lost and this link usable: traffic back before any other effect",
    (cell) =>
      !parking.includes(cell.campaign.state) && cell.facts.sibling === "lost" && dueBack(cell),
    (cell) => {
      if (cell.step.action !== undefined) return does(cell, ...comesFirst);
      const { next } = cell.step;
      return next === "held" || next === "restoring" || after(cell).action === "restore";
    },
  ],
  [
    "a parked campaign keeps no usable link drained",
    (cell) => ["gated", "awaitingPeer", "held"].includes(cell.campaign.state) && dueBack(cell),
    (cell) => does(cell, "restore", "open") && cell.step.next === cell.campaign.state,
  ],
];

const endRules: readonly Rule[] = [
  [
    "every step has a reason",
    () => true,
    ({ step }) => {
      const text = reasonText(step.reason);
      return /\S{2,}.{4,}/.test(text) && !text.includes("undefined");
    },
  ],
  [
    "a stopped campaign stays stopped, and writes only what the parking rule does",
    ({ campaign }) => campaign.state === "held",
    (cell) =>
      cell.step.next === "held" &&
      (cell.step.action === undefined ||
        does(cell, "restore", "probe", "confirm", "rollBack", "open")),
  ],
  [
    "a finished campaign does nothing",
    ({ campaign }) => campaign.state === "done",
    ({ step }) => step.next === "done" && step.action === undefined,
  ],
  [
    "a deadline ends every state that has one, unless its effect is a restoring one",
    ({ campaign, facts }) => !parking.includes(campaign.state) && facts.overdue,
    (cell) =>
      cell.step.next !== cell.campaign.state ||
      does(cell, "restore", "replace", "open", "confirm", "rollBack", "add") ||
      cell.step.mark.aborted === true,
  ],
  [
    "a campaign is done only if observed: carrying, undrained, one key at both ends",
    ({ campaign, step }) => step.next === "done" && campaign.state !== "done",
    ({ campaign, facts: { port, far, carrying }, step }) => {
      const isNew = far === "new" || far === "either";
      const isOld = far === "old" || far === "either";
      return (
        campaign.state === "restoring" &&
        carrying.kind === "held" &&
        port?.drain === "off" &&
        port.pending === "none" &&
        (step.mark.outcome === "reverted"
          ? port.keys === "old" && isOld
          : port.keys === "new" && isNew)
      );
    },
  ],
  [
    "a success has the outcome of its kind",
    ({ campaign, step }) =>
      step.next === "done" && campaign.state !== "done" && step.mark.outcome !== "reverted",
    ({ campaign, step }) =>
      step.mark.outcome ===
      { enrol: "enrolled", change: "changed", rotate: "rotated" }[campaign.kind],
  ],
];

const rules = [...endRules, ...trafficRules, ...keyRules, ...farRules];

interface Walked {
  cells: number;
  readonly broken: Record<string, string>;
  readonly unused: Set<string>;
  readonly rows: Set<string>;
  readonly unlisted: Set<string>;
}

function hold(cell: Cell, walked: Walked): void {
  for (const [name, applies, holds] of rules) {
    if (!applies(cell)) continue;
    walked.unused.delete(name);
    if (!holds(cell)) walked.broken[`${name}: ${cell.step.row}`] ??= shown(cell);
  }
}

function shown({ facts, campaign, step }: Cell): string {
  const { port, far, sibling, overdue, drained } = facts;
  const { told, aborted, goal, kind } = campaign;
  const overlap = campaign.links[0]?.overlap;
  const seen = { kind, overlap, told, aborted, goal, far, sibling, overdue, drained: drained.kind };
  const keys = port && { keys: port.keys, pending: port.pending, by: port.carriedBy };
  return JSON.stringify({
    ...seen,
    ...keys,
    drain: port?.drain,
    next: step.next,
    does: step.action,
  });
}

function walk(): Walked {
  const unused = new Set(rules.map(([name]) => name));
  const rows = new Set<string>();
  const walked: Walked = { cells: 0, broken: {}, unused, rows, unlisted: new Set() };
  for (const state of campaignStates) {
    const choices = new Choices();
    do {
      const campaign = campaignCell(choices, state);
      const facts = new FactsCell(choices, campaign);
      const cell = { campaign, facts, step: decide(campaign, facts) };
      walked.cells += 1;
      rows.add(cell.step.row);
      if (cell.step.row === "unlisted") walked.unlisted.add(reasonText(cell.step.reason));
      hold(cell, walked);
    } while (choices.next());
  }
  return walked;
}

describe("every cell of the machine", () => {
  it("every cell of the machine keeps every rule", () => {
    const { cells, broken, unused, rows, unlisted } = walk();
    console.log(`${cells} cells, ${rules.length} rules, ${rows.size} rows taken`);
    expect(broken).toEqual({});
    expect([...unused]).toEqual([]);
    expect([...unlisted]).toEqual([]);
  });
});
