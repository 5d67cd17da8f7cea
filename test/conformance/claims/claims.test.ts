// Each claim about a router falls once any of its facts is taken away, on every platform.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FactRow } from "#agent/model/claims.ts";
import { readXml } from "#drivers/transport/xml.ts";
import { known } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { type Case, cases, type RouterClaim, routerClaims } from "./cases.ts";
import { places, type Scene, scenesOf } from "./scenes.ts";
import {
  factsOf,
  laterMs,
  losses,
  nowOf,
  readingOf,
  withNewest,
  without,
  withPort,
} from "./subtractions.ts";

/** One way in which the facts of a claim can be taken away: by name, and what is left. */
interface Subtraction {
  readonly what: string;
  readonly from: (scene: Scene) => Scene | undefined;
}

function subtractionsOf<C extends RouterClaim>(claim: C, one: Case<C>): readonly Subtraction[] {
  return factsOf(claim).flatMap(([name, row]) => {
    const lost = Object.entries(losses)
      .filter(([how]) => isLoss(how, row, one))
      .map(([how, loss]) => ({
        what: `${name}: ${row.shownBy.join(", ")} ${how}`,
        from: (scene: Scene) => without(scene, row, loss),
      }));
    const otherwise = one.otherwise[name as keyof typeof one.otherwise];
    return [...lost, { what: `${name} is otherwise`, from: otherwise }];
  });
}

/** What only some platforms have is no loss where it is not offered. */
function isLoss(how: string, { onlyWhere }: FactRow, { ages }: Pick<Case<RouterClaim>, "ages">) {
  if (how === "is not offered") return onlyWhere === undefined;
  return how !== "is old" || ages === "reading";
}

/** What taking the facts of one claim away has shown on one platform. */
interface Found {
  readonly tried: number;
  /** What was taken away, and the claim was made all the same. */
  readonly survived: readonly string[];
}

function subtracted<C extends RouterClaim>(claim: C, one: Case<C>, scene: Scene): Found {
  const now = nowOf(scene);
  if (!one.holds(scene, now)) return { tried: 0, survived: ["it does not hold"] };
  const survived: string[] = [];
  let tried = 0;
  const fell = (what: string, left: Scene | undefined, at: Instant = now): void => {
    if (left === undefined) return;
    tried += 1;
    if (one.holds(left, at)) survived.push(what);
  };
  const all = subtractionsOf(claim, one);
  for (const { what, from } of all) fell(what, from(scene));
  fell("the look is old", scene, (now + laterMs) as Instant);
  fell("the device lists nothing", empty(scene));
  if (!verdictClaims.has(claim)) return { tried, survived };
  for (const [index, first] of all.entries()) {
    for (const second of all.slice(index + 1)) {
      const left = first.from(scene);
      fell(`${first.what}, and ${second.what}`, left && second.from(left));
    }
  }
  return { tried, survived };
}

function empty(scene: Scene): Scene {
  return withNewest(scene, ({ blocked, ...state }) => {
    const none = { ...state, macsec: [], ipsec: [] };
    return blocked === undefined ? none : { ...none, blocked: known([], state.at) };
  });
}

/** What a verdict rests on is taken away in pairs too: one lack must not excuse another. */
const verdictClaims: ReadonlySet<RouterClaim> = new Set(["link-protected", "tunnel-protected"]);

/** The facts that the readings of this platform can show. */
function shown(claim: RouterClaim, scene: Scene): number {
  return factsOf(claim).filter(([, { shownBy }]) =>
    shownBy.some((name) => readingOf(scene, name) !== undefined),
  ).length;
}

interface Sum {
  readonly facts: number;
  readonly places: number;
  readonly tried: number;
  readonly fell: number;
}

function tableOf(rows: ReadonlyMap<RouterClaim, Sum>): string {
  const cells = (claim: string, ...rest: (string | number)[]): string =>
    claim.padEnd(20) + rest.map((each) => String(each).padStart(12)).join("");
  const lines = [...rows].map(([claim, { facts, places: on, tried, fell }]) =>
    cells(claim, facts, on, tried, fell),
  );
  return ["", cells("claim", "facts", "platforms", "taken away", "fell"), ...lines].join("\n");
}

describe("a claim about a router", () => {
  const rows = new Map<RouterClaim, Sum>();
  beforeAll(async () => {
    await readXml(new TextEncoder().encode("<warm/>"), "nowhere");
  });
  afterAll(() => console.log(tableOf(rows)));

  it.each(places)("a claim about a router %s falls with each fact", async (place) => {
    const scenes = await scenesOf(place);
    const survived: string[] = [];
    for (const claim of routerClaims) {
      const one: Case<typeof claim> = cases[claim];
      const scene = scenes[one.scene];
      if (scene === undefined || one.isOpen?.(scene) === false) continue;
      const found = subtracted(claim, one, scene);
      survived.push(...found.survived.map((what) => `${claim}, ${what}`));
      const row = rows.get(claim) ?? { facts: 0, places: 0, tried: 0, fell: 0 };
      const facts = Math.max(row.facts, shown(claim, scene));
      const tried = row.tried + found.tried;
      const fell = row.fell + found.tried - found.survived.length;
      rows.set(claim, { facts, places: row.places + 1, tried, fell });
    }
    expect(survived).toEqual([]);
  });

  it("a claim that one fact does not carry is found by what survives", async () => {
    const { protected: scene } = await scenesOf("sim");
    const suite = scene && readingOf(scene, "liveSuite");
    if (scene === undefined || suite === undefined) throw new Error("there is no link");
    const honest = cases["link-protected"];
    const blind: typeof honest = {
      ...honest,
      holds: (left, now) => honest.holds(withPort(left, { liveSuite: suite }), now),
    };
    const { survived } = subtracted("link-protected", blind, scene);
    const alone = survived.filter((what) => !what.includes(", and "));
    expect(new Set(alone.map((what) => what.split(" ", 1)[0]))).toEqual(
      new Set(["suite:", "suite"]),
    );
    const forgetful = { ...honest, holds: (left: Scene) => honest.holds(left, nowOf(left)) };
    expect(subtracted("link-protected", forgetful, scene).survived).toEqual(["the look is old"]);
  });
});
