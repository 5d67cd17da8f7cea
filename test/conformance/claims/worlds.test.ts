// Searches for worlds in which each fact of a claim was seen and the claim is false.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readXml } from "#drivers/transport/xml.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../effort.ts";
import { allPlatforms } from "../place.ts";
import { cases } from "./cases.ts";
import { isOffered, type Scenes } from "./scenes.ts";
import { type Lived, lived, turns, withoutOctets } from "./worlds.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "worlds";
const names = Object.keys(turns);

/** One platform of each vendor, and one that ends tunnels. */
const tried: readonly string[] = [
  "7280CR3MK 4.30.5M",
  "C8500-12X4QC 17.15.1",
  "8201-32FH 7.11.2",
  "C9336C-FX2 9.3.6",
  "ptx10008 23.4R2",
  "srx4600 23.4R2",
];
const kinds = ["protected", "drained", "tunnel"] as const satisfies readonly (keyof Scenes)[];

/** Simulated routers live fast, those of vendors speak through a driver. */
const searches: readonly (readonly [string, number])[] = [
  ...["sim", "Linux"].map((name) => [name, effort(60, 2_000)] as const),
  ...allPlatforms
    .map(([name]) => [name, effort(tried.includes(name) ? 5 : 0, 60)] as const)
    .filter(([, worlds]) => worlds > 0),
];

async function searched(place: string, kind: keyof Scenes, worlds: number): Promise<Lived[]> {
  const found: Lived[] = [];
  const order = new Prng(`${seed} ${place} ${kind}`);
  const first = order.between(0, names.length - 1);
  // Each turn alone, from one that is drawn, then two together.
  for (let world = 0; world < worlds; world += 1) {
    const alone = names[(first + world) % names.length] ?? "";
    const drawn = world < names.length ? [alone] : [order.pick(names), order.pick(names)];
    found.push(await lived(place, kind, drawn, order.fork(String(world))));
  }
  return found;
}

const said = (found: readonly Lived[]): readonly string[] => [
  ...new Set(
    found.flatMap(({ counters }) =>
      counters.map((counter) => `${counter.claim} although ${counter.turns.join(", then ")}`),
    ),
  ),
];

describe("a claim whose facts were all seen", () => {
  const rows: string[] = [];
  beforeAll(async () => {
    console.log(`LINKSEAL_SEED=${seed}`);
    await readXml(new TextEncoder().encode("<warm/>"), "nowhere");
  });
  afterAll(() => console.log(["", ...rows].join("\n")));

  it.each(searches)(
    "a claim whose facts were all seen of a router %s is true",
    async (place, worlds) => {
      for (const kind of kinds.filter((one) => isOffered(place, one))) {
        const found = await searched(place, kind, worlds);
        const claimed = found.reduce((sum, one) => sum + one.claimed, 0);
        rows.push(`${place}, ${kind}: ${worlds} worlds, ${claimed} claims made`);
        expect(said(found)).toEqual([]);
      }
    },
  );

  it("a claim that lacks a fact is found by a world in which it is false", async () => {
    const blind: typeof cases = {
      ...cases,
      "link-protected": {
        ...cases["link-protected"],
        // As before octets told frames apart that were only authenticated.
        holds: (scene, now) => cases["link-protected"].holds(withoutOctets(scene), now),
      },
    };
    const prng = new Prng(seed);
    const drawn = ["the far end sends readable frames"];
    const { counters } = await lived("sim", "protected", drawn, prng, blind);
    expect(counters.map(({ claim }) => claim)).toEqual(["link-protected"]);
  });
});
