// The sessions of this host over several observations of a simulated FRR.

import { describe, expect, it } from "vitest";
import { readSubnets, type Subnet } from "#drivers/linux/netlink/subnet.ts";
import { RoutingObserver, scopeOf, withKernelRoutes } from "#drivers/linux/routing/routing.ts";
import { LinksealError } from "#hal/error.ts";
import { known, type Reading, type Routing, unknown } from "#hal/model.ts";
import { SimClock } from "#sim/base/clock.ts";
import { never, wallStart } from "../../../kit/site-bench.ts";
import { PretendFrr, reply } from "../frr-kit.ts";

const subnets: readonly Subnet[] = readSubnets({
  subnets: [
    { port: "p1", link: "ms1", prefix: "192.0.2.1/30" },
    { port: "p2", link: "ms2", prefix: "192.0.2.5/30" },
    { port: "p2", link: "ms2.7", vrf: "red", prefix: "198.51.100.1/30" },
  ],
});
const none = { failed: 0n, missing: 0n, unexpected: 0n };
const plain =
  "192.0.2.6: Connect, ended last by: BGP Notification received: " +
  "Cease/Other Configuration Change";

class Bench {
  readonly clock = new SimClock(wallStart);
  readonly frr: PretendFrr;
  readonly observer: RoutingObserver;
  beside: "tunnels" | "none" = "none";

  constructor(shell?: readonly string[]) {
    this.frr = new PretendFrr(shell);
    this.observer = new RoutingObserver(this.frr, this.clock);
  }

  async observe(signal = never): Promise<Reading<Routing>> {
    return await this.observer.observe(subnets, this.beside, signal);
  }

  /** Returns the trouble of each session that has one, after so long and with that much counted. */
  async troubles(afterMs: number, md5 = this.frr.md5): Promise<readonly (string | undefined)[]> {
    await this.clock.runFor(afterMs);
    this.frr.md5 = md5;
    const reading = await this.observe();
    if (reading.kind !== "known") throw new Error(`unknown: ${reading.why}`);
    return reading.value.sessions.map(({ trouble }) => trouble);
  }
}

describe("an observation of this host's routing", () => {
  // A shell that hung spoiled the whole observation, including the kernel's readings of MACsec.
  it("the routing is unknown after six seconds without an answer of the shell", async () => {
    const { clock, frr } = new Bench();
    const hangs = { shell: frr.shell, exec: () => new Promise<never>(() => {}) };
    const observe = new RoutingObserver(hangs, clock).observe(subnets, "none", never);
    await clock.runFor(6_000);
    expect(await observe).toEqual({ kind: "unknown", why: "queryFailed", at: 0 });
  });

  it("the routing has sessions, paths and drains of the ports with subnets", async () => {
    const bench = new Bench();
    await bench.clock.runFor(7_000);
    expect(await bench.observe()).toEqual({
      kind: "known",
      at: 7_000,
      value: {
        sessions: [
          { port: "p1", peer: "192.0.2.2", up: true, bfd: "off", holdMs: 9_000 },
          { port: "p2", peer: "192.0.2.6", up: false, trouble: plain },
        ],
        routes: [
          { prefix: "203.0.113.1/32", via: { kind: "port", port: "p2" }, best: true },
          { prefix: "203.0.113.1/32", via: { kind: "port", port: "p1" }, best: false },
        ],
        drains: [{ port: "p1", means: "prepend" }],
      },
    });
    expect(bench.frr.sent).toEqual([]);
    const asked = bench.frr.asked.filter((line) => line.endsWith("neighbors json"));
    expect(asked).toEqual([
      "show bgp vrf default neighbors json",
      "show bgp vrf red neighbors json",
    ]);
  });

  const withTunnel = readSubnets({
    subnets: [
      { port: "p1", link: "p1", prefix: "192.0.2.1/30" },
      { tunnel: "hub-1", link: "hub-1", prefix: "192.0.2.6/32" },
    ],
  });

  it("sessions inside tunnels are listed apart, with the tunnels of their paths", async () => {
    const { observer, frr } = new Bench();
    frr.turn("192.0.2.6", "Established");
    const reported = await observer.observe(withTunnel, "none", never);
    expect(reported).toMatchObject({
      value: {
        sessions: [{ port: "p1", peer: "192.0.2.2", up: true }],
        tunnelSessions: [{ tunnel: "hub-1", peer: "192.0.2.6", asn: 12076, up: true }],
        routes: [
          { prefix: "203.0.113.1/32", via: { kind: "tunnel", name: "hub-1" } },
          { prefix: "203.0.113.1/32", via: { kind: "port", port: "p1" } },
        ],
      },
    });
    frr.turn("192.0.2.6", "Connect");
    expect(await observer.observe(withTunnel, "none", never)).toMatchObject({
      value: { tunnelSessions: [{ tunnel: "hub-1", up: false, trouble: plain }] },
    });
  });

  it("the best route comes from the kernel, and BGP's waiting ones are listed beside", async () => {
    const reported = await new Bench().observe();
    const at = reported.at;
    const via = { kind: "tunnel", name: "hub-1" } as const;
    const kernel = { prefix: "203.0.113.1/32", via, best: true };
    const routes = (reading: Reading<Routing>) =>
      reading.kind === "known" ? reading.value.routes : undefined;
    expect(routes(withKernelRoutes(reported, known([kernel], at)))).toEqual([
      { prefix: "203.0.113.1/32", via: { kind: "port", port: "p2" }, best: false },
      { prefix: "203.0.113.1/32", via: { kind: "port", port: "p1" }, best: false },
      kernel,
    ]);
    const same = { ...kernel, via: { kind: "port", port: "p2" } } as const;
    expect(routes(withKernelRoutes(reported, known([same], at)))).toEqual([
      { prefix: "203.0.113.1/32", via: { kind: "port", port: "p1" }, best: false },
      same,
    ]);
    expect(withKernelRoutes(reported, undefined)).toBe(reported);
    const blind = unknown("queryFailed", at);
    expect(withKernelRoutes(reported, blind)).toBe(reported);
    expect(withKernelRoutes(blind, known([kernel], at))).toBe(blind);
  });

  it("advertisements to neighbours over ports are read if they lead past a tunnel", async () => {
    const { observer, frr } = new Bench();
    frr.turn("192.0.2.6", "Established");
    const reported = await observer.observe(withTunnel, "tunnels", never);
    expect(reported).toMatchObject({
      value: {
        advertised: [
          { port: "p1", peer: "192.0.2.2", prefix: "198.51.100.1/32" },
          { port: "p1", peer: "192.0.2.2", prefix: "203.0.113.1/32" },
        ],
      },
    });
    expect(frr.asked.filter((line) => line.includes("advertised"))).toHaveLength(1);
    const none = await observer.observe(withTunnel, "none", never);
    expect(none.kind === "known" && "advertised" in none.value).toBe(false);
  });

  it("advertisements to a neighbour of our own AS, or one that is down, are not read", async () => {
    const { observer, frr } = new Bench();
    const one = frr.neighbours["192.0.2.2"];
    Object.assign(one ?? {}, { nbrInternalLink: true });
    expect(await observer.observe(subnets, "tunnels", never)).toMatchObject({
      value: { advertised: [] },
    });
    Object.assign(one ?? {}, { nbrInternalLink: false, bgpState: "Active" });
    expect(await observer.observe(subnets, "tunnels", never)).toMatchObject({
      value: { advertised: [] },
    });
    expect(frr.asked.some((line) => line.includes("advertised"))).toBe(false);
  });

  it("an address of one VRF is not one of another", () => {
    const { viaOf, vrfs } = scopeOf(subnets);
    expect(vrfs).toEqual(["default", "red"]);
    expect(viaOf("red", "192.0.2.2")).toBeUndefined();
    expect(viaOf("red", "198.51.100.2")).toEqual({ kind: "port", port: "p2" });
  });
});

describe("why a session is down", () => {
  it("a session's trouble comes from rises since the last observation, not at first", async () => {
    const bench = new Bench();
    expect(await bench.troubles(0, { ...none, failed: 9n })).toEqual([undefined, plain]);
    expect(await bench.troubles(5_000)).toEqual([undefined, plain]);
    const [, trouble] = await bench.troubles(5_000, { ...none, failed: 11n });
    expect(trouble).toContain("wrong MD5 password (RFC 2385): 2 segments");
  });

  it("a session's trouble is kept until its next try to connect, and no longer", async () => {
    const bench = new Bench();
    await bench.troubles(0, none);
    await bench.troubles(5_000, { ...none, failed: 3n });
    for (const ms of [5_000, 100_000, 45_000]) {
      expect((await bench.troubles(ms))[1]).toContain("3 segments with a wrong signature");
    }
    expect(await bench.troubles(1)).toEqual([undefined, plain]);
  });

  it("a session's trouble is the newest rise, not the first", async () => {
    const bench = new Bench();
    await bench.troubles(0, none);
    await bench.troubles(5_000, { ...none, failed: 3n });
    const missing = { ...none, failed: 3n, missing: 4n };
    expect((await bench.troubles(100_000, missing))[1]).toContain(
      "no MD5 password at the far end: 4",
    );
    // The time of the newer rise counts from here.
    expect((await bench.troubles(150_000))[1]).toContain("no MD5 password at the far end: 4");
    expect((await bench.troubles(1))[1]).toBe(plain);
  });

  it("a counter that began anew is not a trouble", async () => {
    const bench = new Bench();
    await bench.troubles(0, { ...none, failed: 900n });
    expect((await bench.troubles(5_000, none))[1]).toBe(plain);
    expect((await bench.troubles(5_000, { ...none, failed: 4n }))[1]).toContain(": 4 segments");
    expect((await bench.troubles(5_000, none))[1]).toContain(": 4 segments");
  });

  it("a session that is up has no trouble", async () => {
    const bench = new Bench();
    await bench.troubles(0, none);
    bench.frr.turn("192.0.2.6", "Established");
    expect(await bench.troubles(5_000, { ...none, failed: 3n })).toEqual([undefined, undefined]);
  });
});

describe("what a drain still lets out", () => {
  // The recorded routes go out prepended, so for a graceful shutdown they are unmarked.
  const means = "linkseal-graceful-shutdown.default.ipv4.192.0.2.2";
  const drain = (bench: Bench, on: boolean): void =>
    bench.frr.filter("192.0.2.2", on ? { in: `${means}.in`, out: `${means}.out` } : {});
  const gap = "198.51.100.1/32 goes out to 192.0.2.2 as if nothing were drained";

  it("an incomplete drain is reported only after 20 s", async () => {
    const bench = new Bench();
    drain(bench, true);
    expect(await bench.troubles(0)).toEqual([undefined, plain]);
    expect(await bench.troubles(19_999)).toEqual([undefined, plain]);
    expect(bench.frr.asked.some((line) => line.includes("advertised"))).toBe(false);
    expect(await bench.troubles(1)).toEqual([gap, plain]);
    expect(await bench.troubles(5_000)).toEqual([gap, plain]);
  });

  it("an incomplete drain counts anew after it was lifted in between", async () => {
    const bench = new Bench();
    drain(bench, true);
    await bench.troubles(0);
    drain(bench, false);
    expect(await bench.troubles(15_000)).toEqual([undefined, plain]);
    drain(bench, true);
    expect(await bench.troubles(5_000)).toEqual([undefined, plain]);
    expect(await bench.troubles(19_999)).toEqual([undefined, plain]);
    expect(await bench.troubles(1)).toEqual([gap, plain]);
  });

  it("a complete drain is not reported", async () => {
    const bench = new Bench();
    await bench.troubles(0);
    expect(await bench.troubles(60_000)).toEqual([undefined, plain]);
    expect(bench.frr.asked.some((line) => line.includes("advertised"))).toBe(true);
  });

  it("an incomplete drain is reported for its own port alone", async () => {
    const bench = new Bench();
    drain(bench, true);
    bench.frr.turn("192.0.2.6", "Established");
    await bench.troubles(0);
    expect(await bench.troubles(20_000)).toEqual([gap, undefined]);
  });
});

describe("an FRR that does not answer", () => {
  const gone = new LinksealError("transport.unreachable", "no vtysh", {
    effect: "none",
    where: "vtysh",
    next: "look",
  });

  it.each([
    ["refuses", reply(1, "", "% Unknown command"), "queryFailed"],
    ["does not run", reply(1, "bgpd is not running"), "queryFailed"],
    ["is not there", gone, "queryFailed"],
    ["talks nonsense", reply(0, "% Command incomplete"), "unparsed"],
    ["answers too little", reply(0, "{}"), "unparsed"],
    ["answers with numbers", reply(0, '{"192.0.2.2":{"bgpState":7}}{}{}'), "unparsed"],
  ])("an FRR that %s makes the routing unknown", async (_name, silence, why) => {
    const bench = new Bench();
    await bench.clock.runFor(3_000);
    bench.frr.silence = silence;
    expect(await bench.observe()).toEqual({ kind: "unknown", why, at: 3_000 });
    bench.frr.silence = undefined;
    expect((await bench.observe()).kind).toBe("known");
  });

  // A host with FRR's package and no BGP had tunnels of an unknown state for ever.
  it("a host whose FRR does not run has no BGP where the kernel lists none", async () => {
    const head = "Recv-Q Send-Q Local Address:Port Peer Address:Port";
    const session = "0      0      192.0.2.1:179      192.0.2.2:40112";
    const fails = reply(255, "", "Cannot open netlink socket");
    const listed: [ReturnType<typeof reply>, boolean, string[]][] = [
      [reply(0, `${head}\n`), true, ["vtysh"]],
      [reply(0, `${head}\n${session}\n`), false, ["vtysh"]],
      [reply(0, ""), false, ["vtysh"]],
      [fails, false, ["vtysh"]],
      [reply(0, `${head}\n`), false, ["vtysh", "-N", "edge"]],
    ];
    for (const [answer, isMute, shell] of listed) {
      const bench = new Bench(shell);
      bench.frr.silence = reply(1, "", "Exiting: failed to connect to any daemons.");
      bench.frr.connections = answer;
      const at = bench.clock.now();
      const wanted = unknown(isMute ? "notSupported" : "queryFailed", at);
      expect(await bench.observe()).toEqual(wanted);
    }
  });

  it("a host whose FRR has died may still have routes at a neighbour that it had", async () => {
    const bench = new Bench(["vtysh"]);
    expect((await bench.observe()).kind).toBe("known");
    bench.frr.silence = reply(1, "", "Exiting: failed to connect to any daemons.");
    bench.frr.connections = reply(0, "Recv-Q Send-Q Local Address:Port Peer Address:Port\n");
    expect(await bench.observe()).toEqual(unknown("queryFailed", bench.clock.now()));
  });

  it("a drain keeps its time while FRR does not answer", async () => {
    const bench = new Bench();
    const means = "linkseal-graceful-shutdown.default.ipv4.192.0.2.2";
    bench.frr.filter("192.0.2.2", { in: `${means}.in`, out: `${means}.out` });
    await bench.troubles(0);
    bench.frr.silence = gone;
    await bench.observe();
    bench.frr.silence = undefined;
    expect((await bench.troubles(20_000))[0]).toContain("as if nothing were drained");
  });

  it("an observation that was aborted throws the signal's reason", async () => {
    const bench = new Bench();
    const over = new AbortController();
    bench.frr.silence = gone;
    const reason = new Error("over");
    over.abort(reason);
    await expect(bench.observe(over.signal)).rejects.toBe(reason);
  });

  it("a defect is not hidden as an unknown reading", async () => {
    const bench = new Bench();
    bench.frr.silence = new TypeError("a defect");
    await expect(bench.observe()).rejects.toThrow("a defect");
  });
});
