// The real machine in a world where every fault may happen: all states that can be reached.

import { describe, expect, it } from "vitest";
import { campaignStates } from "#agent/model/campaign.ts";
import { effort } from "../../effort.ts";
import { configs } from "../../model/campaign-configs.ts";
import { explore } from "../../model/campaign-space.ts";
import type { Config } from "../../model/campaign-world.ts";

/**
 * Configurations with two faults in the usual run too: each overlap, far end and kind of campaign,
 * a soak, a port that is shut first, and half of a change.
 */
const deep = [
  ...["rotate, keychain, manual, afterSoak", "rotate, fallback, manual, afterProof"],
  ...["rotate, none, shut first", "rotate, none, manual", "enrol, agent", "enrol, manual"],
  ...["change, half fits new", "change, router alone, half"],
  ...["change, router alone", "change, router alone, permits", "rotate, none, manual, permits"],
];
const faultsIn = ({ name }: Config): number => effort(deep.includes(name) ? 2 : 1, 3);
const words = effort(1, 2);

/** Returns states that a configuration does not use. */
function unusedStates({ overlap, promotes, farEnd, kind }: Config): readonly string[] {
  const breaks = overlap === "breakBeforeMake";
  return campaignStates.filter((state) => {
    if (state === "staging" || state === "staged" || state === "retiring") return breaks;
    if (state === "promoting") return !promotes;
    if (state === "awaitingPeer") return farEnd === "agent";
    return state === "reverting" && kind === "enrol" && farEnd === "manual";
  });
}

const residual: string[] = [];

describe("the machine in a world where every fault may happen", () => {
  it.each(configs)("the machine breaks no promise and always ends: $name", (config) => {
    const {
      states,
      turns,
      broken,
      reached,
      residual: named,
    } = explore(config, {
      faults: faultsIn(config),
      words,
      links: 1,
    });
    const found = `${states} states, ${turns} turns, ${named} residual cases`;
    console.log(
      `${config.name}: ${found}; ${faultsIn(config)} faults, ${words} words of the operator`,
    );
    expect(Object.fromEntries(broken)).toEqual({});
    if (named > 0) residual.push(config.name);
    const unused = unusedStates(config);
    expect(
      campaignStates.filter((state) => !reached.has(state) && !unused.includes(state)),
    ).toEqual([]);
  });

  it("a staged key can be lost to its timer only where a key is staged", () => {
    const staged = configs.filter(({ overlap }) => overlap !== "breakBeforeMake");
    expect(residual).toEqual(staged.map(({ name }) => name));
  });

  it.each(configs)("the machine hands over to the second link: $name", (config) => {
    const { states, broken } = explore(config, { faults: effort(1, 2), words, links: 2 });
    console.log(`${config.name}, two links: ${states} states, ${effort(1, 2)} faults`);
    expect(Object.fromEntries(broken)).toEqual({});
  });
});
