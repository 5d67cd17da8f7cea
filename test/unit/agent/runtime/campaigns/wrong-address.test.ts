// A campaign that has only begun to wait when its routers are no longer where the config says.

import { describe, expect, it } from "vitest";
import { LinksealError } from "#hal/error.ts";
import type { World } from "#hal/world.ts";
import { AgentBench, group } from "../../../kit/agent-bench.ts";

const former = "unix:/run/linkseal-sim/former.sock";
const atFormer = (text: string): string =>
  text.replaceAll(/ address: unix:\S+/g, ` address: ${former}`);

/** Once `hasMoved`, no router answers at the former address any more; the rest of the site does. */
const without = (hasMoved: () => boolean) => (world: World) => ({
  ...world,
  dial: {
    ...world.dial,
    http: async (...[request, signal]: Parameters<World["dial"]["http"]>) => {
      if (!hasMoved() || request.to !== former) return await world.dial.http(request, signal);
      const place = { effect: "none", where: request.to, next: "linkseal status" } as const;
      throw new LinksealError("transport.unreachable", "nothing answers there", place);
    },
  },
});

/** The routers move once the campaign has that state. */
async function movedIn(state: string): Promise<AgentBench> {
  const bench = new AgentBench("clear");
  let hasMoved = false;
  await bench.live(without(() => hasMoved));
  await bench.apply(bench.config(atFormer));
  await bench.reach(state);
  hasMoved = true;
  return bench;
}

async function waitingBench(): Promise<AgentBench> {
  const bench = await movedIn("primary queued");
  await bench.run(120_000);
  expect(bench.state()).toBe("primary gated");
  return bench;
}

const abandon = (bench: AgentBench) => bench.ask("POST /v1/rotation/abandon", { group });

describe("a campaign in gated whose routers are not at the address of the config", () => {
  it("abandon ends it, and then the config with the right address is accepted", async () => {
    const bench = await waitingBench();
    const before = bench.oracle.agentWrites;
    expect(await bench.apply()).toMatchObject({ kind: "busy" });
    expect(await abandon(bench)).toMatchObject({ state: "done" });
    expect(bench.oracle.agentWrites).toBe(before);
    expect(await bench.apply()).toMatchObject({ kind: "accepted", number: 2 });
    await bench.ask("POST /v1/enrol", { target: group });
    await bench.reach("secondary done");
    expect(bench.violations()).toEqual([]);
    expect(bench.broken).toEqual([]);
  });

  it("abandon ends it, and a config that was queued meanwhile is applied", async () => {
    const bench = await waitingBench();
    expect(await bench.apply(bench.config(), true)).toEqual({ kind: "queued" });
    await bench.run(600_000);
    expect(bench.agent.intent?.number).toBe(1);
    await abandon(bench);
    expect(await bench.run(60_000, () => bench.agent.intent?.number === 2)).toBe(true);
  });

  it("abandon is refused unread once its link was drained", async () => {
    const bench = await movedIn("primary draining");
    await bench.run(1_800_000, () => bench.state() === "primary held");
    const text = "the router cannot be read, so it is not known what is left on it";
    expect(await abandon(bench)).toMatchObject({ code: "gate.busy", text });
  });
});
