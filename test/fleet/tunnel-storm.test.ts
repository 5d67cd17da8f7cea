// Newer keys of tunnels under faults and deaths of the agent: each ends in use at both ends, and
// seeded defects of the tunnels' table are found. LINKSEAL_SEED=NAME replays one seed alone.

import { describe, expect, it } from "vitest";
import { tunnelTable } from "#agent/rotation/tunnel-change.ts";
import { effort } from "../effort.ts";
import { tunnelDefects } from "../storm/tunnel-defects.ts";
import { playTunnelKeys } from "../storm/tunnel-keys.ts";

const asked = process.env["LINKSEAL_SEED"];
const seeds =
  asked === undefined
    ? Array.from({ length: effort(6, 400) }, (_, index) => `weather-${index + 1}`)
    : [asked];
const rows = Object.values(tunnelTable)
  .flat()
  .map(({ name }) => name);

describe("keys that change under faults, with an agent that is killed", () => {
  const taken = new Set<string>();

  it.each(seeds)("a key under faults ends in use at both ends, seed %s", async (seed) => {
    const { marks, faults, violations } = await playTunnelKeys({ seed, rounds: 6 });
    for (const row of Object.keys(marks)) taken.add(row);
    console.log(`${seed}: ${JSON.stringify(faults)}`);
    expect(violations).toEqual([]);
  });

  it("the runs take most rows of the tunnels' table", () => {
    if (asked !== undefined) return;
    const missing = rows.filter((name) => !taken.has(name));
    console.log(
      `${rows.length - missing.length} of ${rows.length} rows; not ${missing.join(", ")}`,
    );
    expect(missing.length).toBeLessThan(rows.length / 2);
  });
});

/** The seed that finds each seeded defect; LINKSEAL_LONG=1 searches for new ones. */
const foundBy: Readonly<Record<string, string>> = {
  "switches-untold": "again-29",
  "forgets-given": "again-0",
  "keeps-given": "again-2",
  "keeps-taken": "again-2",
  "unproven-key": "again-2",
  "never-withdrawn": "again-3",
};

async function breaks(defect: (typeof tunnelDefects)[number], seed: string): Promise<string> {
  const { violations } = await playTunnelKeys({ seed, rounds: 6, defect });
  return /^seed \S+ (\S+):/.exec(violations[0] ?? "")?.[1] ?? "nothing";
}

describe("a seeded defect of the tunnels' table", () => {
  it.each(tunnelDefects)("the seeded defect $name is found: it $title", async (defect) => {
    const known = foundBy[defect.name];
    if (effort(0, 1) === 0 && known !== undefined) {
      expect(await breaks(defect, known)).toBe(defect.breaks);
      return;
    }
    const found: string[] = [];
    while (found.length < 60 && found.at(-1) !== defect.breaks) {
      found.push(await breaks(defect, `again-${found.length}`));
    }
    console.log(`${defect.name}: ${found.length} seeds: ${[...new Set(found)].join()}`);
    expect(found.at(-1)).toBe(defect.breaks);
  });
});
