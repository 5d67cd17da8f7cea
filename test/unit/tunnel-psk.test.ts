// Pre-shared keys of tunnels that change: noticed, waited for, proven, and taken back.

import { describe, expect, it } from "vitest";
import type { Desired } from "#agent/desired.ts";
import { pskWarnings } from "#agent/health/early.ts";
import { emptyMemory, type JournalRecord, type Memory, remember } from "#agent/journal/memory.ts";
import { TunnelPsks } from "#agent/tunnel-psk.ts";
import type { Device, DeviceChange } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type DeviceState, known, unknown } from "#hal/model.ts";
import type { SecretVersion } from "#hal/vault.ts";
import { wallAfter } from "#hal/world.ts";
import { SimClock } from "#sim/clock.ts";
import { tunnelLook } from "./health-evidence.ts";
import { never, refused, settled, wallStart } from "./site-bench.ts";
import { desired as site, wall } from "./view-kit.ts";

const id = (version: number): string => `https://v/secrets/hub-1-psk/${version}`;
const [tunnel] = site.tunnels;
if (tunnel === undefined) throw new Error("no tunnel in the sample");

function version(number: number, over: Partial<SecretVersion> = {}): SecretVersion {
  const created = wallAfter(wall, number * 1_000 - 10_000);
  const free = { notBefore: undefined, expires: undefined, tags: {} };
  return { id: id(number), enabled: true, created, ...free, ...over };
}

function failure(code: "device.rejected" | "transport.timeout" | "vault.denied"): LinksealError {
  return new LinksealError(code, "as it was said", {
    ...{ effect: "none", where: "edge-a", next: "look" },
  });
}

/** A router whose gateway takes one version, and a vault with two. */
class Scene {
  readonly clock = new SimClock(wallStart);
  readonly told: string[] = [];
  readonly records: JournalRecord[] = [];
  versions: SecretVersion[] = [version(1), version(2)];
  memory: Memory = { ...emptyMemory, psks: { "hub-1": { secretId: id(1) } } };
  gateway = id(2);
  /** What the router shows whom it asks. */
  router = id(1);
  ike: "established" | "down" = "established";
  /** Of the fresh authentication: absent = the gateway decides. */
  trouble: LinksealError | undefined;
  pending = false;
  unreadable = false;
  asked = 0;
  #spi = 100;
  #open = 0;

  readonly psks = new TunnelPsks({
    world: { clock: this.clock, log: { write: (_level, code) => void this.told.push(code) } },
    desired: site as Desired,
    lookout: {
      look: async () => (this.unreadable ? undefined : this.#state()),
      state: () => (this.unreadable ? undefined : this.#state()),
      failure: () => undefined,
      device: async () => this.#device(),
    },
    vault: {
      versions: async () => {
        this.asked += 1;
        return this.versions;
      },
      read: () => Promise.reject(new Error("no value is asked for here")),
    },
    keys: () => async () => {
      throw new Error("no value is asked for here");
    },
    memory: () => this.memory,
    write: async (record) => {
      this.records.push(record);
      this.memory = remember(this.memory, record);
    },
  });

  #state(): DeviceState {
    const at = this.clock.now();
    const seen = tunnelLook(at, 5);
    const sas = this.ike === "established" && seen.sas.kind === "known" ? seen.sas.value : [];
    const trouble = this.ike === "established" ? {} : { trouble: "different pre-shared keys" };
    const own = sas.map((sa) => ({ ...sa, spi: this.#spi + (sa.direction === "in" ? 0 : 1) }));
    const ipsec = [{ ...seen, ike: known(this.ike, at), sas: known(own, at), ...trouble }];
    const control = { wall, bootId: "1", configId: "1", commitPending: this.pending };
    return {
      ...{ device: "edge-a", at, control: known(control, at), macsec: [], ipsec },
      routing: unknown("notSupported", at),
    };
  }

  #device(): Device {
    return {
      capabilities: { commit: { kind: "armedRevert" } },
      prepare: async (change: DeviceChange) => {
        this.#open += 1;
        return {
          token: `t-${this.#open}`,
          apply: async () => {
            for (const part of change) this.#apply(part);
          },
          confirm: async () => undefined,
        };
      },
    } as unknown as Device;
  }

  #apply(part: DeviceChange[number]): void {
    if (part.kind === "ipsec.putTunnel" && part.tunnel.auth.kind === "psk") {
      this.router = part.tunnel.auth.secretId;
      this.told.push(`put ${this.router.at(-1)}`);
      if (this.ike === "down" && this.router === this.gateway) this.#rise();
    } else if (part.kind === "ipsec.rekey") {
      this.told.push(part.what);
      if (this.trouble !== undefined) throw this.trouble;
      if (this.router === this.gateway) this.#rise();
    }
  }

  #rise(): void {
    this.ike = "established";
    this.#spi += 2;
  }

  turn(): Promise<void> {
    return settled(this.clock, this.psks.turn(never));
  }

  proceed() {
    return settled(
      this.clock,
      this.psks.proceed(tunnel as NonNullable<typeof tunnel>, "ann", never),
    );
  }

  async pass(ms: number): Promise<void> {
    await settled(this.clock, this.clock.sleep(ms, never));
  }

  next() {
    return this.memory.psks["hub-1"]?.next;
  }
}

describe("a newer pre-shared key of a tunnel", () => {
  it("is noticed, and waits for a person without a word to the router", async () => {
    const scene = new Scene();
    await scene.turn();
    expect(scene.next()).toMatchObject({ secretId: id(2), state: "waiting" });
    expect(scene.told).toEqual([]);
    expect(scene.psks.reports()).toMatchObject([{ tunnel: "hub-1", secretId: id(1) }]);
    expect(pskWarnings(scene.memory, tunnel)).toMatchObject([
      { code: "waiting-for-person", about: "hub-1", next: "linkseal psk proceed hub-1" },
    ]);
    const asked = scene.asked;
    await scene.turn();
    expect(scene.asked).toBe(asked);
    await scene.pass(300_000);
    await scene.turn();
    expect(scene.asked).toBe(asked + 1);
    expect(scene.records).toHaveLength(1);
  });

  it.each([
    ["older than the one in use", [version(1, { created: wallAfter(wall, 0) }), version(2)]],
    ["disabled", [version(1), version(2, { enabled: false })]],
    ["not begun", [version(1), version(2, { notBefore: wallAfter(wall, 86_400_000) })]],
  ])("is none that is %s", async (_what, versions) => {
    const scene = new Scene();
    scene.versions = versions;
    await scene.turn();
    expect(scene.next()).toBeUndefined();
    expect(scene.records).toEqual([]);
  });

  it("is forgotten once it is taken back from the vault, and gives way to one newer still", async () => {
    const scene = new Scene();
    await scene.turn();
    scene.versions = [version(1), version(2), version(3)];
    await scene.pass(300_000);
    await scene.turn();
    expect(scene.next()?.secretId).toBe(id(3));
    scene.versions = [version(1)];
    await scene.pass(300_000);
    await scene.turn();
    expect(scene.next()).toBeUndefined();
    expect(pskWarnings(scene.memory, tunnel)).toEqual([]);
  });

  it("is told, proven by new SAs, and the one in use from then on", async () => {
    const scene = new Scene();
    expect(await scene.proceed()).toEqual({ tunnel: "hub-1", secretId: id(2), next: null });
    expect(scene.told).toEqual(["put 2", "reauthenticate"]);
    const states = scene.records.flatMap((record) =>
      record.kind === "psk" ? [record.psk.next?.state ?? "none"] : [],
    );
    expect(states).toEqual(["waiting", "switching", "none"]);
    expect(scene.memory.pending).toEqual({});
    expect(scene.psks.isBusy("edge-a")).toBe(false);
  });

  it("goes back where the gateway refuses it, with the SAs that stand", async () => {
    const scene = new Scene();
    scene.gateway = id(1);
    scene.trouble = failure("device.rejected");
    const error = await refused(scene.proceed());
    expect(error).toMatchObject({ code: "verify.mismatch", effect: "none", where: "hub-1" });
    expect(error.message).toContain("hub-1 keeps its old key, and its SAs: the gateway refuses it");
    expect(scene.told).toEqual(["put 2", "reauthenticate", "put 1"]);
    expect(scene.router).toBe(id(1));
    expect(scene.next()).toMatchObject({ state: "waiting", by: "ann" });
    expect(scene.memory.psks["hub-1"]?.secretId).toBe(id(1));
  });

  it("goes back where no new SA shows, whatever the router says", async () => {
    const scene = new Scene();
    scene.gateway = id(1);
    const error = await refused(scene.proceed());
    expect(error.message).toContain("no new SA of hub-1 came up within 30 s");
    expect(scene.told.at(-1)).toBe("put 1");
  });

  it("that cannot be read is nobody's refusal", async () => {
    const scene = new Scene();
    scene.trouble = failure("vault.denied");
    const error = await refused(scene.proceed());
    expect(error.message).toBe("hub-1 keeps its old key, and its SAs: as it was said");
  });

  it("is told again by a successor, or where the router did not answer", async () => {
    const scene = new Scene();
    scene.trouble = failure("transport.timeout");
    expect((await refused(scene.proceed())).code).toBe("transport.timeout");
    expect(scene.next()?.state).toBe("switching");
    scene.trouble = undefined;
    // What it left open on the router is settled first, by whoever settles such things.
    scene.memory = { ...scene.memory, pending: { "edge-a": "t-1" } };
    await scene.turn();
    expect(scene.told).toEqual(["put 2", "reauthenticate"]);
    scene.memory = { ...scene.memory, pending: {} };
    await scene.turn();
    expect(scene.memory.psks["hub-1"]).toEqual({ secretId: id(2) });
  });

  it("is tried by itself where the gateway refuses the one in use, once a minute", async () => {
    const scene = new Scene();
    await scene.turn();
    scene.ike = "down";
    scene.gateway = id(3);
    await scene.turn();
    expect(scene.told).toEqual(["put 2", "put 1", "verify.mismatch"]);
    await scene.turn();
    expect(scene.told).toHaveLength(3);
    scene.gateway = id(2);
    await scene.pass(60_000);
    await scene.turn();
    expect(scene.memory.psks["hub-1"]).toEqual({ secretId: id(2) });
    expect(scene.ike).toBe("established");
  });
});

describe("a person who says that the gateway has it", () => {
  it.each<[string, (scene: Scene) => void, string]>([
    ["of a tunnel of somebody else's", (scene) => (scene.memory = emptyMemory), "gate.busy"],
    ["with nothing newer", (scene) => (scene.versions = [version(1)]), "gate.busy"],
    ["while a commit waits", (scene) => (scene.pending = true), "gate.busy"],
    ["of a router that is silent", (scene) => (scene.unreadable = true), "gate.stale"],
  ])("is refused before anything is sent %s", async (_what, bend, code) => {
    const scene = new Scene();
    bend(scene);
    const error = await refused(scene.proceed());
    expect(error).toMatchObject({ code, effect: "none" });
    expect(error.message).toContain("the pre-shared key of hub-1 is not changed: ");
    expect(scene.told).toEqual([]);
  });
});

describe("what is remembered of it", () => {
  it("outlives a snapshot of a version that knew nothing of it", () => {
    const { psks: _psks, ...before } = emptyMemory;
    const old = { kind: "snapshot", memory: before } as JournalRecord;
    expect(remember(emptyMemory, old).psks).toEqual({});
    const psk = { secretId: id(1) };
    expect(remember(emptyMemory, { kind: "psk", name: "hub-1", psk }).psks).toEqual({
      "hub-1": psk,
    });
  });
});
