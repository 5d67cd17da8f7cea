import { describe, expect, it } from "vitest";
import type { MacsecFrames, MacsecSettings } from "#hal/model.ts";
import {
  clear,
  keyOf,
  lost,
  mustSecure,
  type Pair,
  pair,
  secured,
} from "../../../kit/mka-bench.ts";

const ramp = { quirks: { startRamp: true } };
const shouldSecure: MacsecSettings = { ...mustSecure, policy: "shouldSecure" };

type Counter = keyof MacsecFrames;

const errors: readonly Counter[] = [
  "txTooLong",
  "rxBadTag",
  "rxNotValid",
  "rxNoSci",
  "rxUnknownSci",
  "rxNotUsingSa",
];

async function differing(
  a: MacsecSettings | undefined,
  b: MacsecSettings | undefined,
): Promise<Pair> {
  const made = pair("differing", ramp);
  for (const [station, settings] of [[made.a, a] as const, [made.b, b] as const]) {
    station.configure(settings);
    station.putKey(keyOf(1));
  }
  made.fibre.offer("a", 1000, 512);
  made.fibre.offer("b", 1000, 512);
  await made.seconds(10);
  return made;
}

/** The names of the error counters that grow within a second. */
async function growing(made: Pair, end: "a" | "b"): Promise<readonly Counter[]> {
  const before = made[end].frames();
  await made.seconds(1);
  const after = made[end].frames();
  return errors.filter((name) => (after[name] ?? 0n) > (before[name] ?? 0n));
}

describe("faults that MKA does not notice show in the counters", () => {
  it("an SCI at one end only: bad tags one way, no SCI the other way", async () => {
    const made = await differing(mustSecure, { ...mustSecure, includeSci: false });
    for (const station of [made.a, made.b]) {
      const { controlledPort, respondedPeers } = station.session();
      expect({ controlledPort, respondedPeers }).toEqual({
        controlledPort: "secured",
        respondedPeers: 1,
      });
    }
    expect(await growing(made, "a")).toEqual(["rxNoSci"]);
    expect(await growing(made, "b")).toEqual(["rxBadTag"]);
    expect(made.fibre.carries()).toBe(false);
  });

  it("no SCI at both ends: frames pass", async () => {
    const quiet = { ...mustSecure, includeSci: false };
    expect((await differing(quiet, quiet)).fibre.carries()).toBe(true);
  });

  it("suites differ: both ends report secured, nothing passes, liveSuite differs", async () => {
    const made = await differing(mustSecure, { ...mustSecure, suite: "gcm-aes-256" });
    expect(made.a.session()).toMatchObject({
      controlledPort: "secured",
      keyServer: "self",
      livePeers: 1,
      respondedPeers: 0,
    });
    expect(made.b.session()).toMatchObject({
      controlledPort: "secured",
      livePeers: 1,
      latestSak: undefined,
    });
    expect(made.a.liveSuite()).toBe("gcm-aes-xpn-256");
    expect(made.b.liveSuite()).toBeUndefined();
    expect(made.b.frames().rxOk).toBe(0n);
    expect(await growing(made, "b")).toEqual(["rxUnknownSci"]);
    made.b.configure(mustSecure);
    expect(await made.until(() => made.fibre.carries())).toBeLessThan(1);
  });

  it("a stale SAK in the data plane: MKA reports the new one, every frame is invalid", async () => {
    for (const end of ["a", "b"] as const) {
      const made = await secured(`stale-${end}`, ramp);
      made[end].setFault("staleSak", true);
      expect(made.fibre.carries()).toBe(true);
      made.a.rekeySak();
      await made.seconds(10);
      expect(made.a.session().latestSak).toEqual(made.b.session().latestSak);
      expect(made.a.session().respondedPeers).toBe(1);
      expect(await growing(made, "a")).toEqual(["rxNotValid"]);
      expect(await growing(made, "b")).toEqual(["rxNotValid"]);
      expect(made.fibre.truth().a2b.outcome).toBe("notValid");
      made[end].setFault("staleSak", false);
      made.a.rekeySak();
      await made.seconds(10);
      expect(made.fibre.carries()).toBe(true);
    }
  });

  it("a stale SAK after a restart of the KaY: every frame is invalid", async () => {
    const made = await secured("stale-restart", ramp);
    made.a.setFault("staleSak", true);
    made.a.restartKay();
    await made.seconds(10);
    expect(made.a.session()).toMatchObject({ controlledPort: "secured", respondedPeers: 1 });
    expect(await growing(made, "b")).toEqual(["rxNotValid"]);
  });

  it("an L2 MTU without room for MACsec: large frames are too long, small ones pass", async () => {
    const made = await secured("mtu", ramp);
    made.a.setL2Mtu(512 + 31);
    expect(await growing(made, "a")).toEqual(["txTooLong"]);
    expect(made.fibre.truth()).toMatchObject({
      a2b: { outcome: "tooLong" },
      b2a: { outcome: "protected" },
    });
    expect(made.fibre.inject("a", 20, 128).delivered).toBe(20);
    made.a.setL2Mtu(512 + 32);
    expect(made.fibre.carries()).toBe(true);
  });
});

describe("clear frames", () => {
  it("clear frames pass and are not counted where neither end has MACsec", async () => {
    const made = await differing(undefined, undefined);
    expect(made.fibre.carries()).toBe(true);
    expect(made.fibre.truth().a2b).toMatchObject({
      outcome: "clear",
      clearOnWire: 10_000n,
      protectedOnWire: 0n,
    });
    expect(made.a.session().controlledPort).toBe("unprotected");
    expect(made.a.frames().rxClear).toBe(0n);
  });

  it("clear frames pass under should-secure without a live peer, and are counted", async () => {
    const made = await secured("should", ramp, shouldSecure);
    const before = clear(made);
    expect(made.fibre.truth().a2b.outcome).toBe("protected");
    made.a.setFault("silent", true);
    made.b.setFault("silent", true);
    await made.until(() => made.a.session().livePeers + made.b.session().livePeers === 0);
    await made.seconds(5);
    expect(made.a.session().controlledPort).toBe("unprotected");
    expect(clear(made) - before).toBeGreaterThanOrEqual(10_000n);
    expect(made.b.frames().rxClear).toBe(made.fibre.truth().a2b.clearOnWire);
    expect(made.fibre.carries()).toBe(true);
  });

  it("clear frames are counted and dropped by a must-secure end", async () => {
    const made = await differing(shouldSecure, mustSecure);
    made.b.setFault("silent", true);
    await made.seconds(20);
    expect(made.fibre.truth().a2b).toMatchObject({ outcome: "blocked" });
    expect(made.fibre.truth().b2a).toMatchObject({ outcome: "blocked", clearOnWire: 0n });
    expect(made.b.frames().rxClear).toBe(made.fibre.truth().a2b.clearOnWire);
    expect(made.a.frames().txClear).toBe(made.fibre.truth().a2b.clearOnWire);
    expect(clear(made)).toBeGreaterThan(10_000n);
    expect(made.fibre.carries()).toBe(false);
  });

  it("clear frames of a port without MACsec are refused by a must-secure end", async () => {
    const made = await differing(undefined, mustSecure);
    expect(made.fibre.truth()).toMatchObject({
      a2b: { delivered: 0n, clearOnWire: 10_000n },
      b2a: { delivered: 0n, clearOnWire: 0n, outcome: "blocked" },
    });
    expect(made.b.frames().rxClear).toBe(10_000n);
  });

  it("clear frames include MKPDUs where a platform counts EAPOL, exactly as many", async () => {
    const made = await secured("eapol", { quirks: { startRamp: true, eapolCountedAsClear: true } });
    await made.seconds(60);
    for (const station of [made.a, made.b]) {
      expect(station.frames().rxClear).toBe(station.mkpdus().received);
      expect(station.frames().txClear).toBe(station.mkpdus().sent);
      expect(station.mkpdus().received).toBeGreaterThan(29n);
    }
    expect(clear(made)).toBe(0n);
  });
});

describe("counters", () => {
  it("counters agree with the wire and with each other, per channel and association", async () => {
    const made = await secured("sums", ramp);
    await made.seconds(30);
    made.a.rekeySak();
    await made.seconds(30);
    const { a2b } = made.fibre.truth();
    const frames = made.b.frames();
    expect(a2b.offered).toBe(a2b.delivered + a2b.lost);
    expect(frames.rxOk).toBe(a2b.delivered);
    expect(made.a.frames().txProtected).toBe(a2b.protectedOnWire);
    const [channel] = made.b.receiveScs();
    expect(channel).toMatchObject({ sci: made.a.sci, active: true, ok: Number(frames.rxOk) });
    // The association of the new SAK started from zero.
    const [association] = channel?.sas.values() ?? [];
    expect(association?.an).toBe(1);
    expect(association?.ok).toBe(Number(made.a.frames().nextPn) - 1);
  });

  it("counters do not depend on when they are read", async () => {
    const [watched, alone] = [await secured("reading", ramp), await secured("reading", ramp)];
    for (const made of [watched, alone]) made.fibre.offer("a", 777, 512);
    for (let n = 0; n < 100; n += 1) {
      await watched.seconds(0.0737);
      watched.a.frames();
    }
    await alone.seconds(7.37);
    expect(watched.fibre.truth().a2b).toEqual(alone.fibre.truth().a2b);
  });

  it("counters start at zero after a reset, and the packet number goes on", async () => {
    const made = await secured("reset", ramp);
    const { nextPn } = made.a.frames();
    made.a.resetCounters();
    expect(made.a.frames()).toMatchObject({ txProtected: 0n, rxOk: 0n, nextPn });
    expect(made.a.mkpdus()).toMatchObject({ sent: 0n, received: 0n });
    await made.seconds(1);
    expect(made.a.frames().txProtected).toBe(1000n);
  });

  it("frozen counters do not change while data flow", async () => {
    const made = await secured("frozen", ramp);
    made.a.setFault("frozenCounters", true);
    const [frames, mkpdus] = [made.a.frames(), made.a.mkpdus()];
    await made.seconds(30);
    expect([made.a.frames(), made.a.mkpdus()]).toEqual([frames, mkpdus]);
    made.a.setFault("frozenCounters", false);
    expect(made.a.frames().rxOk).toBe(frames.rxOk + 30_000n);
  });

  it("counters of associations are absent where a platform counts per port", async () => {
    const made = await secured("per-port", { quirks: { startRamp: true, perPortCounters: true } });
    expect(made.a.frames()).toMatchObject({ nextPn: undefined, rxUnusedSa: undefined });
    expect(made.a.frames().rxOk).toBeGreaterThan(0n);
  });

  it("counters and rates follow the wire, MACsec octets included", async () => {
    const made = await secured("rates", ramp);
    const bps = 1000 * (512 + 32) * 8;
    expect(made.a.rate()).toEqual({
      rxPps: 1000,
      txPps: 1000,
      rxBps: bps,
      txBps: bps,
      lineBps: 100e9,
    });
    made.b.setAdmin(false);
    expect(made.a.rate()).toMatchObject({ rxPps: 0, txPps: 0 });
    const before = lost(made);
    await made.seconds(1);
    expect(lost(made) - before).toBe(2000n);
  });
});
