import { describe, expect, it } from "vitest";
import type { CommitMode, DeviceChange, Transaction } from "#hal/device.ts";
import type { ErrorCode } from "#hal/error.ts";
import { LinksealError } from "#hal/error.ts";
import type { PortName } from "#hal/model.ts";
import { Router } from "#sim/router/router.ts";
import type { RouterFault } from "#sim/router/router-faults.ts";
import { openRouter } from "#sim/site/device-hal.ts";
import {
  capabilities,
  confirmed,
  keyOf,
  never,
  port,
  RouterBench,
  resolver,
  settings,
  tunnel,
} from "../router-bench.ts";

const unsupported = "device.unsupported";
const sessionBound: CommitMode = { ...confirmed, confirmedBy: "ownSession" };
const minutes: CommitMode = { ...confirmed, stepMs: 60_000 };
const armed: CommitMode = { kind: "armedRevert" };
const immediate: CommitMode = { kind: "immediate" };

const enrolment: DeviceChange = [
  { kind: "macsec.protect", port, settings },
  { kind: "macsec.addKey", port, key: keyOf(1), role: "primary" },
];
const addKey = (n: number, role: "primary" | "fallback" = "primary"): DeviceChange => [
  { kind: "macsec.addKey", port, key: keyOf(n), role },
];
const removeKey = (n: number): DeviceChange => [
  { kind: "macsec.removeKey", port, ckn: keyOf(n).ckn },
];
const replaceKey = (n: number): DeviceChange => [
  { kind: "macsec.replaceKey", port, key: keyOf(n) },
];

const prepare = (bench: RouterBench, change: DeviceChange): Promise<Transaction> =>
  bench.drive(bench.a.device.prepare(change, resolver, never));

const keysOf = (bench: RouterBench): string[] =>
  bench.a.edge
    .keys()
    .map(({ ckn }) => `${Number.parseInt(ckn, 16)}`)
    .sort();

async function errorOf(promise: Promise<unknown>): Promise<Pick<LinksealError, "code" | "effect">> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof LinksealError) return { code: error.code, effect: error.effect };
    throw error;
  }
  throw new Error("the call did not fail");
}

async function applied(
  bench: RouterBench,
  change: DeviceChange,
  within: number | "final",
): Promise<Transaction> {
  const transaction = await prepare(bench, change);
  await bench.drive(transaction.apply(within, never));
  return transaction;
}

describe("a candidate", () => {
  it("a candidate changes nothing that runs, and its preview has no secret", async () => {
    const bench = new RouterBench();
    const before = bench.a.router.state();
    const { preview } = await prepare(bench, [
      ...enrolment,
      { kind: "ipsec.putTunnel", tunnel },
      { kind: "macsec.rekeySak", port },
    ]);
    expect(preview.split("\n")).toEqual([
      `+ ${port} macsec must-secure gcm-aes-xpn-256 sci on offset 0 ` +
        "priority 16 replay 64 rekey by packet number",
      `+ ${port} pre-shared key 0000…0001 primary [secret cak]`,
      "+ tunnel hub-1 198.51.100.1 to 203.0.113.1 protects 10.1.0.0/16 to 10.100.0.0/16 " +
        "with gcm-aes-256/none/ecp384 for 27000s or 102400000kB, " +
        "IKE aes-256-gcm/none/sha384/ecp-384, mtu 1400, number 42 [secret psk]",
      `! ${port} macsec.rekeySak`,
    ]);
    expect(preview).not.toContain("01010101");
    expect(bench.a.router.state().control).toMatchObject({
      value: { configId: before.control.kind === "known" && before.control.value.configId },
    });
    expect([keysOf(bench), bench.a.effects]).toEqual([[], []]);
  });

  it.each<{
    readonly name: string;
    readonly change: DeviceChange;
    readonly code?: ErrorCode;
    readonly overlap?: "keychain" | "fallback" | "none";
  }>([
    { name: "an unknown port", change: [{ kind: "port.shut", port: "et-9" }] },
    {
      name: "a suite that is not offered",
      change: [{ kind: "macsec.protect", port, settings: { ...settings, suite: "gcm-aes-128" } }],
    },
    { name: "the removal of the only key", change: removeKey(1) },
    { name: "the removal of the principal key", change: [...addKey(2), ...removeKey(1)] },
    { name: "a third key", change: [...addKey(2), ...addKey(3)] },
    { name: "a second primary key", change: addKey(2), overlap: "fallback" },
    { name: "a second key without overlap", change: addKey(2), code: unsupported, overlap: "none" },
    {
      name: "a fallback key without overlap",
      change: addKey(2, "fallback"),
      code: unsupported,
      overlap: "none",
    },
    {
      name: "a promotion in a key chain",
      change: [{ kind: "macsec.promoteKey", port, ckn: keyOf(1).ckn }],
      code: unsupported,
    },
    {
      name: "a drain it has no means for",
      change: [{ kind: "port.drain", port, means: "gracefulShutdown" }],
      code: unsupported,
    },
  ])("a candidate is refused for $name", async (row) => {
    const { change, code = "device.rejected", overlap = "keychain" } = row;
    const bench = new RouterBench(capabilities(confirmed, overlap));
    bench.protect(bench.a, 1);
    await bench.clock.runFor(15_000);
    expect(await errorOf(prepare(bench, change))).toEqual({ code, effect: "none" });
    expect(keysOf(bench)).toEqual(["1"]);
  });

  it("a refused removal of the only key says so, whether or not it is in use", async () => {
    const bench = new RouterBench();
    bench.a.fibre.setUp(false);
    bench.protect(bench.a, 1);
    await expect(prepare(bench, removeKey(1))).rejects.toThrow("the only key");
  });

  it("a candidate with a key for a port without MACsec is refused", async () => {
    const failure = await errorOf(prepare(new RouterBench(), addKey(1)));
    expect(failure).toEqual({ code: "device.rejected", effect: "none" });
  });
});

describe("a commit", () => {
  it.each([
    { name: "in steps of a second", mode: confirmed, within: 60_500, revertMs: 61_000 },
    { name: "in steps of a minute", mode: minutes, within: 61_000, revertMs: 120_000 },
    { name: "by an armed revert", mode: armed, within: 61_000, revertMs: 61_000 },
  ])(
    "a commit without a confirm is reverted by the timer $name",
    async ({ mode, within, revertMs }) => {
      const bench = new RouterBench(capabilities(mode));
      bench.protect(bench.a, 1);
      const transaction = await applied(bench, addKey(2), within);
      // The timer runs from the effect, half a commit before the reply.
      await bench.clock.runFor(revertMs - 1_000 - 1);
      expect(keysOf(bench)).toEqual(["1", "2"]);
      await bench.clock.runFor(1);
      expect(keysOf(bench)).toEqual(["1"]);
      expect(bench.a.effects.at(-1)).toMatchObject({ by: "device", what: "rollback", port });
      expect(await errorOf(bench.drive(transaction.confirm(never)))).toEqual({
        code: "device.commitExpired",
        effect: "none",
      });
    },
  );

  it("a confirmed commit stays, and commit and confirm may be repeated", async () => {
    const bench = new RouterBench();
    bench.protect(bench.a, 1);
    const transaction = await applied(bench, addKey(2), 60_000);
    await bench.drive(transaction.apply(60_000, never));
    await bench.drive(transaction.confirm(never));
    await bench.drive(transaction.confirm(never));
    await bench.clock.runFor(600_000);
    expect(keysOf(bench)).toEqual(["1", "2"]);
    expect(bench.a.effects.filter(({ by }) => by === "agent")).toHaveLength(1);
  });

  it("an operation runs once, however often its commit is applied", async () => {
    const bench = new RouterBench();
    bench.protect(bench.a, 1);
    const transaction = await applied(bench, [{ kind: "macsec.rekeySak", port }], "final");
    await bench.drive(transaction.apply("final", never));
    expect(bench.a.effects.filter(({ by }) => by === "agent")).toHaveLength(1);
  });

  it("a commit that is rolled back restores what it replaced, keys included", async () => {
    const bench = new RouterBench(capabilities(confirmed, "none"));
    bench.protect(bench.a, 1);
    const transaction = await applied(bench, replaceKey(2), 60_000);
    expect(keysOf(bench)).toEqual(["2"]);
    await bench.drive(transaction.rollback(never));
    expect(keysOf(bench)).toEqual(["1"]);
    expect(bench.a.edge.holdsCak(keyOf(1).ckn, new Uint8Array(32).fill(1))).toBe(true);
  });

  it("an armed commit that would lose a key is refused a timer, others keep theirs", async () => {
    const bench = new RouterBench(capabilities(armed));
    bench.protect(bench.a, 1);
    const replacing = await prepare(bench, replaceKey(2));
    expect((await errorOf(bench.drive(replacing.apply(60_000, never)))).code).toBe(
      "device.unsupported",
    );
    expect(keysOf(bench)).toEqual(["1"]);
    await applied(bench, [...addKey(2), { kind: "port.drain", port, means: "prepend" }], 60_000);
    bench.a.router.manualEdit((config) => {
      config.tunnels.set(tunnel.name, { spec: tunnel, psk: new Uint8Array(8) });
    });
    await bench.clock.runFor(60_000);
    expect(keysOf(bench)).toEqual(["1"]);
    expect(bench.a.router.tunnels()).toHaveLength(1);
    expect(bench.a.router.drained(port)).toBe(true);
  });

  it("an immediate commit is refused any timer before anything is sent", async () => {
    const bench = new RouterBench(capabilities(immediate));
    bench.protect(bench.a, 1);
    const transaction = await prepare(bench, addKey(2));
    const at = bench.clock.now();
    expect(await errorOf(transaction.apply(60_000, never))).toEqual({
      code: "device.unsupported",
      effect: "none",
    });
    expect(bench.clock.now()).toBe(at);
    await bench.drive(transaction.apply("final", never));
    expect(keysOf(bench)).toEqual(["1", "2"]);
  });

  it("a commit of a stale candidate is validated against what runs now", async () => {
    const bench = new RouterBench();
    bench.protect(bench.a, 1);
    const first = await prepare(bench, addKey(2));
    await applied(bench, addKey(3), "final");
    expect(await errorOf(bench.drive(first.apply("final", never)))).toEqual({
      code: "device.rejected",
      effect: "none",
    });
    expect(keysOf(bench)).toEqual(["1", "3"]);
  });

  it("a commit waits while another one is pending", async () => {
    const bench = new RouterBench();
    bench.protect(bench.a, 1);
    await applied(bench, addKey(2), 60_000);
    const second = await prepare(bench, [{ kind: "port.drain", port, means: "prepend" }]);
    expect(await errorOf(bench.drive(second.apply("final", never)))).toEqual({
      code: "device.locked",
      effect: "none",
    });
  });

  it("a commit that changes nothing has no effect", async () => {
    const bench = new RouterBench();
    await applied(bench, enrolment, "final");
    const { control } = bench.a.router.state();
    await applied(bench, enrolment, "final");
    expect(bench.a.effects.map(({ what }) => what)).toEqual(["macsec.protect", "macsec.addKey"]);
    expect(bench.a.router.state().control).toMatchObject({
      value: { configId: control.kind === "known" && control.value.configId },
    });
  });
});

describe("a second process", () => {
  it.each<[string, CommitMode, "confirms" | "cannot"]>([
    ["survives a disconnect", confirmed, "confirms"],
    ["is bound to its session", sessionBound, "cannot"],
    ["is an armed revert", armed, "confirms"],
  ])("a second process recalls a commit that %s", async (_name, mode, outcome) => {
    const bench = new RouterBench(capabilities(mode));
    bench.protect(bench.a, 1);
    const { token } = await applied(bench, addKey(2), 60_000);
    const second = openRouter(bench.a.router);
    const recalled = await bench.drive(second.recall(token, never));
    expect(recalled.kind).toBe(outcome === "cannot" ? "expiring" : "pending");
    if (recalled.kind === "pending") await bench.drive(recalled.transaction.confirm(never));
    await bench.clock.runFor(600_000);
    expect(keysOf(bench)).toEqual(outcome === "confirms" ? ["1", "2"] : ["1"]);
    expect(await bench.drive(second.recall(token, never))).toEqual({ kind: "absent" });
  });

  it.each<[string, CommitMode, string]>([
    ["any session", confirmed, "pending"],
    ["its session alone", sessionBound, "expiring"],
  ])(
    "a commit that %s may confirm outlives a disconnect until its timer",
    async (_name, mode, fate) => {
      const bench = new RouterBench(capabilities(mode));
      bench.protect(bench.a, 1);
      const { token } = await applied(bench, addKey(2), 60_000);
      bench.a.router.disconnectSessions();
      expect(keysOf(bench)).toEqual(["1", "2"]);
      expect((await bench.drive(bench.a.device.recall(token, never))).kind).toBe(fate);
      await bench.clock.runFor(120_000);
      expect(keysOf(bench)).toEqual(["1"]);
    },
  );

  // The end of the first boot lit the link, and that of the second one cut it for no reason.
  it("a router that reboots while it boots comes up once", async () => {
    const bench = new RouterBench();
    bench.a.router.reboot();
    await bench.clock.runFor(60_000);
    bench.a.router.reboot();
    await bench.clock.runFor(60_000);
    expect(bench.a.router.reachable()).toBe(false);
    await bench.clock.runFor(31_000);
    expect(bench.a.router.reachable()).toBe(true);
  });

  it("a rebooted router has neither the pending commit nor the old boot id", async () => {
    const bench = new RouterBench();
    bench.protect(bench.a, 1);
    const { token } = await applied(bench, addKey(2), 300_000);
    const before = bench.a.router.state().control;
    bench.a.router.reboot();
    const down = await errorOf(bench.drive(bench.a.device.observe(never)));
    expect(down).toEqual({ code: "transport.unreachable", effect: "none" });
    await bench.clock.runFor(120_000);
    expect(keysOf(bench)).toEqual(["1"]);
    expect(await bench.drive(bench.a.device.recall(token, never))).toEqual({ kind: "absent" });
    const after = bench.a.router.state().control;
    if (before.kind !== "known" || after.kind !== "known") throw new Error("unknown control");
    expect(after.value.bootId).not.toBe(before.value.bootId);
    expect(bench.a.effects.slice(-2).map(({ what }) => what)).toEqual(["rollback", "reboot"]);
  });
});

describe("a faulty router", () => {
  const cases: readonly (readonly [RouterFault, ErrorCode])[] = [
    ["locked", "device.locked"],
    ["errorWithSuccess", "device.rejected"],
    ["unreachable", "transport.unreachable"],
  ];
  it.each(cases)(
    "a router with the fault %s fails the apply with %s and without effect",
    async (fault, code) => {
      const bench = new RouterBench();
      bench.protect(bench.a, 1);
      const transaction = await prepare(bench, addKey(2));
      bench.a.router.setFault(fault, true);
      const failure = await errorOf(bench.drive(transaction.apply("final", never)));
      expect(failure).toEqual({ code, effect: "none" });
      expect(keysOf(bench)).toEqual(["1"]);
      bench.a.router.setFault(fault, false);
      await bench.drive(transaction.apply("final", never));
      expect(keysOf(bench)).toEqual(["1", "2"]);
    },
  );

  it("a router that loses replies has carried out the request", async () => {
    const codes = new Set<ErrorCode>();
    const bench = new RouterBench();
    bench.protect(bench.a, 1);
    bench.a.router.setFault("replyLost", true);
    for (let n = 0; n < 12; n += 1) {
      const kind = n % 2 === 0 ? "port.drain" : "port.restore";
      const transaction = await prepare(bench, [{ kind, port, means: "prepend" }]);
      const failure = await errorOf(bench.drive(transaction.apply("final", never)));
      expect(failure.effect).toBe("unknown");
      expect(bench.a.router.drained(port)).toBe(kind === "port.drain");
      codes.add(failure.code);
    }
    expect(codes).toEqual(new Set(["transport.timeout", "transport.closed"]));
  });

  it("a router that reverts silently accepts the commit and forgets it", async () => {
    const bench = new RouterBench();
    bench.protect(bench.a, 1);
    bench.a.router.setFault("silentRevert", true);
    await applied(bench, addKey(2), "final");
    expect(keysOf(bench)).toEqual(["1", "2"]);
    await bench.clock.runFor(5_000);
    expect(keysOf(bench)).toEqual(["1"]);
    expect(bench.a.effects.at(-1)).toMatchObject({ by: "device", what: "rollback" });
  });

  it("a slow router takes its time, and an abort has no effect", async () => {
    const bench = new RouterBench();
    bench.a.router.setFault("slow", true);
    const start = bench.clock.now();
    await bench.drive(bench.a.device.observe(never));
    expect(bench.clock.now() - start).toBe(4_000);
    const limit = new AbortController();
    const late = bench.a.device.observe(limit.signal);
    limit.abort(new Error("too late"));
    await expect(bench.drive(late)).rejects.toThrow("too late");
  });

  it("a router whose output cannot be parsed is unknown, not down", async () => {
    const bench = new RouterBench();
    bench.a.router.setFault("unparsed", true);
    const state = await bench.drive(bench.a.device.observe(never));
    const [first] = state.macsec;
    const readings = [state.control, state.routing, first?.linkUp, first?.session, first?.frames];
    expect(readings.map((reading) => reading?.kind)).toEqual(readings.map(() => "unknown"));
  });

  it("a router with frozen counters reports the old ones as new", async () => {
    const bench = new RouterBench();
    bench.protect(bench.a, 1);
    bench.traffic();
    await bench.clock.runFor(30_000);
    const frames = (): unknown => {
      const reading = bench.a.router.state().macsec[0]?.frames;
      return reading?.kind === "known" ? reading.value.rxOk : undefined;
    };
    bench.a.router.setFault("frozenCounters", true);
    const frozen = frames();
    await bench.clock.runFor(10_000);
    expect(frames()).toBe(frozen);
    expect(bench.a.router.state().macsec[0]?.frames.at).toBe(bench.clock.now());
    bench.a.router.setFault("frozenCounters", false);
    expect(frames()).not.toBe(frozen);
  });
});

describe("a fallback platform", () => {
  it("a fallback platform promotes the second key and removes the old one", async () => {
    const bench = new RouterBench(capabilities(confirmed, "fallback"));
    bench.protect(bench.a, 1);
    await bench.clock.runFor(15_000);
    await applied(bench, addKey(2, "fallback"), "final");
    bench.a.far.removeKey(keyOf(1).ckn);
    bench.a.far.putKey({ ckn: keyOf(2).ckn, cak: new Uint8Array(32).fill(2), role: "primary" });
    await bench.clock.runFor(30_000);
    expect(bench.a.router.principal(port)).toBe(keyOf(2).ckn);
    expect((await errorOf(prepare(bench, removeKey(1)))).code).toBe("device.rejected");
    await applied(bench, [{ kind: "macsec.promoteKey", port, ckn: keyOf(2).ckn }], "final");
    const roles = bench.a.edge.keys().map(({ ckn, role }) => [ckn, role] as const);
    expect(new Map(roles).get(keyOf(2).ckn)).toBe("primary");
    expect(new Map(roles).get(keyOf(1).ckn)).toBe("fallback");
    await applied(bench, removeKey(1), "final");
    expect(keysOf(bench)).toEqual(["2"]);
    await bench.clock.runFor(10_000);
    expect(bench.a.edge.session().controlledPort).toBe("secured");
  });
});

describe("an operator", () => {
  it("a manual change of the running configuration is reported as an operator's", async () => {
    const bench = new RouterBench();
    bench.protect(bench.a, 1);
    bench.a.router.manualEdit((config) => {
      const wanted = config.ports.get(port);
      if (wanted === undefined) throw new Error("no port");
      wanted.macsec = { ...settings, policy: "shouldSecure" };
      wanted.keys = [];
      wanted.admin = "down";
      wanted.drain = "prepend";
    });
    expect(bench.a.effects.map(({ by, what }) => `${by} ${what}`)).toEqual([
      "person macsec.protect",
      "person macsec.addKey",
      "person macsec.protect",
      "person macsec.removeKey",
      "person port.shut",
      "person port.drain",
    ]);
    expect(bench.a.edge.settings()?.policy).toBe("shouldSecure");
    expect([bench.a.edge.adminUp(), keysOf(bench)]).toEqual([false, []]);
  });
});

describe("questions", () => {
  it.each<[string, readonly PortName[] | undefined]>([
    ["192.0.2.9", ["mgmt0"]],
    ["192.0.2.10", [port]],
    ["192.0.2.11", undefined],
  ])("the route to %s leaves by %s", async (address, expected) => {
    const bench = new RouterBench();
    bench.a.router.managementRoutes.set("192.0.2.10", port).set("192.0.2.11", undefined);
    expect(await bench.drive(bench.a.device.routesTo(address, never))).toEqual(expected);
  });

  it.each<[string, number]>([
    ["carries", 20],
    ["is cut", 0],
  ])("a probe over a link that %s", async (name, answered) => {
    const bench = new RouterBench();
    bench.a.fibre.setUp(name === "carries");
    const result = bench.a.device.probe?.(port, 20, never);
    if (result === undefined) throw new Error("no probe");
    expect(await bench.drive(result)).toEqual({ sent: 20, answered });
  });

  it("the router's own clock drifts by its error", async () => {
    const bench = new RouterBench();
    const { options } = bench.a.router;
    const watch = { offsetMs: 5_000, ppm: 100 };
    const router = new Router({ ...options, name: "edge-c", watch });
    await bench.clock.runFor(1_000_000);
    bench.clock.jumpWall(-60_000);
    expect(router.wall() - (bench.clock.wall() + 60_000)).toBe(5_100);
  });
});
