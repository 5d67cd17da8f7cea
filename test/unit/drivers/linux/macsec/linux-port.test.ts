import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { withParticipant } from "#drivers/linux/driver/mka-clients.ts";
import { type MacsecDevice, readMacsec } from "#drivers/linux/macsec/macsec.ts";
import { type KernelObservation, type PortReading, readPort } from "#drivers/linux/macsec/port.ts";
import { framesOf, keyAgreement, saksOf } from "#drivers/linux/macsec/secy.ts";
import { readAddress } from "#drivers/linux/netlink/rtnetlink-address.ts";
import { type Link, readLink } from "#drivers/linux/netlink/rtnetlink-link.ts";
import { readRoute } from "#drivers/linux/netlink/rtnetlink-route.ts";
import { strongValue } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { effort } from "../../../../effort.ts";
import { macsecNumber, recorded } from "../../../kit/recorded.ts";
import { boundObservation } from "../mka-observation.ts";

const at = 5000 as Instant;
const links = recorded("links", readLink);
const secys = recorded("macsec", readMacsec(macsecNumber));
const routes = [...recorded("routes-4", readRoute), ...recorded("routes-6", readRoute)];
const addresses = recorded("addresses", readAddress);

/** The session that an MKA process reports for any of them. */
const agreed = boundObservation();

function linkNamed(name: string, among: readonly Link[] = links): Link {
  const link = among.find((one) => one.name === name);
  if (link === undefined) throw new Error(`no link ${name}`);
  return link;
}

const wire = linkNamed("a0");

function without<T extends object>(whole: T, name: keyof T): T {
  return Object.fromEntries(Object.entries(whole).filter(([key]) => key !== name)) as T;
}

/** The recorded site with one of its SecYs, and no other link on the port. */
function observationOf(secy: string, change: Partial<KernelObservation> = {}): KernelObservation {
  const kept = ["lo", "a0", "b0", "vrf7", secy];
  const left = links.filter(({ name }) => name !== undefined && kept.includes(name));
  const clear = addresses.filter(({ link }) => link !== wire.index);
  const speeds = [{ link: wire.index, bitsPerSecond: 10_000_000_000 }];
  return { at, links: left, addresses: clear, routes: [], secys, speeds, ...change };
}

function observed(observation: KernelObservation, before?: KernelObservation): PortReading {
  const reported = readPort("a0", observation, before);
  if (reported === undefined) throw new Error("no port a0");
  return {
    ...reported,
    port: withParticipant(reported.port, { kind: "observed", observation: agreed, at }),
  };
}

const withSecy = (change: NonNullable<MacsecDevice["secy"]>): MacsecDevice[] =>
  secys.map((one) => ({ ...one, secy: { ...one.secy, ...change } }));
const strict = { validate: "strict", protect: true, encrypt: true, unnamed: [] } as const;

describe("a port of this host", () => {
  it.each([
    ["ms1", "gcm-aes-256", 10n],
    ["ms2", "gcm-aes-xpn-128", 4_294_967_300n],
    ["ms3", "gcm-aes-xpn-256", 4_294_967_300n],
  ])("a port with the SecY %s has its suite and keys", (name, suite, nextPn) => {
    const { port, controlled } = observed(observationOf(name));
    expect(strongValue(port.settings)).toEqual(agreed.settings);
    expect(strongValue(port.liveSuite)).toBe(suite);
    expect(strongValue(port.admin)).toBe("up");
    expect(port.keyAgreement && strongValue(port.keyAgreement)).toBe("same");
    expect(strongValue(port.linkUp)).toBe(true);
    expect(strongValue(port.frames)?.nextPn).toBeGreaterThanOrEqual(nextPn);
    const sak = { an: 0, keyId: `${"a0".repeat(12)}/${0xa0a0a0a0}`, receive: true, transmit: true };
    expect(strongValue(controlled)).toMatchObject({
      ...{ name, suite, includeSci: true, replayWindow: undefined },
      up: true,
      mtu: linkNamed(name).mtu,
      failOpen: [],
      saks: [sak],
      keyAgreement: "same",
    });
  });

  it("a port without an MKA process has unknown session, keys and settings", () => {
    const observation = readPort("a0", observationOf("ms3"));
    const unknown = { kind: "unknown", why: "notSupported", at };
    expect(observation?.port).toMatchObject({ session: unknown, keys: unknown, mkpdus: unknown });
    expect(observation?.port.settings).toEqual(unknown);
    expect(observation?.controlled.kind).toBe("known");
  });

  it("a port without a SecY is known to have no MACsec", () => {
    const { port, controlled } = observed(observationOf("no-secy", { secys: undefined }));
    expect(port.settings).toEqual({ kind: "known", value: undefined, at });
    expect(port.liveSuite).toEqual({ kind: "known", value: undefined, at });
    expect(controlled).toEqual({ kind: "known", value: undefined, at });
    expect(port.frames).toEqual({ kind: "unknown", why: "notSupported", at });
  });

  it("a port whose SecY the kernel does not dump is unknown, not bare", () => {
    const { port } = observed(observationOf("ms3", { secys: undefined }));
    expect(port.settings).toEqual({ kind: "unknown", why: "queryFailed", at });
    expect(port.frames).toEqual({ kind: "unknown", why: "queryFailed", at });
  });

  it("a port with several SecYs is unknown", () => {
    const { port } = observed({ ...observationOf("ms3"), links });
    expect(port.settings).toEqual({ kind: "unknown", why: "notSupported", at });
  });

  it("a port that does not exist is undefined", () => {
    expect(readPort("a1", observationOf("ms3"))).toBeUndefined();
  });

  it("a port that is shut has no link, whatever its carrier was", () => {
    const shut = observationOf("ms3").links.map((link) => ({ ...link, flags: 0, carrier: true }));
    const { port } = observed(observationOf("ms3", { links: shut }));
    expect(strongValue(port.admin)).toBe("down");
    expect(strongValue(port.linkUp)).toBe(false);
  });

  it("a port whose carrier is not reported is not down", () => {
    const dark = observationOf("ms3").links.map((one) => without(one, "carrier"));
    expect(observed(observationOf("ms3", { links: dark })).port.linkUp).toEqual({
      kind: "unknown",
      why: "unparsed",
      at,
    });
  });
});

describe("a port that lets data pass in the clear is should-secure, by name", () => {
  const failOpen = (observation: KernelObservation): readonly string[] => {
    const { port, controlled } = observed(observation);
    expect(strongValue(port.settings)?.policy).toBe("shouldSecure");
    return strongValue(controlled)?.failOpen ?? [];
  };
  const onWire = (link: number): KernelObservation["addresses"][number] => ({
    ...addresses[0],
    unnamed: [],
    family: 2,
    prefixLength: 30,
    scope: 0,
    link,
  });

  it.each([
    ["validateNotStrict", { ...strict, validate: "check" }],
    ["validateNotStrict", { ...strict, validate: "disabled" }],
    ["validateNotStrict", { ...strict, validate: "number 7" }],
    ["protectOff", { ...strict, protect: false }],
    ["encryptOff", { ...strict, encrypt: false }],
  ] as const)("a SecY that fails open is should-secure: %s", (name, change) => {
    expect(failOpen(observationOf("ms3", { secys: withSecy(change) }))).toEqual([name]);
  });

  it("an address on the uncontrolled port, or on a VLAN of it, is fail-open", () => {
    const vlan = linkNamed("a0.5");
    expect(failOpen(observationOf("ms3", { addresses: [onWire(wire.index)] }))).toEqual([
      "addressOnUncontrolledPort",
    ]);
    const stacked = [...observationOf("ms3").links, vlan];
    const observation = observationOf("ms3", { links: stacked, addresses: [onWire(vlan.index)] });
    expect(failOpen(observation)).toEqual(["addressOnUncontrolledPort"]);
  });

  it("an address on a bridge of the port is fail-open; one in its VRF is not", () => {
    const gathered = (kind: string): KernelObservation => {
      const { links: all } = observationOf("ms3");
      const bridge = { ...linkNamed("vrf7"), info: { kind, slaveKind: undefined, unnamed: [] } };
      const members = all.map((one) =>
        one.name === "a0" ? { ...one, master: bridge.index } : one,
      );
      const whole = members.map((one) => (one.index === bridge.index ? bridge : one));
      return observationOf("ms3", { links: whole, addresses: [onWire(bridge.index)] });
    };
    expect(failOpen(gathered("bridge"))).toEqual(["addressOnUncontrolledPort"]);
    const { controlled } = observed(gathered("vrf"));
    expect(strongValue(controlled)?.failOpen).toEqual([]);
  });

  it("a route over the uncontrolled port, also as one of several next hops, is fail-open", () => {
    const [route] = routes;
    if (route === undefined) throw new Error("no route");
    const plain = { ...route, kind: 1, outputLink: wire.index, nextHops: [] };
    const hop = { link: wire.index, flags: 0, hops: 0, gateway: undefined, via: undefined };
    const several = { ...route, kind: 1, outputLink: 0, nextHops: [hop] };
    for (const one of [plain, several]) {
      expect(failOpen(observationOf("ms3", { routes: [one] }))).toEqual([
        "routeOnUncontrolledPort",
      ]);
    }
    const broadcast = { ...plain, kind: 3 };
    const { controlled } = observed(observationOf("ms3", { routes: [broadcast] }));
    expect(strongValue(controlled)?.failOpen).toEqual([]);
  });
});

describe("keys and counters of a SecY", () => {
  const [, , , device] = secys;
  if (device === undefined) throw new Error("no SecY");
  const [sa] = device.txSas ?? [];
  if (sa === undefined) throw new Error("no SA");
  const withRx = (...sas: (typeof sa)[]): MacsecDevice => ({
    ...device,
    rxScs: (device.rxScs ?? []).map((channel) => ({ ...channel, sas })),
  });

  it.each([
    ["same", withRx(sa)],
    ["same", withRx({ ...sa, an: 1, keyId: "b0".repeat(16) }, sa)],
    ["different", withRx({ ...sa, keyId: "b0".repeat(16) })],
    ["different", withRx({ ...sa, an: 1 })],
    ["oneWay", withRx({ ...sa, active: false })],
    ["oneWay", withRx()],
    ["oneWay", { ...withRx(sa), txSas: [] }],
    ["oneWay", { ...withRx(sa), txSas: [{ ...sa, active: false }] }],
    ["none", { ...withRx(), txSas: [] }],
  ])("the SAKs of the two directions compare as %s", (agreement, one) => {
    expect(keyAgreement(saksOf(one))).toBe(agreement);
  });

  it("a closed receive channel counts as receiving nothing", () => {
    const closed = (device.rxScs ?? []).map((channel) => ({ ...channel, active: false }));
    expect(keyAgreement(saksOf({ ...device, rxScs: closed }))).toBe("oneWay");
  });

  it("counters that the kernel does not report are undefined and never 0", () => {
    const [channel] = device.rxScs ?? [];
    const untold = { unnamed: [] };
    const bare: MacsecDevice = {
      ...device,
      secyStatistics: untold,
      rxScs: [{ ...channel, unnamed: [], statistics: { ...untold, inPktsOk: 3n } }],
      txScStatistics: { ...untold, outPktsProtected: 1n, outPktsEncrypted: 2n },
    };
    const { rxOk, txProtected, ...rest } = framesOf({ ...bare, txSas: [] }) ?? {};
    expect([rxOk, txProtected]).toEqual([3n, 3n]);
    expect(Object.values(rest).every((value) => value === undefined)).toBe(true);
    expect(framesOf({ ...bare, txScStatistics: untold })).toBeUndefined();
    expect(framesOf({ ...bare, rxScs: [{ unnamed: [] }] })).toBeUndefined();
  });

  it("counters are summed over the channels of all peers", () => {
    const [channel] = device.rxScs ?? [];
    const statistics = { ...channel?.statistics, unnamed: [], inPktsOk: 5n, inPktsNotValid: 1n };
    const one = { ...channel, unnamed: [], statistics: { ...statistics, inPktsInvalid: 2n } };
    expect(framesOf({ ...device, rxScs: [one, one] })).toMatchObject({ rxOk: 10n, rxNotValid: 6n });
  });
});

describe("the rate of a port", () => {
  const counted = (instant: number, packets: bigint, octets: bigint): KernelObservation => {
    const { links: all, ...rest } = observationOf("ms3");
    const statistics = {
      rxPackets: packets,
      txPackets: 2n * packets,
      rxBytes: octets,
      txBytes: 2n * octets,
    };
    const moved = all.map((link) => ({ ...link, statistics }));
    return { ...rest, links: moved, at: instant as Instant };
  };

  it("a port's rate is the difference of two observations", () => {
    const { port } = observed(
      counted(3000, 2n ** 60n + 200n, 20_000n),
      counted(1000, 2n ** 60n, 0n),
    );
    expect(strongValue(port.rate)).toEqual({
      rxPps: 100,
      txPps: 200,
      rxBps: 80_000,
      txBps: 160_000,
      lineBps: 10_000_000_000,
    });
  });

  it.each([
    ["one observation", undefined],
    ["two observations at one instant", counted(3000, 1n, 1n)],
    ["counters that went back", counted(1000, 500n, 1n)],
    ["counters that were not told", { ...observationOf("ms3", { links: [wire] }), links: [] }],
  ])("a port's rate is unknown after %s", (_name, before) => {
    expect(observed(counted(3000, 200n, 9n), before).port.rate.kind).toBe("unknown");
  });

  it("a port's rate is unknown where its line rate is not reported", () => {
    const observation = { ...counted(3000, 200n, 9n), speeds: [] };
    expect(observed(observation, counted(1000, 100n, 1n)).port.rate).toEqual({
      kind: "unknown",
      why: "notSupported",
      at: 3000,
    });
  });
});

describe("readings that the kernel left out", () => {
  it.each(["cipherSuite", "includeSci", "replay", "validate", "protect", "encrypt"] as const)(
    "settings without %s are unparsed",
    (name) => {
      const cut = secys.map((one) => {
        return { ...one, secy: without(one.secy ?? { unnamed: [] }, name) };
      });
      expect(observed(observationOf("ms3", { secys: cut })).port.settings).toEqual({
        kind: "unknown",
        why: "unparsed",
        at,
      });
    },
  );

  it("replay protection without its window is unparsed", () => {
    const cut = withSecy({ ...strict, replay: true });
    const windowless = cut.map(({ secy, ...one }) => {
      return { ...one, secy: without(secy ?? { unnamed: [] }, "window") };
    });
    expect(observed(observationOf("ms3", { secys: windowless })).port.settings.kind).toBe(
      "unknown",
    );
  });

  it("a port is must-secure only where every setting for it was reported", () => {
    const whole = fc.record(
      {
        cipherSuite: fc.constantFrom("gcm-aes-128" as const, undefined),
        includeSci: fc.boolean(),
        replay: fc.boolean(),
        window: fc.nat(),
        validate: fc.constantFrom("strict" as const, "check" as const, "number 9" as const),
        protect: fc.boolean(),
        encrypt: fc.boolean(),
        encodingSa: fc.nat(255),
      },
      { requiredKeys: [] },
    );
    // Masters and links below point anywhere, also in circles.
    const shape = fc.array(fc.record({ link: fc.nat(12), master: fc.nat(12) }), { maxLength: 9 });
    const run = fc.property(whole, shape, (secy, others) => {
      const observation = observationOf("ms3");
      const circles = others.map((one, index) => ({
        ...wire,
        ...one,
        name: `x${index}`,
        index: index + 1,
        info: { kind: index % 2 === 0 ? "vlan" : "bridge", slaveKind: undefined, unnamed: [] },
      }));
      const devices = secys.map((one) => ({ ...one, secy: { ...secy, unnamed: [] } }));
      const { port } = observed({
        ...observation,
        links: [...observation.links, ...circles],
        secys: devices,
      });
      if (strongValue(port.settings)?.policy !== "mustSecure") return;
      expect(secy).toMatchObject({ validate: "strict", protect: true, encrypt: true });
    });
    fc.assert(run, { numRuns: effort(300, 20_000) });
  });
});
