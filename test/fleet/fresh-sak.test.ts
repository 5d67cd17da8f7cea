// An emergency at a router that takes no request for a fresh SAK: its port is shut and opened for
// one, and a port that was shut for that never stays shut, whatever comes in between.

import { describe, expect, it } from "vitest";
import { routerWith } from "#sim/site/site-plan.ts";
import { group, overlaps, Pair } from "../unit/kit/rotate-kit.ts";

const primary = `${group}/primary`;

/** A pair whose routers make no SAK on request. */
async function adopted(overlap: (typeof overlaps)[number]): Promise<Pair> {
  const { macsec } = routerWith(overlap);
  if (macsec === undefined) throw new Error("the best router knows MACsec");
  const { freshSak: _, ...less } = macsec;
  return await Pair.adopted({ overlap, capabilities: { macsec: less } });
}

/** What was done to the port of the primary link. */
function portChanges(pair: Pair): string[] {
  const done: string[] = [];
  pair.site.attach({
    effect: ({ what, link }) => {
      if (link === primary && /^port\.(?:shut|open)$/.test(what)) done.push(what);
    },
  });
  return done;
}

function isShut(pair: Pair): boolean {
  const { router, port } = pair.link("primary");
  return router.configured(port)?.admin === "down";
}

/** Starts an emergency, and runs until the port is shut for the SAK. */
async function shut(pair: Pair): Promise<void> {
  pair.newKeys();
  await pair.rotate("emergency");
  expect(await pair.run(1_800_000, () => isShut(pair))).toBe(true);
  expect(pair.state()).toBe("primary proving");
}

async function endsWell(pair: Pair): Promise<void> {
  await pair.reach("secondary done");
  expect(pair.outcomes()).toEqual(["rotated", "rotated"]);
  await pair.run(120_000);
  expect(pair.carrying()).toEqual([true, true]);
  expect(pair.violations()).toEqual([]);
}

/** Where keys never meet, the new one begins with a SAK of its own. */
const meeting = overlaps.filter((overlap) => overlap !== "none");

describe.each(meeting)("a port that is shut for a fresh SAK, overlap %s", (overlap) => {
  it("the next process opens a port if the agent dies once its shutdown is settled", async () => {
    const pair = await adopted(overlap);
    await shut(pair);
    const isSettled = () => (pair.agent.memory.late[primary] ?? []).length === 0;
    expect(await pair.run(5_000, isSettled)).toBe(true);
    await pair.end();
    expect(isShut(pair)).toBe(true);
    await pair.live();
    await endsWell(pair);
  });

  it("the next process opens a port if the agent dies before that", async () => {
    const pair = await adopted(overlap);
    await shut(pair);
    await pair.end();
    expect(isShut(pair)).toBe(true);
    await pair.live();
    await endsWell(pair);
  });

  it("a port is opened later if its opening fails once", async () => {
    const pair = await adopted(overlap);
    await shut(pair);
    const { router } = pair.link("primary");
    router.setFault("locked", true);
    const hasFailed = () => pair.log.some(({ code }) => code === "device.locked");
    expect(await pair.run(20_000, hasFailed)).toBe(true);
    expect(isShut(pair)).toBe(true);
    router.setFault("locked", false);
    await endsWell(pair);
  });

  it("a port that an operator shuts after it was seen open stays shut", async () => {
    const pair = await adopted(overlap);
    const done = portChanges(pair);
    pair.newKeys();
    await pair.rotate("emergency");
    await pair.reach("primary restoring");
    expect(done).toEqual(["port.shut", "port.open"]);
    const { router, port } = pair.link("primary");
    router.manualEdit((config) => {
      const there = config.ports.get(port);
      if (there !== undefined) there.admin = "down";
    });
    await pair.run(1_800_000);
    expect(isShut(pair)).toBe(true);
    expect(done.filter((what) => what === "port.open")).toHaveLength(1);
  });
});
