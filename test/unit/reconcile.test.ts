// The loop of one device: what a predecessor left pending, what is added, and what is left alone.

import { describe, expect, it } from "vitest";
import { emptyMemory, type JournalRecord, type Memory, remember } from "#agent/journal/memory.ts";
import { Lookout } from "#agent/lookout.ts";
import { Reconciler } from "#agent/reconcile.ts";
import type {
  Capabilities,
  Device,
  DeviceChange,
  Driver,
  Transaction,
  TransactionToken,
} from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { DeviceState, IpsecTunnel, TunnelSpec } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { KeyVault, SecretVersion } from "#hal/vault.ts";
import { type World, wallAfter } from "#hal/world.ts";
import { SimClock } from "#sim/clock.ts";
import { capabilities, never, sampleState, settled, wallStart } from "./site-bench.ts";
import { clearPort, desired, desiredOf, link, securedPort, stateOf, wall } from "./view-kit.ts";

const pair = desiredOf((text) =>
  text
    .replace("repair: off", "$&")
    .replace(
      "tunnels:\n",
      [
        "tunnels:",
        "  - name: hub-2",
        "    device: edge-a",
        "    local: { address: 198.51.100.2 }",
        "    remote: { address: 203.0.113.2 }",
        "    protects: { local: [10.1.0.0/16], remote: [10.101.0.0/16] }",
        "    auth: { psk: hub-2-psk }",
        "",
      ].join("\n"),
    ),
);

const backs = { group: "erd-demo", links: [link], proveMs: 300_000 };
const backing = {
  ...desired,
  tunnels: desired.tunnels.map((tunnel) => ({ ...tunnel, insideMacsec: undefined, backs })),
};
const backupSpec = { remotePrefixes: ["10.100.0.0/16"] } as unknown as TunnelSpec;

/** A router of tunnels alone, whose commits wait for their confirm. */
class Scene {
  readonly clock = new SimClock(wallStart);
  readonly log: string[] = [];
  /** Of the pre-shared keys that it was given. */
  readonly secrets: string[] = [];
  memory: Memory = emptyMemory;
  running: string[] = [];
  /** What a pending commit would be undone to. */
  before: string[] | undefined;
  reachable = true;
  paused = false;
  looks = 0;
  vault: KeyVault["versions"] = async (name) => [version(name)];
  readonly reconciler: Reconciler;
  readonly #change = new Map<string, DeviceChange>();

  /** A tunnel that is refused when it is applied. */
  refused: string | undefined;
  /** The daemon has none of the tunnels any more. */
  forgotten = false;
  /** Its port. */
  port = clearPort();
  /** What may ride under MACsec by what was put last. */
  backed: DeviceState["backed"];
  readonly #capabilities: Capabilities;

  constructor(wanted = desired, offers: Capabilities = capabilities) {
    this.#capabilities = offers;
    const nobody = (): Promise<never> => Promise.reject(new Error("nobody"));
    const world: World = {
      clock: this.clock,
      dial: {
        http: nobody,
        routeTo: nobody,
        resolve: nobody,
        exec: nobody,
        framed: nobody,
        stream: nobody,
        channel: nobody,
        snmp: nobody,
      },
      disk: { read: nobody, list: nobody, append: nobody, replace: nobody },
      entropy: { bytes: (length) => new Uint8Array(length) },
      log: { write: () => undefined },
    };
    const driver: Driver = { name: "sim", offers, open: async () => this.#device() };
    const peer = { observe: async () => Promise.reject(gone()), put: async () => undefined };
    const lookout = new Lookout(
      { world, drivers: { sim: driver }, desired: wanted, peerPort: () => peer },
      undefined,
    );
    this.reconciler = new Reconciler({
      world,
      desired: wanted,
      intent: 1,
      device: "edge-a",
      lookout,
      vault: { versions: (name, signal) => this.vault(name, signal), read: nobody },
      keys: () => async () => Secret.take("psk", new Uint8Array(8)),
      memory: () => this.memory,
      write: async (record: JournalRecord) => {
        this.memory = remember(this.memory, record);
      },
      paused: () => this.paused,
      inCampaign: () => this.paused,
    });
  }

  async turn(): Promise<this> {
    await settled(this.clock, this.reconciler.turn(never));
    return this;
  }

  #device(): Device {
    return {
      id: "edge-a",
      capabilities: this.#capabilities,
      observe: async () => {
        this.looks += 1;
        if (!this.reachable) throw gone();
        const pending = this.before !== undefined;
        const ipsec = this.running.map((name) => {
          const tunnel = tunnelNamed(name);
          const ike = { kind: "known", value: "forgotten", at: this.clock.now() } as const;
          return this.forgotten ? { ...tunnel, ike } : tunnel;
        });
        const state = stateOf(this.port, { ipsec }, { commitPending: pending });
        const { backed } = this;
        return { ...state, at: this.clock.now(), ...(backed === undefined ? {} : { backed }) };
      },
      prepare: async (change) => {
        const token = `t-${this.#change.size + 1}`;
        this.#change.set(token, change);
        this.log.push(`prepare ${names(change).join(" ")}`);
        for (const part of change) {
          const auth = part.kind === "ipsec.putTunnel" ? part.tunnel.auth : undefined;
          if (auth?.kind === "psk") this.secrets.push(auth.secretId);
        }
        return this.#transaction(token);
      },
      recall: async (token) =>
        this.before === undefined
          ? { kind: "absent" }
          : { kind: "pending", transaction: this.#transaction(token) },
      routeTo: async () => undefined,
      async [Symbol.asyncDispose]() {},
    };
  }

  #transaction(token: string): Transaction {
    return {
      token: token as TransactionToken,
      preview: "",
      apply: async () => {
        const put = names(this.#change.get(token) ?? []);
        if (this.refused !== undefined && put.includes(this.refused)) {
          const details = { effect: "none", where: "edge-a", next: "look" } as const;
          throw new LinksealError("device.rejected", `${this.refused} is refused`, details);
        }
        this.before = this.running;
        this.running = [...new Set([...this.running, ...put])];
        for (const part of this.#change.get(token) ?? []) {
          if (part.kind === "ipsec.putTunnel") this.backed = backedBy(part.tunnel);
        }
      },
      confirm: async () => {
        this.log.push("confirm");
        this.before = undefined;
      },
      rollback: async () => {
        this.log.push("roll back");
        this.running = this.before ?? this.running;
        this.before = undefined;
      },
    };
  }
}

function backedBy({ backs, remotePrefixes }: TunnelSpec): DeviceState["backed"] {
  if (backs === undefined) return undefined;
  const value = remotePrefixes.map((prefix) => ({ prefix, ports: backs, open: backs }));
  return { kind: "known", value, at: 0 as never };
}

function gone(): LinksealError {
  const details = { effect: "none", where: "edge-a", next: "linkseal status" } as const;
  return new LinksealError("transport.unreachable", "it does not answer", details);
}

function names(change: DeviceChange): string[] {
  return change.flatMap((part) => (part.kind === "ipsec.putTunnel" ? [part.tunnel.name] : []));
}

function tunnelNamed(name: string): IpsecTunnel {
  const [tunnel] = sampleState("edge-a", 0 as never).ipsec;
  if (tunnel === undefined) throw new Error("no sample");
  return { ...tunnel, name, sas: { kind: "known", value: [], at: 0 as never } };
}

function version(name: string): SecretVersion {
  const id = `https://v/secrets/${name}/1`;
  const dates = { notBefore: undefined, expires: undefined };
  return { id, enabled: true, created: wall, ...dates, tags: {} };
}

describe("tunnels", () => {
  it("are added under a timer, confirmed after a look, and remembered as reached", async () => {
    const scene = await new Scene().turn();
    expect(scene.log).toEqual(["prepare hub-1", "confirm"]);
    expect(scene.memory).toMatchObject({ tunnels: { "hub-1": 1 }, pending: {} });
    expect((await scene.turn()).log).toHaveLength(2);
  });

  it("come back with the pre-shared key that they ran on, and not with a newer one", async () => {
    const scene = await new Scene().turn();
    const [first] = await scene.vault("hub-1-psk", never);
    if (first === undefined) throw new Error("no version");
    expect(scene.memory.auths).toEqual({ "hub-1": { auth: { kind: "psk", secretId: first.id } } });
    const newer = { ...first, id: `${first.id}0`, created: wallAfter(wall, 1_000) };
    scene.vault = async () => [first, newer];
    scene.forgotten = true;
    await scene.turn();
    expect(scene.secrets).toEqual([first.id, first.id]);
    // What is disabled can be shown to nobody any more.
    scene.vault = async () => [{ ...first, enabled: false }, newer];
    await scene.turn();
    expect(scene.secrets.at(-1)).toBe(newer.id);
    expect(scene.memory.auths).toEqual({ "hub-1": { auth: { kind: "psk", secretId: newer.id } } });
  });

  it("of a host that proves each by itself stand or fall alone", async () => {
    const host = { commit: { kind: "armedRevert" }, ipsec: capabilities.ipsec } as Capabilities;
    const scene = new Scene(pair, host);
    scene.refused = "hub-1";
    await scene.turn();
    expect(scene.running).toEqual(["hub-2"]);
    expect(scene.reconciler.trouble?.message).toBe("hub-1 is refused");
    scene.refused = undefined;
    await scene.turn();
    expect(scene.running.toSorted()).toEqual(["hub-1", "hub-2"]);
    expect(scene.reconciler.trouble).toBeUndefined();
  });

  it("that a daemon forgot are put again, also under repair: off", async () => {
    const scene = await new Scene().turn();
    scene.forgotten = true;
    await scene.turn();
    expect(scene.log.filter((line) => line === "prepare hub-1")).toHaveLength(2);
  });

  it("under a weak policy wait for its risk to be accepted, and hold no other one up", async () => {
    const weak = (wanted: typeof desired, until: number): typeof desired => ({
      ...wanted,
      tunnels: wanted.tunnels.map((tunnel) =>
        tunnel.name === "hub-1" ? { ...tunnel, weaknesses: ["dhGroup DHGroup2"] } : tunnel,
      ),
      acceptRisks: [{ risk: "weakTunnel", until: until as never, reason: undefined }],
    });
    const scene = await new Scene(weak(pair, wallStart)).turn();
    expect(scene.running).toEqual(["hub-2"]);
    await scene.turn();
    expect(scene.reconciler.trouble?.code).toBe("gate.riskNotAccepted");
    expect(scene.running).toEqual(["hub-2"]);
    const accepted = await new Scene(weak(pair, wallStart + 86_400_000)).turn();
    expect(accepted.running.toSorted()).toEqual(["hub-1", "hub-2"]);
  });

  it("that are a backup wait until what they would block is under MACsec", async () => {
    const scene = await new Scene(backing).turn();
    expect(scene.log).toEqual([]);
    expect(scene.reconciler.trouble?.message).toContain(
      "hub-1 is not set up yet: it would block what erd-demo/primary carries in the clear",
    );
    scene.port = securedPort();
    await scene.turn();
    expect(scene.running).toEqual(["hub-1"]);
    expect(scene.reconciler.trouble).toBeUndefined();
    // What was set up once comes back whatever its links are: its block stands anyway.
    scene.port = clearPort();
    scene.forgotten = true;
    expect((await scene.turn()).log.filter((line) => line === "prepare hub-1")).toHaveLength(2);
  });

  it("that a newer intent makes a backup, or none, are put again, and once", async () => {
    for (const [wanted, before] of [
      [backing, undefined],
      [desired, backedBy({ ...backupSpec, backs: [link.port] })],
    ] as const) {
      const scene = new Scene(wanted);
      scene.port = securedPort();
      [scene.running, scene.backed] = [["hub-1"], before];
      scene.memory = { ...emptyMemory, tunnels: { "hub-1": 0 } };
      await scene.turn();
      expect(scene.log).toEqual(["prepare hub-1", "confirm"]);
      expect((await scene.turn()).log).toHaveLength(2);
      // By the intent in force nothing is changed that somebody did by hand.
      scene.backed = before;
      expect((await scene.turn()).log).toHaveLength(2);
    }
  });

  it("that were reached and are gone are drift, and left alone under repair: off", async () => {
    const scene = await new Scene().turn();
    scene.running = [];
    expect((await scene.turn()).log).toHaveLength(2);
    const mending = new Scene(desiredOf((text) => text.replace("repair: off", "repair: on")));
    await mending.turn();
    mending.running = [];
    expect((await mending.turn()).running).toEqual(["hub-1"]);
  });

  it("are not touched while a campaign runs, or one began during the vault's answer", async () => {
    const scene = new Scene();
    scene.paused = true;
    expect((await scene.turn()).log).toEqual([]);
    scene.paused = false;
    scene.vault = async (name) => {
      scene.paused = true;
      return [version(name)];
    };
    expect((await scene.turn()).log).toEqual([]);
  });

  it("are looked at by the campaign that runs, and again only if that is long ago", async () => {
    const scene = new Scene();
    scene.paused = true;
    await scene.turn();
    await scene.turn();
    expect(scene.looks).toBe(1);
    await scene.clock.runFor(4_000);
    await scene.turn();
    expect(scene.looks).toBe(2);
    await scene.clock.runFor(4_000);
    scene.reachable = false;
    await scene.turn();
    await scene.turn();
    expect(scene.looks).toBe(4);
    scene.reachable = true;
    scene.paused = false;
    await scene.turn();
    expect(scene.looks).toBeGreaterThan(4);
  });

  it("wait while somebody's commit is pending, and are not called reached by it", async () => {
    const scene = new Scene(pair);
    scene.before = [];
    scene.running = ["hub-2"];
    await scene.turn();
    expect(scene.log).toEqual([]);
    expect(scene.memory.tunnels).toEqual({});
  });

  it("wait for the vault, which is told as trouble", async () => {
    const scene = new Scene();
    scene.vault = async () => [];
    await scene.turn();
    expect(scene.reconciler.trouble?.code).toBe("vault.malformedKey");
    scene.vault = async (name) => [version(name)];
    expect((await scene.turn()).reconciler.trouble).toBeUndefined();
  });
});

describe("what a predecessor left pending", () => {
  function left(wanted: typeof desired): Scene {
    const scene = new Scene(wanted);
    scene.memory = { ...emptyMemory, pending: { "edge-a": "t-9" } };
    scene.before = [];
    scene.running = ["hub-1"];
    return scene;
  }

  it("is confirmed where it is all that is wanted", async () => {
    const scene = await left(desired).turn();
    expect(scene.log).toEqual(["confirm"]);
    expect(scene.memory.pending).toEqual({});
    await scene.turn();
    expect(scene.memory.tunnels).toEqual({ "hub-1": 1 });
    expect(scene.running).toEqual(["hub-1"]);
  });

  it("is rolled back where it is not, and what it held is not called reached", async () => {
    const scene = await left(pair).turn();
    expect(scene.log).toEqual(["roll back"]);
    expect(scene.memory.tunnels).toEqual({});
    await scene.turn();
    expect(scene.running.toSorted()).toEqual(["hub-1", "hub-2"]);
  });

  it("that is gone by now is forgotten, and wanted again", async () => {
    const scene = left(desired);
    scene.before = undefined;
    scene.running = [];
    await scene.turn();
    expect(scene.memory.pending).toEqual({});
    expect((await scene.turn()).running).toEqual(["hub-1"]);
  });

  it("waits while the router does not answer", async () => {
    const scene = left(desired);
    scene.reachable = false;
    await scene.turn();
    expect(scene.memory.pending).toEqual({ "edge-a": "t-9" });
  });
});
