// Every cell of the machine: each campaign with each combination of facts, held against its rules.

import { describe, expect, it } from "vitest";
import {
  type Campaign,
  campaignStates,
  decide,
  type Facts,
  type Step,
} from "#agent/campaign/campaign.ts";
import { campaignOf, type clearPort, held, waiting } from "./campaign-kit.ts";
import { explore } from "./campaign-space.ts";
import type { ModelOptions } from "./campaign-world.ts";

type Cell = { readonly campaign: Campaign; readonly facts: Facts; readonly step: Step };

const both = [false, true];
const evidence = [waiting, held];
const fars: readonly Facts["far"][] = ["old", "new", "other", "updating", "failed", "unknown"];
const keys = ["none", "new", "else"] as const;
const ports: readonly Facts["port"][] = [
  undefined,
  ...keys.flatMap((key) =>
    both.flatMap((pending) =>
      both.flatMap((usable) =>
        (["off", "on"] as const).map((drain) => ({ keys: key, pending, usable, drain })),
      ),
    ),
  ),
];
const replacements: readonly Facts["replacement"][] = [
  { kind: "absent" },
  { kind: "valid" },
  { kind: "refused", text: "the suite is not offered" },
];

function* campaigns(): Generator<Campaign> {
  for (const state of campaignStates) {
    for (const told of both) for (const asked of both) yield campaignOf(state, { told, asked });
  }
}

function* allFacts(): Generator<Facts> {
  for (const port of ports)
    for (const far of fars)
      for (const sibling of ["carrying", "lost"] as const)
        for (const closedGate of [undefined, "the window is shut"])
          for (const drained of evidence)
            for (const proof of evidence)
              for (const carrying of evidence)
                for (const replacement of replacements)
                  for (const lostCommits of [0, 3])
                    for (const overdue of both)
                      for (const farEnd of ["agent", "manual"] as const)
                        yield {
                          ...{ port, far, sibling, closedGate, drained, proof, carrying },
                          ...{ replacement, lostCommits, overdue, farEnd },
                        };
}

/** What `closedGate` of facts.ts can never say to be open. */
function gatesFit({ port, far, sibling, closedGate }: Facts): boolean {
  if (closedGate !== undefined) return true;
  if (sibling === "lost" || port === undefined || port.pending) return false;
  return far !== "updating" && far !== "unknown" && far !== "failed";
}

const parking = ["queued", "gated", "awaitingPeer", "held", "done"];
const does = ({ step }: Cell, kind: string): boolean => step.action?.kind === kind;

function dueBack({ facts: { port } }: Cell): boolean {
  return port?.usable === true && port.drain === "on" && !port.pending;
}

/** The same facts in the state that was entered; its deadline has only begun. */
function after({ campaign, facts, step }: Cell): Step {
  return decide({ ...campaign, state: step.next }, { ...facts, overdue: false });
}

/** Each says what must hold in a cell; a rule that names no cell would prove nothing. */
const rules: readonly (readonly [string, (cell: Cell) => boolean, (cell: Cell) => boolean])[] = [
  [
    "every step has a sentence",
    () => true,
    ({ step }) => /\S{2,}.{4,}/.test(step.because) && !step.because.includes("undefined"),
  ],
  [
    "the far end is told only by the agent, through every gate, off a drained link, from old",
    (cell) => does(cell, "putNew"),
    ({ facts }) =>
      facts.farEnd === "agent" &&
      facts.closedGate === undefined &&
      facts.drained.kind === "held" &&
      facts.far === "old" &&
      facts.port?.keys === "none" &&
      facts.replacement.kind === "valid",
  ],
  [
    "told is marked before it",
    (cell) => does(cell, "putNew"),
    ({ step }) => step.mark.told === true,
  ],
  [
    "the router follows only a far end that is new, on a link that has left its old state",
    (cell) => does(cell, "replace"),
    ({ facts: { far, port, replacement } }) =>
      far === "new" &&
      port?.keys === "none" &&
      !port.usable &&
      !port.pending &&
      replacement.kind === "valid",
  ],
  [
    "a drain needs a sibling that carries, and nothing pending",
    (cell) => does(cell, "drain"),
    ({ facts: { sibling, port } }) => sibling === "carrying" && port?.pending === false,
  ],
  [
    "a gate that is closed lets nothing begin",
    ({ campaign, facts }) => campaign.state === "gated" && facts.closedGate !== undefined,
    ({ step }) => step.next !== "draining",
  ],
  [
    "traffic comes back only where it can be, with nothing pending",
    (cell) => does(cell, "restore"),
    ({ campaign, facts: { port } }) =>
      port?.drain === "on" && !port.pending && (port.usable || campaign.state === "restoring"),
  ],
  [
    "no gate stops traffic from coming back",
    (cell) => does(cell, "restore"),
    ({ campaign, facts, step }) => {
      const closedGate = facts.closedGate === undefined ? "shut" : undefined;
      return decide(campaign, { ...facts, closedGate }).action?.kind === step.action?.kind;
    },
  ],
  [
    "sibling lost and this link usable: traffic back before any other effect",
    (cell) =>
      cell.facts.sibling === "lost" && dueBack(cell) && !parking.includes(cell.campaign.state),
    (cell) => {
      if (cell.step.action !== undefined) return does(cell, "restore");
      return cell.step.next === "held" || after(cell).action?.kind === "restore";
    },
  ],
  [
    "a parked campaign keeps no usable link drained",
    (cell) => ["gated", "awaitingPeer", "held"].includes(cell.campaign.state) && dueBack(cell),
    (cell) => does(cell, "restore") && cell.step.next === cell.campaign.state,
  ],
  [
    "a held campaign stays, and writes nothing but the way back",
    ({ campaign }) => campaign.state === "held",
    ({ step }) =>
      step.next === "held" &&
      (step.action === undefined || ["restore", "probe"].includes(step.action.kind)),
  ],
  [
    "a finished campaign does nothing",
    ({ campaign }) => campaign.state === "done",
    ({ step }) => step.next === "done" && step.action === undefined,
  ],
  [
    "a deadline ends every state that has one, unless it gives",
    ({ campaign, facts }) => facts.overdue && !parking.includes(campaign.state),
    ({ campaign, step }) =>
      step.next !== campaign.state || ["restore", "replace"].includes(step.action?.kind ?? ""),
  ],
  [
    "done is what a look shows: carrying, undrained, one key on both ends or none",
    ({ campaign, step }) => step.next === "done" && campaign.state !== "done",
    ({ campaign, facts: { port, far, carrying }, step }) =>
      campaign.state === "restoring" &&
      carrying.kind === "held" &&
      port?.drain === "off" &&
      !port.pending &&
      (step.mark.outcome === "enrolled"
        ? port.keys === "new" && far === "new"
        : port.keys === "none" && far === "old"),
  ],
  [
    "nobody waits for a person where the agent writes",
    ({ campaign, step }) => step.next === "awaitingPeer" && campaign.state !== "awaitingPeer",
    ({ facts }) => facts.farEnd === "manual",
  ],
  [
    "a key that is not ours is never worked over",
    ({ facts }) => facts.port?.keys === "else",
    ({ step }) => !["putNew", "replace", "prepare"].includes(step.action?.kind ?? ""),
  ],
];

function brokenCells(): { cells: number; broken: Record<string, string>; unused: string[] } {
  const broken: Record<string, string> = {};
  const unused = new Set(rules.map(([name]) => name));
  let cells = 0;
  for (const facts of allFacts()) {
    if (!gatesFit(facts)) continue;
    for (const campaign of campaigns()) {
      const cell = { campaign, facts, step: decide(campaign, facts) };
      cells += 1;
      for (const [name, applies, holds] of rules) {
        if (!applies(cell)) continue;
        unused.delete(name);
        if (!holds(cell)) broken[name] ??= JSON.stringify(cell);
      }
    }
  }
  return { cells, broken, unused: [...unused] };
}

describe("every cell of the machine", () => {
  it("keeps every rule", { timeout: 120_000 }, () => {
    const { cells, broken, unused } = brokenCells();
    console.log(`${cells} cells, ${rules.length} rules`);
    expect(broken).toEqual({});
    expect(unused).toEqual([]);
  });
});

const farEnds = ["agent", "manual"] as const;
const portSeen = (change: Partial<typeof clearPort>) => (facts: Facts) =>
  facts.port === undefined ? facts : { ...facts, port: { ...facts.port, ...change } };

/** A machine that is wrong about one thing, and the property that must notice. */
const blindness: readonly (readonly [string, NonNullable<ModelOptions["twist"]>, string])[] = [
  [
    "every gate is open",
    (facts) => ({ ...facts, closedGate: undefined }),
    "drain: the sibling must carry (P2)",
  ],
  [
    "every link is drained",
    (facts) => ({ ...facts, drained: held }),
    "putNew: the link must be drained first",
  ],
  [
    "no link is usable",
    portSeen({ usable: false }),
    "replace: it must not interrupt a link that carries",
  ],
  [
    "every link is usable",
    portSeen({ usable: true }),
    "restore: only a usable link gets traffic back",
  ],
  ["no link is drained", portSeen({ drain: "off" }), "held: a usable link stays drained (P2)"],
  ["no port holds a key", portSeen({ keys: "none" }), "putNew: only from the old state"],
  [
    "nothing is ever pending",
    portSeen({ pending: false }),
    "replace: a pending commit would take it along",
  ],
  [
    "what updates is old",
    (facts) => ({ ...facts, far: facts.far === "updating" ? "old" : facts.far }),
    "done: a put may still land",
  ],
  [
    "what updates is new",
    (facts) => ({ ...facts, far: facts.far === "updating" ? "new" : facts.far }),
    "replace: the far end goes first",
  ],
  [
    "the sibling always carries",
    (facts) => ({ ...facts, sibling: "carrying" }),
    "drain: the sibling must carry (P2)",
  ],
  [
    "every key is proven",
    (facts) => ({ ...facts, proof: held }),
    "proving: left without proof (P3)",
  ],
  [
    "every link carries",
    (facts) => ({ ...facts, carrying: held }),
    "done: the link does not carry",
  ],
  [
    "every router would follow",
    (facts) => ({ ...facts, replacement: { kind: "valid" } }),
    "putNew: the router must be known to follow",
  ],
  ["no deadline passes", (facts) => ({ ...facts, overdue: false }), "switching: no way to an end"],
];

describe("the machine in a world where everything may go wrong", () => {
  it.each(farEnds)("breaks no promise and always ends, far end %s", (farEnd) => {
    const { states, broken, visited } = explore({ farEnd, faults: 2 });
    console.log(`${states} states with the far end ${farEnd} and 2 faults`);
    expect(Object.fromEntries(broken)).toEqual({});
    const never = farEnd === "agent" ? ["awaitingPeer"] : [];
    expect(campaignStates.filter((state) => !visited.has(state))).toEqual(never);
  });

  it.each(blindness)("is caught when it believes that %s", (_name, twist, property) => {
    const { broken } = explore({ farEnd: "agent", faults: 2, twist });
    expect([...broken.keys()]).toContain(property);
  });

  it("is caught when it writes a far end that is a person's", () => {
    const twist = (facts: Facts): Facts => ({ ...facts, farEnd: "agent" });
    const { broken } = explore({ farEnd: "manual", faults: 1, twist });
    expect([...broken.keys()]).toContain("putNew: a person's far end is the person's");
  });
});
