// The agent on a faulty host: damaged state, a full disk, calls that hang.

import { describe, expect, it } from "vitest";
import { DeviceCache } from "#agent/runtime/polling/device-cache.ts";
import type { Device, Driver } from "#hal/device.ts";
import type { World } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { AgentBench, group } from "../../kit/agent-bench.ts";
import { clockWorld } from "../../kit/clock-world.ts";
import { capabilities, never, sampleState, settled, wallStart } from "../../kit/site-bench.ts";
import { at, desired } from "../../kit/snapshot-kit.ts";

async function protectedOnce(): Promise<AgentBench> {
  const bench = new AgentBench("clear");
  await bench.live();
  await bench.apply();
  await bench.reach("secondary done");
  await bench.run(60_000);
  await bench.end();
  return bench;
}

/** If a deadline passed meanwhile, the campaign ends properly and an operator begins again. */
async function reachEnd(bench: AgentBench): Promise<void> {
  await bench.run(600_000);
  const state = bench.state() ?? "";
  if (state.endsWith("held")) await bench.ask("POST /v1/rotation/resume", { group });
  if (state === "primary done") await bench.ask("POST /v1/enrol", { target: group });
  await bench.reach("secondary done");
}

async function spoil(bench: AgentBench, name: string, old: string, wrong: string): Promise<void> {
  const bytes = await bench.disk.read(name);
  const text = new TextDecoder().decode(bytes);
  if (!text.includes(old)) throw new Error(`${name} holds no ${old}`);
  const spoilt = new TextEncoder().encode(text.replace(old, wrong));
  await settled(bench.site.clock, bench.disk.replace(name, spoilt));
}

describe("an agent with a damaged journal", () => {
  async function damaged(): Promise<AgentBench> {
    const bench = await protectedOnce();
    await spoil(bench, "journal", '"state":"proving"', '"state":"moving."');
    await bench.live();
    await bench.run(60_000);
    return bench;
  }

  it("an agent with a damaged journal observes, reports, and changes nothing", async () => {
    const bench = await damaged();
    const before = bench.oracle.agentWrites;
    expect(bench.agent.journalState).toBe("corrupt");
    const status = bench.agent.status();
    expect(status.groups[0]?.links[0]?.frames).not.toBeNull();
    expect(status.warnings.map(({ code }) => code)).toContain("journal-lossy");
    const verbs: readonly (readonly [string, unknown])[] = [
      ["POST /v1/enrol", { target: group, risks: ["breakBeforeMake"] }],
      ["POST /v1/adopt", { target: group }],
      ["POST /v1/apply", { text: bench.config(), file: "demo.yaml" }],
      ["POST /v1/config/rollback", { number: 1 }],
    ];
    for (const [verb, body] of verbs) {
      expect(await bench.ask(verb, body), verb).toMatchObject({
        code: "journal.corrupt",
        next: "linkseal journal accept-loss",
      });
    }
    await bench.run(600_000);
    expect(bench.oracle.agentWrites).toBe(before);
    expect(bench.agent.intents.history()).toHaveLength(1);
    expect(bench.broken).toEqual([]);
  });

  it("an agent continues once the journal's loss is accepted, also after a restart", async () => {
    const bench = await damaged();
    expect(await bench.ask("POST /v1/journal/accept-loss")).toEqual({ state: "whole" });
    // The records before the damage contain an unfinished campaign: observations end it, not
    // records.
    await bench.reach("secondary done");
    await bench.end();
    await bench.live();
    await bench.run(60_000);
    expect(bench.agent.status().groups[0]?.verdict).toBe("protected");
    expect(bench.broken).toEqual([]);
    expect(bench.violations()).toEqual([]);
  });
});

describe("an agent with a damaged config", () => {
  it("an agent with a damaged config keeps running, and accepts a new one", async () => {
    const bench = await protectedOnce();
    const before = bench.oracle.agentWrites;
    await spoil(bench, "intent/0001.yaml", "site: demo", "site: dome");
    await bench.live();
    await bench.run(60_000);
    expect(bench.agent.status()).toMatchObject({
      verdict: "unknown",
      reasons: [{ code: "journal-lossy", next: "linkseal apply FILE" }],
    });
    expect(await bench.ask("GET /v1/config", "", "view")).toMatchObject({
      code: "journal.corrupt",
      text: expect.stringMatching(/not the text that was accepted/),
    });
    expect(await bench.ask("POST /v1/enrol", { target: group })).toMatchObject({
      code: "journal.corrupt",
    });
    expect(bench.log.some(({ code }) => code === "journal.corrupt")).toBe(true);
    expect(bench.oracle.agentWrites).toBe(before);
    await bench.apply();
    await bench.run(120_000);
    expect(bench.agent.status().groups[0]?.verdict).toBe("protected");
    expect(bench.broken).toEqual([]);
  });
});

describe("an agent with a full disk", () => {
  const moments = ["primary gated", "primary draining", "primary switching", "primary proving"];
  it.each(moments)(
    "an agent on a full disk in %s stops before acting, observes, and continues later",
    async (moment) => {
      const bench = new AgentBench("clear");
      await bench.live();
      await bench.apply();
      await bench.reach(moment);
      bench.disk.setFault("full", true);
      await bench.run(30_000);
      const [before, observations] = [bench.oracle.agentWrites, bench.agent.status().at];
      await bench.run(120_000);
      expect(bench.oracle.agentWrites).toBe(before);
      expect(bench.agent.status().at > observations).toBe(true);
      expect(bench.agent.status().groups[0]?.links[1]?.ages.controlPlaneMs).toBeLessThan(20_000);
      bench.disk.setFault("full", false);
      await reachEnd(bench);
      expect(bench.violations()).toEqual([]);
      expect(bench.broken).toEqual([]);
    },
  );

  it("an agent on a full disk keeps its config, and reports that the new one failed", async () => {
    const bench = new AgentBench("clear");
    await bench.live();
    bench.disk.setFault("full", true);
    const body = { text: bench.config(), file: "demo.yaml" };
    expect(await bench.ask("POST /v1/apply", body)).toMatchObject({ code: "journal.full" });
    expect(bench.agent.intent).toBeUndefined();
    bench.disk.setFault("full", false);
    expect(await bench.ask("POST /v1/apply", body)).toMatchObject({ kind: "accepted", number: 1 });
  });
});

describe("a config that waits for a campaign", () => {
  const other = (text: string): string => text.replace("soak: 4s", "soak: 5s");

  it("a queued config is applied when the campaign has ended, also over a restart", async () => {
    const bench = new AgentBench("clear");
    await bench.live();
    await bench.apply();
    await bench.reach("primary draining");
    expect(await bench.apply(bench.config(other))).toMatchObject({ kind: "busy" });
    expect(await bench.apply(bench.config(other), true)).toEqual({ kind: "queued" });
    await bench.end();
    await bench.live();
    await bench.reach("secondary done");
    await bench.run(60_000);
    expect(bench.agent.intent).toMatchObject({ number: 2, text: bench.config(other) });
    await bench.end();
    await bench.live();
    await bench.run(60_000);
    expect(bench.agent.intents.history()).toHaveLength(2);
  });

  it("a queued config waits while the disk is full", async () => {
    const bench = new AgentBench("clear");
    await bench.live();
    await bench.apply();
    await bench.reach("secondary restoring");
    await bench.apply(bench.config(other), true);
    await bench.run(1_800_000, () => {
      const done = bench.state() === "secondary done";
      if (done) bench.disk.setFault("full", true);
      return done;
    });
    await bench.run(60_000);
    expect(bench.agent.intent?.number).toBe(1);
    bench.disk.setFault("full", false);
    await bench.run(60_000);
    expect(bench.agent.intent?.number).toBe(2);
    expect(bench.broken).toEqual([]);
  });

  it("a queued config is replaced by one that was accepted after it", async () => {
    const bench = new AgentBench("clear");
    await bench.live();
    await bench.apply();
    await bench.reach("primary draining");
    await bench.apply(bench.config(other), true);
    const later = bench.config((text) => text.replace("repair: off", "").concat("repair: on\n"));
    expect(await bench.apply(later)).toMatchObject({ kind: "accepted", number: 2 });
    await bench.reach("secondary done");
    await bench.run(60_000);
    expect(bench.agent.intent?.text).toBe(later);
  });

  it("a queued config that cannot be read is reported and forgotten", async () => {
    const bench = new AgentBench("clear");
    const bytes = new TextEncoder().encode('{"text": 7');
    await settled(bench.site.clock, bench.disk.replace("queued.yaml", bytes));
    await bench.live();
    await bench.run(5_000);
    expect(bench.log.map(({ code }) => code)).toContain("queue-damaged");
    expect(bench.broken).toEqual([]);
  });
});

describe("calls that hang", () => {
  const hanging = (hangs: () => boolean) => (world: World) => ({
    ...world,
    dial: {
      ...world.dial,
      http: (...args: Parameters<typeof world.dial.http>) =>
        hangs() ? new Promise<never>(() => undefined) : world.dial.http(...args),
    },
  });

  it.each(["primary gated", "primary draining", "primary switching", "primary proving"])(
    "calls that hang in %s stop no loop for ever",
    async (moment) => {
      const bench = new AgentBench("clear");
      let hangs = false;
      await bench.live(hanging(() => hangs));
      await bench.apply();
      await bench.reach(moment);
      hangs = true;
      await bench.run(90_000);
      const verdict = bench.agent.status().groups[0]?.verdict;
      expect(verdict).toBe("unknown");
      const planned = await bench.ask("POST /v1/plan", { text: bench.config(), file: "demo.yaml" });
      expect(planned).toMatchObject({ plan: { steps: [] } });
      await bench.ask("GET /v1/keys");
      hangs = false;
      await reachEnd(bench);
      expect(bench.violations()).toEqual([]);
      expect(bench.broken).toEqual([]);
    },
  );
});

describe("a wall clock that jumps", () => {
  it.each([-10, 10])(
    "a wall clock that jumps by %i years changes no running campaign",
    async (years) => {
      const bench = new AgentBench("clear");
      await bench.live();
      await bench.apply();
      await bench.reach("primary proving");
      bench.site.clock.jumpWall(years * 365 * 86_400_000);
      await bench.reach("secondary gated");
      await bench.run(60_000);
      expect(bench.agent.memory.campaigns[group]?.reason).toEqual({
        code: "gated.closed",
        cause: { code: "clocks.apart" },
      });
      bench.site.clock.jumpWall(-years * 365 * 86_400_000);
      await bench.reach("secondary done");
      expect(bench.violations()).toEqual([]);
    },
  );
});

describe("restarts", () => {
  it("restarts change nothing, however many", async () => {
    const bench = await protectedOnce();
    const before = bench.oracle.agentWrites;
    for (let n = 0; n < 40; n += 1) {
      await bench.live();
      await bench.run(7_000);
      await bench.end();
    }
    expect(bench.oracle.agentWrites).toBe(before);
    expect(bench.broken).toEqual([]);
  });
});

describe("two observations of one device", () => {
  it("two crossing observations leave the newer one", async () => {
    const clock = new SimClock(wallStart);
    const waits = [5_000, 1_000];
    const device: Device = {
      id: "edge-a",
      capabilities,
      async observe(signal) {
        const asked = clock.now();
        await clock.sleep(waits.shift() ?? 0, signal);
        return sampleState("edge-a", asked);
      },
      prepare: () => Promise.reject(new Error("nothing is changed here")),
      recall: async () => ({ kind: "absent" }),
      routesTo: async () => undefined,
      async [Symbol.asyncDispose]() {},
    };
    const driver: Driver = { name: "sim", offers: capabilities, open: async () => device };
    const world = clockWorld({ clock });
    const peer = { observe: () => Promise.reject(new Error("no peer")), put: async () => {} };
    const deviceCache = new DeviceCache(
      { world, drivers: { sim: driver }, desired, peerPort: () => peer },
      undefined,
    );
    const first = deviceCache.observe("edge-a", never);
    await clock.runFor(500);
    const second = deviceCache.observe("edge-a", never);
    await settled(clock, Promise.all([first, second]));
    expect(deviceCache.state("edge-a")?.at).toBe(at(500));
  });
});
