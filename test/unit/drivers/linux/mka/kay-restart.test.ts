import { describe, expect, it } from "vitest";
import { Kay } from "#drivers/linux/mka/kay.ts";
import type { Instant } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import { caOf, pair } from "../../../kit/kay-kit.ts";
import { hexOf } from "../../../kit/kay-recorded.ts";
import { type Station, sciA, sciB, settings } from "../../../kit/kay-station.ts";
import { member, Puppet } from "./kay-puppet.ts";

const ca = caOf("restart");

const lost = (...stations: Station[]): string[] => stations.flatMap(({ data }) => data.lost);
const mnOf = (frame: Uint8Array | undefined): number =>
  new DataView((frame ?? new Uint8Array(46)).buffer).getUint32(42);
const miOf = (frame: Uint8Array | undefined): string =>
  hexOf((frame ?? new Uint8Array(0)).subarray(30, 42));

async function settled(seed: string, both = {}, cas = [ca]) {
  const ends = pair(seed, cas, both);
  await ends.site.secured();
  await ends.site.run(10_000);
  return ends;
}

describe("a successor with a snapshot", () => {
  const suites = ["gcm-aes-128", "gcm-aes-xpn-256"] as const;
  const rows = suites.flatMap((suite) =>
    (["server", "member"] as const).flatMap((role) =>
      [0, 1500, 3900].map((goneMs) => [role, suite, goneMs] as const),
    ),
  );
  it.each(rows)(
    "a successor as %s under %s, after %i ms, loses neither a frame nor a SAK",
    async (role, suite, goneMs) => {
      const { site, a, b } = await settled(`${role} ${suite} ${goneMs}`, { suite });
      const station = role === "server" ? a : b;
      const other = role === "server" ? b : a;
      const before = {
        sak: a.session.latestSak,
        frame: station.sent.at(-1),
        log: station.secy.log.length,
      };
      station.kill();
      await site.run(goneMs);
      station.begin("memory");
      // The successor is there at once, as the same member, and ahead of all that was sent.
      const [first] = station.sent.slice(-1);
      expect(miOf(first)).toBe(miOf(before.frame));
      expect(mnOf(first)).toBeGreaterThan(mnOf(before.frame));
      expect(station.isSecured).toBe(true);
      expect(station.session).toMatchObject({
        livePeers: 1,
        keyServer: role === "server" ? "self" : "peer",
      });
      await site.run(30_000);
      expect(station.secy.log.length, site.describe()).toBe(before.log);
      expect(station.session.latestSak).toEqual(before.sak);
      expect(station.session.respondedPeers).toBe(1);
      expect(other.all("peerLost")).toEqual([]);
      expect(a.all("sakMade")).toHaveLength(1);
      expect(site.broken).toEqual([]);
      expect(lost(a, b)).toEqual([]);
      // The successor can do all that its predecessor could.
      a.command({ kind: "rekeySak" });
      await site.run(10_000);
      expect(a.session.latestSak).toMatchObject({ an: 1, transmit: true });
      expect(a.session.latestSak).toEqual(b.session.latestSak);
      expect(lost(a, b)).toEqual([]);
    },
  );

  it.each(["server", "member"] as const)(
    "a successor as %s, killed at any moment of a rekeying, loses no frame",
    async (role) => {
      for (let afterMs = 0; afterMs <= 60; afterMs += 1) {
        const { site, a, b } = await settled(`any ${role} ${afterMs}`);
        const station = role === "server" ? a : b;
        a.command({ kind: "rekeySak" });
        await site.run(afterMs / 6);
        station.kill();
        await site.run(1000);
        station.begin("memory");
        await site.run(30_000);
        const name = `${afterMs / 6} ms`;
        expect(a.isSecured && b.isSecured, name).toBe(true);
        expect(a.session.latestSak, name).toEqual(b.session.latestSak);
        expect(lost(a, b).slice(0, 3), name + site.describe()).toEqual([]);
        expect(site.broken, name).toEqual([]);
      }
    },
  );

  it("a successor takes no SAK of a station that its predecessor did not know", () => {
    const { subject, server } = member(ca);
    const former = new Puppet(subject, sciB, new Prng("former").hex(12));
    const captured = former.frame({ livePeers: former.heard, distributedSak: former.sak(5, 1) });
    subject.pass(4000);
    server.answer(server.use(1, 0, "transmit"));
    subject.pass(4000);
    const { now } = subject;
    const snapshot = subject.kay.snapshot(now);
    const held = subject.secy.observe();
    const entropy = new Prng("successor");
    const wanted = { ...settings, keyServerPriority: 64 };
    const kay = new Kay({ sci: sciA, settings: wanted, entropy, now, held, snapshot });
    kay.tick(now);
    kay.receive(captured, now);
    expect(kay.observe(now).session.participants).toMatchObject([
      { livePeers: 1, potentialPeers: 1 },
    ]);
    expect(kay.snapshot(now).saks).toHaveLength(1);
    // The station that it did know is heard, whichever MN it last had from us.
    const { mi, mn } = subject.last.basic;
    kay.receive(server.frame({ livePeers: [{ mi, mn }] }), (now + 5000) as Instant);
    kay.tick((now + 7000) as Instant);
    expect(kay.observe(now).session.livePeers).toBe(1);
  });

  it("a successor has more time where the last one sent a hello before it stopped", async () => {
    const { site, a, b } = await settled("planned");
    const before = b.sent.length;
    await site.until("B speaks", () => b.sent.length > before);
    await site.run(10);
    const sent = a.sent.length;
    a.command({ kind: "hello" });
    expect(a.sent).toHaveLength(sent + 1);
    await site.run(5);
    a.kill();
    await site.run(5900);
    a.begin("memory");
    await site.run(10_000);
    expect(b.all("peerLost")).toEqual([]);
    expect(lost(a, b)).toEqual([]);
  });

  it("forty successors at chance moments lose no frame and no peer", async () => {
    const { site, a, b } = await settled("again", { sakRekeyMs: 15_000 });
    const { prng } = site;
    for (let turn = 0; turn < 40; turn += 1) {
      const station = prng.pick([a, b]);
      station.kill();
      await site.run(prng.between(0, 3500));
      station.begin("memory");
      await site.run(prng.between(100, 9000));
    }
    await site.run(30_000);
    expect(a.session.latestSak).toEqual(b.session.latestSak);
    expect(site.broken).toEqual([]);
    expect(lost(a, b)).toEqual([]);
    expect([...a.all("peerLost"), ...b.all("peerLost")]).toEqual([]);
  });

  it("a successor carries both CAs over, and a key change goes on where it was", async () => {
    const { site, a, b } = await settled("both", {}, [ca, caOf("other")]);
    for (const station of [a, b]) {
      station.kill();
      await site.run(500);
      station.begin("memory");
      await site.run(4000);
      expect(station.session.participants).toHaveLength(2);
      expect(station.session.principalCkn).toBe(ca.ckn);
    }
    a.command({ kind: "promoteActor", ckn: caOf("other").ckn });
    await site.run(10_000);
    expect(b.session.principalCkn).toBe(caOf("other").ckn);
    expect(site.broken).toEqual([]);
    expect(lost(a, b)).toEqual([]);
  });

  it("a successor after a life time is a new station to the peer, with a new SAK", async () => {
    const { site, a, b } = await settled("late");
    site.watches = "keys";
    b.kill();
    await site.run(9000);
    expect(a.isSecured).toBe(false);
    b.begin("memory");
    await site.secured();
    await site.run(10_000);
    expect(a.session.latestSak).toEqual(b.session.latestSak);
    expect(site.broken).toEqual([]);
  });

  it("a successor whose snapshot does not fit the SecY begins anew, closed", async () => {
    const { site, a, b } = await settled("contradiction");
    const stored = b.memory;
    a.command({ kind: "rekeySak" });
    await site.run(10_000);
    site.watches = "keys";
    b.kill();
    b.memory = stored;
    b.begin("memory");
    expect(b.all("secyContradicts")).toHaveLength(1);
    expect(miOf(b.sent.at(-1))).not.toBe(miOf(b.sent.at(-2)));
    expect(b.isSecured).toBe(false);
    const before = { keyId: a.session.latestSak?.keyId, log: b.secy.log.length };
    await site.run(10);
    expect(b.secy.log.slice(before.log, before.log + 3)).toEqual([
      "deleteReceiveSa",
      "deleteTransmitSa",
      "deleteReceiveSc",
    ]);
    await site.secured();
    expect(b.session.latestSak?.keyId).not.toBe(before.keyId);
    await site.run(5000);
    expect(a.session.latestSak).toEqual(b.session.latestSak);
    expect(site.broken).toEqual([]);
  });

  it("a successor with a new SecY begins anew", async () => {
    const { site, a, b } = await settled("new secy");
    site.watches = "keys";
    b.kill();
    b.begin("memory", "new");
    expect(b.all("secyContradicts")).toHaveLength(1);
    await site.secured();
    await site.run(5000);
    expect(a.session.latestSak).toEqual(b.session.latestSak);
    expect(site.broken).toEqual([]);
  });

  it("each hello of the peer changes the snapshot, which reserves MNs", async () => {
    const { site, a, b } = await settled("stored", { delayProtection: "on" });
    const before = { stored: a.remembered, heard: b.sent.length };
    await site.run(60_000);
    expect(a.remembered - before.stored).toBe(b.sent.length - before.heard);
    for (let turn = 0; turn < 60; turn += 1) {
      await site.run(10_000);
      const mn = mnOf(a.sent.at(-1));
      const { mnReserved } = a.memory?.actors[0] ?? { mnReserved: 0 };
      expect(mnReserved).toBeGreaterThan(mn + 98);
      expect(mnReserved).toBeLessThan(mn + 1001);
    }
    await site.run(100);
    const { peers } = a.memory?.actors[0] ?? { peers: [] };
    expect(peers).toMatchObject([{ mn: mnOf(b.sent.at(-1)) }]);
  });

  it("P5: a snapshot contains keys only as secrets", async () => {
    const { site, a } = await settled("secrets");
    const shown = JSON.stringify(a.kay.snapshot(site.now), (_, value: unknown) => value);
    expect(shown).toContain("[secret IEEE8021 ICK]");
    expect(shown).not.toContain(ca.cak);
    const observed = JSON.stringify([a.kay.observe(site.now), a.events], (_, value: unknown) =>
      typeof value === "bigint" ? `${value}` : value,
    );
    for (const sak of a.secy.used) {
      expect(shown).not.toContain(sak);
      expect(observed).not.toContain(sak);
    }
  });
});

describe("a successor that knows no SAK", () => {
  const rows = (["keys", "nothing"] as const).flatMap((has) =>
    (["server", "member"] as const).map((role) => [has, role] as const),
  );

  // With the keys of a sealed cache alone it once deleted the SAs at once. wpa_supplicant ignores
  // the new member until the old one has timed out, so the port was dark from the restart on.
  it.each(rows)(
    "with %s, as %s, it leaves the SAs in use alone until there is another SAK",
    async (has, role) => {
      const { site, a, b } = await settled(`${has} ${role}`);
      site.watches = "keys";
      const station = role === "server" ? a : b;
      station.kill();
      await site.run(1000);
      const before = station.secy.log.length;
      station.begin(has);
      if (has === "nothing") station.add(ca);
      expect(station.all("secyContradicts")).toEqual([]);
      const took = await site.until(
        "a second SAK",
        () => a.session.latestSak?.an === 1 && b.isSecured,
        3000,
      );
      expect(took).toBeLessThan(1000);
      expect(station.secy.log.slice(before).filter((kind) => kind.startsWith("delete"))).toEqual(
        [],
      );
      await site.run(10_000);
      expect(a.session.latestSak).toEqual(b.session.latestSak);
      expect(site.broken).toEqual([]);
      expect(lost(a, b)).toEqual([]);
    },
  );

  it.each(["keys", "nothing"] as const)(
    "with %s the SAs are given up after a life time without a peer",
    async (has) => {
      const { site, a, b } = await settled(`no peer ${has}`);
      site.watches = "keys";
      for (const station of [a, b]) station.kill();
      b.begin(has);
      await site.run(5900);
      expect(b.secy.transmit.size).toBe(1);
      await site.run(200);
      expect(b.secy.transmit.size).toBe(0);
      expect(b.secy.receive.size).toBe(0);
    },
  );

  it("with keys alone and a new SecY it begins closed, without a contradiction", async () => {
    const { site, a, b } = await settled("boot");
    site.watches = "keys";
    b.kill();
    b.begin("keys", "new");
    expect(b.all("secyContradicts")).toEqual([]);
    expect(b.isSecured).toBe(false);
    await site.secured();
    await site.run(5000);
    expect(a.session.latestSak).toEqual(b.session.latestSak);
    expect(site.broken).toEqual([]);
  });
});

describe("a peer that comes back", () => {
  it.each(["server", "member"] as const)(
    "a peer that comes back with the same SCI alone, as %s, is secured within 7 s",
    async (role) => {
      const { site, a, b } = await settled(`back ${role}`);
      site.watches = "keys";
      for (let turn = 0; turn < 6; turn += 1) {
        const station = role === "server" ? a : b;
        station.kill();
        await site.run(site.prng.between(100, 9000));
        station.begin("nothing", "new");
        station.add(ca);
        const took = await site.secured(15_000);
        expect(took, `turn ${turn}`).toBeLessThan(7000);
        await site.run(10_000);
        expect(a.session.latestSak).toEqual(b.session.latestSak);
        expect(a.session.livePeers).toBe(1);
      }
      expect(site.broken).toEqual([]);
    },
  );
});

it("an MN that wraps takes a new MI", async () => {
  const { site, a, b } = await settled("wrap");
  const [actor] = a.memory?.actors ?? [];
  if (actor === undefined || a.memory === undefined) throw new Error("nothing was told");
  a.kill();
  a.memory = { ...a.memory, actors: [{ ...actor, mnReserved: 0xfffffffd }] };
  a.begin("memory");
  expect(mnOf(a.sent.at(-1))).toBe(0xfffffffe);
  await site.run(30_000);
  const numbers = a.sent.map(mnOf);
  expect(numbers).toContain(0xffffffff);
  expect(numbers).not.toContain(0);
  expect(a.all("miRenewed")).toHaveLength(1);
  const pairs = a.sent.map((frame) => `${miOf(frame)}/${mnOf(frame)}`);
  expect(new Set(pairs).size).toBe(pairs.length);
  expect(a.session.latestSak).toEqual(b.session.latestSak);
  expect(site.broken).toEqual([]);
  expect(lost(a, b)).toEqual([]);
});

it("a KaY that was wiped sends nothing", () => {
  const kay = new Kay({ sci: sciA, settings, entropy: new Prng("wiped"), now: 0 as never });
  kay.wipe();
  expect(kay.wakeAt(0 as never)).toBeUndefined();
  expect(kay.tick(10_000 as never).filter(({ kind }) => kind === "send")).toEqual([]);
  expect(sciB).not.toBe(sciA);
});
