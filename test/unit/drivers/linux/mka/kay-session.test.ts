import { describe, expect, it } from "vitest";
import type { CipherSuite } from "#hal/model.ts";
import { caOf, pair, Site } from "../../../kit/kay-kit.ts";
import { sciA, sciB, sciC } from "../../../kit/kay-station.ts";

const suites: readonly CipherSuite[] = [
  "gcm-aes-128",
  "gcm-aes-256",
  "gcm-aes-xpn-128",
  "gcm-aes-xpn-256",
];

describe("two stations with one CAK", () => {
  it.each(suites)(
    "two stations with one CAK secure the link under %s and lose no frame",
    async (suite) => {
      const { site, a, b } = pair(suite, [caOf(suite)], { suite });
      expect(await site.secured()).toBeLessThan(1000);
      await site.run(20_000);
      expect(a.session).toMatchObject({ keyServer: "self", livePeers: 1, respondedPeers: 1 });
      expect(b.session).toMatchObject({ keyServer: "peer", livePeers: 1, respondedPeers: 1 });
      expect(a.session.latestSak).toEqual(b.session.latestSak);
      expect(a.session.latestSak).toMatchObject({ receive: true, transmit: true });
      expect(a.session.oldSak).toBeUndefined();
      expect(a.kay.observe(site.now).liveSuite).toBe(suite);
      expect(site.broken).toEqual([]);
      expect([...a.data.lost, ...b.data.lost]).toEqual([]);
      expect(a.data.arrived).toBeGreaterThan(300);
      expect(a.all("sakMade")).toMatchObject([{ why: "first" }]);
      const wide = suite === "gcm-aes-256" || suite === "gcm-aes-xpn-256";
      for (const sak of a.secy.used) expect(sak).toHaveLength(wide ? 64 : 32);
    },
  );

  it("FAU_GEN.1: CA, session, SAK and its use are events, in order and by name", async () => {
    const one = caOf("audit");
    const { site, a, b } = pair("audit", [one]);
    await site.secured();
    const { keyId = "" } = a.session.latestSak ?? {};
    const { ckn } = one;
    const known = (sci: string, is: "self" | "peer") => [
      { kind: "caCreated", ckn },
      { kind: "principal", ckn },
      { kind: "peerLive", ckn, sci },
      { kind: "keyServer", ckn, is },
    ];
    const used = [
      { kind: "sakInUse", keyId },
      { kind: "controlledPort", is: "secured" },
    ];
    const made = { kind: "sakMade", ckn, keyId, an: 0, why: "first" };
    expect(a.events).toEqual([...known(sciB, "self"), made, ...used]);
    expect(b.events).toEqual([
      ...known(sciA, "peer"),
      { kind: "sakTaken", ckn, keyId, an: 0 },
      ...used,
    ]);
  });

  const lengths = [
    [1, 16],
    [2, 32],
    [5, 16],
    [15, 32],
    [16, 16],
    [17, 32],
    [31, 16],
    [32, 32],
  ] as const;
  it.each(lengths)(
    "FIA_PSK_EXT.1, FMT_SMF.1: a CKN of %i and a CAK of %i octets secure the link",
    async (cknBytes, cakBytes) => {
      const { site } = pair("lengths", [caOf("one", cknBytes, cakBytes)], {
        suite: cakBytes === 16 ? "gcm-aes-256" : "gcm-aes-128",
      });
      await site.secured();
      expect(site.broken).toEqual([]);
    },
  );

  it("two stations with the same CKN and another CAK get no SAK, and count why", async () => {
    const one = caOf("one");
    const site = new Site("cak mismatch");
    const a = site.add({ sci: sciA, cas: [one] });
    const b = site.add({ sci: sciB, cas: [{ ...caOf("two"), ckn: one.ckn }] });
    await site.run(30_000);
    for (const station of [a, b]) {
      const { mkpdus, session } = station.kay.observe(site.now);
      expect(mkpdus.icvFailed).toBeGreaterThan(10n);
      expect(mkpdus).toMatchObject({ unknownCkn: 0n, replayed: 0n, malformed: 0n });
      expect(mkpdus.received).toBe(mkpdus.icvFailed);
      expect(session).toMatchObject({ controlledPort: "blocked", livePeers: 0 });
      expect(session.participants).toMatchObject([{ potentialPeers: 0, state: "active" }]);
      expect(station.secy.log).toEqual([]);
    }
  });

  it("two stations with different CKNs get no SAK, and count why", async () => {
    const site = new Site("ckn mismatch");
    const a = site.add({ sci: sciA, cas: [caOf("one")] });
    const b = site.add({ sci: sciB, cas: [caOf("two")] });
    await site.run(30_000);
    for (const { kay, secy } of [a, b]) {
      const { mkpdus } = kay.observe(site.now);
      expect(mkpdus.unknownCkn).toBeGreaterThan(10n);
      expect(mkpdus).toMatchObject({ icvFailed: 0n, replayed: 0n, malformed: 0n });
      expect(secy.log).toEqual([]);
    }
  });

  it("CKNs that differ by zeros at their end alone belong to different CAs", async () => {
    const one = caOf("one", 4);
    const site = new Site("padding");
    const a = site.add({ sci: sciA, cas: [one] });
    site.add({ sci: sciB, cas: [{ ...one, ckn: `${one.ckn}00` as typeof one.ckn }] });
    await site.run(10_000);
    expect(a.kay.observe(site.now).mkpdus.unknownCkn).toBeGreaterThan(3n);
    expect(a.isSecured).toBe(false);
  });
});

describe("different suites at both ends", () => {
  const rows = suites.flatMap((one) =>
    suites.filter((other) => other !== one).map((other) => [one, other] as const),
  );
  it.each(rows)(
    "suites that differ, key server %s and member %s, are reported and never secured",
    async (one, other) => {
      const site = new Site(`${one} ${other}`);
      const a = site.add({ sci: sciA, cas: [caOf("suite")], suite: one });
      const b = site.add({ sci: sciB, cas: [caOf("suite")], suite: other, keyServerPriority: 32 });
      let secured = 0;
      for (let second = 0; second < 30; second += 1) {
        await site.run(1000);
        if (a.isSecured || b.isSecured) secured += 1;
      }
      expect(secured).toBe(0);
      expect(b.all("sakRefused")).toEqual([
        { kind: "sakRefused", ckn: caOf("suite").ckn, why: { kind: "suite", offered: one } },
      ]);
      expect(b.kay.observe(site.now).troubles).toContainEqual({
        kind: "sakRefused",
        why: { kind: "suite", offered: one },
      });
      expect(b.kay.observe(site.now).liveSuite).toBeUndefined();
      expect(b.secy.log).toEqual(["createReceiveSc"]);
      expect(a.kay.observe(site.now).troubles).toEqual(
        expect.arrayContaining([
          { kind: "suiteNotAnnounced", announced: [other] },
          { kind: "peerNotReceiving", sci: sciB },
        ]),
      );
      expect(a.session).toMatchObject({ livePeers: 1, respondedPeers: 0 });
      expect(a.secy.encoding).toBeUndefined();
    },
  );

  it("suites that differ at first secure the link once one end follows", async () => {
    const site = new Site("follow");
    const a = site.add({ sci: sciA, cas: [caOf("suite")], suite: "gcm-aes-256" });
    const b = site.add({ sci: sciB, cas: [caOf("suite")], keyServerPriority: 32 });
    await site.run(10_000);
    for (const suite of ["gcm-aes-256", "gcm-aes-xpn-128"] as const) {
      b.secy.clear();
      const wanted = { ...b.settings, suite };
      b.command({ kind: "configure", settings: wanted });
      b.take(b.kay.report({ kind: "ready" }, site.now));
      await site.run(10_000);
      expect(b.isSecured).toBe(suite === "gcm-aes-256");
    }
    a.secy.clear();
    a.command({ kind: "configure", settings: { ...a.settings, suite: "gcm-aes-xpn-128" } });
    expect(a.kay.observe(site.now).troubles).toContainEqual({ kind: "deviceLost" });
    a.take(a.kay.report({ kind: "ready" }, site.now));
    await site.secured();
    expect(b.kay.observe(site.now).liveSuite).toBe("gcm-aes-xpn-128");
  });
});

describe("the key server", () => {
  const rows = [
    { who: "the lower priority", priorityA: 16, priorityB: 32, is: "self" },
    { who: "the lower priority, of the higher SCI", priorityA: 32, priorityB: 16, is: "peer" },
    { who: "of the same priority the lower SCI", priorityA: 16, priorityB: 16, is: "self" },
    { who: "never one of priority 255", priorityA: 255, priorityB: 254, is: "peer" },
    { who: "the best of all", priorityA: 0, priorityB: 254, is: "self" },
  ] as const;
  it.each(rows)("the key server is $who", async ({ priorityA, priorityB, is }) => {
    const site = new Site("election");
    const cas = [caOf("election")];
    const a = site.add({ sci: sciA, cas, keyServerPriority: priorityA });
    const b = site.add({ sci: sciB, cas, keyServerPriority: priorityB });
    await site.secured();
    expect(a.session.keyServer).toBe(is);
    expect(b.session.keyServer).toBe(is === "self" ? "peer" : "self");
    const priority = is === "self" ? priorityA : priorityB;
    expect(a.session.keyServerPriority).toBe(priority);
    expect(b.session.keyServerPriority).toBe(priority);
    expect([...a.all("sakMade"), ...b.all("sakMade")]).toHaveLength(1);
  });

  it("two stations of which neither is willing have no key server", async () => {
    const { site, a, b } = pair("unwilling", [caOf("unwilling")], { keyServerPriority: 255 });
    b.command({ kind: "configure", settings: { ...b.settings, keyServerPriority: 255 } });
    await site.run(10_000);
    expect(a.session).toMatchObject({ keyServer: "none", livePeers: 1, controlledPort: "blocked" });
    expect(a.kay.observe(site.now).troubles).toEqual([{ kind: "noKeyServer" }]);
    expect(a.session.keyServerPriority).toBeUndefined();
  });

  it("the key server changes with the priorities, without a lost frame", async () => {
    const { site, a, b } = pair("priorities", [caOf("priorities")]);
    await site.secured();
    a.command({ kind: "configure", settings: { ...a.settings, keyServerPriority: 100 } });
    await site.until("B serves", () => b.session.keyServer === "self");
    await site.run(10_000);
    expect(a.session.keyServer).toBe("peer");
    expect(b.all("sakMade")).toMatchObject([{ why: "keyServer" }]);
    expect(a.session.latestSak).toEqual(b.session.latestSak);
    expect(site.broken).toEqual([]);
    expect([...a.data.lost, ...b.data.lost]).toEqual([]);
  });
});

describe("three stations with one CAK", () => {
  it.each(["gcm-aes-128", "gcm-aes-xpn-256"] as const)(
    "three stations with one CAK share one SAK under %s",
    async (suite) => {
      const site = new Site(`three ${suite}`);
      const cas = [caOf("three")];
      site.watches = "keys";
      const all = [sciA, sciB, sciC].map((sci, index) =>
        site.add({ sci, cas, suite, keyServerPriority: 16 * index }),
      );
      const [a, b, c] = all;
      await site.until("two peers each", () => all.every(({ session }) => session.livePeers === 2));
      await site.until("one SAK", () =>
        all.every(
          ({ session }) => session.respondedPeers === 2 && session.controlledPort === "secured",
        ),
      );
      await site.run(10_000);
      const keys = new Set(all.map(({ session }) => session.latestSak?.keyId));
      expect(keys.size).toBe(1);
      expect(site.broken).toEqual([]);
      for (const one of all) one.data.lost.length = 0;
      site.watches = "all";
      a?.command({ kind: "rekeySak" });
      await site.run(10_000);
      expect(all.flatMap(({ data }) => data.lost)).toEqual([]);
      expect(site.broken).toEqual([]);
      if (suite === "gcm-aes-128") return;
      // The numerically highest SCI has SSCI 1.
      const ssciOf = (station: typeof a): unknown => station?.secy.encoding?.ssci;
      expect([ssciOf(a), ssciOf(b), ssciOf(c)]).toEqual([3, 2, 1]);
    },
  );

  it("a third station gets a fresh SAK, and so do the others", async () => {
    const { site, a, b } = pair("third", [caOf("third")]);
    await site.secured();
    await site.run(10_000);
    const before = a.session.latestSak?.keyId;
    site.watches = "keys";
    const c = site.add({ sci: sciC, cas: [caOf("third")], keyServerPriority: 64 });
    await site.until("all three", () => c.isSecured && c.session.respondedPeers === 2);
    expect(a.session.latestSak?.keyId).not.toBe(before);
    expect(a.all("sakMade").at(-1)).toMatchObject({ why: "newPeer" });
    expect(b.session.latestSak?.keyId).toBe(a.session.latestSak?.keyId);
    // A link of two stations has one live peer at each end.
    expect(a.session.livePeers).toBe(2);
    // A station that leaves loses its channel, and the others go on with their SAK.
    const shared = a.session.latestSak?.keyId;
    c.kill();
    await site.run(10_000);
    expect([...a.secy.receive.keys()]).toEqual([sciB]);
    expect(a.session.latestSak?.keyId).toBe(shared);
    expect(b.isSecured).toBe(true);
  });
});

describe("FCS_MKA_EXT.1: hello and life time", () => {
  it("hellos of a settled station go out every 2.0 s, with rising MNs", async () => {
    const { site, a } = pair("hello", [caOf("hello")]);
    await site.secured();
    await site.run(10_000);
    const before = a.sent.length;
    await site.run(20_000);
    expect(a.sent.length - before).toBe(10);
    const numbers = a.sent.map((frame) => new DataView(frame.buffer).getUint32(42));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });

  it("a silent peer is lost 6.0 s after its last MKPDU, and the port is closed", async () => {
    const { site, a, b } = pair("life", [caOf("life")]);
    await site.secured();
    await site.run(10_000);
    const before = b.sent.length;
    await site.until("one more", () => b.sent.length > before);
    const heardAt = site.now + 1;
    b.kill();
    await site.run(heardAt + 5999 - site.now);
    expect(a.isSecured).toBe(true);
    expect(a.secy.encoding).toBeDefined();
    await site.run(2);
    expect(a.session).toMatchObject({ controlledPort: "blocked", livePeers: 0 });
    await site.run(10);
    expect(a.secy.transmit.size).toBe(0);
    expect(a.secy.receive.size).toBe(0);
    expect(a.all("peerLost")).toMatchObject([{ sci: sciB }]);
    expect(a.all("controlledPort").at(-1)).toMatchObject({ is: "blocked" });
  });
});
