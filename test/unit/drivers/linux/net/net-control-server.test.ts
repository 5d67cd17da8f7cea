// The control server's memory from one observation to the next: rates, and the configuration id.

import { describe, expect, it } from "vitest";
import { NetControlServer } from "#drivers/linux/net/control-server.ts";
import { addAddress } from "#drivers/linux/netlink/rtnetlink-address.ts";
import type { MacsecPort, PortRate } from "#hal/model.ts";
import type { Answer, NetlinkRequest, NetlinkSocket } from "#hal/netlink.ts";
import { SimClock } from "#sim/base/clock.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { Prng } from "#sim/base/prng.ts";
import { PretendSocket, recordedSite } from "../../../kit/netlink-kit.ts";
import { recordedOctets } from "../../../kit/recorded.ts";
import { never, wallStart } from "../../../kit/site-bench.ts";

const ethtool = 40;

/** Generic netlink of a host with a line rate for one link, and without MACsec. */
class Speeds implements NetlinkSocket {
  readonly #link: number;

  constructor(link: number) {
    this.#link = link;
  }

  async ask<T>({ type, body }: NetlinkRequest): Promise<Answer<T>> {
    const asked = Buffer.concat(body.map((part) => part as Uint8Array)).toString("latin1");
    if (type === ethtool) {
      return { kind: "answered", found: [{ link: this.#link, bitsPerSecond: 10e9 } as T] };
    }
    if (asked.includes("ethtool")) return { kind: "answered", found: [{ id: ethtool } as T] };
    return { kind: "refused", refusal: { name: "ENOENT", text: undefined } };
  }

  async write(): Promise<never> {
    throw new Error("a look writes nothing");
  }

  [Symbol.dispose](): void {}
}

interface Scene {
  readonly clock: SimClock;
  readonly kernel: PretendSocket;
  readonly server: NetControlServer;
  readonly port: () => Promise<MacsecPort>;
  readonly configId: () => Promise<string>;
}

const flagsAt = 16 + 8;
const carrier = 0x1_0000;
const up = 0x1;

async function scene(): Promise<Scene> {
  const clock = new SimClock(wallStart);
  const kernel = recordedSite();
  const prng = new Prng("desk");
  const disk = new SimDisk({ clock, prng, writeMs: 0 });
  const world = { clock, disk, entropy: prng, log: { write: () => undefined } };
  const observe = async (server: NetControlServer) => await server.state("edge", never);
  const first = await NetControlServer.open({
    world,
    bootId: "boot-1",
    sockets: { routes: kernel, generic: new PretendSocket(), xfrm: new PretendSocket() },
  });
  const names = (await observe(first)).macsec.map(({ port }) => port);
  const index = await indexOf(kernel, "a0");
  expect(names).toContain("a0");
  const xfrm = new PretendSocket();
  const sockets = { routes: kernel, generic: new Speeds(index), xfrm };
  const server = await NetControlServer.open({ world, bootId: "boot-1", sockets });
  return {
    ...{ clock, kernel, server },
    async port() {
      const port = (await observe(server)).macsec.find((one) => one.port === "a0");
      if (port === undefined) throw new Error("no a0");
      return port;
    },
    async configId() {
      const { control } = await observe(server);
      return control.kind === "known" ? control.value.configId : "unknown";
    },
  };
}

async function indexOf(kernel: PretendSocket, name: string): Promise<number> {
  const octets = (kernel.dump.get("18/0") ?? []).find((message) =>
    Buffer.from(message).toString("latin1").includes(`${name}\0`),
  );
  return octets === undefined
    ? 0
    : new DataView(octets.buffer, octets.byteOffset).getInt32(20, true);
}

/** The same links, with other flags on all of them. */
function withFlags(kernel: PretendSocket, change: (flags: number) => number): void {
  const links = recordedOctets("links").map((octets) => {
    const view = new DataView(octets.buffer, octets.byteOffset);
    view.setUint32(flagsAt, change(view.getUint32(flagsAt, true)), true);
    return octets;
  });
  kernel.dump.set("18/0", links);
}

describe("the rate of a port", () => {
  const idle: PortRate = { rxPps: 0, txPps: 0, rxBps: 0, txBps: 0, lineBps: 10e9 };

  it.each([
    ["is of two observations that are a second apart", [0, 1_000], "known"],
    ["is not of one observation", [0], "unknown"],
    ["is not of two observations in a row", [0, 899], "unknown"],
    ["is of the last observation but one, if the last one is too near", [0, 1_000, 1_300], "known"],
    ["is as good after a minute", [0, 60_000], "known"],
    ["is not of the present after more", [0, 60_001], "unknown"],
    ["begins anew after that", [0, 90_000, 91_000], "known"],
  ])("the rate of a port %s", async (_name, moments, kind) => {
    const { clock, port } = await scene();
    let observed = await port();
    for (const [index, moment] of moments.entries()) {
      if (index === 0) continue;
      await clock.runFor(moment - clock.now());
      observed = await port();
    }
    expect(observed.rate.kind).toBe(kind);
    if (observed.rate.kind === "known") expect(observed.rate.value).toEqual(idle);
  });
});

describe("the id of the configuration", () => {
  it("the configuration id stays the same over observations, with or without light", async () => {
    const { kernel, configId } = await scene();
    const id = await configId();
    expect(await configId()).toBe(id);
    withFlags(kernel, (flags) => flags ^ carrier);
    expect(await configId()).toBe(id);
  });

  it("the configuration id changes when a port is shut or an address is removed", async () => {
    const { kernel, configId } = await scene();
    const ids = [await configId()];
    withFlags(kernel, (flags) => flags & ~up);
    ids.push(await configId());
    kernel.dump.set("22/0", []);
    ids.push(await configId());
    expect(new Set(ids).size).toBe(3);
  });

  it("the configuration id does not follow an address that comes and goes by itself", async () => {
    const { kernel, configId } = await scene();
    const id = await configId();
    const index = await indexOf(kernel, "a0");
    const body = addAddress({ link: index, local: "192.0.2.77", prefixLength: 32 }).body;
    const octets = Buffer.concat(body.map((part) => part as Uint8Array));
    const message = Uint8Array.from(Buffer.concat([Buffer.alloc(16), octets]));
    const view = new DataView(message.buffer);
    view.setUint32(0, message.length, true);
    view.setUint16(4, 20, true);
    // The address of a lease has no IFA_F_PERMANENT.
    kernel.dump.set("22/0", [...(kernel.dump.get("22/0") ?? []), message]);
    expect(await configId()).toBe(id);
  });
});
