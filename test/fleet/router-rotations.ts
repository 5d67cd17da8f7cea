// The agent with routers of any vendor, on virtual time and under the oracle: first keys and
// rotations, with and without broken connections.

import { expect, it } from "vitest";
import { readXml } from "#drivers/transport/xml.ts";
import { type Platform, spokenBy } from "../conformance/place.ts";
import { effort } from "../effort.ts";
import { RouterStage } from "./router-stage.ts";

const long = effort(120_000, 3_600_000);

type Tried = readonly (readonly [string, Platform])[];

async function begun(seed: string, platform: Platform): Promise<RouterStage> {
  // Loads the XML reader first: loading takes real time, for which virtual time does not wait.
  await readXml(new TextEncoder().encode("<a/>"), "nowhere");
  const stage = new RouterStage(seed, spokenBy(platform));
  await stage.run(stage.begin());
  await stage.settled();
  expect(stage.isProtected(), stage.rest).toBe(true);
  return stage;
}

const linksOf = (stage: RouterStage) => stage.site.truth().groups[0]?.links ?? [];

function expectOneKeyEach(stage: RouterStage): void {
  for (const { edgeKeys, farKey } of linksOf(stage)) expect(edgeKeys).toEqual([farKey]);
}

async function newPair(stage: RouterStage): Promise<void> {
  await stage.rotate();
  await stage.settled();
  expect(stage.isProtected(), stage.rest).toBe(true);
}

interface Rotating {
  /** First word of the seeds. */
  readonly vendor: string;
  readonly tried: Tried;
  /** True if a port that holds two keys promotes the second one. */
  readonly promotes: boolean;
  /** Description of the rotations in the title. */
  readonly how?: string;
  /** Observes the run; returns a function that checks further expectations at the end. */
  readonly watch?: (stage: RouterStage) => () => void;
}

export function getNewPairs({ vendor, tried, promotes, how = "", watch }: Rotating): void {
  const rotations = effort(2, 200);
  it.each(tried)(
    `links get first keys and ${rotations} new pairs${how}, %s`,
    { timeout: long },
    async (name, platform) => {
      const stage = await begun(`${vendor} ${name}`, platform);
      const others = watch?.(stage);
      for (let turn = 0; turn < rotations; turn += 1) {
        const before = linksOf(stage).map(({ farKey }) => farKey);
        await newPair(stage);
        expect(linksOf(stage).map(({ farKey }) => farKey)).not.toEqual(before);
        expectOneKeyEach(stage);
      }
      expect(stage.complaints()).toEqual([]);
      others?.();
      const each = 2 * rotations;
      expect(Object.fromEntries(stage.keyEffects)).toEqual(
        platform.less.overlap === "none"
          ? { "macsec.addKey": 2, "macsec.replaceKey": each }
          : {
              "macsec.addKey": 2 + each,
              ...(promotes ? { "macsec.promoteKey": each } : {}),
              "macsec.removeKey": each,
            },
      );
    },
  );
}

interface Breaking {
  readonly vendor: string;
  readonly tried: Tried;
  /**
   * Chance from 0 to 1 of a break before, and again after, each write. An observation over a
   * command line has many writes.
   */
  readonly cuts: number;
  /** The least number of broken connections in each turn. */
  readonly cutMin: number;
  /** Whether stopped campaigns are resumed before everything is settled, or after it. */
  readonly resumes: "first" | "last";
}

export function keepPromises({ vendor, tried, cuts, cutMin, resumes }: Breaking): void {
  const rotations = effort(1, 40);
  it.each(tried)(
    "rotations over connections that break keep every promise, %s",
    { timeout: long },
    async (name, platform) => {
      const stage = await begun(`${vendor} cut ${name}`, platform);
      for (let turn = 0; turn < rotations; turn += 1) {
        await stage.rotate();
        stage.cuts = cuts;
        await stage.site.clock.runFor(120_000);
        stage.cuts = 0;
        // Reverted or stopped changes continue once the routers are reachable.
        await stage.site.clock.runFor(30_000);
        if (resumes === "first") await stage.resumed();
        await stage.settled();
        if (resumes === "last") await stage.resumed();
        expect(stage.isProtected(), stage.rest).toBe(true);
        await newPair(stage);
        expectOneKeyEach(stage);
      }
      expect(stage.cut).toBeGreaterThan(cutMin * rotations);
      expect(stage.complaints()).toEqual([]);
    },
  );
}
