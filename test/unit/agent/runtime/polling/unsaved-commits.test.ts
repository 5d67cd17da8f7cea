// A device that saves apart from a commit: what the journal keeps of it, and who completes it.

import { beforeEach, describe, expect, it } from "vitest";
import { takenBackOn } from "#agent/health/in-force.ts";
import type { Desired } from "#agent/model/desired.ts";
import { UnsavedCommits } from "#agent/runtime/polling/unsaved-commits.ts";
import { emptyMemory, type JournalRecord, remember } from "#agent/store/journal/memory.ts";
import type { Device, DeviceChange, Transaction, TransactionToken } from "#hal/device.ts";
import { type Effect, LinksealError } from "#hal/error.ts";
import { type DeviceState, known, type Routing, unknown } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { clockWorld } from "../../../kit/clock-world.ts";
import { never, refused, wallStart } from "../../../kit/site-bench.ts";

const restore = { kind: "port.restore", port: "et-0", means: "prepend" } as const;
const open = { kind: "port.open", port: "et-0" } as const;
const noKeys = () => Promise.reject(new Error("not used"));

function errorWith(effect: Effect): LinksealError {
  const details = { effect, where: "edge-a", next: "linkseal status" } as const;
  return new LinksealError("transport.closed", "the session ended", details);
}

/** A process beside one device; a successor has the same journal and the same device. */
class Scene {
  readonly clock = new SimClock(wallStart);
  readonly logged: string[] = [];
  readonly calls: string[] = [];
  memory = emptyMemory;
  /** The failure of the next calls. */
  fails: LinksealError | undefined;
  diskFails = false;
  isObserved = true;
  boot: string | undefined = "boot 1";
  /** The drains that the device shows; undefined = it shows none now. */
  drains: Routing["drains"] | undefined = [];
  readOnly = false;
  groups: Desired["groups"] = [];
  /** A call of the device that ends when the test says so. */
  held: Promise<void> | undefined;
  readonly #router = this.#device();
  commits = this.#process();
  device = this.commits.watch(this.#router);

  /** The process ends, and another one begins. */
  succeeds(): void {
    this.commits = this.#process();
    this.device = this.commits.watch(this.#router);
  }

  #process(): UnsavedCommits {
    const log = {
      write: (_: string, code: string, text: string) => void this.logged.push(`${code}: ${text}`),
    };
    const entropy = { bytes: (length: number) => new Uint8Array(length) };
    return new UnsavedCommits({
      world: clockWorld({ clock: this.clock, log, entropy }),
      desired: { groups: this.groups },
      memory: () => this.memory,
      write: async (record: JournalRecord) => {
        if (this.diskFails) throw errorWith("none");
        this.memory = remember(this.memory, record);
      },
      readOnly: () => this.readOnly,
      deviceCache: () => ({
        device: async () => this.device,
        state: () => (this.isObserved ? this.state : undefined),
        failure: () => undefined,
      }),
    });
  }

  get state(): DeviceState {
    const at = this.clock.now();
    const control = { wall: wallStart as WallTime, configId: "c", commitPending: false };
    return {
      ...{ device: "edge-a", at, macsec: [], ipsec: [] },
      control:
        this.boot === undefined
          ? unknown("queryFailed", at)
          : known({ ...control, bootId: this.boot }, at),
      routing:
        this.drains === undefined
          ? unknown("queryFailed", at)
          : known({ sessions: [], routes: [], drains: this.drains }, at),
    };
  }

  async #call(what: string): Promise<void> {
    this.calls.push(`${what} (${this.tokens.join()})`);
    await this.held;
    if (this.fails !== undefined) throw this.fails;
  }

  #device(): Device {
    let count = 0;
    const transactionOf = (token: string): Transaction => ({
      token: token as TransactionToken,
      preview: "",
      apply: (within) => this.#call(`apply ${within}`),
      confirm: () => this.#call("confirm"),
      rollback: () => this.#call("rollback"),
    });
    return {
      id: "edge-a",
      capabilities: { commit: { kind: "immediate" } } as never,
      observe: () => Promise.reject(errorWith("none")),
      prepare: async () => {
        count += 1;
        return transactionOf(`t${count}`);
      },
      recall: async (token) => ({ kind: "pending", transaction: transactionOf(token) }),
      routesTo: async () => undefined,
      complete: (moves) => this.#call(`complete ${moves.map(({ kind }) => kind).join()}`),
      async [Symbol.asyncDispose]() {},
    };
  }

  get tokens(): readonly string[] {
    return this.memory.unsaved["edge-a"]?.map(({ token }) => token) ?? [];
  }

  async apply(change: DeviceChange, within: number | "final" = "final"): Promise<void> {
    const transaction = await this.device.prepare(change, noKeys, never);
    await transaction.apply(within, never);
  }

  /** The next observation, and what follows it. */
  async turn(): Promise<void> {
    await this.clock.runFor(1_000);
    await this.commits.turn("edge-a", never);
  }

  /** The device comes up again, with such drains. */
  reload(drains: Scene["drains"]): void {
    Object.assign(this, { boot: "boot 2", drains });
  }
}

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});

describe("a commit on a device that saves apart from it", () => {
  it("is in the journal from before it is sent until it is saved", async () => {
    await scene.apply([restore]);
    expect(scene.calls).toEqual(["apply final (t1)"]);
    expect([scene.tokens, scene.commits.left("edge-a")]).toEqual([["t1"], []]);
    await scene.turn();
    expect([scene.tokens, scene.calls.length, scene.logged]).toEqual([[], 1, []]);
  });

  it("is in the journal from its confirm on if it waits for one", async () => {
    await scene.apply([restore], 60_000);
    const recalled = await scene.device.recall("t1" as TransactionToken, never);
    if (recalled.kind === "pending") await recalled.transaction.confirm(never);
    expect(scene.calls).toEqual(["apply 60000 ()", "confirm (t1)"]);
    await scene.turn();
    expect(scene.tokens).toEqual([]);
  });

  it.each([
    ["applied", ["t1"]],
    ["unknown", ["t1"]],
    ["none", []],
  ] as const)("with a failure of effect %s leaves %j", async (effect, left) => {
    scene.fails = errorWith(effect);
    expect((await refused(scene.apply([restore]))).effect).toBe(effect);
    expect(scene.tokens).toEqual(left);
  });

  it("that is repeated in vain may be in force all the same", async () => {
    const transaction = await scene.device.prepare([restore], noKeys, never);
    scene.fails = errorWith("unknown");
    await refused(transaction.apply("final", never));
    scene.fails = errorWith("none");
    await refused(transaction.apply("final", never));
    expect(scene.tokens).toEqual(["t1"]);
  });

  it("is made although the journal has no room for it", async () => {
    scene.diskFails = true;
    await scene.apply([restore]);
    expect(scene.calls).toEqual(["apply final ()"]);
    expect(scene.logged).toHaveLength(1);
  });

  it("is not recorded where a commit saves by itself", () => {
    const device = { ...scene.device };
    Reflect.deleteProperty(device, "complete");
    expect(scene.commits.watch(device)).toBe(device);
  });
});

describe("a commit whose end was not observed", () => {
  beforeEach(async () => {
    scene.fails = errorWith("unknown");
    await refused(scene.apply([restore]));
    await refused(scene.apply([open]));
    scene.fails = undefined;
    scene.calls.length = 0;
    scene.succeeds();
  });

  it("is completed by a successor, once, with the routes that it moved", async () => {
    await scene.turn();
    await scene.turn();
    expect(scene.calls).toEqual(["complete port.restore (t1,t2)"]);
    expect([scene.tokens, scene.commits.left("edge-a")]).toEqual([[], []]);
    expect(scene.logged.at(-1)).toBe("commit-saved: a change in force was saved");
  });

  it("waits until its device was observed, and the journal is whole", async () => {
    scene.isObserved = false;
    await scene.turn();
    Object.assign(scene, { isObserved: true, readOnly: true });
    await scene.turn();
    expect(scene.calls).toEqual([]);
  });

  it("is tried again later after a failure, which is known meanwhile", async () => {
    scene.fails = errorWith("applied");
    await scene.turn();
    await scene.turn();
    expect(scene.calls).toHaveLength(1);
    expect(scene.commits.failure("edge-a")?.effect).toBe("applied");
    expect(scene.commits.left("edge-a").map(({ token }) => token)).toEqual(["t1", "t2"]);
    scene.fails = undefined;
    await scene.clock.runFor(15_000);
    await scene.turn();
    expect(scene.calls).toHaveLength(2);
    await scene.turn();
    expect([scene.tokens, scene.commits.failure("edge-a")]).toEqual([[], undefined]);
  });

  it("is completed without a commit that this process makes meanwhile", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    scene.held = promise;
    const applied = scene.apply([open]);
    await new Promise((done) => setImmediate(done));
    expect(scene.commits.left("edge-a").map(({ token }) => token)).toEqual(["t1", "t2"]);
    scene.held = undefined;
    await scene.turn();
    await scene.turn();
    expect(scene.tokens).toEqual(["t3"]);
    resolve();
    await applied;
    await scene.turn();
    expect(scene.tokens).toEqual([]);
  });
});

describe("a commit that a reload took back", () => {
  const drained = [{ port: "et-0", means: "prepend" }] as const;
  const drain = { ...restore, kind: "port.drain" } as const;
  const taken = () => takenBackOn(scene.memory, { device: "edge-a", port: "et-0" });

  async function unsaved(...changes: readonly DeviceChange[]): Promise<void> {
    await scene.turn();
    scene.fails = errorWith("applied");
    for (const change of changes) await refused(scene.apply(change));
    scene.fails = undefined;
    scene.calls.length = 0;
  }

  beforeEach(() => {
    const link = { group: "demo", name: "primary", device: "edge-a", port: "et-0" } as never;
    scene.groups = [{ name: "demo", links: [link] } as never];
    scene.succeeds();
  });

  it("is named, is not called saved, and ends once it is in force again", async () => {
    await unsaved([restore]);
    scene.reload(drained);
    await scene.turn();
    expect(scene.calls).toEqual([]);
    expect(scene.logged.at(-1)).toMatch(/^reload-took-back: since edge-a was reloaded, .*given/);
    expect(taken()).toEqual([restore]);
    expect(scene.commits.left("edge-a")).toEqual([]);
    await scene.turn();
    expect([scene.tokens, scene.logged.length]).toEqual([["t1"], 1]);
    scene.drains = [];
    await scene.turn();
    expect([scene.tokens, scene.logged.length]).toEqual([[], 1]);
  });

  it("that its device answered as saved is named too", async () => {
    await scene.turn();
    await scene.apply([restore]);
    scene.reload(drained);
    await scene.turn();
    expect(taken()).toEqual([restore]);
  });

  it("is not judged while the device does not show the boot, or what is in force", async () => {
    await unsaved([restore]);
    scene.boot = undefined;
    await scene.turn();
    scene.reload(undefined);
    await scene.turn();
    expect([scene.calls, scene.tokens, scene.logged]).toEqual([[], ["t1"], []]);
  });

  it("that was in force all the same is completed", async () => {
    await unsaved([restore]);
    scene.reload([]);
    await scene.turn();
    await scene.turn();
    expect(scene.calls).toEqual(["complete port.restore (t1)"]);
    expect([scene.tokens, scene.logged.at(-1)]).toEqual([
      [],
      "commit-saved: a change in force was saved",
    ]);
  });

  it("and that a later one had replaced is not missed", async () => {
    await unsaved([drain], [restore]);
    scene.reload([]);
    await scene.turn();
    expect([scene.tokens, taken()]).toEqual([["t2"], []]);
  });

  it("is not wanted again if it moved traffic away, or if its port left the config", async () => {
    await unsaved([drain]);
    scene.reload([]);
    await scene.turn();
    expect([scene.tokens, scene.logged.length]).toEqual([[], 1]);
    await unsaved([restore]);
    Object.assign(scene, { boot: "boot 3", drains: drained, groups: [] });
    scene.succeeds();
    await scene.turn();
    expect(scene.tokens).toEqual([]);
  });

  it("without a reload is completed, and is not called saved if it is not in force", async () => {
    await unsaved([restore]);
    scene.drains = drained;
    await scene.turn();
    await scene.turn();
    expect([scene.calls.length, scene.tokens, scene.logged]).toEqual([1, [], []]);
  });
});
