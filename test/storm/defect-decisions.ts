// Seeded defects in the campaign's tables: a missing row or guard, or a wrong step.

import type {
  ActionKind,
  Campaign,
  CampaignState,
  Guard,
  Guards,
  Row,
  Step,
  Table,
} from "#agent/model/campaign.ts";
import { decide, decideBy, table } from "#agent/rotation/campaign.ts";
import { guards } from "#agent/rotation/guards.ts";
import { type ActiveDefect, type Decide, noDefect, type SeededDefect } from "./seeded-defect.ts";

interface Amendment {
  /** The rows to remove. */
  readonly without?: RegExp;
  /** The guards to remove from every action. */
  readonly unguarded?: RegExp;
  /** The rows to change, by name. */
  readonly instead?: Readonly<Record<string, Partial<Pick<Row, "next" | "action">>>>;
}

function tableWith({ without, instead = {} }: Amendment): Table {
  const rowsOf = (rows: readonly Row[]): readonly Row[] =>
    rows
      .filter(({ name }) => without?.test(name) !== true)
      .map((row) => ({ ...row, ...instead[row.name] }));
  const states = Object.entries(table).map(([state, rows]) => [state, rowsOf(rows)] as const);
  return Object.fromEntries(states) as Record<CampaignState, readonly Row[]>;
}

function guardsWithout(unguarded: RegExp | undefined): Guards {
  const left = (list: readonly Guard[]): readonly Guard[] =>
    list.filter(({ name }) => unguarded?.test(name) !== true);
  const actions = Object.entries(guards).map(([action, list]) => [action, left(list)] as const);
  return Object.fromEntries(actions) as Record<ActionKind, readonly Guard[]>;
}

const seeded = (
  name: string,
  breaks: SeededDefect["breaks"],
  title: string,
  activate: () => ActiveDefect,
): SeededDefect => ({
  name,
  breaks,
  title,
  where: "rotations",
  activate,
});

const amended = (
  name: string,
  breaks: SeededDefect["breaks"],
  title: string,
  amendment: Amendment,
): SeededDefect => {
  const [rows, guarded] = [tableWith(amendment), guardsWithout(amendment.unguarded)];
  const decideSo: Decide = (campaign, facts) => decideBy(rows, guarded, campaign, facts);
  return seeded(name, breaks, title, () => ({ ...noDefect, decide: decideSo }));
};

const mistakes = (
  name: string,
  breaks: SeededDefect["breaks"],
  title: string,
  change: (step: Step, campaign: Campaign) => Step,
): SeededDefect => {
  const decideSo: Decide = (campaign, facts) => change(decide(campaign, facts), campaign);
  return seeded(name, breaks, title, () => ({ ...noDefect, decide: decideSo }));
};

/** Runs the action of the last step once more in a new process, whatever an observation shows. */
function repeating(): ActiveDefect {
  let last: ActionKind | undefined;
  let restarted = false;
  return {
    heeds: () => undefined,
    surround: ({ world }) => {
      restarted = true;
      return world;
    },
    decide: (campaign, facts) => {
      const step = decide(campaign, facts);
      const again = restarted ? last : undefined;
      restarted = false;
      if (step.action !== undefined) last = step.action;
      return again === undefined ? step : { ...step, action: again };
    },
  };
}

const rowDefects: readonly SeededDefect[] = [
  amended("stranded", "P2", "keeps a usable link drained after its sibling was lost", {
    without: /\.giveBack$/,
  }),
  amended("parked-drained", "P2", "keeps a link drained while the campaign waits", {
    without: /\.parkRestore$/,
  }),
  amended("left-shut", "liveness", "forgets the port that was shut for a key change", {
    without: /\.reopen$/,
  }),
  amended("put-first", "P3", "changes the far end before the router has the new key", {
    without: /^switching\.newKeyGone$/,
    instead: { "draining.stages": { next: "switching" } },
    unguarded: /^the router is ready for it$/,
  }),
  amended("put-untried", "P3", "changes the far end before the router has validated the new key", {
    without: /^switching\.prepareFirst$/,
    unguarded: /^the router is ready for it$/,
  }),
  amended("never-late", "liveness", "waits for ever where a deadline should end it", {
    without: /late/i,
  }),
];

const stepDefects: readonly SeededDefect[] = [
  seeded("undrained", "P2", "changes keys while traffic is still on the link", () => ({
    ...noDefect,
    decide: (campaign, facts) => {
      const step = decide(campaign, { ...facts, drained: { kind: "held" } });
      return step.action === "drain" ? { ...step, action: undefined } : step;
    },
  })),
  mistakes(
    "outcome-of-goal",
    "P7",
    "reports a key as rotated because that was wanted",
    (step, { goal }) =>
      step.row === "restoring.reverted" && goal === "forward"
        ? { ...step, mark: { ...step.mark, outcome: "rotated" } }
        : step,
  ),
  mistakes("no-reason", "liveness", "stops without a reason", (step) =>
    step.next === "held" ? { ...step, reason: { code: "recorded", text: "" } } : step,
  ),
  seeded("repeats-itself", "P3", "does its last action again when it starts", repeating),
];

export const decisionDefects: readonly SeededDefect[] = [...rowDefects, ...stepDefects];
