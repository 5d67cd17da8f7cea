// Campaigns, facts and tables for the tests of the machine.

import { describe, expect, it } from "vitest";
import {
  type Action,
  type Campaign,
  type CampaignState,
  decide,
  type Evidence,
  type Facts,
  type PortFacts,
} from "#agent/campaign/campaign.ts";
import type { KeyRef } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { ckn } from "./site-bench.ts";

export const held: Evidence = { kind: "held" };
export const waiting: Evidence = { kind: "waiting", text: "7 s more to be sure" };

export const keyOne: KeyRef = {
  ckn: ckn("1"),
  cakSecretId: "https://demo.vault.sim/secrets/erd-demo-1-cak/1",
  cknSecretId: "https://demo.vault.sim/secrets/erd-demo-1-ckn/1",
};
const keyTwo: KeyRef = {
  ckn: ckn("2"),
  cakSecretId: "https://demo.vault.sim/secrets/erd-demo-2-cak/1",
  cknSecretId: "https://demo.vault.sim/secrets/erd-demo-2-ckn/1",
};

/** An enrolment of two links, at the first of them. */
export function campaignOf(state: CampaignState, over: Partial<Campaign> = {}): Campaign {
  const created = 0 as WallTime;
  const port = "et-0/0/0";
  return {
    group: "erd-demo",
    kind: "enrol",
    links: [
      { name: "primary", device: "edge-a", port, key: keyOne, created, outcome: undefined },
      { name: "secondary", device: "edge-b", port, key: keyTwo, created, outcome: undefined },
    ],
    at: 0,
    state,
    since: 0 as WallTime,
    because: "what was so before",
    told: false,
    asked: false,
    heldFrom: undefined,
    risks: [],
    by: "test",
    intent: 1,
    ...over,
  };
}

export const clearPort: PortFacts = { keys: "none", pending: false, usable: true, drain: "off" };

/** A calm first day: clear, carrying, every gate open, nothing proven yet. */
export const calm: Facts = {
  port: clearPort,
  far: "old",
  sibling: "carrying",
  closedGate: undefined,
  drained: waiting,
  proof: waiting,
  carrying: waiting,
  replacement: { kind: "absent" },
  lostCommits: 0,
  overdue: false,
  farEnd: "agent",
};

export const port = (over: Partial<PortFacts>): Pick<Facts, "port"> => ({
  port: { ...clearPort, ...over },
});
export const drained = { ...port({ drain: "on" }), drained: held };
export const dark = port({ usable: false, drain: "on" });
export const followed = port({ keys: "new", drain: "on" });
export const blind = { port: undefined, closedGate: "gate.stale: the router cannot be read" };
export const lost = { sibling: "lost", closedGate: "gate.siblingUnhealthy: it is down" } as const;
export const overdue = { overdue: true };
export const manual = { farEnd: "manual" } as const;
export const valid = { replacement: { kind: "valid" } } as const;
export const refusedKey = { replacement: { kind: "refused", text: "suite not offered" } } as const;

type Row = readonly [
  name: string,
  campaign: Partial<Campaign>,
  facts: Partial<Facts>,
  next: CampaignState,
  action: Action["kind"] | undefined,
  because: string,
];

export function table(state: CampaignState, rows: readonly Row[]): void {
  describe(`in ${state}`, () => {
    it.each(rows)("%s", (_name, campaign, facts, next, action, because) => {
      const taken = decide(campaignOf(state, campaign), { ...calm, ...facts });
      expect({ next: taken.next, action: taken.action?.kind }).toEqual({ next, action });
      expect(taken.because).toContain(because);
    });
  });
}
