// The agent is killed between a commit and the save that follows it, on routers that save apart from
// a commit. Its successor saves, so that a boot brings back nothing of before.

import { describe, expect, it } from "vitest";
import { type Platform, platforms, spokenBy } from "../conformance/place.ts";
import { effort } from "../effort.ts";
import { RouterStage } from "./router-stage.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "unsaved";
const saves = /^(?:write memory|copy running-config startup-config)$/;

const drained = (config: string): string => config;
/** Without a drain the last commit of a link is that of its key. */
const undrained = (config: string): string =>
  config
    .replaceAll("drain: prepend", "drain: none")
    .replace("acceptRisks:", "$&\n  - { risk: noDrain, until: 2027-11-24 }");

const tried = [
  { vendor: "iosxe", platform: platforms["C8500-12X4QC 17.15.1"] },
  { vendor: "eos", platform: platforms["7280CR3MK 4.30.5M"] },
  { vendor: "nxos", platform: platforms["C9336C-FX2 9.3.6"] },
].flatMap((row) => [
  { ...row, last: "a restore", rewrites: drained },
  { ...row, last: "a key", rewrites: undrained },
]);

async function settledStage(platform: Platform, rewrites: (config: string) => string) {
  const stage = new RouterStage(seed, spokenBy(platform));
  stage.rewrites = rewrites;
  await stage.run(stage.begin());
  await stage.settled();
  return stage;
}

/** Rotates; returns the number of requests to save, before the `nth` of which the agent is killed. */
async function rotated(stage: RouterStage, nth: number): Promise<number> {
  let asked = 0;
  stage.kills = (_, line) => {
    asked += Number(saves.test(line));
    return asked === nth && saves.test(line);
  };
  const { site, crashing } = stage;
  const [first] = site.links;
  const old = first === undefined ? undefined : site.vault.pairs(first.key).at(-1)?.ckn;
  stage.newPairs();
  // A kill may lose the request together with its answer.
  stage.ask().catch(() => undefined);
  const isOver = (): boolean => stage.outcomeOf(old) !== undefined && stage.isProtected();
  await stage.until(() => crashing.dead || isOver());
  if (crashing.dead) {
    await site.clock.runFor(3_000);
    await stage.run(stage.begin());
    await stage.until(isOver);
  }
  return asked;
}

function isSaved(stage: RouterStage): boolean {
  return [...stage.site.routers.keys()].every((name) => {
    const emulator = stage.emulator(name) as { isSaved(): boolean } | undefined;
    return emulator?.isSaved() === true;
  });
}

describe("an agent that is killed before a save", () => {
  // A commit in force without its save was saved by the next commit alone: a boot months later
  // brought back the old key.
  it.each(tried)(
    "its successor saves where $last comes last, and a boot keeps it: $vendor",
    { timeout: effort(180_000, 3_600_000) },
    async ({ platform, rewrites }) => {
      const clean = await rotated(await settledStage(platform, rewrites), 0);
      expect(clean).toBeGreaterThan(1);
      const all = Array.from({ length: clean }, (_, index) => index + 1);
      for (const nth of effort([clean], all)) {
        const stage = await settledStage(platform, rewrites);
        const dead = stage.crashing;
        await rotated(stage, nth);
        expect(dead.dead).toBe(true);
        await stage.until(() => isSaved(stage));
        const { site } = stage;
        const keys = (): unknown => site.truth().groups[0]?.links.map(({ edgeKeys }) => edgeKeys);
        const links = site.truth().groups[0]?.links ?? [];
        const fars = links.map(({ farKey }) => [farKey]);
        expect(keys()).toEqual(fars);
        for (const router of site.routers.values()) {
          router.reboot();
          await site.clock.runFor(120_000);
          await stage.settled();
          expect(keys(), `save ${nth} of ${clean}`).toEqual(fars);
        }
        expect(stage.rest).toMatch(/^protected, campaign done: /);
        if (rewrites === drained) expect(stage.complaints()).toEqual([]);
      }
    },
  );
});
