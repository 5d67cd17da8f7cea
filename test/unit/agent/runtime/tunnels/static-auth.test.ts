// Static keys that change: at a person's word, proven by packets, taken back where none came.

import { describe, expect, it } from "vitest";
import type { DesiredTunnel } from "#agent/model/desired.ts";
import { authWarnings } from "#agent/runtime/health/early.ts";
import { TunnelAuths } from "#agent/runtime/tunnels/tunnel-auth.ts";
import { emptyMemory, type Memory, remember } from "#agent/store/journal/memory.ts";
import type { Address } from "#drivers/linux/netlink/rtnetlink-address.ts";
import type { TransactionToken } from "#hal/device.ts";
import type { DeviceState, TunnelSpec } from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import type { SecretVersion } from "#hal/vault.ts";
import { wallAfter } from "#hal/world.ts";
import { never, refused, settled } from "../../../kit/site-bench.ts";
import { type Pair, pairOf, secretOf, staticSpec } from "../../../kit/static-kit.ts";
import { TunnelBench } from "../../../kit/tunnel-bench.ts";
import { desired as site, wall } from "../../../kit/view-kit.ts";

const id = (version: number): string => `https://v/secrets/hub-1-keys/${version}`;
const keysOf = (version: number) => ({ kind: "static", secretId: id(version) }) as const;

const tunnel: DesiredTunnel = {
  ...(staticSpec as Omit<TunnelSpec, "backs">),
  ...{ device: "edge", azureConnection: undefined, insideMacsec: undefined, weaknesses: [] },
  auth: { kind: "static", secret: "hub-1-keys" },
};

/** A host with the first version in use, and a far end that sends by one of them. */
class Scene {
  readonly bench: TunnelBench;
  readonly values = new Map<string, Pair>([1, 2, 3].map((one) => [id(one), pairOf(one)]));
  versions = [1, 2];
  /** Whose SA the far end sends by. */
  sendsBy: Pair | undefined = pairOf(1);
  memory: Memory = { ...emptyMemory, auths: { "hub-1": { auth: keysOf(1) } } };
  readonly auths: TunnelAuths;
  readonly #look: () => Promise<DeviceState>;

  private constructor(bench: TunnelBench) {
    this.bench = bench;
    const { device } = bench;
    if (device === undefined) throw new Error("it is not open");
    const look = async () => {
      bench.kernel.sas = bench.kernel.sas.map((sa) => {
        const { usage } = sa;
        if (sa.spi !== this.sendsBy?.in.spi) return sa;
        return { ...sa, usage: { ...usage, packets: usage.packets + 1n } };
      });
      return await device.observe(never);
    };
    let state: DeviceState | undefined;
    this.#look = async () => (state = await look());
    this.auths = new TunnelAuths({
      world: { clock: bench.clock, log: { write: () => undefined } },
      desired: { ...site, tunnels: [tunnel] },
      lookout: {
        look: this.#look,
        state: () => state,
        failure: () => undefined,
        capabilities: () => device.capabilities,
        device: async () => device,
      },
      vault: {
        versions: async () => this.versions.map(versionOf),
        read: () => Promise.reject(new Error("no value is asked for here")),
      },
      gatewayKey: () => undefined,
      inCampaign: () => false,
      drains: {
        drainForAuth: () => Promise.reject(new Error("the old SA still receives")),
        undrainAfterAuth: async () => undefined,
      },
      keys: () => async (ref) => this.#value(ref),
      memory: () => this.memory,
      write: async (record) => {
        this.memory = remember(this.memory, record);
      },
    });
  }

  async #value(ref: object): Promise<Secret> {
    const value = "secretId" in ref ? this.values.get(String(ref.secretId)) : undefined;
    return secretOf(value);
  }

  static async open(): Promise<Scene> {
    const bench = await TunnelBench.open();
    bench.psk = JSON.stringify(pairOf(1));
    // By it the host knows what it receives.
    const address = staticSpec.localAddress;
    bench.kernel.addresses = [{ link: 1, local: address, address, prefixLength: 24 } as Address];
    await bench.put(staticSpec);
    return new Scene(bench);
  }

  async turn(): Promise<void> {
    await settled(this.bench.clock, this.#look());
    await settled(this.bench.clock, this.auths.turn(never));
  }

  proceed() {
    return settled(this.bench.clock, this.auths.proceed(tunnel, "ann", never));
  }

  spis(): readonly number[] {
    return this.bench.kernel.sas.map(({ spi }) => spi).toSorted((a, b) => a - b);
  }
}

function versionOf(number: number): SecretVersion {
  const created = wallAfter(wall, number * 1_000 - 10_000);
  const free = { notBefore: undefined, expires: undefined, tags: {} };
  return { id: id(number), enabled: true, created, ...free };
}

async function recall({ device }: TunnelBench, token: TransactionToken) {
  return await device?.recall(token, never);
}

const own = ({ in: inward, out }: Pair): readonly number[] => [inward.spi, out.spi];

describe("newer static keys", () => {
  it("are proven by a packet of the far end, and the old SAs end", async () => {
    const scene = await Scene.open();
    scene.sendsBy = pairOf(2);
    expect(await scene.proceed()).toEqual({
      ...{ tunnel: "hub-1", kind: "static", farEnd: "manual", secretId: id(2), next: null },
    });
    expect(scene.spis()).toEqual(own(pairOf(2)));
    expect(scene.memory.pending).toEqual({});
  });

  it("go back where no packet comes by them, and are used up", async () => {
    const scene = await Scene.open();
    const error = await refused(scene.proceed());
    expect(error).toMatchObject({
      code: "verify.mismatch",
      effect: "none",
      next:
        "put a version with new SPIs into the vault, give it to the far end, then linkseal " +
        "psk proceed hub-1",
    });
    expect(error.message).toContain("hub-1 keeps its old keys, and its SAs: nothing was received");
    expect(scene.spis()).toEqual(own(pairOf(1)));
    expect(scene.memory.auths["hub-1"]).toMatchObject({ auth: keysOf(1), next: { by: "ann" } });
    expect(authWarnings(scene.memory, tunnel)).toMatchObject([
      { code: "waiting-for-person", next: "linkseal psk proceed hub-1" },
    ]);
    scene.sendsBy = pairOf(2);
    expect((await refused(scene.proceed())).message).toContain("SPI 4098 of hub-1 had these keys");
    scene.versions = [1, 2, 3];
    scene.sendsBy = pairOf(3);
    await scene.proceed();
    expect(scene.spis()).toEqual(own(pairOf(3)));
  });

  it("under the SPIs of those in use are none", async () => {
    const scene = await Scene.open();
    scene.values.set(id(2), pairOf(1));
    const error = await refused(scene.proceed());
    expect(error.message).toContain("the newer version has the SPIs of the one in use");
    expect(scene.spis()).toEqual(own(pairOf(1)));
  });

  it("that an agent left in the middle are taken on by the next one", async () => {
    const scene = await Scene.open();
    const { bench } = scene;
    bench.psk = JSON.stringify(pairOf(2));
    const begun = await bench.prepare([{ kind: "ipsec.putTunnel", tunnel: staticSpec }]);
    await settled(bench.clock, begun.apply(120_000, never));
    const recalled = await settled(bench.clock, recall(bench, begun.token));
    if (recalled?.kind !== "pending") throw new Error("it does not wait any more");
    await settled(bench.clock, recalled.transaction.confirm(never));
    expect(scene.spis()).toHaveLength(4);
    const next = { auth: keysOf(2), state: "switching", since: wall, because: "told" } as const;
    scene.memory = { ...scene.memory, auths: { "hub-1": { auth: keysOf(1), next } } };
    scene.sendsBy = pairOf(2);
    await scene.turn();
    expect(scene.memory.auths).toEqual({ "hub-1": { auth: keysOf(2) } });
    expect(scene.spis()).toEqual(own(pairOf(2)));
  });

  it("wait for a person while something stands, and for nobody once nothing does", async () => {
    const scene = await Scene.open();
    await scene.turn();
    expect(scene.memory.auths["hub-1"]?.next).toMatchObject({ auth: keysOf(2), state: "waiting" });
    expect(scene.spis()).toEqual(own(pairOf(1)));
    scene.bench.kernel.sas = [];
    scene.sendsBy = undefined;
    await scene.turn();
    expect(scene.memory.auths).toEqual({ "hub-1": { auth: keysOf(2) } });
    expect(scene.spis()).toEqual(own(pairOf(2)));
  });
});
