// The day that the agent keeps of each link: what is in a slot, and what is forgotten.

import { beforeEach, describe, expect, it } from "vitest";
import type { LinksealEvent } from "#agent/model/events.ts";
import type { Verdict } from "#agent/model/health.ts";
import { Days, dayBytes } from "#agent/page/day.ts";
import type { AgentView } from "#agent/runtime/agent-view.ts";
import type { WallTime } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { campaignOf } from "../../kit/campaign-kit.ts";

const minute = 60_000;
/** The beginning of a slot. */
const start = 120_000 * 14_000_000;

/** An agent, as far as a day reads it. */
class StandIn {
  readonly clock = new SimClock(start as WallTime);
  readonly links = [{ group: "erd", name: "primary", device: "edge-a", port: "et-0/0/0" }];
  readonly tunnels = [{ name: "hub" }];
  memory: unknown = { campaigns: {}, drains: {} };
  verdict: Verdict = "protected";
  observation: object | undefined;
  observed = 0;
  intent = this.#intent();

  #intent() {
    return { desired: { groups: [{ name: "erd", links: this.links }], tunnels: this.tunnels } };
  }

  get supervisor() {
    const history = () => (this.observation === undefined ? [] : [this.observation]);
    const deviceCache = { history, tunnelHistory: () => [] };
    return { intent: this.intent, deviceCache };
  }

  status() {
    const links = this.links.map(({ name }) => ({ name, verdict: this.verdict }));
    const tunnels = this.tunnels.map(({ name }) => ({ name, verdict: "down", because: null }));
    return { groups: [{ name: "erd", links }], tunnels };
  }

  /** Makes a fresh observation with so many frames. */
  look(frames: number): void {
    const known = (value: unknown) => ({ kind: "known", at: this.clock.now(), value });
    this.observation = {
      frames: known({ rxOk: BigInt(frames), txProtected: 0n }),
      settings: known({}),
      session: known({ livePeers: 1 }),
      rate: { kind: "unknown", at: this.clock.now(), why: "notSupported" },
      livePn: { kind: "unknown", at: this.clock.now(), why: "notSupported" },
      liveSuite: { kind: "unknown", at: this.clock.now(), why: "notSupported" },
    };
  }

  /** Begins with another config, of these links. */
  accept(names: readonly string[]): void {
    this.links.splice(0, this.links.length);
    for (const name of names) {
      this.links.push({ group: "erd", name, device: "edge-a", port: "et-0/0/0" });
    }
    this.intent = this.#intent();
  }
}

let agent: StandIn;
let days: Days;
const primary = "erd/primary";
const states = () => days.link(primary)?.states;
const turned = (about: string, verdict: Verdict, because?: LinksealEvent["because"]): void =>
  days.heard({ about, verdict, ...(because === undefined ? {} : { because }) } as LinksealEvent);

beforeEach(() => {
  agent = new StandIn();
  days = new Days(agent as unknown as AgentView, agent.clock);
  days.turn();
});

async function pass(minutes: number): Promise<void> {
  for (let n = 0; n < minutes * 4; n += 1) {
    await agent.clock.runFor(15_000);
    days.turn();
  }
}

describe("a day", () => {
  it("a day is there as soon as its config, before the next turn", () => {
    const fresh = new Days(agent as unknown as AgentView, agent.clock);
    expect(fresh.link(primary)).toMatchObject({ schema: "linkseal.pageDay/1", samples: [] });
    expect(fresh.link("erd/absent")).toBeUndefined();
  });

  it("a day has the worst state of each slot, also of an outage between two turns", async () => {
    await pass(3);
    turned(primary, "down");
    turned(primary, "protected");
    await pass(2);
    expect(states()).toBe("pxp");
  });

  it("a day has the last observation of each slot", async () => {
    agent.look(100);
    days.turn();
    await agent.clock.runFor(minute);
    agent.look(700);
    days.turn();
    await agent.clock.runFor(2 * minute);
    agent.look(900);
    days.turn();
    const { from = 0, samples = [] } = days.link(primary) ?? {};
    expect(from).toBe(start);
    expect(samples.map(({ at, protected: frames }) => [at - start, frames])).toEqual([
      [minute, "700"],
      [3 * minute, "900"],
    ]);
    expect(samples[0]).toMatchObject({ clear: null, livePeers: 1, pnUsed: null });
  });

  it("an outage in planned work is apart, and clear frames or ignorance never are", async () => {
    agent.memory = { campaigns: { erd: campaignOf("switching", { group: "erd" }) }, drains: {} };
    for (const verdict of ["down", "unprotected", "unknown"] as const) {
      await pass(2);
      days.turn();
      turned(primary, verdict);
      await pass(2);
      turned(primary, "protected");
      await pass(2);
    }
    expect(states()?.replaceAll("p", "")).toMatch(/^m+o+u+$/);
  });

  it.each([
    ["held", "x"],
    ["reverting", "x"],
    ["awaitingPeer", "x"],
    ["draining", "m"],
  ] as const)("an outage while a campaign is %s is %s", async (state, letter) => {
    agent.memory = { campaigns: { erd: campaignOf(state, { group: "erd" }) }, drains: {} };
    days.turn();
    turned(primary, "down");
    expect(states()).toBe(letter);
    await pass(1);
    expect(states()).toBe(letter);
  });

  it("the consequence of planned work on a link is planned too", async () => {
    agent.memory = { campaigns: {}, drains: { [primary]: { by: "ops" } } };
    days.turn();
    await agent.clock.runFor(2 * minute);
    turned("hub", "down", { code: "link-down", about: primary });
    expect(days.tunnel("hub")?.states).toBe("xm");
  });

  it("a day is bounded, and forgets what is older", async () => {
    for (let slot = 0; slot < 1_500; slot += 1) {
      await agent.clock.runFor(2 * minute);
      agent.look(slot);
      days.turn();
    }
    const { states: all = "", samples = [], from } = days.link(primary) ?? {};
    expect([all.length, samples.length]).toEqual([720, 720]);
    expect(from).toBe(start + (1_500 - 719) * 2 * minute);
    expect(samples.at(-1)?.protected).toBe("1499");
    expect(dayBytes).toBe(29_520);
  });

  it("a time without turns is not recorded, and no state is carried over it", async () => {
    await pass(2);
    await agent.clock.runFor(10 * minute);
    days.turn();
    expect(states()).toMatch(/^p+-{4,5}p$/);
  });

  it("another config keeps the days of what it still names", async () => {
    await pass(4);
    const before = states();
    agent.accept(["primary", "secondary"]);
    days.turn();
    expect(states()).toBe(before);
    expect(days.link("erd/secondary")?.states).toBe("p");
    agent.accept(["secondary"]);
    days.turn();
    expect([days.link(primary), days.link("erd/none")]).toEqual([undefined, undefined]);
  });
});
