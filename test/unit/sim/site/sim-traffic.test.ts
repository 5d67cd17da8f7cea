import { describe, expect, it } from "vitest";
import type { DeviceChange } from "#hal/device.ts";
import type { DrainMeans } from "#hal/model.ts";
import {
  cakOf,
  keyOf,
  never,
  port,
  RouterBench,
  resolver,
  type Side,
  settings,
} from "../router-bench.ts";

async function apply(bench: RouterBench, side: Side, change: DeviceChange): Promise<void> {
  const transaction = await bench.drive(side.device.prepare(change, resolver, never));
  await bench.drive(transaction.apply("final", never));
}

const drain = (means: DrainMeans): DeviceChange => [{ kind: "port.drain", port, means }];
const restore = (means: DrainMeans): DeviceChange => [{ kind: "port.restore", port, means }];

const lost = (bench: RouterBench): bigint =>
  [bench.a, bench.b]
    .map(({ fibre }) => fibre.truth())
    .reduce((sum, { a2b, b2a }) => sum + a2b.lost + b2a.lost, 0n);

const txPps = (side: Side): number => side.edge.rate().txPps;

describe("BGP", () => {
  it("BGP comes up about five seconds after the link carries", async () => {
    const bench = new RouterBench();
    await bench.clock.runFor(4_999);
    expect(bench.a.router.bgpUp(port)).toBe(false);
    await bench.clock.runFor(1);
    expect(bench.a.router.bgpUp(port)).toBe(true);
  });

  it.each<[string, (side: Side) => void, number]>([
    ["with the fibre", (side) => side.fibre.setUp(false), 0],
    ["with the port", (side) => side.edge.setAdmin(false), 0],
    ["a hold time after the link stopped carrying", (side) => outage(side), 180_000],
  ])("BGP goes down %s", async (_name, act, afterMs) => {
    const bench = new RouterBench();
    await bench.clock.runFor(10_000);
    act(bench.a);
    if (afterMs > 0) {
      await bench.clock.runFor(afterMs - 1);
      expect(bench.a.router.bgpUp(port)).toBe(true);
      await bench.clock.runFor(1);
    }
    expect(bench.a.router.bgpUp(port)).toBe(false);
  });

  it("BGP does not flap if the link is down for less than the hold time", async () => {
    const bench = new RouterBench();
    bench.protect(bench.a, 1);
    await bench.clock.runFor(30_000);
    bench.a.far.removeKey(keyOf(1).ckn);
    await bench.clock.runFor(60_000);
    expect([bench.a.fibre.carries(), bench.a.router.bgpUp(port)]).toEqual([false, true]);
    bench.a.far.putKey({ ckn: keyOf(1).ckn, cak: cakOf(1), role: "primary" });
    await bench.clock.runFor(300_000);
    expect([bench.a.fibre.carries(), bench.a.router.bgpUp(port)]).toEqual([true, true]);
  });
});

// Sets must-secure on one side only: nothing gets through, and no port goes down.
function outage(side: Side): void {
  side.router.manualEdit((config) => {
    const wanted = config.ports.get(port);
    if (wanted === undefined) throw new Error("no port");
    wanted.macsec = { ...settings, policy: "mustSecure" };
  });
}

describe("traffic", () => {
  it("traffic is shared by the links of a group", async () => {
    const bench = new RouterBench();
    bench.traffic();
    await bench.clock.runFor(60_000);
    expect([txPps(bench.a), txPps(bench.b)].map(Math.round)).toEqual([500, 500]);
  });

  it.each<DrainMeans>(["prepend", "peeringShutdown"])(
    "traffic moves away by %s and back without a lost frame",
    async (means) => {
      const bench = new RouterBench();
      const traffic = bench.traffic();
      await bench.clock.runFor(60_000);
      await apply(bench, bench.a, drain(means));
      await bench.clock.runFor(60_000);
      expect([txPps(bench.a), txPps(bench.b)].map(Math.round)).toEqual([0, 1_000]);
      expect(bench.a.router.bgpUp(port)).toBe(means === "prepend");
      await apply(bench, bench.a, restore(means));
      await bench.clock.runFor(60_000);
      expect([txPps(bench.a), txPps(bench.b)].map(Math.round)).toEqual([500, 500]);
      expect(lost(bench)).toBe(0n);
      expect(traffic).toBeDefined();
    },
  );

  it("traffic follows a drain only after its settle time", async () => {
    const bench = new RouterBench();
    const traffic = bench.traffic();
    await bench.clock.runFor(60_000);
    await apply(bench, bench.a, drain("prepend"));
    const [link] = traffic.links;
    if (link === undefined) throw new Error("no link");
    expect([bench.a.router.drained(port), traffic.offered(link)]).toEqual([true, 500]);
    await bench.clock.runFor(4_000);
    expect(traffic.offered(link)).toBe(0);
  });

  it("traffic falls back to a drained link when its sibling fails", async () => {
    const bench = new RouterBench();
    bench.traffic();
    await bench.clock.runFor(60_000);
    await apply(bench, bench.a, drain("prepend"));
    await bench.clock.runFor(10_000);
    bench.b.fibre.setUp(false);
    await bench.clock.runFor(30_000);
    expect(Math.round(txPps(bench.a))).toBe(1_000);
  });

  it("traffic is lost on a link that is up and delivers nothing", async () => {
    const bench = new RouterBench();
    bench.traffic();
    await bench.clock.runFor(60_000);
    outage(bench.a);
    await bench.clock.runFor(200_000);
    // Half of the group's frames are lost, both ways, for one hold time.
    const frames = Number(lost(bench));
    expect(frames).toBeGreaterThanOrEqual(179_000);
    expect(frames).toBeLessThanOrEqual(181_000);
    expect(Math.round(txPps(bench.b))).toBe(1_000);
  });
});

/** Returns the length of each time in which the link could not carry. */
function outageTimes({ clock }: RouterBench, { fibre }: Side): readonly number[] {
  const times: number[] = [];
  let since = clock.now();
  fibre.onChange(() => {
    if (fibre.carries()) times.push(clock.now() - since);
    else since = clock.now();
  });
  return times;
}

describe("a manual rotation", () => {
  it("a manual rotation on a drained key-chain link loses no frame, none is clear", async () => {
    const bench = new RouterBench();
    const { a } = bench;
    bench.protect(a, 1);
    bench.protect(bench.b, 9);
    await bench.clock.runFor(30_000);
    const traffic = bench.traffic();
    const outage = outageTimes(bench, a);
    await bench.clock.runFor(60_000);
    await apply(bench, a, drain("prepend"));
    await bench.clock.runFor(10_000);
    await apply(bench, a, [{ kind: "macsec.addKey", port, key: keyOf(2), role: "primary" }]);
    await bench.clock.runFor(10_000);
    expect(a.router.principal(port)).toBe(keyOf(1).ckn);
    a.far.removeKey(keyOf(1).ckn);
    a.far.putKey({ ckn: keyOf(2).ckn, cak: cakOf(2), role: "primary" });
    await bench.clock.runFor(30_000);
    expect(a.router.principal(port)).toBe(keyOf(2).ckn);
    await apply(bench, a, [{ kind: "macsec.removeKey", port, ckn: keyOf(1).ckn }]);
    await bench.clock.runFor(10_000);
    await apply(bench, a, restore("prepend"));
    await bench.clock.runFor(60_000);
    expect(a.edge.session().controlledPort).toBe("secured");
    expect(Math.round(txPps(a))).toBe(500);
    const { a2b, b2a } = a.fibre.truth();
    const pair = traffic.pair();
    expect([pair.out.lost, pair.in.lost, pair.out.unrouted]).toEqual([0n, 0n, 0n]);
    // The link carries only the hellos of its own routing: one each way in five seconds.
    const [outageMs, ...others] = outage;
    expect(others).toEqual([]);
    expect(outageMs).toBeGreaterThan(0);
    const hellos = Math.ceil((outageMs ?? 0) / 5_000);
    expect(Number(lost(bench))).toBeLessThanOrEqual(2 * hellos);
    expect([a2b.clearOnWire, b2a.clearOnWire]).toEqual([0n, 0n]);
  });
});

describe("routing as the router reports it", () => {
  it("the reported routing names best paths and drains", async () => {
    const bench = new RouterBench();
    bench.traffic();
    bench.a.router.advertise("10.100.0.0/16", "announce");
    await bench.clock.runFor(10_000);
    await apply(bench, bench.a, drain("prepend"));
    const settling = bench.a.router.state().routing;
    expect(settling).toMatchObject({
      value: {
        sessions: [{ port, up: true }],
        routes: [{ prefix: "10.100.0.0/16", via: { kind: "port", port }, best: true }],
        drains: [{ port, means: "prepend" }],
      },
    });
    await bench.clock.runFor(10_000);
    expect(bench.a.router.state().routing).toMatchObject({ value: { routes: [{ best: false }] } });
  });
});
