// A Linux host as a device: what it offers, what it refuses before anything is sent, and its change
// notifications.

import { beforeEach, describe, expect, it } from "vitest";
import { linux } from "#drivers/linux/driver/linux.ts";
import { readRoute } from "#drivers/linux/netlink/rtnetlink-route.ts";
import type { DeviceChange } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { tunnelSpec } from "../../../kit/charon-kit.ts";
import { messagesIn, recordedOctets } from "../../../kit/recorded.ts";
import { ckn, never, refused, settled } from "../../../kit/site-bench.ts";
import { reply } from "../frr-kit.ts";
import { keys, LinuxBench, reaches } from "./linux-bench.ts";

const offset = {
  ...({ suite: "gcm-aes-256", includeSci: true, confidentialityOffset: 30 } as const),
  ...{ keyServerPriority: 16, replayWindow: undefined, sakRekeyMs: undefined },
};
const key = { ckn: ckn("c"), cakSecretId: "cak/1", cknSecretId: "ckn/1" };
const unsupported = { code: "device.unsupported", effect: "none", where: "edge" };
const drainA0 = { kind: "port.drain", port: "a0", means: "peeringShutdown" } as const;
const restoreA0 = { ...drainA0, kind: "port.restore" } as const;
const shutA0 = { kind: "port.shut", port: "a0" } as const;
/** The index of the recorded SecY ms0 on a0. */
const secy = 4;
const outputOf = (octets: Uint8Array<ArrayBuffer>) =>
  messagesIn(octets).map(readRoute)[0]?.outputLink;
const sent = ["configure terminal", "router bgp 65010"];
const shutdown = "neighbor 192.0.2.2 shutdown message linkseal drains this link";

describe.each(reaches)("the capabilities of a host", (reach) => {
  beforeEach(() => {
    LinuxBench.reach = reach;
  });

  const armed = { kind: "armedRevert" };
  const suites = ["gcm-aes-xpn-256", "gcm-aes-xpn-128", "gcm-aes-256", "gcm-aes-128"];
  const hitless = ["keyServerPriority", "replayWindow", "sakRekeyMs"];
  const macsec = { suites, overlap: "keychain", counters: "perSa", hitless, freshSak: true };
  const drain = { means: ["prepend", "gracefulShutdown", "peeringShutdown"], settleMs: 10_000 };

  it.each<[{ vtysh?: true; ping?: true }, object]>([
    [
      { vtysh: true, ping: true },
      { commit: armed, macsec, drain, probe: true },
    ],
    [{ vtysh: true }, { commit: armed, macsec, drain }],
    [{ ping: true }, { commit: armed, macsec }],
    [{}, { commit: armed, macsec }],
  ])("a host with the programs %j offers %j", async (programs, capabilities) => {
    const bench = await LinuxBench.make(programs);
    const device = await bench.open();
    // IPsec is not offered: no charon could agree on keys.
    expect(device.capabilities).toEqual(capabilities);
    expect(device.probe === undefined).toBe(!("probe" in capabilities));
    expect(device.id).toBe("edge");
    // The host never offers more than the driver does.
    expect(linux.offers).toMatchObject(capabilities);
    const calls = bench.since(0);
    expect(calls).toEqual(["GET /devices/edge", "vtysh --help", "ping -V"]);
  });

  it("opening fails where linkseal-net does not answer or a program hangs", async () => {
    const bench = await LinuxBench.make();
    bench.away = true;
    expect(await refused(bench.open())).toMatchObject({ code: "transport.unreachable" });
    bench.away = false;
    const late = new LinksealError("transport.timeout", "late", {
      effect: "none",
      where: "vtysh",
      next: "look",
    });
    const dial = { ...bench.world.dial, exec: () => Promise.reject(late) };
    const target = { device: "edge", address: "unix:/run/net.sock" };
    const opened = linux.open(target, { ...bench.world, dial }, () => undefined, never);
    expect(await refused(opened)).toBe(late);
  });
});

describe.each(reaches)("an observation of a host", (reach) => {
  beforeEach(() => {
    LinuxBench.reach = reach;
  });

  it("an observation has the kernel's ports and FRR's routing", async () => {
    const bench = await LinuxBench.make();
    const device = await bench.open();
    const { macsec, routing, device: name } = await device.observe(never);
    expect([name, macsec.map(({ port }) => port)]).toEqual(["edge", ["b0", "a0"]]);
    expect(routing).toMatchObject({
      kind: "known",
      value: {
        sessions: [
          { port: "a0", peer: "192.0.2.2", up: true },
          { port: "b0", peer: "192.0.2.6", up: false },
        ],
      },
    });
  });

  it("without FRR the routing of a host is unknown", async () => {
    const bench = await LinuxBench.make({ ping: true });
    const { routing } = await (await bench.open()).observe(never);
    expect(routing).toMatchObject({ kind: "unknown", why: "notSupported" });
  });

  it("the driver asks the FRR instance that the target names", async () => {
    const bench = await LinuxBench.make();
    const device = await bench.open("edge7");
    const asked = bench.calls.length;
    // The simulated FRR has one instance; only the call matters here.
    await device.observe(never).catch(() => undefined);
    const shells = bench.since(asked).filter((call) => call.startsWith("vtysh"));
    expect(shells.length).toBeGreaterThan(0);
    expect(shells.every((call) => call.startsWith("vtysh -N edge7 -c "))).toBe(true);
  });

  it("the route to an address leads to a port, or there is none", async () => {
    const bench = await LinuxBench.make();
    const device = await bench.open();
    expect(await device.routesTo("edge.example", never)).toBeUndefined();
    expect(await device.routesTo("192.0.2.2", never)).toBeUndefined();
    const [way] = recordedOctets("routes-4").filter((octets) => outputOf(octets) === secy);
    if (way === undefined) throw new Error("no route over the SecY");
    bench.kernel.dump.set("26/2 one", [way]);
    expect(await device.routesTo("192.0.2.2", never)).toEqual(["a0"]);
  });
});

describe.each(reaches)("a change that a host does not offer", (reach) => {
  beforeEach(() => {
    LinuxBench.reach = reach;
  });

  const rows: readonly (readonly [string, DeviceChange, { vtysh?: true; ping?: true }])[] = [
    ["a promotion", [{ kind: "macsec.promoteKey", port: "a0", ckn: key.ckn }], { vtysh: true }],
    ["an offset", [{ kind: "macsec.protect", port: "a0", settings: offset }], { vtysh: true }],
    ["a tunnel by IKE", [{ kind: "ipsec.putTunnel", tunnel: tunnelSpec }], { vtysh: true }],
    ["a drain without FRR", [drainA0], { ping: true }],
    ["a drain beside another change", [drainA0, shutA0], { vtysh: true }],
    ["another change beside a drain", [shutA0, restoreA0], { vtysh: true }],
  ];

  it.each(rows)("%s, not offered by a host, is refused unsent", async (_name, change, programs) => {
    const bench = await LinuxBench.make(programs);
    const device = await bench.open();
    const before = bench.calls.length;
    const { code, effect } = await refused(device.prepare(change, keys, never));
    expect([code, effect]).toEqual(["device.unsupported", "none"]);
    expect(bench.since(before)).toEqual([]);
    expect(bench.kernel.written).toEqual([]);
  });
});

describe.each(reaches)("a change of the kernel", (reach) => {
  beforeEach(() => {
    LinuxBench.reach = reach;
  });

  it("a change of the kernel goes to linkseal-net alone", async () => {
    const bench = await LinuxBench.make();
    const device = await bench.open();
    const before = bench.calls.length;
    const change = await device.prepare([shutA0], keys, never);
    expect(change.preview).toBe("port a0\n- up\n+ down: no frame leaves it");
    await change.apply(60_000, never);
    expect((await device.observe(never)).control).toMatchObject({ value: { commitPending: true } });
    const recalled = await device.recall(change.token, never);
    expect(recalled.kind).toBe("pending");
    await change.confirm(never);
    expect((await device.recall(change.token, never)).kind).toBe("absent");
    const calls = bench.since(before).filter((call) => /prepare|transactions|configure/.test(call));
    expect(calls).toEqual([
      "POST /devices/edge/prepare",
      `POST /devices/edge/transactions/${change.token}/apply`,
      `POST /devices/edge/transactions/${change.token}/confirm`,
    ]);
  });
});

describe.each(reaches)("a drain", (reach) => {
  beforeEach(() => {
    LinuxBench.reach = reach;
  });

  it("a drain takes the lock of linkseal-net first and then configures FRR", async () => {
    const bench = await LinuxBench.make();
    const device = await bench.open();
    const before = bench.calls.length;
    const turn = await device.prepare([drainA0], keys, never);
    expect(turn.preview).toBe(
      ["port a0", ...[...sent, shutdown].map((line) => `+ ${line}`)].join("\n"),
    );
    expect(bench.frr.sent).toEqual([]);
    await turn.apply("final", never);
    expect(bench.frr.sent).toEqual([[...sent, shutdown]]);
    const effects = bench.since(before).filter((call) => /\/apply|configure/.test(call));
    expect(effects).toEqual([
      `POST /devices/edge/transactions/${turn.token}/apply`,
      expect.stringMatching(/^vtysh -c configure terminal /),
    ]);
  });

  it("a repeated drain or restore sends FRR only what is missing", async () => {
    const bench = await LinuxBench.make();
    const device = await bench.open();
    const turn = await device.prepare([restoreA0], keys, never);
    expect(turn.preview).toBe("");
    await turn.apply("final", never);
    await turn.apply("final", never);
    expect(bench.frr.sent).toEqual([]);
    const drain = await device.prepare([drainA0], keys, never);
    await drain.apply("final", never);
    await drain.apply("final", never);
    // The simulated FRR forgets at once, so the commands are sent twice.
    expect(bench.frr.sent).toHaveLength(2);
  });

  it("drains of two ports are one change", async () => {
    const bench = await LinuxBench.make();
    bench.frr.turn("192.0.2.6", "Established");
    const device = await bench.open();
    const turn = await device.prepare([drainA0, { ...drainA0, port: "b0" }], keys, never);
    expect(turn.preview.split("\n").filter((line) => line.startsWith("port"))).toEqual([
      "port a0",
      "port b0",
    ]);
    await turn.apply("final", never);
    expect(bench.frr.sent.map((lines) => lines.at(-1))).toEqual([
      shutdown,
      shutdown.replace("192.0.2.2", "192.0.2.6"),
    ]);
  });

  it("a drain sends FRR nothing while a change waits for its confirmation", async () => {
    const bench = await LinuxBench.make();
    const device = await bench.open();
    const shut = await device.prepare([{ ...shutA0, port: "b0" }], keys, never);
    const turn = await device.prepare([drainA0], keys, never);
    await shut.apply(60_000, never);
    const locked = { code: "device.locked", effect: "none" };
    const early = settled(bench.clock, turn.apply("final", never));
    expect(await refused(early)).toMatchObject(locked);
    expect(bench.frr.sent).toEqual([]);
    await shut.confirm(never);
    await turn.apply("final", never);
    expect(bench.frr.sent).toHaveLength(1);
  });

  it("a drain with a time limit is refused before anything is sent", async () => {
    const bench = await LinuxBench.make();
    const turn = await (await bench.open()).prepare([drainA0], keys, never);
    const before = bench.calls.length;
    expect(await refused(turn.apply(60_000, never))).toMatchObject(unsupported);
    expect(bench.since(before)).toEqual([]);
  });

  it("a drain of a port without a session is refused", async () => {
    const bench = await LinuxBench.make();
    bench.subnets = [{ port: "b0", link: "b0", prefix: "192.0.2.5/30" }];
    const device = await bench.open();
    const error = await refused(device.prepare([drainA0], keys, never));
    expect(error).toMatchObject({ code: "device.rejected", effect: "none", where: "a0" });
    expect(bench.calls.some((call) => call.endsWith("/prepare"))).toBe(false);
  });

  it('a drain that FRR refuses has the effect "unknown"', async () => {
    const bench = await LinuxBench.make();
    const turn = await (await bench.open()).prepare([drainA0], keys, never);
    bench.frr.refusal = { status: 1, text: "% Unknown command" };
    const error = await refused(turn.apply("final", never));
    expect(error).toMatchObject({ code: "device.rejected", effect: "unknown" });
  });
});

describe.each(reaches)("a probe", (reach) => {
  beforeEach(() => {
    LinuxBench.reach = reach;
  });

  it("a probe leaves by the link that has the neighbour's subnet", async () => {
    const bench = await LinuxBench.make();
    const device = await bench.open();
    expect(await device.probe?.("a0", 5, never)).toEqual({ sent: 5, answered: 4 });
    expect(bench.calls.at(-1)).toMatch(/^ping .*-I ms0 -c 5 .* 192\.0\.2\.2$/);
    bench.pingReply = reply(2, "", "ping: connect: Network is unreachable");
    expect(await device.probe?.("a0", 5, never)).toEqual({ sent: 0, answered: 0 });
  });

  it("a probe of a port whose far end has no known address is refused", async () => {
    const bench = await LinuxBench.make();
    bench.subnets = [];
    const device = await bench.open();
    const error = await refused(device.probe?.("a0", 5, never) ?? Promise.resolve());
    expect(error).toMatchObject({ code: "device.rejected", effect: "none", where: "a0" });
    expect(bench.calls.some((call) => call.startsWith("ping -n"))).toBe(false);
  });
});

describe.each(reaches)("a change notification", (reach) => {
  beforeEach(() => {
    LinuxBench.reach = reach;
  });

  it("a notification comes after a change, and not with the first answer", async () => {
    const bench = await LinuxBench.make();
    for (let n = 0; n < 3; n += 1) bench.server.noteChange();
    await bench.open();
    await bench.clock.runFor(120_000);
    expect(bench.notifications).toEqual([]);
    bench.server.noteChange();
    await bench.clock.runFor(120_000);
    expect(bench.notifications).toHaveLength(1);
    expect(bench.notifications[0]).toBeLessThan(121_100);
  });

  it("a storm of changes brings one notification a second", async () => {
    const bench = await LinuxBench.make();
    await bench.open();
    await bench.clock.runFor(5_000);
    for (let n = 0; n < 1_000; n += 1) {
      bench.server.noteChange();
      await bench.clock.runFor(10);
    }
    expect(bench.notifications.length).toBeGreaterThanOrEqual(9);
    expect(bench.notifications.length).toBeLessThanOrEqual(11);
    await bench.clock.runFor(60_000);
    expect(bench.notifications.length).toBeLessThanOrEqual(12);
  });

  it("changes while linkseal-net is away are notified once it is back", async () => {
    const bench = await LinuxBench.make();
    await bench.open();
    await bench.clock.runFor(5_000);
    bench.away = true;
    // The query that is open gets its answer still.
    await bench.clock.runFor(20_000);
    const before = bench.calls.length;
    await bench.clock.runFor(60_000);
    expect(bench.calls.length - before).toBeLessThanOrEqual(13);
    bench.server.noteChange();
    expect(bench.notifications).toEqual([]);
    bench.away = false;
    await bench.clock.runFor(5_000);
    expect(bench.notifications).toHaveLength(1);
  });

  it("a linkseal-net that counts from zero again brings a notification", async () => {
    const bench = await LinuxBench.make();
    bench.server.noteChange();
    await bench.open();
    await bench.clock.runFor(2_000);
    bench.away = true;
    await bench.clock.runFor(20_000);
    await bench.restartServer();
    bench.away = false;
    await bench.clock.runFor(21_000);
    expect(bench.notifications).toHaveLength(1);
    bench.server.noteChange();
    await bench.clock.runFor(1_100);
    expect(bench.notifications).toHaveLength(2);
  });

  it("notifications end with the device", async () => {
    const bench = await LinuxBench.make();
    const device = await bench.open();
    await bench.clock.runFor(5_000);
    await device[Symbol.asyncDispose]();
    const before = bench.calls.length;
    bench.server.noteChange();
    await bench.clock.runFor(600_000);
    expect(bench.notifications).toEqual([]);
    expect(bench.calls).toHaveLength(before);
  });
});
