import { describe, expect, it } from "vitest";
import type { DeviceChange } from "#hal/device.ts";
import type { IpsecSa } from "#hal/model.ts";
import { never, port, RouterBench, resolver, tunnel } from "../router-bench.ts";

const put: DeviceChange = [{ kind: "ipsec.putTunnel", tunnel }];

async function apply(bench: RouterBench, change: DeviceChange): Promise<void> {
  const transaction = await bench.drive(bench.a.device.prepare(change, resolver, never));
  await bench.drive(transaction.apply("final", never));
}

function observe(bench: RouterBench): { ike: string; sas: readonly IpsecSa[] } {
  const [read] = bench.a.router.state().ipsec;
  if (read?.ike.kind !== "known" || read.sas.kind !== "known") throw new Error("no tunnel");
  return { ike: read.ike.value, sas: read.sas.value };
}

const phases = (bench: RouterBench): string[] =>
  observe(bench).sas.map(({ direction, phase }) => `${direction} ${phase}`);

async function established(): Promise<RouterBench> {
  const bench = new RouterBench();
  await bench.clock.runFor(10_000);
  await apply(bench, put);
  await bench.clock.runFor(10_000);
  return bench;
}

describe("a tunnel", () => {
  it("a tunnel comes up over a path that carries, with a pair of SAs that count", async () => {
    const bench = await established();
    expect(phases(bench)).toEqual(["in installed", "out installed"]);
    const before = observe(bench).sas.map(({ packets }) => packets);
    await bench.clock.runFor(10_000);
    const after = observe(bench).sas.map(({ packets }) => packets);
    expect(after).toEqual(before.map((packets) => packets + 1_000n));
    expect(observe(bench).sas.every(({ spi }) => spi > 255)).toBe(true);
  });

  it("a tunnel rekeys its child SA with an overlap in which it stays healthy", async () => {
    const bench = await established();
    const old = observe(bench).sas.map(({ spi }) => spi);
    await apply(bench, [{ kind: "ipsec.rekey", name: "hub-1", what: "child" }]);
    expect(observe(bench).ike).toBe("established");
    expect(phases(bench)).toEqual(["in rekeyed", "out rekeyed", "in installed", "out installed"]);
    await bench.clock.runFor(10_000);
    expect(phases(bench)).toEqual(["in installed", "out installed"]);
    expect(observe(bench).sas.some(({ spi }) => old.includes(spi))).toBe(false);
  });

  it("a tunnel rekeys by itself before the lifetime ends", async () => {
    const bench = await established();
    const [old] = observe(bench).sas;
    await bench.clock.runFor(27_000_000);
    expect(observe(bench).ike).toBe("established");
    expect(observe(bench).sas.some(({ spi }) => spi === old?.spi)).toBe(false);
  });

  it("a tunnel over a lost path counts nothing, goes down, and returns by itself", async () => {
    const bench = await established();
    bench.a.fibre.setUp(false);
    const before = observe(bench).sas[0]?.packets;
    await bench.clock.runFor(40_000);
    expect([observe(bench).ike, observe(bench).sas[0]?.packets]).toEqual(["established", before]);
    await bench.clock.runFor(10_000);
    expect(observe(bench)).toEqual({ ike: "connecting", sas: [] });
    bench.a.fibre.setUp(true);
    await bench.clock.runFor(15_000);
    expect(phases(bench)).toEqual(["in installed", "out installed"]);
  });

  it("a tunnel uses the sibling's link when its own is down", async () => {
    const bench = new RouterBench();
    bench.traffic();
    await bench.clock.runFor(10_000);
    await apply(bench, put);
    await bench.clock.runFor(10_000);
    bench.a.fibre.setUp(false);
    await bench.clock.runFor(120_000);
    expect(observe(bench).ike).toBe("established");
  });

  it("a tunnel is refused by a gateway with another PSK", async () => {
    const bench = new RouterBench();
    bench.a.router.setGatewayPsk(tunnel.remoteAddress, new Uint8Array([1]));
    await bench.clock.runFor(10_000);
    await apply(bench, put);
    await bench.clock.runFor(10_000);
    expect(observe(bench)).toEqual({ ike: "down", sas: [] });
  });

  it("a tunnel keeps its SAs when a new authentication is refused", async () => {
    const bench = await established();
    const old = observe(bench).sas.map(({ spi }) => spi);
    bench.a.router.setGatewayPsk(tunnel.remoteAddress, new Uint8Array([1]));
    await apply(bench, [{ kind: "ipsec.rekey", name: "hub-1", what: "reauthenticate" }]);
    await bench.clock.runFor(10_000);
    expect(observe(bench).sas.map(({ spi }) => spi)).toEqual(old);
  });

  it("a tunnel is removed with its SAs, and a prefix beside it is a clear path", async () => {
    const bench = await established();
    expect(bench.a.router.clearPath("hub-1")).toBe(false);
    bench.a.router.advertise("10.100.0.0/16", "announce");
    expect(bench.a.router.clearPath("hub-1")).toBe(true);
    expect(bench.a.router.state().routing).toMatchObject({
      value: {
        routes: [
          { via: { kind: "tunnel", name: "hub-1" }, best: true },
          { via: { kind: "port", port }, best: false },
        ],
      },
    });
    await apply(bench, [{ kind: "ipsec.removeTunnel", name: "hub-1" }]);
    expect(bench.a.router.state().ipsec).toEqual([]);
  });
});
