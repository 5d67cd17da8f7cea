// The client of permits: what it writes of a campaign, what it makes of the engine's answers, and
// that no loop of the agent waits for it.

import { describe, expect, it } from "vitest";
import {
  type Ask,
  freezeOctets,
  type Permit,
  parseAsk,
  permitOctets,
} from "#agent/fleet/records.ts";
import type { Campaign } from "#agent/model/campaign.ts";
import type { Desired } from "#agent/model/desired.ts";
import { PermitCache } from "#agent/runtime/campaigns/permit-cache.ts";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import { followPermits } from "#agent/telemetry/fleet/permit-client.ts";
import type { WallTime } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { campaignOf } from "../../kit/campaign-kit.ts";
import { MemoryEngine } from "../../kit/engine-kit.ts";
import { desired, wall } from "../../kit/snapshot-kit.ts";

const subject = (bucket: string): string => `$KV.linkseal-${bucket}.dublin.erd`;
const fleet = {
  ...{ servers: ["tls://h:1"], key: "credential:k", headsMs: 600_000 },
  permits: "required",
} as const;

class Bench {
  readonly clock = new SimClock(wall);
  readonly engine = new MemoryEngine();
  readonly permits = new PermitCache({
    clock: this.clock,
    intents: {
      desired: () => ({ ...desired, site: this.named }),
      history: () => [{ number: 1, sha256: "cd".repeat(32), who: "a test", at: wall }],
    },
  });
  /** Name of the site in the config of the campaign. */
  named = "dublin";
  campaign: Campaign = campaignOf("gated", { kind: "rotate", group: "erd" }, "keychain");
  wanted: Desired = { ...desired, fleet };
  readonly #end = new AbortController();

  begin(): this {
    const parts = { permits: this.permits, world: { clock: this.clock }, engine: this.engine };
    void followPermits({ ...parts, agent: this.#agent(), site: "dublin" }, this.#end.signal);
    return this;
  }

  #agent() {
    const memory = () => ({ ...emptyMemory, campaigns: { erd: this.campaign } });
    const intent = () => ({ desired: this.wanted }) as never;
    return {
      get memory() {
        return memory();
      },
      get intent() {
        return intent();
      },
    };
  }

  async run(ms = 6_000): Promise<this> {
    this.why();
    await this.clock.runFor(ms);
    return this;
  }

  why(): string | undefined {
    return this.permits.withheld(this.campaign)?.cause.code;
  }

  asks(): readonly (Ask | undefined)[] {
    return this.engine.texts(subject("asks")).map((text) => parseAsk(Buffer.from(text)));
  }

  permit(over: Partial<Permit> = {}): void {
    const asked = this.permits.askedBy(this.campaign);
    if (asked === undefined) throw new Error("it asks for nothing");
    const notAfter = (wall + 3_600_000) as WallTime;
    this.put("permits", permitOctets({ ...asked, wave: null, notAfter, ...over }));
  }

  put(bucket: "permits" | "freeze", octets: Uint8Array, key = "dublin.erd"): void {
    void this.engine.put(`linkseal-${bucket}`, key, octets);
  }
}

describe("what a campaign says to the hub", () => {
  it("a campaign asks, begins and ends, each once", async () => {
    const bench = await new Bench().begin().run(10_000);
    const begunAt = wall;
    bench.campaign = { ...bench.campaign, state: "draining", begunAt };
    await bench.run();
    const links = bench.campaign.links.map((link) => ({ ...link, outcome: "rotated" as const }));
    bench.campaign = { ...bench.campaign, state: "done", links };
    await bench.run();
    expect(bench.asks().map((ask) => ask?.state)).toEqual([
      { kind: "asking" },
      { kind: "begun", at: wall },
      { kind: "ended", at: 0, end: "reached" },
    ]);
    expect(bench.asks()[0]).toMatchObject(bench.permits.askedBy(bench.campaign) ?? {});
  });

  it("a site that was renamed told campaigns of its old name, which no hub can read", async () => {
    const bench = new Bench();
    bench.named = "demo";
    await bench.begin().run(10_000);
    expect(bench.asks()).toEqual([]);
  });

  it("a campaign that left a link as it was has not reached what it asked for", async () => {
    const bench = new Bench();
    const [first, second] = bench.campaign.links;
    if (first === undefined || second === undefined) throw new RangeError();
    const links = [{ ...first, outcome: "rotated" as const }, second];
    bench.campaign = { ...bench.campaign, state: "done", links };
    await bench.begin().run();
    expect(bench.asks().at(-1)?.state).toMatchObject({ end: "notReached" });
  });

  it("one that needs no permit asks for none, and says that it has begun", async () => {
    const bench = new Bench();
    bench.campaign = { ...bench.campaign, urgency: "emergency" };
    await bench.begin().run();
    expect(bench.asks()).toEqual([]);
    bench.campaign = { ...bench.campaign, begunAt: wall };
    await bench.run();
    expect(bench.asks().map((ask) => ask?.state.kind)).toEqual(["begun"]);
  });

  it("a write without an answer is made again, until there is one", async () => {
    const bench = new Bench();
    bench.engine.isMute = true;
    await bench.begin().run(2_500);
    expect(bench.asks().length).toBeGreaterThan(1);
    bench.engine.isMute = false;
    await bench.run(3_000);
    const before = bench.asks().length;
    await bench.run(60_000);
    expect(bench.asks()).toHaveLength(before);
  });
});

describe("what the engine's answers mean", () => {
  it("a permit for the ask is given to the campaign, and taken back when it is gone", async () => {
    const bench = await new Bench().begin().run();
    expect(bench.why()).toBe("permit.missing");
    bench.permit();
    await bench.run();
    expect(bench.why()).toBeUndefined();
    const withdrawn = JSON.stringify({ schema: "linkseal.permit/1", withdrawn: true });
    bench.put("permits", new TextEncoder().encode(withdrawn));
    await bench.run();
    expect(bench.why()).toBe("permit.missing");
    bench.permit({ nonce: "00".repeat(16) });
    await bench.run();
    expect(bench.why()).toBe("permit.other");
  });

  it.each([
    ["fleet", "frozen", "permit.frozen"],
    ["site.dublin", "frozen", "permit.frozen"],
    ["site.cork", "frozen", undefined],
    ["fleet", "thawed", undefined],
  ] as const)("a record at %s that says %s: %s", async (key, state, why) => {
    const bench = await new Bench().begin().run();
    bench.permit();
    bench.put("freeze", freezeOctets({ state, at: wall, by: "anna", why: "a fault" }), key);
    await bench.run();
    expect(bench.why()).toBe(why);
  });

  it("a freeze that cannot be read withholds, so does an engine that is lost", async () => {
    const bench = await new Bench().begin().run();
    bench.permit();
    bench.put("freeze", new TextEncoder().encode("{"), "fleet");
    await bench.run();
    expect(bench.why()).toBe("permit.unreadable");
    const thaw = { state: "thawed", at: wall, by: "anna", why: "it is over" } as const;
    bench.put("freeze", freezeOctets(thaw), "fleet");
    await bench.run();
    expect(bench.why()).toBeUndefined();
    bench.engine.isUp = false;
    await bench.run();
    expect(bench.why()).toBe("permit.unknown");
  });

  it("a campaign that is over is not read for any more", async () => {
    const bench = await new Bench().begin().run(20_000);
    bench.campaign = { ...bench.campaign, state: "done" };
    await bench.run(20_000);
    const before = bench.engine.calls;
    await bench.run(60_000);
    expect(bench.engine.calls).toBe(before);
  });
});
