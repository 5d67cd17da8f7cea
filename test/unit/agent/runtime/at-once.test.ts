// What grows with a site: how many campaigns are open and how many devices are logged in to at the
// same time, and how many events are kept.

import { describe, expect, it } from "vitest";
import type { Agent } from "#agent/runtime/agent.ts";
import type { Dialer, WallTime } from "#hal/world.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { simulatedAgent, simulatedWorld } from "#sim/lab/simulate.ts";
import { buildSite, type Site } from "#sim/site/site.ts";
import { hasty } from "../../../short-waits.ts";
import { never, refused, settled } from "../../kit/site-bench.ts";

/** An agent on a site of several groups, and the largest number of open campaigns. */
class Stage {
  readonly site: Site;
  readonly agent: Agent;
  readonly broken: unknown[] = [];
  most = 0;
  /** Devices that were logged in to since the config was accepted, and the most at one time. */
  readonly logins: { most: number; readonly devices: Set<string> };
  /** The most logins at one time before it was accepted. */
  mostBefore = 0;

  private constructor(site: Site, agent: Agent, logins: Stage["logins"]) {
    this.site = site;
    this.agent = agent;
    this.logins = logins;
    agent.run(never).catch((error: unknown) => void this.broken.push(error));
    agent.events.listen(({ code }) => {
      this.most = Math.max(this.most, this.open().length);
      if (code !== "intent-accepted") return;
      this.mostBefore = logins.most;
      logins.most = 0;
      logins.devices.clear();
    });
  }

  static async of(groups: number, start: "clear" | "protected"): Promise<Stage> {
    const site = buildSite({ seed: "at once", name: "demo", groups, tunnels: 0, start });
    const { clock, prng } = site;
    const disk = new SimDisk({ clock, prng: prng.fork("disk"), writeMs: 2 });
    const log = { write: () => undefined };
    const world = simulatedWorld({ site, disk, log, prng: prng.fork("agent") });
    const logins = { now: 0, most: 0, devices: new Set<string>() };
    const dial: Dialer = {
      ...world.dial,
      http: async (request, signal) => {
        // What a device offers is asked for once, when a session begins.
        if (!/^\/devices\/[^/]+$/.test(request.path)) return await world.dial.http(request, signal);
        logins.now += 1;
        logins.most = Math.max(logins.most, logins.now);
        logins.devices.add(request.path);
        try {
          await clock.sleep(500);
          return await world.dial.http(request, signal);
        } finally {
          logins.now -= 1;
        }
      },
    };
    return new Stage(site, await settled(clock, simulatedAgent({ ...world, dial })), logins);
  }

  async apply(atOnce: number, loginsAtOnce = 16): Promise<void> {
    const text = `${hasty(this.site.config("unix:/run/site.sock"))}  atOnce: ${atOnce}\n`.replace(
      "health: {",
      `health: { loginsAtOnce: ${loginsAtOnce},`,
    );
    const request = { text, file: "site.yaml", who: "test", queue: false };
    const answer = await settled(this.site.clock, this.agent.apply(request, never));
    if (answer.kind !== "accepted") throw new Error(JSON.stringify(answer));
    await this.site.clock.runFor(30_000);
  }

  open(): readonly string[] {
    const all = Object.values(this.agent.memory.campaigns);
    return all.filter(({ state }) => state !== "done").map(({ group }) => group);
  }

  ended(): number {
    return Object.values(this.agent.memory.campaigns).length - this.open().length;
  }

  get groups(): readonly string[] {
    return (this.agent.intent?.desired.groups ?? []).map(({ name }) => name);
  }

  async adopt(): Promise<void> {
    for (const name of this.groups)
      await settled(this.site.clock, this.agent.commands.adopt(name, [], never));
  }

  newKeys(): void {
    for (const { key } of this.site.links) this.site.vault.generatePair(key, "gcm-aes-xpn-256");
  }

  rotate(group: string, urgency: "planned" | "emergency" = "planned") {
    const asked = { by: "test", risks: [], urgency };
    return settled(this.site.clock, this.agent.commands.rotate(group, asked, never));
  }
}

describe("campaigns", () => {
  it.each([1, 2, 4])(
    "that the config wants are open %i at a time, until all have ended",
    async (n) => {
      const stage = await Stage.of(6, "clear");
      await stage.apply(n);
      await stage.site.clock.runFor(6 * 3_600_000, () => stage.ended() === 6);
      expect([stage.ended(), stage.most]).toEqual([6, n]);
      expect(stage.broken).toEqual([]);
    },
  );

  it("that an operator begins are refused beyond the limit, and emergencies are not", async () => {
    const stage = await Stage.of(4, "protected");
    await stage.apply(2);
    await stage.adopt();
    stage.newKeys();
    const [one = "", two = "", three = "", four = ""] = stage.groups;
    await stage.rotate(one);
    await stage.rotate(two);
    expect(await refused(stage.rotate(three))).toMatchObject({
      ...{ code: "gate.busy", effect: "none", next: "linkseal rotation show" },
      message: "as many campaigns are open as rotation.atOnce allows (2)",
    });
    const asked = { by: "test", risks: [], urgency: "planned" } as const;
    const plan = stage.agent.commands.previewRotation(three, asked, never);
    expect((await settled(stage.site.clock, plan)).notes).toContainEqual({
      ...{ code: "gate.busy", about: three, next: "linkseal rotation show" },
      text: "as many campaigns are open as rotation.atOnce allows (2)",
    });
    expect((await stage.rotate(four, "emergency")).state).toBe("queued");
    await stage.site.clock.runFor(3_600_000, () => stage.ended() >= 2);
    expect((await stage.rotate(three)).state).toBe("queued");
  });

  it("that are asked for in one moment count before their records are written", async () => {
    const stage = await Stage.of(6, "protected");
    await stage.apply(3);
    await stage.adopt();
    stage.newKeys();
    const asked = stage.groups.map((group) =>
      stage.rotate(group).then(
        () => "begun",
        () => "refused",
      ),
    );
    const outcomes = await Promise.all(asked);
    expect(outcomes.filter((each) => each === "begun")).toHaveLength(3);
    expect(stage.most).toBe(3);
  });
});

describe("logins", () => {
  it.each([2, 5])("of an agent to 20 devices are %i at a time if its config says so", async (n) => {
    const stage = await Stage.of(10, "protected");
    await stage.apply(4, n);
    expect([stage.logins.most, stage.logins.devices.size]).toEqual([n, 20]);
    // The plan of the first config is made while none is in force.
    expect(stage.mostBefore).toBe(16);
    expect(stage.broken).toEqual([]);
  });
});

describe("events", () => {
  it("of an agent are kept for the links of its site", async () => {
    const stage = await Stage.of(30, "protected");
    await stage.apply(4);
    const { events } = stage.agent;
    // A site without links keeps 2,000 at most; 60 links keep 2,400 at least.
    while (events.count < 2_400) events.add(0 as WallTime, "verdict", "site", "an event");
    expect(events.after(0).lost).toBe(0);
  });
});
