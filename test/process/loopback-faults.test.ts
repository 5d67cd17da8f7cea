// Faults of the far end, the sibling and the vault in the middle of a rotation, with routers of two
// vendors over real SSH and NETCONF and the cloud behind TLS.

import { describe, expect, it } from "vitest";
import type { CampaignState } from "#agent/model/campaign.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../effort.ts";
import { isEnded, run, seed } from "./loopback-kit.ts";

interface Blow {
  readonly fault: string;
  /** The state of the first link's rotation in which the fault strikes. */
  readonly at: CampaignState;
  readonly on: "primary" | "secondary";
  /** Milliseconds of real time; the site's time runs twelve times as fast. */
  readonly lastsMs: number;
}

const farEnd = (fault: string, at: CampaignState, lastsMs = 12_000): Blow => ({
  ...{ fault, at, on: "primary", lastsMs },
});
const sibling = (at: CampaignState): Blow => ({
  ...{ fault: "port-shut", at, on: "secondary", lastsMs: 15_000 },
});

const blows: readonly Blow[] = [
  farEnd("far-busy", "staging"),
  farEnd("far-fails", "staging"),
  farEnd("far-slow", "staging", 20_000),
  farEnd("far-lies", "staging", 20_000),
  farEnd("far-half", "staging"),
  farEnd("far-person", "switching"),
  farEnd("far-person", "proving"),
  farEnd("identity-gone", "staging"),
  farEnd("vault-down", "staging", 30_000),
  farEnd("vault-down", "proving", 30_000),
  ...(["draining", "staging", "switching", "proving", "retiring", "restoring"] as const).map(
    sibling,
  ),
];

const lots = new Prng(`${seed} blows`);
const chosen = blows
  .map((blow) => ({ blow, lot: lots.real() }))
  .sort((a, b) => a.lot - b.lot)
  .slice(0, effort(1, blows.length))
  .map(({ blow }) => blow);

describe("a real agent beside junos and iosxr", () => {
  it.concurrent.each(chosen)(
    "a rotation breaks no promise and ends when $fault strikes the $on in $at",
    async ({ fault, at, on, lastsMs }) => {
      let [struck, healing]: [boolean, NodeJS.Timeout | undefined] = [false, undefined];
      const seen = new Set<string>();
      const ended = await run(["junos", "iosxr"], undefined, (stage, { link, state, because }) => {
        seen.add(`${link} ${state}: ${because}`);
        if (struck || link !== "primary" || state !== at) return;
        struck = true;
        stage.send({ kind: "strike", fault, link: `erd-demo/${on}` });
        healing = setTimeout(() => stage.send({ kind: "heal" }), lastsMs);
      }).catch((error: unknown) => error);
      clearTimeout(healing);
      console.log(`${fault} at ${at}: ${isEnded(ended) ? ended.outcome : String(ended)}`);
      if (!isEnded(ended)) throw ended;
      expect(struck).toBe(true);
      const { violations, outcome, trace } = ended;
      expect(violations, [...seen, ...trace].join("\n")).toEqual([]);
      expect(outcome).toMatch(/^done: /);
    },
  );
});
