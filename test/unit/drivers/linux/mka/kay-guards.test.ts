import { describe, expect, it } from "vitest";
import { Prng } from "#sim/base/prng.ts";
import { caOf } from "../../../kit/kay-kit.ts";
import { keysOf, sealed } from "../../../kit/kay-recorded.ts";
import { sciA, sciB, sciC } from "../../../kit/kay-station.ts";
import { member, Puppet } from "./kay-puppet.ts";
import { Subject } from "./kay-subject.ts";

const ca = caOf("guards");

function flipped(frame: Uint8Array, octet: number, bit = 0): Uint8Array {
  const octets = Uint8Array.from(frame);
  const at = octet < 0 ? octets.length + octet : octet;
  octets[at] = (octets[at] ?? 0) ^ (1 << bit);
  return octets;
}

const observedOf = (subject: Subject): unknown => {
  const { mkpdus: _, ...observed } = subject.observed;
  return [observed, subject.sent.length, subject.operations.length, subject.events.length];
};

/** Hears a frame and expects that it changes nothing but counters, which it returns. */
function countsOnly(subject: Subject, frame: Uint8Array): Partial<Record<string, bigint>> {
  const before = { observed: observedOf(subject), counts: subject.observed.mkpdus };
  subject.hear(frame);
  expect(observedOf(subject)).toEqual(before.observed);
  const after = subject.observed.mkpdus;
  const names = [
    "icvFailed",
    "unknownCkn",
    "replayed",
    "malformed",
    "ownFrames",
    "strange",
  ] as const;
  const more = names.filter((name) => after[name] !== before.counts[name]);
  return Object.fromEntries(more.map((name) => [name, after[name] - before.counts[name]]));
}

describe("FCS_MKA_EXT.1, FPT_RPL.1: frames that are refused and counted by their reason", () => {
  it("a frame with any wrong bit in its ICV is refused", () => {
    const { subject, server } = member(ca);
    const frame = server.frame({ livePeers: server.heard });
    for (let bit = 0; bit < 128; bit += 1) {
      expect(countsOnly(subject, flipped(frame, -1 - (bit >> 3), bit & 7))).toEqual({
        icvFailed: 1n,
      });
    }
    // The forgeries have not used up the MN.
    subject.hear(frame);
    expect(subject.observed.mkpdus.replayed).toBe(0n);
  });

  it("a frame with any changed octet before its ICV is refused", () => {
    const { subject, server } = member(ca);
    const frame = server.frame({ livePeers: server.heard, ...server.use(1, 0, "transmit") });
    for (let octet = 1; octet < frame.length - 16; octet += 1) {
      const counts = countsOnly(subject, flipped(frame, octet, 2));
      expect(counts["replayed"] ?? counts["strange"] ?? counts["ownFrames"]).toBeUndefined();
    }
    subject.hear(frame);
    expect(subject.observed.mkpdus.replayed).toBe(0n);
  });

  it("malformed: an individual address, unknown agility, under 32 octets, truncated", () => {
    const { subject, server } = member(ca);
    const frame = server.frame({ livePeers: server.heard });
    const individual = sealed(flipped(frame, 0), ca);
    const agility = sealed(flipped(frame, 49), ca);
    const under = Uint8Array.from(frame);
    under[17] = 28;
    for (const bad of [individual, agility, under, frame.subarray(0, frame.length - 1)]) {
      expect(countsOnly(subject, bad)).toEqual({ malformed: 1n });
    }
    expect(subject.observed.mkpdus.malformedBy).toEqual({
      individualAddress: 1n,
      algorithmAgility: 1n,
      under32Octets: 1n,
      truncated: 1n,
    });
  });

  it("a frame with an unknown CKN is refused, whatever its ICV", () => {
    const { subject, server } = member(ca);
    const frame = server.frame({ livePeers: server.heard });
    expect(countsOnly(subject, sealed(flipped(frame, 50), ca))).toEqual({ unknownCkn: 1n });
  });

  it("FPT_RPL.1: a frame whose MN is not higher is refused as replayed, one by one", () => {
    const { subject, server } = member(ca);
    const frames = [1, 2, 3].map(() => server.frame({ livePeers: server.heard }));
    const [first, second, third] = frames;
    if (!first || !second || !third) throw new Error("three frames");
    subject.hear(second);
    for (const late of [second, first]) expect(countsOnly(subject, late)).toEqual({ replayed: 1n });
    subject.hear(third);
    expect(countsOnly(subject, third)).toEqual({ replayed: 1n });
  });

  it("a frame with an MN of 0 is refused as replayed", () => {
    const { subject } = member(ca);
    const puppet = new Puppet(subject, sciC);
    puppet.mn = -1;
    subject.hear(puppet.frame());
    puppet.mn = -1;
    expect(countsOnly(subject, puppet.frame())).toEqual({ replayed: 1n });
  });

  it("our own frames that come back are refused", () => {
    const { subject } = member(ca);
    const own = new Puppet(subject, sciA, subject.last.basic.mi);
    expect(countsOnly(subject, own.frame({ livePeers: [] }))).toEqual({ ownFrames: 1n });
  });

  it("FCS_MACSEC_EXT.1: a frame of a known station under another SCI is refused", () => {
    const { subject, server } = member(ca);
    const other = new Puppet(subject, sciC, server.mi);
    other.mn = server.mn;
    expect(countsOnly(subject, other.frame({ livePeers: server.heard }))).toEqual({ strange: 1n });
  });

  it("EAPOL that is not an MKPDU is counted as foreign", () => {
    const { subject, server } = member(ca);
    expect(countsOnly(subject, flipped(server.frame(), 15, 2))).toEqual({});
    expect(subject.observed.mkpdus.foreign).toBe(1n);
  });
});

describe("liveness", () => {
  it("a peer is live by an MN of ours from the last life time, and by no other", () => {
    const subject = new Subject(ca);
    const puppet = new Puppet(subject);
    subject.pass(1);
    const { mi, mn } = subject.last.basic;
    subject.pass(5900);
    puppet.sendMkpdu({ livePeers: [{ mi, mn: 0 }] });
    expect(subject.observed.session.livePeers).toBe(0);
    puppet.sendMkpdu({ livePeers: [{ mi: new Prng("other").hex(12), mn }] });
    expect(subject.observed.session.livePeers).toBe(0);
    puppet.sendMkpdu({ potentialPeers: [{ mi, mn }] });
    expect(subject.observed.session.livePeers).toBe(1);
    const late = new Puppet(subject, sciC);
    subject.pass(200);
    late.sendMkpdu({ livePeers: [{ mi, mn }] });
    expect(subject.observed.session.livePeers).toBe(1);
    late.answer();
    expect(subject.observed.session.livePeers).toBe(2);
  });

  it("liveness ends a life time after the last MKPDU that lists us", () => {
    const { subject, server } = member(ca);
    subject.pass(3000);
    server.answer(server.use(1, 0, "transmit"));
    subject.pass(3000);
    server.sendMkpdu();
    subject.pass(2999);
    server.sendMkpdu({ livePeers: [{ mi: subject.last.basic.mi, mn: 1 }] });
    expect(subject.observed.session.livePeers).toBe(1);
    subject.pass(2);
    expect(subject.observed.session).toMatchObject({ livePeers: 0, controlledPort: "blocked" });
    expect(subject.secy.transmit.size).toBe(0);
  });

  it("a new instance of a station replaces the old one once it has proved liveness", () => {
    const { subject, server } = member(ca);
    const again = new Puppet(subject, sciB, new Prng("again").hex(12));
    again.sendMkpdu();
    expect(subject.observed.session.participants).toMatchObject([
      { livePeers: 1, potentialPeers: 1 },
    ]);
    expect(subject.observed.session.controlledPort).toBe("secured");
    again.answer();
    expect(subject.observed.session.participants).toMatchObject([
      { livePeers: 1, potentialPeers: 0 },
    ]);
    // Nothing that the former instance sent counts any more, however recent.
    const before = subject.observed.mkpdus.replayed;
    server.answer({ distributedSak: server.sak(2, 1) });
    expect(subject.observed.mkpdus.replayed).toBe(before + 1n);
    expect(subject.observed.session.participants).toMatchObject([
      { livePeers: 1, potentialPeers: 0 },
    ]);
    subject.pass(6000);
    server.sendMkpdu();
    expect(subject.observed.session.participants).toMatchObject([{ potentialPeers: 1 }]);
  });

  it("our MI under another SCI, or ahead of us in a list, is given up for a new one", () => {
    const cases = [
      (subject: Subject) => new Puppet(subject, sciC, subject.last.basic.mi).sendMkpdu(),
      (subject: Subject) => {
        const { mi, mn } = subject.last.basic;
        new Puppet(subject, sciC).sendMkpdu({ livePeers: [{ mi, mn: mn + 1 }] });
      },
    ];
    for (const happen of cases) {
      const { subject, server } = member(ca);
      const { mi } = subject.last.basic;
      happen(subject);
      expect(subject.all("miRenewed")).toHaveLength(1);
      expect(subject.last.basic).toMatchObject({ mn: 1 });
      expect(subject.last.basic.mi).not.toBe(mi);
      // Nothing is given up for it: the station is heard again before long.
      expect(subject.observed.session.controlledPort).toBe("secured");
      server.answer();
      expect(subject.observed.session.livePeers).toBe(1);
      expect(subject.secy.transmit.size).toBe(1);
    }
  });

  it("a KaY remembers at most sixteen stations, and always the live one", () => {
    const { subject, server } = member(ca);
    for (let one = 0; one < 200; one += 1) {
      new Puppet(subject, `0200000000${one.toString(16).padStart(2, "0")}0001`).sendMkpdu();
    }
    expect(subject.observed.session.participants).toMatchObject([
      { livePeers: 1, potentialPeers: 15 },
    ]);
    server.answer();
    expect(subject.observed.session.controlledPort).toBe("secured");
    subject.pass(6000);
    expect(subject.observed.session.participants).toMatchObject([{ potentialPeers: 0 }]);
  });

  it("a KaY sends at most ten MKPDUs a second, whatever it hears", () => {
    const { subject } = member(ca);
    subject.pass(5000);
    const before = subject.sent.length;
    for (let one = 0; one < 100; one += 1) {
      new Puppet(subject, `02000000${one.toString(16).padStart(4, "0")}0001`).sendMkpdu();
      subject.pass(10);
    }
    expect(subject.sent.length - before).toBeGreaterThan(5);
    expect(subject.sent.length - before).toBeLessThanOrEqual(11);
  });
});

describe("receive, transmit", () => {
  it("a member transmits when the key server does, in whichever slot it reports so", () => {
    for (const slot of ["latest", "old"] as const) {
      const subject = new Subject(ca, { keyServerPriority: 64 });
      const server = new Puppet(subject);
      server.sendMkpdu();
      server.answer({ distributedSak: server.sak(1, 3) });
      server.answer(server.use(1, 3, "receive"));
      expect(subject.secy.encoding).toBeUndefined();
      expect(subject.last.sakUse).toMatchObject({
        latest: { an: 3, receive: true, transmit: false },
      });
      const { sakUse } = server.use(1, 3, "transmit") ?? {};
      if (sakUse?.kind !== "used") throw new Error("a use");
      const moved =
        slot === "latest" ? sakUse : { ...sakUse, latest: undefined, old: sakUse.latest };
      server.answer({ sakUse: moved });
      expect(subject.secy.encodingAn).toBe(3);
      expect(subject.last.sakUse).toMatchObject({
        latest: undefined,
        old: { an: 3, receive: true, transmit: true },
      });
      expect(subject.last.sakUse).toMatchObject({ plainTransmit: false, plainReceive: false });
    }
  });

  it("a key server distributes its SAK until the peer receives, and never again", () => {
    const subject = new Subject(ca);
    const puppet = new Puppet(subject);
    puppet.priority = 99;
    puppet.answer();
    for (let time = 0; time < 3; time += 1) {
      subject.pass(2000);
      puppet.answer();
      expect(subject.last.distributedSak).toMatchObject({ kn: 1, an: 0, confidentialityOffset: 1 });
      expect(subject.secy.encoding).toBeUndefined();
    }
    const mi = subject.last.basic.mi;
    const keyIdentifier = { mi, kn: 1 };
    const old = { keyIdentifier, an: 0, transmit: false, receive: true, lowestPn: 1 };
    const plain = { plainTransmit: false, plainReceive: false, delayProtect: false };
    puppet.answer({ sakUse: { kind: "used", latest: undefined, old, ...plain } });
    expect(subject.secy.encodingAn).toBe(0);
    expect(subject.last).not.toHaveProperty("distributedSak");
    // The peer no longer reports to receive, and the SAK may have been used.
    puppet.answer();
    subject.pass(2000);
    expect(subject.last).not.toHaveProperty("distributedSak");
    // A fresh SAK comes instead.
    puppet.answer();
    subject.pass(2600);
    puppet.answer();
    expect(subject.all("sakMade").map(({ why }) => why)).toEqual(["first", "peerLostIt"]);
    expect(subject.last.distributedSak).toMatchObject({ kn: 2, an: 1 });
  });

  it("a peer that never transmits under the new SAK keeps the old one for 20 s", () => {
    const subject = new Subject(ca);
    const puppet = new Puppet(subject);
    puppet.priority = 99;
    puppet.answer();
    const { mi } = subject.last.basic;
    const plain = { plainTransmit: false, plainReceive: false, delayProtect: false };
    const answer = (kn: number, an: number, transmit: boolean): void => {
      const latest = { keyIdentifier: { mi, kn }, an, transmit, receive: true, lowestPn: 1 };
      puppet.answer({ sakUse: { kind: "used", latest, old: undefined, ...plain } });
    };
    answer(1, 0, true);
    subject.take(subject.kay.command({ kind: "rekeySak" }, subject.now));
    answer(2, 1, false);
    expect(subject.secy.encodingAn).toBe(1);
    expect(subject.last.sakUse).toMatchObject({
      latest: { an: 1, transmit: true, receive: true },
      old: { an: 0, transmit: false, receive: true },
    });
    for (let second = 0; second < 19; second += 1) {
      subject.pass(1000);
      answer(2, 1, false);
      expect([...subject.secy.transmit.keys()]).toEqual([0, 1]);
    }
    subject.pass(1000);
    answer(2, 1, false);
    expect([...subject.secy.transmit.keys()]).toEqual([1]);
  });

  it("a restarted station does not get the SAK of the instance before", () => {
    const subject = new Subject(ca);
    const puppet = new Puppet(subject);
    puppet.priority = 99;
    puppet.answer();
    const again = new Puppet(subject, sciB, new Prng("again").hex(12));
    again.priority = 99;
    again.answer();
    expect(subject.all("sakMade").map(({ why }) => why)).toEqual(["first", "newPeer"]);
    expect(subject.last.distributedSak).toMatchObject({ kn: 2 });
    expect(subject.secy.used).toHaveLength(2);
  });

  it("the SAK for a new peer waits for others about to be live, but not a life time", () => {
    const subject = new Subject(ca);
    const first = new Puppet(subject);
    first.priority = 99;
    first.answer();
    subject.pass(100);
    const second = new Puppet(subject, sciC);
    second.priority = 99;
    const third = new Puppet(subject, "02000000000d0001");
    third.sendMkpdu();
    second.answer();
    expect(subject.all("sakMade")).toHaveLength(1);
    first.answer();
    subject.pass(5000);
    first.answer();
    second.answer();
    expect(subject.all("sakMade")).toHaveLength(1);
    subject.pass(1000);
    first.answer();
    second.answer();
    expect(subject.all("sakMade").map(({ why }) => why)).toEqual(["first", "newPeer"]);
  });
});

describe("FPT_DDP_EXT.1: delay protection", () => {
  const protect = (server: Puppet, pn: number, high?: number) => {
    const { sakUse } = server.use(1, 0, "transmit", pn) ?? {};
    if (sakUse?.kind !== "used") throw new Error("a use");
    const xpn = { suspensionSeconds: 0, latestHigh: high ?? 0, oldHigh: 0 };
    return { sakUse: { ...sakUse, delayProtect: true }, ...(high === undefined ? {} : { xpn }) };
  };
  const lowest = (subject: Subject): unknown => subject.secy.receive.get(sciB)?.get(0)?.lowestPn;

  it("frames below the peer's lowest packet number are refused from then on", () => {
    const { subject, server } = member(ca);
    server.answer(protect(server, 500, 0));
    expect(lowest(subject)).toBe(500n);
    server.answer(protect(server, 499, 0));
    expect(lowest(subject)).toBe(500n);
    // The packet number is not known without its high half.
    server.answer(protect(server, 900));
    expect(lowest(subject)).toBe(500n);
    server.answer(protect(server, 3, 1));
    expect(lowest(subject)).toBe(0x100000003n);
  });

  it("a lowest packet number without delay protection is ignored", () => {
    const { subject, server } = member(ca);
    server.answer({ ...server.use(1, 0, "transmit", 500) });
    expect(lowest(subject)).toBe(1n);
    expect(subject.last.sakUse).toMatchObject({ delayProtect: false });
  });

  it("hellos come every 0.5 s where either end wants delay protection", () => {
    for (const asked of ["here", "there", "nowhere"] as const) {
      const { subject, server } = member(ca, { delayProtection: asked === "here" ? "on" : "off" });
      subject.pass(5000);
      server.answer(asked === "there" ? protect(server, 1, 0) : server.use(1, 0, "transmit"));
      subject.pass(2500);
      const before = subject.sent.length;
      subject.pass(3000);
      expect(subject.sent.length - before, asked).toBe(asked === "nowhere" ? 1 : 6);
      expect(subject.last.sakUse).toMatchObject({ delayProtect: asked !== "nowhere" });
    }
  });

  it("our lowest packet number is that of a hello ago, reported with both halves", () => {
    const { subject, server } = member(ca);
    const sendWith = (nextPn: bigint): void => {
      const [sa] = subject.secy.transmit.values();
      if (sa !== undefined) sa.nextPn = nextPn;
      subject.take(subject.kay.compare(subject.secy.observe(), subject.now));
    };
    const halvesSent = (): unknown => {
      server.answer({ ...server.use(1, 0, "transmit") });
      subject.pass(2000);
      const { sakUse, xpn } = subject.last;
      if (sakUse?.kind !== "used") return undefined;
      return [sakUse.old?.lowestPn, xpn?.oldHigh];
    };
    expect(halvesSent()).toEqual([1, 0]);
    sendWith(0x2_0000_0007n);
    subject.pass(1900);
    server.answer();
    expect(subject.last.xpn?.oldHigh).toBe(0);
    expect(halvesSent()).toEqual([7, 2]);
  });
});

describe("FPT_RPL_EXT.1: SSCIs", () => {
  const ssciOf = (subject: Subject): unknown[] => [
    subject.secy.transmit.get(0)?.ssci,
    subject.secy.receive.get(sciB)?.get(0)?.ssci,
  ];

  const joined = (version: number, keyServerSsci: number) => {
    const subject = new Subject(ca, { keyServerPriority: 64 });
    const server = new Puppet(subject);
    server.version = version;
    server.sendMkpdu();
    server.answer({ keyServerSsci, distributedSak: server.sak(1, 0) });
    return subject;
  };

  it("the highest SCI has SSCI 1", () => {
    expect(ssciOf(joined(3, 0))).toEqual([2, 1]);
    expect(ssciOf(joined(3, 1))).toEqual([2, 1]);
  });

  it("the order of SSCIs of a version 3 key server is followed", () => {
    expect(ssciOf(joined(3, 2))).toEqual([1, 2]);
  });

  it("a key server before version 3 reports no order of SSCIs", () => {
    expect(ssciOf(joined(1, 2))).toEqual([2, 1]);
  });

  it("a SAK whose order of SSCIs leaves us out is refused", () => {
    const subject = new Subject(ca, { keyServerPriority: 64 });
    const server = new Puppet(subject);
    server.sendMkpdu();
    server.sendMkpdu({
      potentialPeers: server.heard,
      livePeers: [{ mi: new Prng("other").hex(12), mn: 1 }],
      keyServerSsci: 1,
      distributedSak: server.sak(1, 0),
    });
    expect(subject.all("sakRefused")).toMatchObject([{ why: { kind: "notMember" } }]);
    expect(subject.secy.used).toEqual([]);
  });

  it("a key server reports its order of SSCIs with the SAK", () => {
    const subject = new Subject(ca);
    const puppet = new Puppet(subject);
    puppet.priority = 99;
    puppet.answer();
    expect(subject.last).toMatchObject({ keyServerSsci: 2, livePeers: [{ mi: puppet.mi }] });
    expect(subject.last.announced).toEqual([{ suiteId: "0080c20001000004", capability: 2 }]);
  });

  it("no SSCIs are used without extended packet numbering", () => {
    const subject = new Subject(ca, { suite: "gcm-aes-128" });
    const puppet = new Puppet(subject);
    puppet.priority = 99;
    puppet.answer();
    expect(subject.last).toMatchObject({ keyServerSsci: 0 });
    expect(subject.last.distributedSak).toMatchObject({ suiteId: undefined });
    expect(subject.last).not.toHaveProperty("xpn");
    expect(subject.secy.transmit.get(0)).toMatchObject({ ssci: undefined, salt: undefined });
  });
});

it("the keys of a CA that is removed are wiped", () => {
  const { subject } = member(ca);
  const { kay, now } = subject;
  const [actor] = kay.snapshot(now).actors;
  expect(actor?.ick.equals(keysOf(ca).ick)).toBe(true);
  subject.take(kay.command({ kind: "removeActor", ckn: ca.ckn }, now));
  expect(kay.snapshot(now).actors).toEqual([]);
});
