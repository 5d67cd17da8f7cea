// How a plan asks routers what they would be sent: one question at a time, and none of a router
// that is lost meanwhile.

import { describe, expect, it } from "vitest";
import type { Plan } from "#agent/compare/plan.ts";
import { planSite } from "#agent/runtime/planner.ts";
import { DeviceCache } from "#agent/runtime/polling/device-cache.ts";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import type { Device } from "#hal/device.ts";
import { type ErrorCode, LinksealError } from "#hal/error.ts";
import { SimClock } from "#sim/base/clock.ts";
import { clockWorld } from "../../kit/clock-world.ts";
import { capabilities, never, settled } from "../../kit/site-bench.ts";
import { siteConfig } from "../../kit/site-config.ts";
import { clearPort, desired, peerOff, stateOf, wall } from "../../kit/snapshot-kit.ts";

interface Asked {
  readonly steps: Plan["steps"];
  /** The devices that were asked, in the order of the questions. */
  readonly devices: readonly string[];
  /** How many questions a device had at once, at most. */
  readonly atOnce: number;
}

/** Plans a first config; the first question to edge-a fails with the code. */
async function asked(code: ErrorCode | undefined): Promise<Asked> {
  const clock = new SimClock(wall);
  const world = clockWorld({ clock });
  const devices: string[] = [];
  let [open, atOnce] = [0, 0];
  const device = (id: string): Device => ({
    ...{ id, capabilities },
    observe: async () => stateOf(clearPort({ port: id === "edge-a" ? "et-0/0/0" : "et-0/0/1" })),
    prepare: () => Promise.reject(new Error("a plan prepares nothing")),
    recall: () => Promise.reject(new Error("a plan recalls nothing")),
    routesTo: async () => [],
    async preview(change) {
      const isFirst = !devices.includes(id);
      devices.push(id);
      if (id === "edge-a") open += 1;
      atOnce = Math.max(atOnce, open);
      await clock.sleep(1_000);
      if (id === "edge-a") open -= 1;
      if (!isFirst || id !== "edge-a" || code === undefined) return change.map(({ kind }) => kind);
      const at = { effect: "none", where: id, next: "linkseal status" } as const;
      throw new LinksealError(code, "it does not answer", at);
    },
    async [Symbol.asyncDispose]() {},
  });
  const deviceCache = new DeviceCache(
    {
      ...{ world, desired },
      drivers: {
        sim: { name: "sim", offers: capabilities, open: async (to) => device(to.device) },
      },
      peerPort: () => ({
        observe: async () => peerOff,
        put: () => Promise.reject(new Error("a plan puts nothing")),
      }),
    },
    undefined,
  );
  const none = { made: () => undefined, accepted: () => undefined, intent: undefined };
  const parts = { world, memory: () => emptyMemory, ...none };
  const planning = planSite({ ...parts, deviceCache }, { text: siteConfig, desired }, never);
  return { steps: (await settled(clock, planning)).steps, devices, atOnce };
}

const sendsAt = ({ steps }: Asked, device: string): readonly (string | undefined)[] =>
  steps.filter(({ where }) => where === device).map(({ sends }) => sends?.kind);

describe("what a plan asks routers", () => {
  it("a router is asked for one step after the other", async () => {
    const all = await asked(undefined);
    expect(all.devices.filter((device) => device === "edge-a")).toHaveLength(3);
    expect(all.atOnce).toBe(1);
    expect(sendsAt(all, "edge-a")).toEqual(["lines", "lines", "lines", "undoes"]);
    expect(sendsAt(all, "edge-b")).toEqual(["lines", "lines", "undoes"]);
  });

  it("a step that a router refuses is not known, and the others are", async () => {
    const all = await asked("device.rejected");
    expect(sendsAt(all, "edge-a")).toEqual(["unknown", "lines", "lines", "undoes"]);
    expect(all.steps[0]?.sends).toEqual({ kind: "unknown", why: "it does not answer" });
  });

  it("a router that is lost meanwhile is not asked again, and the other one is", async () => {
    const all = await asked("transport.timeout");
    expect(all.devices.filter((device) => device === "edge-a")).toHaveLength(1);
    expect(sendsAt(all, "edge-a")).toEqual(["unknown", "unknown", "unknown", "undoes"]);
    expect(sendsAt(all, "edge-b")).toEqual(["lines", "lines", "undoes"]);
  });
});
