// Change notifications of a device: the next observation comes earlier, and nothing else changes.

import { describe, expect, it } from "vitest";
import { KeyedMutex } from "#agent/runtime/polling/keyed-mutex.ts";
import type { SupervisorParts } from "#agent/runtime/supervisor.ts";
import { Supervisor } from "#agent/runtime/supervisor.ts";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import type { Device, Driver } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { Target } from "#hal/target.ts";
import type { World } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import { clockWorld } from "../../kit/clock-world.ts";
import { capabilities, never, sampleState, wallStart } from "../../kit/site-bench.ts";
import { desired, desiredOf } from "../../kit/snapshot-kit.ts";

const pollMs = 5_000;

const failed = (where: string): LinksealError =>
  new LinksealError("transport.closed", "cut", { effect: "none", where, next: "look" });

/** Two devices, observed by a supervisor that may change nothing. */
class HintBench {
  readonly clock = new SimClock(wallStart);
  readonly observations: string[] = [];
  readonly targets: Target[] = [];
  readonly ended: string[] = [];
  readonly hints = new Map<string, () => void>();
  readonly stop = new AbortController();
  lookMs = 10;
  fails = false;
  /** Runs during each observation. */
  onLook: (device: string) => void = () => {};
  readonly supervisor: Supervisor;
  over = false;

  constructor(wanted = desired) {
    const peer = { observe: () => Promise.reject(failed("far end")), put: async () => {} };
    const parts = {
      world: this.#world(),
      drivers: { sim: this.#driver(), linux: this.#driver() },
      peerPort: () => peer,
      intent: { number: 1, text: "", desired: wanted },
      vault: { versions: async () => [] },
      memory: () => emptyMemory,
      write: async () => {},
      note: () => {},
      startedAt: this.clock.now(),
      evaluateHealth: () => {},
      alarm: () => undefined,
      cloud: { addresses: [], pace: "withRouter", identityEnd: undefined },
      readOnly: () => true,
      mutex: new KeyedMutex(),
    } as unknown as SupervisorParts;
    this.supervisor = new Supervisor(parts, undefined);
  }

  #world(): World {
    return clockWorld({ clock: this.clock, entropy: new Prng("hints") });
  }

  #driver(): Driver {
    const open: Driver["open"] = async (target, _world, hint) => {
      this.targets.push(target);
      this.hints.set(target.device, hint);
      return this.#device(target.device);
    };
    return { name: "sim", offers: capabilities, open };
  }

  #device(name: string): Device {
    return {
      id: name,
      capabilities,
      observe: async (signal) => {
        this.observations.push(`${name} ${this.clock.now()}`);
        this.onLook(name);
        await this.clock.sleep(this.lookMs, signal);
        if (this.fails) throw failed(name);
        return sampleState(name, this.clock.now());
      },
      prepare: () => Promise.reject(new Error("nothing is changed here")),
      recall: async () => ({ kind: "absent" }),
      routesTo: async () => undefined,
      [Symbol.asyncDispose]: async () => {
        this.ended.push(name);
      },
    };
  }

  async run(ms: number): Promise<this> {
    if (this.observations.length === 0) {
      void this.supervisor.run(this.stop.signal, never).then(() => {
        this.over = true;
      });
    }
    await this.clock.runFor(ms);
    return this;
  }

  hint(device = "edge-a"): void {
    this.hints.get(device)?.();
  }

  timesOf(device: string): readonly number[] {
    return this.observations
      .filter((observe) => observe.startsWith(`${device} `))
      .map((observe) => Number(observe.split(" ")[1]));
  }
}

describe("a change notification", () => {
  it("a change notification advances the next observation of its device alone", async () => {
    const bench = await new HintBench().run(3_000);
    bench.hint();
    await bench.run(0);
    expect(bench.timesOf("edge-a")).toEqual([0, 3_000]);
    expect(bench.timesOf("edge-b")).toEqual([0]);
    // Afterwards the usual pace continues.
    await bench.run(10_100);
    expect(bench.timesOf("edge-a")).toEqual([0, 3_000, 3_010 + pollMs, 3_020 + 2 * pollMs]);
    expect(bench.timesOf("edge-b")).toEqual([0, 10 + pollMs, 20 + 2 * pollMs]);
  });

  it("several change notifications before an observation count as one", async () => {
    const bench = await new HintBench().run(3_000);
    for (let n = 0; n < 100; n += 1) bench.hint();
    await bench.run(4_000);
    expect(bench.timesOf("edge-a")).toEqual([0, 3_000]);
  });

  it("a change notification during an observation causes another one", async () => {
    const bench = new HintBench();
    bench.lookMs = 2_000;
    await bench.run(500);
    bench.hint();
    await bench.run(2_600);
    expect(bench.timesOf("edge-a")).toEqual([0, 3_000]);
    await bench.run(pollMs);
    expect(bench.timesOf("edge-a")).toEqual([0, 3_000]);
  });

  it("a device that notifies at each observation keeps the usual load", async () => {
    const bench = new HintBench();
    bench.onLook = (device) => bench.hint(device);
    await bench.run(60_000);
    expect(bench.timesOf("edge-a").length).toBeLessThanOrEqual(61);
    expect(bench.timesOf("edge-a").length).toBeGreaterThanOrEqual(50);
  });

  it("a storm of change notifications keeps the usual load", async () => {
    const bench = new HintBench();
    for (let n = 0; n < 6_000; n += 1) {
      await bench.run(10);
      bench.hint();
    }
    expect(bench.timesOf("edge-a").length).toBeLessThanOrEqual(61);
    expect(bench.timesOf("edge-b").length).toBeLessThanOrEqual(13);
  });

  it("a change notification of a device that is in no intent any more has no effect", async () => {
    const bench = await new HintBench().run(3_000);
    bench.stop.abort();
    await bench.run(100);
    bench.hint();
    await bench.run(60_000);
    expect(bench.timesOf("edge-a")).toEqual([0]);
  });
});

describe("a stop", () => {
  it.each([
    ["while it waits", 3_000, 0],
    ["during an observation", 5, 10],
  ])("a stop ends the loops at once, %s", async (_name, ms, leftMs) => {
    const bench = await new HintBench().run(ms);
    bench.stop.abort();
    await bench.run(leftMs);
    expect(bench.over).toBe(true);
    expect(bench.ended.toSorted()).toEqual(["edge-a", "edge-b"]);
    await bench.run(60_000);
    expect(bench.observations).toHaveLength(2);
  });

  it("a stop ends the loops at once after a notification, and in the pause after it", async () => {
    const bench = await new HintBench().run(3_000);
    bench.hint();
    await bench.run(50);
    bench.hint();
    await bench.run(50);
    bench.stop.abort();
    await bench.run(0);
    expect(bench.over).toBe(true);
  });
});

describe("a device whose observation failed", () => {
  it("a device whose observation failed is opened again, its old session ended", async () => {
    const bench = await new HintBench().run(1_000);
    bench.fails = true;
    await bench.run(pollMs);
    expect(bench.ended.toSorted()).toEqual(["edge-a", "edge-b"]);
    bench.fails = false;
    await bench.run(pollMs);
    expect(bench.targets).toHaveLength(4);
    bench.stop.abort();
    await bench.run(1_000);
    expect(bench.ended).toHaveLength(4);
    expect(bench.over).toBe(true);
  });
});

describe("a driver is opened", () => {
  it("a driver is opened with the address and the instance that the intent names", async () => {
    const wanted = desiredOf((text) =>
      text.replace(
        "driver: sim\n    address: unix:/run/site.sock",
        "driver: linux\n    frr: edge7\n    charon: unix:/run/charon.vici",
      ),
    );
    const bench = await new HintBench(wanted).run(0);
    expect(bench.targets).toEqual([
      {
        ...{ device: "edge-a", address: "unix:/run/linkseal-net/net.sock", pathspace: "edge7" },
        charon: "/run/charon.vici",
      },
      { device: "edge-b", address: "unix:/run/site.sock" },
    ]);
  });
});
