// The sibling ends on the agent's host: that host ends at any moment of a campaign, and the link on
// the other host must carry by itself, unless the risk `agentOnSibling` is accepted.

import { describe, expect, it } from "vitest";
import { effort } from "../../effort.ts";
import { configs } from "../../model/campaign-configs.ts";
import { explore } from "../../model/campaign-space.ts";
import type { Config, Fate } from "../../model/campaign-world.ts";
import { begins } from "../../model/shared-fate.ts";

const all = configs.flatMap((config) =>
  (["soft", "hard"] as const).map((drain) => ({ config, drain, isFree: begins(config, drain) })),
);

/** The configurations that the guard lets begin without the risk, or those that it refuses. */
function those(which: "begin" | "wait", asked: Fate["asked"]): readonly Config[] {
  return all
    .filter(({ isFree }) => isFree === (which === "begin"))
    .map(({ config, drain }) => {
      return { ...config, name: `${config.name}, ${drain} drain`, fate: { drain, asked } };
    });
}

/** Each overlap, far end and retirement once in the usual run too. */
const usual = [
  ...["rotate, keychain, agent, afterProof", "rotate, keychain, manual, afterSoak"],
  ...["rotate, fallback, agent, afterSoak", "rotate, fallback that stays, manual, afterSoak"],
  "rotate, keychain, later SAKs",
].map((name) => `${name}, soft drain`);
const isMeant = ({ name }: Config): boolean => effort(usual.includes(name), true);

const lost = "FATE: traffic does not return by itself";
const limits = { faults: effort(1, 2), words: 1, links: 1 } as const;
const early = { faults: 1, words: 1, links: 1, stopEarly: true } as const;

describe("the agent's host ends, and the sibling with it", () => {
  it("the guard lets begin what holds both keys, under a drain that leaves the routes", () => {
    const free = all.filter(({ isFree }) => isFree);
    expect(free.map(({ config, drain }) => `${config.name}, ${drain}`)).toEqual(
      configs
        .filter(({ overlap }) => overlap !== "breakBeforeMake")
        .filter(({ shutsFirst, urgency }) => !shutsFirst && urgency !== "emergency")
        .map(({ name }) => `${name}, soft`),
    );
  });

  it.each(those("begin", "begins, drains").filter(isMeant))(
    "traffic returns by itself without the risk: $name",
    (config) => {
      const { states, turns, broken, rows } = explore(config, limits);
      console.log(`${config.name}: ${states} states, ${turns} turns, ${rows.size} rows`);
      expect(Object.fromEntries(broken)).toEqual({});
    },
  );

  it.each(those("wait", "begins, drains"))(
    "without the guard the link could stay dark: $name",
    (config) => {
      const { broken } = explore(config, early);
      // A change of the router alone fits the far end before and after: it is refused all the same.
      const isSafe = config.either && config.fate?.drain === "soft";
      expect(broken.has(lost)).toBe(!isSafe);
    },
  );

  it.each(those("begin", "begins").filter(isMeant))(
    "a machine that asks for the risk at the beginning alone is caught: $name",
    (config) => {
      expect(explore(config, early).broken.has(lost)).toBe(true);
    },
  );
});
