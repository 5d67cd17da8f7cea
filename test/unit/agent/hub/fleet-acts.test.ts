// What a person does at the hub, and hubs that run waves beside it.

import { afterEach, describe, expect, it } from "vitest";
import { askOctets, parseFreeze, parsePermit } from "#agent/fleet/records.ts";
import { parseWave, type Wave, waveOctets } from "#agent/fleet/wave.ts";
import {
  type ActPlace,
  allWaves,
  beginWave,
  givePermit,
  leaderOf,
  offeredPermit,
  oneWave,
  resumeWave,
  setFreeze,
  shownWave,
  stopWave,
  withdrawPermit,
} from "#agent/hub/fleet-acts.ts";
import { type HubEvent, lineOf } from "#agent/hub/hub-events.ts";
import { runWaves } from "#agent/hub/wave-run.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import { MemoryEngine } from "../../kit/engine-kit.ts";
import { never, refused, wallStart } from "../../kit/site-bench.ts";
import {
  asking,
  askOf,
  begun,
  notReached,
  reached,
  statusOf,
  wallAt,
  waveOf,
} from "../../kit/wave-kit.ts";

class Bench {
  readonly engine = new MemoryEngine();
  readonly clock = new SimClock(wallStart);
  readonly events: HubEvent[] = [];
  readonly #end = new AbortController();

  get place(): ActPlace {
    const { engine, clock } = this;
    return { engine, signal: never, act: { at: clock.wall(), by: "ann@hub" } };
  }

  /** Runs a hub beside all that follows. */
  hub(name = "one"): Promise<void> {
    const { engine, clock, events } = this;
    const tell = (event: HubEvent): void => void events.push(event);
    const world = { clock, entropy: new Prng(name) };
    const parts = { world, engine, name, tell, turned: () => undefined };
    return runWaves(parts, this.#end.signal);
  }

  end(): void {
    this.#end.abort();
  }

  async site(name: string, state: Parameters<typeof askOf>[2], number = 1): Promise<void> {
    await this.engine.put("linkseal-asks", `${name}.g`, askOctets(askOf(name, number, state)));
    await this.status(name);
  }

  async status(name: string): Promise<void> {
    const octets = statusOf(name, "protected", this.clock.wall());
    await this.engine.put("linkseal-status", name, octets);
  }

  newest(subject: string): Uint8Array {
    return (
      this.engine.messages.findLast((each) => each.subject === subject)?.octets ?? new Uint8Array()
    );
  }

  get wave(): Wave {
    const wave = parseWave(this.newest("$KV.linkseal-waves.w"));
    if (wave === undefined) throw new Error("there is no wave");
    return wave;
  }

  get kinds(): string {
    return this.wave.stages
      .map((each) => each.map(({ state }) => state.kind).join(" "))
      .join(" | ");
  }

  get codes(): readonly string[] {
    return this.events.map((event) => lineOf(event).code);
  }
}

const benches: Bench[] = [];
const bench = (): Bench => {
  const made = new Bench();
  benches.push(made);
  return made;
};
afterEach(() => {
  for (const each of benches.splice(0)) each.end();
});

describe("a wave from its beginning to its end", () => {
  it("two hubs, one wave: each member gets one permit, and each event is told once", async () => {
    const at = bench();
    void at.hub("one");
    await at.clock.runFor(10);
    void at.hub("two");
    await beginWave(at.place, waveOf([["a"], ["b"]], { bakeMs: 5_000 }));
    for (const site of ["a", "b"]) {
      await at.site(site, asking);
      await at.clock.runFor(10_000);
      const permit = parsePermit(at.newest(`$KV.linkseal-permits.${site}.g`));
      expect(permit).toMatchObject({ site, wave: "w", nonce: askOf(site, 1).nonce });
      await at.site(site, begun);
      await at.clock.runFor(2_000);
      await at.site(site, reached);
      await at.clock.runFor(20_000);
    }
    expect(at.wave.state.kind).toBe("done");
    expect(at.codes).toEqual([
      ...["hub-leads", "wave-permit", "wave-begun", "wave-reached", "wave-baking", "wave-stage"],
      ...["wave-permit", "wave-begun", "wave-reached", "wave-baking", "wave-done"],
    ]);
    expect(await leaderOf(at.place)).toBe("one");
    at.end();
    await at.clock.runFor(2_000);
    expect(await leaderOf(at.place)).toBeNull();
  });

  it("a hub alone never logs that another one leads, while the engine is away or new", async () => {
    const at = bench();
    void at.hub();
    await at.clock.runFor(3_000);
    at.engine.isUp = false;
    await at.clock.runFor(60_000);
    at.engine.messages.length = 0;
    at.engine.isUp = true;
    await at.clock.runFor(3_000);
    expect(at.codes).toEqual(["hub-leads"]);
    expect(await leaderOf(at.place)).toBe("one");
  });

  it("a hub that was overtaken logs that another one leads", async () => {
    const at = bench();
    void at.hub();
    await at.clock.runFor(3_000);
    const lease = { schema: "linkseal.lease/1", holder: "ab".repeat(16), name: "two" };
    await at.engine.put("linkseal-waves", "hub.lease", Buffer.from(JSON.stringify(lease)));
    await at.clock.runFor(6_000);
    expect(at.codes).toEqual(["hub-leads", "hub-follows"]);
  });

  it("a permit that a dead hub left out is written by the next", async () => {
    const at = bench();
    await at.site("a", asking);
    const given = { nonce: askOf("a", 1).nonce, at: wallAt(0), notAfter: wallAt(600_000) };
    const wave = waveOf([["a"]]);
    const permitted = { ...given, kind: "permitted", isWithdrawn: false } as const;
    const stages = wave.stages.map((all) => all.map((each) => ({ ...each, state: permitted })));
    await at.engine.put("linkseal-waves", "w", waveOctets({ ...wave, stages }));
    void at.hub();
    await at.clock.runFor(3_000);
    expect(parsePermit(at.newest("$KV.linkseal-permits.a.g"))?.nonce).toBe(given.nonce);
  });

  it("a record that cannot be read gives no permit, and is told once", async () => {
    const at = bench();
    await at.engine.put("linkseal-waves", "w", Buffer.from("{}"));
    void at.hub();
    await at.clock.runFor(5_000);
    expect(at.codes).toEqual(["hub-leads", "wave-unreadable"]);
    expect((await allWaves(at.place)).map(({ wave }) => wave)).toEqual([undefined]);
    expect((await refused(oneWave(at.place, "w"))).code).toBe("device.unparsed");
  });

  it("a failure takes back permits that nothing began with; resumed, they come again", async () => {
    const at = bench();
    void at.hub();
    await beginWave(at.place, waveOf([["a", "b"]], { bakeMs: 0 }));
    await at.site("a", asking);
    await at.site("b", asking);
    await at.clock.runFor(3_000);
    expect(at.kinds).toBe("permitted permitted");
    await at.site("a", notReached);
    await at.clock.runFor(3_000);
    expect(at.wave.state).toMatchObject({ kind: "stopped", why: "a.g: notReached" });
    expect(parsePermit(at.newest("$KV.linkseal-permits.b.g"))).toBeUndefined();
    expect(at.codes.slice(-2)).toEqual(["wave-stopped", "permit-withdrawn"]);
    const busy = await refused(resumeWave(at.place, "w", new Set(["b.g"])));
    expect([busy.code, busy.message]).toEqual(["gate.busy", expect.stringContaining("under way")]);
    await at.site("a", asking, 2);
    await resumeWave(at.place, "w", new Set());
    await at.clock.runFor(3_000);
    expect(at.kinds).toBe("permitted permitted");
    expect(parsePermit(at.newest("$KV.linkseal-permits.b.g"))).toBeDefined();
  });
});

describe("what begins a wave", () => {
  it("a name or a group of a wave that is not done is refused", async () => {
    const { place, engine } = bench();
    await beginWave(place, waveOf([["a"]]));
    expect((await refused(beginWave(place, waveOf([["b"]])))).code).toBe("gate.busy");
    const other = await refused(beginWave(place, waveOf([["b", "a"]], { name: "v" })));
    expect(other.message).toBe("a.g is in the wave w, which is not done");
    const done = { ...waveOf([["a"]]), stage: 1, state: { kind: "done", at: wallAt(1) } } as const;
    await engine.put("linkseal-waves", "w", waveOctets(done));
    await beginWave(place, waveOf([["a"], ["b"]]));
    expect((await oneWave(place, "w")).wave.stages).toHaveLength(2);
  });

  it.each([
    ["usage", (place: ActPlace) => oneWave(place, "none")],
    ["usage", (place: ActPlace) => resumeWave(place, "w", new Set(["x.g"]))],
    ["gate.busy", (place: ActPlace) => resumeWave(place, "w", new Set())],
    ["usage", (place: ActPlace) => beginWave(place, waveOf([names(1_001)]))],
  ])("%s: what cannot be done is refused, and nothing is written", async (code, act) => {
    const { place, engine } = bench();
    await beginWave(place, waveOf([["a"]]));
    const before = engine.messages.length;
    const error = await refused(act(place));
    expect([error.code, error.effect, engine.messages.length]).toEqual([code, "none", before]);
  });

  it("an engine that is down, full or mute is said, with what may have happened", async () => {
    const { place, engine } = bench();
    engine.isMute = true;
    expect(await refused(setFreeze(place, "a", "frozen", "x"))).toMatchObject({
      ...{ code: "transport.timeout", effect: "unknown" },
    });
    engine.isMute = false;
    engine.fault = () => ({ kind: "refused", reason: "denied" });
    expect((await refused(beginWave(place, waveOf([["a"]])))).code).toBe(
      "transport.authentication",
    );
    expect((await refused(withdrawPermit(place, "a", "g"))).effect).toBe("unknown");
    engine.isUp = false;
    for (const act of [allWaves(place), oneWave(place, "w"), leaderOf(place)]) {
      expect((await refused(act)).code).toBe("transport.closed");
    }
  });
});

const names = (count: number): readonly string[] =>
  Array.from({ length: count }, (_none, at) => `s${at}`);

describe("permits and freezes of a person", () => {
  it("a permit is for what is asked at that moment, and not given over a later write", async () => {
    const at = bench();
    expect((await refused(offeredPermit(at.place, "a", "g", 1_000))).message).toMatch(/nothing/);
    await at.site("a", asking);
    const offered = await offeredPermit(at.place, "a", "g", 1_000);
    expect(offered.permit).toMatchObject({ wave: null, notAfter: wallAt(1_000) });
    await givePermit(at.place, offered);
    expect(parsePermit(at.newest("$KV.linkseal-permits.a.g"))).toEqual(offered.permit);
    expect((await refused(givePermit(at.place, offered))).code).toBe("gate.busy");
  });

  it("an ask that cannot be read is not taken for none", async () => {
    const at = bench();
    await at.engine.put("linkseal-asks", "a.g", Buffer.from('{"schema":"linkseal.ask/1"}'));
    const error = await refused(offeredPermit(at.place, "a", "g", 1_000));
    expect([error.code, error.message]).toEqual([
      ...["device.unparsed", expect.stringContaining("a.g: its ask cannot be read")],
    ]);
    await beginWave(at.place, waveOf([["a", "b"]]));
    expect((await shownWave(at.place, "w")).waits).toEqual({
      "a.g": "unreadableAsk",
      "b.g": "noAsk",
    });
  });

  it.each([undefined, "a"])("a freeze of %s keeps a person from a permit too", async (site) => {
    const at = bench();
    await at.site("a", asking);
    await setFreeze(at.place, site, "frozen", "storm");
    const error = await refused(offeredPermit(at.place, "a", "g", 1_000));
    expect([error.code, error.message]).toEqual(["gate.busy", "a.g is frozen by ann@hub: storm"]);
    await setFreeze(at.place, site, "thawed", "over");
    const key = site === undefined ? "fleet" : "site.a";
    expect(parseFreeze(at.newest(`$KV.linkseal-freeze.${key}`))?.state).toBe("thawed");
    expect((await offeredPermit(at.place, "a", "g", 1_000)).ask.site).toBe("a");
  });

  it("a freeze that cannot be read counts", async () => {
    const at = bench();
    await at.site("a", asking);
    await at.engine.put("linkseal-freeze", "fleet", Buffer.from("{}"));
    const error = await refused(offeredPermit(at.place, "a", "g", 1_000));
    expect(error.message).toMatch(/cannot be read/);
  });

  it("a withdrawal stops the wave that gave the permit, and no hub brings it back", async () => {
    const at = bench();
    void at.hub();
    await beginWave(at.place, waveOf([["a"]]));
    await at.site("a", asking);
    await at.clock.runFor(3_000);
    expect(await withdrawPermit(at.place, "a", "g")).toEqual(["w"]);
    await at.clock.runFor(10_000);
    expect(at.wave.state).toMatchObject({ kind: "stopped", by: "ann@hub" });
    expect(parsePermit(at.newest("$KV.linkseal-permits.a.g"))).toBeUndefined();
    const { waits } = await shownWave(at.place, "w");
    expect(waits).toEqual({});
  });

  it("a person stops a wave once; the second stop changes nothing", async () => {
    const { place, engine } = bench();
    await beginWave(place, waveOf([["a"]]));
    expect((await stopWave(place, "w", "x")).state).toMatchObject({ kind: "stopped", why: "x" });
    const before = engine.messages.length;
    await stopWave(place, "w", "y");
    expect(engine.messages.length).toBe(before);
  });
});
