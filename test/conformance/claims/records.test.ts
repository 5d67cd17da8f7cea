// Each claim about the agent's own records and effects falls once any of its facts is taken away.

import { afterAll, describe, expect, it } from "vitest";
import { type ClaimName, claims } from "#agent/model/claims.ts";
import { routerClaims } from "./cases.ts";
import { effectCases } from "./effects.ts";
import { type AnyCase, forms, recordCases } from "./records.ts";
import { factsOf } from "./subtractions.ts";

const all: Readonly<Partial<Record<ClaimName, AnyCase>>> = { ...recordCases, ...effectCases };

interface Found {
  readonly tried: number;
  /** What was taken away, and the claim was made all the same. */
  readonly survived: readonly string[];
}

async function subtracted({ evidence, holds, facts }: AnyCase): Promise<Found> {
  if (!(await holds(evidence))) return { tried: 0, survived: ["it does not hold"] };
  const bends = Object.entries(facts).flatMap(([fact, ways]) =>
    forms.flatMap((form) => {
      const bend = ways[form];
      return typeof bend === "string" ? [] : [{ fact, what: `${fact} is ${form}`, bend }];
    }),
  );
  const survived: string[] = [];
  let tried = 0;
  const fell = async (what: string, left: unknown): Promise<void> => {
    tried += 1;
    if (await holds(left)) survived.push(what);
  };
  for (const [index, { fact, what, bend }] of bends.entries()) {
    await fell(what, bend(evidence));
    for (const other of bends.slice(index + 1).filter((one) => one.fact !== fact))
      await fell(`${what}, and ${other.what}`, other.bend(bend(evidence)));
  }
  return { tried, survived };
}

describe("a claim about the agent's own records and effects", () => {
  const line = (claim: string, ...cells: (string | number)[]): string =>
    claim.padEnd(20) + cells.map((each) => String(each).padStart(12)).join("");
  const rows = [line("claim", "facts", "platforms", "taken away", "fell")];
  afterAll(() => console.log(["", ...rows].join("\n")));

  it.each(Object.entries(all))("the claim %s falls with each fact", async (claim, one) => {
    const { tried, survived } = await subtracted(one);
    rows.push(
      line(claim, factsOf(claim as ClaimName).length, "agent", tried, tried - survived.length),
    );
    expect(survived).toEqual([]);
  });

  it("every claim of the table is taken apart, on platforms or at the agent", () => {
    const known = [...routerClaims, ...Object.keys(all)];
    expect(known.toSorted()).toEqual(Object.keys(claims).toSorted());
  });

  it("a claim that forgets one fact is found by what survives", async () => {
    const honest = recordCases["backup-ready"];
    const baseless: AnyCase = { ...honest, holds: (log) => log !== undefined };
    expect((await subtracted(baseless)).survived).toEqual([
      "proven is missing",
      "proven is old",
      "proven is otherwise",
    ]);
  });
});
