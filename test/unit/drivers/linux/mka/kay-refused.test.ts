import { describe, expect, it } from "vitest";
import type { Mkpdu } from "#drivers/linux/mka/mkpdu.ts";
import type { SakRefusal } from "#drivers/linux/mka/sak.ts";
import { caOf } from "../../../kit/kay-kit.ts";
import { sealed } from "../../../kit/kay-recorded.ts";
import { sciB, sciC } from "../../../kit/kay-station.ts";
import { member, Puppet } from "./kay-puppet.ts";
import { Subject } from "./kay-subject.ts";

const ca = caOf("guards");

function flipped(frame: Uint8Array, octet: number, bit = 0): Uint8Array {
  const octets = Uint8Array.from(frame);
  const at = octet < 0 ? octets.length + octet : octet;
  octets[at] = (octets[at] ?? 0) ^ (1 << bit);
  return octets;
}

describe("must-secure: a SAK that is refused is reported, and the one in use stays", () => {
  const offset = (confidentialityOffset: number) => ({ confidentialityOffset });
  const gcm128 = { suiteId: undefined, wrapped: new Uint8Array(24) };
  type Sak = Mkpdu["distributedSak"];
  const rows: readonly [string, (server: Puppet) => Sak, SakRefusal][] = [
    ["no MACsec", () => ({ kind: "plain" }), { kind: "plain" }],
    ["no confidentiality", (s) => s.sak(2, 1, offset(0)), { kind: "noConfidentiality" }],
    [
      "FCS_MACSEC_EXT.2 offset 30",
      (s) => s.sak(2, 1, offset(2)),
      { kind: "confidentialityOffset", offset: 30 },
    ],
    [
      "FCS_MACSEC_EXT.2 offset 50",
      (s) => s.sak(2, 1, offset(3)),
      { kind: "confidentialityOffset", offset: 50 },
    ],
    ["128 for 256 bits", (s) => s.sak(2, 1, gcm128), { kind: "suite", offered: "gcm-aes-128" }],
    [
      "no extended packet numbers",
      (s) => s.sak(2, 1, { suiteId: "0080c20001000002" }),
      { kind: "suite", offered: "gcm-aes-256" },
    ],
    [
      "an unknown suite",
      (s) => s.sak(2, 1, { suiteId: "00aabbcc00000007" }),
      { kind: "suite", offered: "00aabbcc00000007" },
    ],
    [
      "damaged",
      (s) => s.sak(2, 1, { wrapped: flipped(s.sak(2, 1).wrapped, 3) }),
      { kind: "unwrap" },
    ],
    [
      "wrapped with another KEK",
      (s) => {
        const other = new Puppet(new Subject(caOf("another")));
        return { ...s.sak(2, 1), wrapped: other.sak(2, 1).wrapped };
      },
      { kind: "unwrap" },
    ],
    ["a key number that was there before", (s) => s.sak(0, 1), { kind: "keyNumber" }],
  ];
  it.each(rows)("a distributed SAK is refused: %s", (_, sak, why) => {
    const { subject, server } = member(ca);
    const before = { session: subject.observed.session, log: [...subject.secy.log] };
    const distributedSak = sak(server);
    if (distributedSak === undefined) throw new Error("a SAK");
    for (let time = 0; time < 3; time += 1) server.answer({ distributedSak });
    expect(subject.all("sakRefused")).toEqual([{ kind: "sakRefused", ckn: ca.ckn, why }]);
    expect(subject.observed.troubles).toEqual([{ kind: "sakRefused", why }]);
    expect(subject.secy.log).toEqual(before.log);
    expect(subject.observed.session).toMatchObject({
      controlledPort: "secured",
      latestSak: before.session.latestSak,
    });
    // The MKPDU counts for liveness all the same.
    subject.pass(5000);
    expect(subject.observed.session.livePeers).toBe(1);
    // An acceptable SAK ends the trouble.
    server.answer({ distributedSak: server.sak(2, 1) });
    expect(subject.all("sakTaken")).toHaveLength(2);
    expect(subject.observed.troubles).toEqual([]);
  });

  it("a SAK that is distributed again and again is installed once", () => {
    const { subject, server } = member(ca);
    const { log } = subject.secy;
    const before = [...log];
    for (let time = 0; time < 5; time += 1) server.answer({ distributedSak: server.sak(1, 0) });
    expect(log).toEqual(before);
    expect(subject.all("sakRefused")).toEqual([]);
    server.answer({ distributedSak: server.sak(2, 1) });
    server.answer({ distributedSak: server.sak(2, 1) });
    expect(subject.secy.used).toHaveLength(2);
  });

  it("a SAK that has been replaced is not installed again", () => {
    const { subject, server } = member(ca);
    server.answer({ distributedSak: server.sak(2, 1) });
    server.answer({ ...server.use(2, 1, "transmit") });
    subject.pass(4000);
    server.answer({ ...server.use(2, 1, "transmit") });
    expect([...subject.secy.transmit.keys()]).toEqual([1]);
    server.answer({ distributedSak: server.sak(1, 0), ...server.use(2, 1, "transmit") });
    expect(subject.all("sakRefused")).toMatchObject([{ why: { kind: "keyNumber" } }]);
    expect(new Set(subject.secy.used).size).toBe(2);
  });

  it("a SAK of a station that is not the elected key server is ignored", () => {
    const makers: ((subject: Subject) => Puppet)[] = [
      // The station is not live.
      (subject) => {
        const one = new Puppet(subject, sciC);
        one.priority = 1;
        one.sendMkpdu({ distributedSak: one.sak(7, 2) });
        return one;
      },
      // The station has a worse priority.
      (subject) => {
        const one = new Puppet(subject, sciC);
        one.priority = 50;
        one.answer({ distributedSak: one.sak(7, 2) });
        return one;
      },
      // The station is not willing.
      (subject) => {
        const one = new Puppet(subject, sciC);
        one.priority = 1;
        one.keyServer = false;
        one.answer({ distributedSak: one.sak(7, 2) });
        return one;
      },
    ];
    for (const make of makers) {
      const { subject } = member(ca);
      make(subject);
      expect(subject.all("sakTaken")).toHaveLength(1);
      expect(subject.all("sakRefused")).toEqual([]);
      expect(subject.secy.used).toHaveLength(1);
    }
  });

  it("a SAK under an AN that another live station uses for another SAK is refused", () => {
    const { subject, server } = member(ca);
    const third = new Puppet(subject, sciC);
    third.keyServer = false;
    const { sakUse } = server.use(1, 0, "transmit") ?? {};
    third.answer(sakUse === undefined ? {} : { sakUse });
    server.answer({ distributedSak: server.sak(2, 0) });
    expect(subject.all("sakRefused")).toMatchObject([{ why: { kind: "anInUse", an: 0 } }]);
    expect(subject.secy.used).toHaveLength(1);
    // No other station uses it any more.
    subject.pass(5000);
    server.answer();
    subject.pass(5000);
    server.answer({ distributedSak: server.sak(2, 0) });
    expect(subject.all("sakTaken")).toHaveLength(2);
    expect(subject.secy.transmit.get(0)?.sak).toBe(subject.secy.used[1]);
  });

  it("an elected key server that insists on an AN in use for a life time is followed", () => {
    const { subject, server } = member(ca);
    const third = new Puppet(subject, sciC);
    third.keyServer = false;
    const { sakUse } = server.use(1, 0, "transmit") ?? {};
    const round = (): void => {
      third.answer(sakUse === undefined ? {} : { sakUse });
      server.answer({ distributedSak: server.sak(2, 0) });
    };
    const used = (): number => subject.secy.used.length;
    for (let waitedMs = 0; waitedMs < 6000; waitedMs += 2000) {
      round();
      expect(used()).toBe(1);
      expect(subject.observed.session.controlledPort).toBe("secured");
      subject.pass(2000);
    }
    expect(subject.all("sakRefused")).toHaveLength(1);
    round();
    expect(subject.all("sakTaken")).toHaveLength(2);
    expect(subject.secy.transmit.get(0)?.sak).toBe(subject.secy.used[1]);
    // The SAK that was in use is the price: nothing leaves until the key server transmits.
    expect(subject.observed.session.controlledPort).toBe("blocked");
    server.answer(server.use(2, 0, "transmit"));
    expect(subject.observed.session.controlledPort).toBe("secured");
  });

  it("a key server that gives way within a life time costs no SAK", () => {
    const { subject, server } = member(ca);
    const third = new Puppet(subject, sciC);
    third.keyServer = false;
    const { sakUse } = server.use(1, 0, "transmit") ?? {};
    const hear = (kn: number, an: number): void => {
      third.answer(sakUse === undefined ? {} : { sakUse });
      server.answer({ distributedSak: server.sak(kn, an) });
    };
    hear(2, 0);
    subject.pass(4000);
    hear(3, 1);
    server.answer(server.use(3, 1, "transmit"));
    subject.pass(4000);
    // The next dispute is another one, so its life time begins with it.
    hear(4, 0);
    expect(subject.all("sakRefused")).toHaveLength(2);
    expect(subject.all("sakTaken")).toHaveLength(2);
    expect(subject.observed.session.controlledPort).toBe("secured");
  });

  it("a peer that does not want MACsec gets no SAK, and is reported", () => {
    const subject = new Subject(ca);
    const puppet = new Puppet(subject);
    puppet.priority = 99;
    const frame = (): Uint8Array =>
      sealed(flipped(puppet.frame({ livePeers: puppet.heard }), 20, 6), ca);
    subject.hear(frame());
    subject.hear(frame());
    expect(subject.observed.session).toMatchObject({ livePeers: 1, keyServer: "self" });
    expect(subject.all("sakMade")).toEqual([]);
    expect(subject.observed.troubles).toEqual([{ kind: "peerWantsNoMacsec", sci: sciB }]);
    puppet.answer();
    expect(subject.all("sakMade")).toHaveLength(1);
  });
});

it("FPT_RPL.1: a channel that comes back continues at its sender's packet number", () => {
  const subject = new Subject(ca, { keyServerPriority: 64 });
  const server = new Puppet(subject);
  const third = new Puppet(subject, sciC);
  third.priority = 99;
  const listed = () => ({
    livePeers: [{ mi: third.mi, mn: 1 }, ...server.heard],
    keyServerSsci: 2,
    distributedSak: server.sak(1, 0),
  });
  const shown = (lowestPn: number, high: number) => {
    const { sakUse } = server.use(1, 0, "transmit", lowestPn) ?? {};
    const xpn = { suspensionSeconds: 0, latestHigh: high, oldHigh: 0 };
    return sakUse === undefined ? {} : { sakUse, xpn };
  };
  server.answer();
  third.answer();
  server.sendMkpdu(listed());
  const channel = () => subject.secy.receive.get(sciC)?.get(0);
  expect(channel()).toMatchObject({ ssci: 1, lowestPn: 1n, enabled: true });
  third.answer(shown(5, 0));
  for (let second = 0; second < 7; second += 1) {
    subject.pass(1000);
    server.sendMkpdu({ ...listed(), ...shown(1, 0) });
  }
  expect(channel()).toBeUndefined();
  expect(subject.observed.session).toMatchObject({ controlledPort: "secured", livePeers: 1 });
  third.answer(shown(7, 3));
  expect(channel()).toMatchObject({ ssci: 1, lowestPn: 0x300000007n, enabled: true });
  expect(subject.secy.used).toHaveLength(1);
});

it("a SAK that is not installed yet is given up with the last station", () => {
  const { subject, server } = member(ca);
  server.answer({ distributedSak: server.sak(2, 1) });
  server.answer(server.use(2, 1, "transmit"));
  server.answer({ ...server.use(2, 1, "transmit"), distributedSak: server.sak(3, 2) });
  expect(subject.all("sakTaken")).toHaveLength(3);
  expect([...subject.secy.transmit.keys()]).toEqual([0, 1]);
  subject.take(subject.kay.command({ kind: "removeActor", ckn: ca.ckn }, subject.now));
  subject.pass(10_000);
  expect(subject.secy.transmit.size).toBe(0);
  expect(subject.secy.receive.size).toBe(0);
  expect(subject.secy.used).toHaveLength(2);
});

it("FCS_MACSEC_EXT.3: a SAK that was given up is not installed again", () => {
  const { subject, server } = member(ca);
  subject.pass(7000);
  expect(subject.observed.session.livePeers).toBe(0);
  // A member that has given up its SAKs is a new instance.
  expect(subject.all("miRenewed")).toHaveLength(1);
  server.answer({ distributedSak: server.sak(1, 0) });
  expect(subject.observed.session).toMatchObject({ livePeers: 1, controlledPort: "blocked" });
  expect(subject.all("sakRefused")).toMatchObject([{ why: { kind: "keyNumber" } }]);
  expect(subject.secy.used).toHaveLength(1);
  server.answer({ distributedSak: server.sak(2, 0) });
  expect(subject.secy.used).toHaveLength(2);
});
