// Campaigns, facts and tables for the tests of the machine.

import { describe, expect, it } from "vitest";
import {
  type ActionKind,
  type Campaign,
  type CampaignLink,
  type CampaignState,
  type Evidence,
  type Facts,
  noMarks,
  type PortFacts,
  type Step,
} from "#agent/model/campaign.ts";
import type { Cause, Reason } from "#agent/model/reason.ts";
import { decide, table } from "#agent/rotation/campaign.ts";
import type { KeyRef, WantedSettings } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { ckn } from "./site-bench.ts";

export const held: Evidence = { kind: "held" };
/** What every evidence of `calm` still waits for. */
export const more: Cause = { code: "proof.settles", seconds: 7 };
export const waiting: Evidence = { kind: "waiting", cause: more };
/** The reason of a campaign that no step has changed. */
const before: Reason = { code: "recorded", text: "what was so before" };

const secrets = "https://demo.vault.sim/secrets";
const keyOf = (name: string, digit: string): KeyRef => ({
  ckn: ckn(digit),
  cakSecretId: `${secrets}/erd-demo-${name}-cak/${digit}`,
  cknSecretId: `${secrets}/erd-demo-${name}-ckn/${digit}`,
});

export const keyOne: KeyRef = {
  ckn: ckn("1"),
  cakSecretId: `${secrets}/erd-demo-1-cak/1`,
  cknSecretId: `${secrets}/erd-demo-1-ckn/1`,
};
export const keyTwo: KeyRef = {
  ckn: ckn("2"),
  cakSecretId: `${secrets}/erd-demo-2-cak/1`,
  cknSecretId: `${secrets}/erd-demo-2-ckn/1`,
};

const someSettings: WantedSettings = {
  suite: "gcm-aes-xpn-256",
  includeSci: true,
  confidentialityOffset: 0,
  keyServerPriority: 16,
  replayWindow: undefined,
  sakRekeyMs: undefined,
};

type Kind = Campaign["kind"];
type Overlap = CampaignLink["overlap"];

const links = new Map<string, CampaignLink>();

/** Keeps one object of each kind: the model's search asks for millions of campaigns. */
function linkOf(at: 0 | 1, kind: Kind, overlap: Overlap): CampaignLink {
  const name = `${at} ${kind} ${overlap}`;
  const link = links.get(name) ?? newLink(at, kind, overlap);
  links.set(name, link);
  return link;
}

function newLink(at: 0 | 1, kind: Kind, overlap: Overlap): CampaignLink {
  const key = at === 0 ? keyOne : keyTwo;
  const before = kind === "change" ? key : keyOf(at === 0 ? "1" : "2", at === 0 ? "3" : "4");
  return {
    name: at === 0 ? "primary" : "secondary",
    device: at === 0 ? "edge-a" : "edge-b",
    port: "et-0/0/0",
    old: kind === "enrol" ? undefined : { key: before, settings: someSettings },
    new: { key, settings: someSettings },
    created: 0 as WallTime,
    generation: 1,
    overlap,
    outcome: undefined,
  };
}

/**
 * Returns a campaign of two links, at the first of them; enrolments and changes break before they
 * make.
 */
export function campaignOf(
  state: CampaignState,
  over: Partial<Campaign> = {},
  overlap: Overlap = "breakBeforeMake",
): Campaign {
  const kind = over.kind ?? "enrol";
  return {
    ...noMarks,
    touched: !["queued", "gated"].includes(over.state ?? state),
    group: "erd-demo",
    kind,
    links: [linkOf(0, kind, overlap), linkOf(1, kind, overlap)],
    at: 0,
    state,
    since: 0 as WallTime,
    reason: before,
    heldFrom: undefined,
    retire: "afterProof",
    urgency: "planned",
    risks: [],
    origin: "operator",
    by: "test",
    intent: 1,
    nonce: "5e".repeat(16),
    begunAt: undefined,
    ...over,
  };
}

export const calmPort: PortFacts = {
  keys: "old",
  pending: "none",
  carriedBy: "old",
  outage: "none",
  promotion: "none",
  drain: "off",
  admin: "up",
};

/**
 * Facts of a link that carries as before the campaign, with all checks passed and nothing proven
 * yet.
 */
export const calm: Facts = {
  port: calmPort,
  far: "old",
  sibling: "carrying",
  unmetPrecondition: undefined,
  withheld: undefined,
  drained: waiting,
  staged: waiting,
  proof: waiting,
  oldProof: waiting,
  freshSak: true,
  laterSaks: { kind: "notOffered" },
  carrying: waiting,
  replacement: { kind: "absent" },
  lostCommits: 0,
  mayLose: "nothing",
  overdue: false,
  farEnd: "agent",
  shutsFirst: false,
};

export const port = (over: Partial<PortFacts>): { readonly port: PortFacts } => ({
  port: { ...calmPort, ...over },
});
export const blind = { port: undefined };
export const overdue = { overdue: true };
export const manual = { farEnd: "manual" } as const;
export const valid = { replacement: { kind: "valid" } } as const;
export const refused: Cause = {
  code: "router.refuses",
  error: "device.rejected",
  text: "suite not offered",
};
export const refusedKey = { replacement: { kind: "refused", cause: refused } } as const;
export const shut: Cause = { code: "gate.window", cause: { code: "window.none" } };
export const withheld: Cause = { code: "gate.permit", cause: { code: "permit.missing" } };
export const windowShut = { unmetPrecondition: shut };

/** One small case: every fact that it names is needed for the row to match. */
export type Case = readonly [
  row: string,
  campaign: Partial<Campaign>,
  facts: Partial<Facts>,
  next: CampaignState,
  action: ActionKind | undefined,
  mark?: Step["mark"],
];

type Without = readonly [name: string, campaign: Partial<Campaign>, facts: Partial<Facts>];

/** Returns the case once for each fact that it names, without that fact. */
function without(campaign: Partial<Campaign>, facts: Partial<Facts>): readonly Without[] {
  const { port: seen, ...others } = facts;
  const plain = seen === undefined ? facts : others;
  const marks = Object.keys(campaign).map((name): Without => {
    return [name, { ...campaign, [name]: campaignOf("queued")[name as keyof Campaign] }, facts];
  });
  const facets = Object.keys(plain).map((name): Without => {
    return [name, campaign, { ...facts, [name]: calm[name as keyof Facts] }];
  });
  const parts = Object.entries(seen ?? {}).flatMap(([name, value]): readonly Without[] => {
    const usual = calmPort[name as keyof PortFacts];
    if (seen === undefined || value === usual) return [];
    return [[`port.${name}`, campaign, { ...facts, port: { ...seen, [name]: usual } }]];
  });
  return [...marks, ...facets, ...parts];
}

const stateOf = (row: string): CampaignState => row.split(".", 1)[0] as CampaignState;

/** Tests that every row of these states has a case, and that every case is a row. */
export function rowsOf(
  states: readonly CampaignState[],
  cases: readonly (readonly [Kind, Overlap, readonly Case[]])[],
): void {
  it(`the cases name every row of ${states.join(", ")}`, () => {
    const named = cases.flatMap(([, , some]) => some.map(([row]) => row));
    const rows = states.flatMap((state) => table[state].map(({ name }) => name));
    expect(named.toSorted()).toEqual(rows.toSorted());
  });
  for (const [kind, overlap, some] of cases) {
    describe(`${kind}, ${overlap}`, () => {
      for (const [row, campaign, facts, next, action, mark = {}] of some) {
        it(`takes ${row}`, () => {
          const found = campaignOf(stateOf(row), { kind, ...campaign }, overlap);
          const { reason, ...taken } = decide(found, { ...calm, ...facts });
          expect(taken).toEqual({ row, next, action, mark });
          expect(reason).toMatchObject(keepsReason(row) ? before : { code: row });
        });
        it.each(without(campaign, facts))(`takes ${row} only with %s`, (_name, less, fewer) => {
          const found = campaignOf(stateOf(row), { kind, ...less }, overlap);
          expect(decide(found, { ...calm, ...fewer }).row).not.toBe(row);
        });
      }
    });
  }
}

const keepsReason = (row: string): boolean => /^(held\.(?!goesOn)|done\.)/.test(row);

/** Another match of a row, with the cause that its reason carries. */
export type ReportedCase = readonly [
  row: string,
  campaign: Partial<Campaign>,
  facts: Partial<Facts>,
  cause?: Cause | undefined,
  action?: ActionKind,
];

export function reports(kind: Kind, overlap: Overlap, cases: readonly ReportedCase[]): void {
  describe(`${kind}, ${overlap}, the cause`, () => {
    for (const [row, campaign, facts, cause, action] of cases) {
      const seen = JSON.stringify({ ...campaign, ...facts });
      it(`of ${row} is ${cause?.code ?? "none"} (${seen})`, () => {
        const found = campaignOf(stateOf(row), { kind, ...campaign }, overlap);
        const taken = decide(found, { ...calm, ...facts });
        const reason = cause === undefined ? { code: row } : { code: row, cause };
        expect([taken.row, taken.reason, taken.action]).toEqual([
          ...[row, keepsReason(row) ? before : reason, action],
        ]);
      });
    }
  });
}
