import { describe, expect, it } from "vitest";
import type { CipherSuite } from "#hal/model.ts";
import { effort } from "../../../../effort.ts";
import { caOf, pair } from "../../../kit/kay-kit.ts";
import { type Station, sciB } from "../../../kit/kay-station.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "rekey";

const lost = (...stations: Station[]): string[] => stations.flatMap(({ data }) => data.lost);
const reasons = (station: Station): string[] => station.all("sakMade").map(({ why }) => why);

describe("FCS_MKA_EXT.1: a fresh SAK", () => {
  it("rekeying by timer goes through all ANs again and again without a lost frame", async () => {
    const sakRekeyMs = 30_000;
    const { site, a, b } = pair("timer", [caOf("timer")], { sakRekeyMs });
    await site.secured();
    await site.run(sakRekeyMs * 20 + 10_000);
    expect(reasons(a)).toEqual(["first", ...Array.from({ length: 20 }, () => "timer")]);
    expect(a.all("sakMade").map(({ an }) => an)).toEqual(
      Array.from({ length: 21 }, (_, index) => index % 4),
    );
    expect(new Set(a.secy.used).size).toBe(21);
    expect(new Set(b.secy.used)).toEqual(new Set(a.secy.used));
    expect(site.broken).toEqual([]);
    expect(lost(a, b)).toEqual([]);
    // Only the SAK in use is left, at both ends.
    expect([...a.secy.transmit.keys()]).toEqual([0]);
    expect([...(b.secy.receive.get(a.sci)?.keys() ?? [])]).toEqual([0]);
    expect(reasons(b)).toEqual([]);
  });

  it("without a timer there is no rekeying by time", async () => {
    const { site, a } = pair("no timer", [caOf("no timer")]);
    await site.secured();
    await site.run(600_000);
    expect(reasons(a)).toEqual(["first"]);
  });

  it("a command brings a fresh SAK at once", async () => {
    const { site, a, b } = pair("command", [caOf("command")]);
    await site.secured();
    await site.run(10_000);
    a.command({ kind: "rekeySak" });
    await site.until("second SAK", () => b.session.latestSak?.an === 1, 1000);
    await site.run(10_000);
    expect(reasons(a)).toEqual(["first", "command"]);
    expect(a.session.latestSak).toMatchObject({ an: 1, receive: true, transmit: true });
    expect(lost(a, b)).toEqual([]);
  });

  it("a member refuses a command for a fresh SAK", async () => {
    const { site, b } = pair("member", [caOf("member")]);
    await site.secured();
    b.command({ kind: "rekeySak" });
    expect(b.all("commandRefused")).toEqual([{ kind: "commandRefused", why: "notKeyServer" }]);
  });

  it("two commands in a row make two SAKs one after the other, and no frame is lost", async () => {
    const { site, a, b } = pair("commands", [caOf("commands")]);
    await site.secured();
    await site.run(10_000);
    for (let count = 0; count < 5; count += 1) {
      a.command({ kind: "rekeySak" });
      await site.run(count * 3);
    }
    await site.run(20_000);
    expect(reasons(a)).toEqual(["first", "command", "command"]);
    expect(site.broken).toEqual([]);
    expect(lost(a, b)).toEqual([]);
  });

  const thresholds: readonly [CipherSuite, bigint][] = [
    ["gcm-aes-128", 0xc0000000n],
    ["gcm-aes-256", 0xc0000000n],
    ["gcm-aes-xpn-128", 0xc000000000000000n],
    ["gcm-aes-xpn-256", 0xc000000000000000n],
  ];
  const rows = thresholds.flatMap(([suite, from]) =>
    (["server", "member"] as const).map((whose) => [suite, whose, from] as const),
  );
  it.each(rows)(
    "under %s a fresh SAK comes by the packet numbers of the %s, from %i on",
    async (suite, whose, from) => {
      const { site, a, b } = pair("pn", [caOf("pn")], { suite });
      await site.secured();
      await site.run(10_000);
      const sender = whose === "server" ? a : b;
      const receiver = whose === "server" ? b : a;
      const sa = sender.secy.encoding;
      if (sa === undefined) throw new Error("nothing transmits");
      // There is no fresh SAK even shortly before it is due.
      sa.nextPn = from - 1000n;
      await site.run(8000);
      expect(reasons(a)).toEqual(["first"]);
      sa.nextPn = from;
      await site.until("second SAK", () => reasons(a).length === 2, 6000);
      expect(reasons(a)).toEqual(["first", "packetNumber"]);
      await site.run(10_000);
      expect(receiver.session.latestSak).toMatchObject({ an: 1, transmit: true });
      expect(sender.secy.encoding?.nextPn).toBeLessThan(1000n);
      expect(reasons(a)).toHaveLength(2);
      expect(site.broken).toEqual([]);
      expect(lost(a, b)).toEqual([]);
    },
  );

  it("FPT_RPL_EXT.1: 64-bit packet numbers pass 2^32 without a new SAK", async () => {
    const { site, a, b } = pair("beyond", [caOf("beyond")]);
    await site.secured();
    await site.run(10_000);
    const sa = a.secy.encoding;
    if (sa === undefined) throw new Error("nothing transmits");
    sa.nextPn = 0xffffff00n;
    await site.run(60_000);
    expect(a.secy.encoding?.nextPn).toBeGreaterThan(0x100000000n);
    expect(reasons(a)).toEqual(["first"]);
    expect(lost(a, b)).toEqual([]);
  });

  it("a fresh SAK comes where a live peer has lost its own", async () => {
    const { site, a, b } = pair("lost it", [caOf("lost it")]);
    await site.secured();
    await site.run(10_000);
    site.watches = "keys";
    b.secy.clear();
    b.take(b.kay.report({ kind: "lost" }, site.now));
    await site.run(1000);
    expect(b.session.controlledPort).toBe("blocked");
    await site.until("a try", () => reasons(a).includes("peerLostIt"), 10_000);
    expect(b.secy.log.at(-1)).toBe("enableTransmit");
    b.take(b.kay.report({ kind: "ready" }, site.now));
    await site.secured();
    await site.run(10_000);
    expect(site.broken).toEqual([]);
    expect(a.session.latestSak).toEqual(b.session.latestSak);
  });

  it("a fresh SAK comes at once where a peer's device is made anew at once", async () => {
    for (const role of ["server", "member"] as const) {
      const { site, a, b } = pair(`anew ${role}`, [caOf("anew")]);
      await site.secured();
      await site.run(10_000);
      site.watches = "keys";
      const station = role === "server" ? a : b;
      station.secy.clear();
      station.take(station.kay.report({ kind: "lost" }, site.now));
      station.take(station.kay.report({ kind: "ready" }, site.now));
      const same = (): boolean => a.session.latestSak?.keyId === b.session.latestSak?.keyId;
      const took = await site.until(role, () => a.isSecured && b.isSecured && same());
      expect(took, role).toBeLessThan(1000);
      await site.run(10_000);
      expect(a.session.latestSak).toEqual(b.session.latestSak);
      expect(site.broken).toEqual([]);
    }
  });

  it("a fresh SAK comes for both after the key server has lost its device", async () => {
    const { site, a, b } = pair("server lost it", [caOf("server lost it")]);
    await site.secured();
    await site.run(10_000);
    site.watches = "keys";
    a.secy.clear();
    a.take(a.kay.report({ kind: "lost" }, site.now));
    await site.run(3000);
    expect(a.secy.transmit.size).toBe(0);
    a.take(a.kay.report({ kind: "ready" }, site.now));
    await site.secured();
    await site.run(10_000);
    expect(site.broken).toEqual([]);
    expect(a.session.latestSak).toEqual(b.session.latestSak);
  });
});

describe("receive, transmit, retire", () => {
  it("a member that is slow to install delays the key server, however long", async () => {
    const { site, a, b } = pair("slow", [caOf("slow")]);
    await site.secured();
    await site.run(10_000);
    b.operationMs = 15_000;
    a.command({ kind: "rekeySak" });
    await site.run(12_000);
    expect(a.secy.encodingAn).toBe(0);
    expect(a.kay.observe(site.now).troubles).toEqual([{ kind: "peerNotReceiving", sci: sciB }]);
    expect(a.session).toMatchObject({
      latestSak: { an: 1, receive: true, transmit: false },
      oldSak: { an: 0, transmit: true },
    });
    b.operationMs = 1;
    await site.run(60_000);
    expect(a.secy.encodingAn).toBe(1);
    expect(b.secy.encodingAn).toBe(1);
    expect(a.kay.observe(site.now).troubles).toEqual([]);
    expect(site.broken).toEqual([]);
    expect(lost(a, b)).toEqual([]);
  });

  it("the old SAK stays for 3 s, and until the peer transmits under the new one", async () => {
    const { site, a, b } = pair("retire", [caOf("retire")]);
    await site.secured();
    await site.run(10_000);
    a.command({ kind: "rekeySak" });
    await site.until("A transmits", () => a.secy.encodingAn === 1);
    b.operationMs = 6000;
    await site.run(2900);
    expect([...a.secy.transmit.keys()]).toEqual([0, 1]);
    // B has asked its SecY to transmit, which takes its time.
    await site.run(4000);
    expect(a.secy.receive.get(sciB)?.has(0)).toBe(b.secy.encodingAn === 0);
    await site.run(20_000);
    expect([...a.secy.transmit.keys()]).toEqual([1]);
    expect(lost(a, b)).toEqual([]);
  });

  it("issue 32: a peer that restarts after a rekeying waits 3 s for a SAK at most", async () => {
    const ca = caOf("restarted");
    const { site, a, b } = pair("restarted", [ca]);
    await site.secured();
    await site.run(10_000);
    a.command({ kind: "rekeySak" });
    await site.until("A transmits", () => a.secy.encodingAn === 1);
    const since = site.now;
    site.watches = "keys";
    b.kill();
    b.begin("nothing", "new");
    b.add(ca);
    await site.until("another SAK", () => b.isSecured && a.secy.encodingAn === 2);
    // IEEE Std 802.1X-2020 table 9-3: the retire time of the old SAK.
    expect(site.now - since).toBeLessThan(3500);
    expect(reasons(a)).toEqual(["first", "command", "newPeer"]);
    expect(site.broken).toEqual([]);
  });

  it("issue 32: a SAK that the peer no longer has is replaced beside the old one", async () => {
    const { site, a, b } = pair("gone", [caOf("gone")]);
    await site.secured();
    await site.run(10_000);
    site.watches = "keys";
    // B answers that it receives under the second SAK, and cannot transmit under it.
    b.secy.faults.push({ kind: "enableTransmit", errno: "EIO" });
    a.command({ kind: "rekeySak" });
    await site.until("A transmits", () => a.secy.encodingAn === 1);
    const since = site.now;
    await site.until("another SAK", () => reasons(a).length === 3);
    expect(site.now - since).toBeLessThan(8000);
    expect(reasons(a).at(-1)).toBe("peerLostIt");
    await site.run(20_000);
    expect(a.session.latestSak).toMatchObject({ receive: true, transmit: true });
    expect(a.session.latestSak).toEqual(b.session.latestSak);
    expect(site.broken).toEqual([]);
  });

  it("a SAK that the SecY refuses is given up, and made anew a life time later", async () => {
    const { site, a, b } = pair("refused", [caOf("refused")]);
    await site.secured();
    await site.run(10_000);
    for (const station of [b, a]) {
      const before = a.session.latestSak?.keyId;
      station.secy.faults.push({ kind: "installTransmitSa", errno: "ENOMEM" });
      a.command({ kind: "rekeySak" });
      await site.run(3000);
      expect(station.all("secyRefused").at(-1)).toEqual({
        kind: "secyRefused",
        operation: "installTransmitSa",
        errno: "ENOMEM",
      });
      expect(station.kay.observe(site.now).troubles).toContainEqual({
        kind: "secyRefused",
        operation: "installTransmitSa",
        errno: "ENOMEM",
      });
      expect(a.secy.encoding?.keyId).toBe(b.secy.encoding?.keyId);
      expect(station.isSecured).toBe(true);
      await site.run(20_000);
      expect(a.session.latestSak?.keyId).not.toBe(before);
      expect(a.session.latestSak).toEqual(b.session.latestSak);
      expect(station.kay.observe(site.now).troubles).toEqual([]);
    }
    expect(site.broken).toEqual([]);
    expect(lost(a, b)).toEqual([]);
  });

  it.each(["installReceiveSa", "enableReceive", "enableTransmit"] as const)(
    "a refused %s loses no frame",
    async (kind) => {
      const { site, a, b } = pair(kind, [caOf(kind)]);
      await site.secured();
      await site.run(10_000);
      a.secy.faults.push({ kind, errno: "EIO" });
      a.command({ kind: "rekeySak" });
      await site.run(30_000);
      expect(a.all("secyRefused")).toHaveLength(1);
      expect(a.session.latestSak).toEqual(b.session.latestSak);
      expect(site.broken).toEqual([]);
      expect(lost(a, b)).toEqual([]);
    },
  );

  it("the refusal of a channel that exists already is not reported", async () => {
    const { site, a } = pair("there", [caOf("there")]);
    a.secy.receive.set(sciB, new Map());
    await site.secured();
    expect(a.secy.log).toContain("createReceiveSc: EEXIST");
    expect(a.all("secyRefused")).toEqual([]);
  });
});

describe("a wire that loses, doubles and reorders", () => {
  const runs = effort(12, 400);
  it(`rekeyings on that wire lose no data in ${runs} runs (seed ${seed})`, async () => {
    let rekeyings = 0;
    for (let run = 0; run < runs; run += 1) {
      const name = `${seed}/${run}`;
      const { site, a, b } = pair(name, [caOf(name)], { sakRekeyMs: 20_000 });
      const { prng } = site;
      site.faults = {
        loss: prng.real() * 0.25,
        twice: prng.real() * 0.3,
        lateMs: prng.pick([0, 5, 300]),
      };
      await site.secured(60_000);
      for (const { data } of [a, b]) data.lost.length = 0;
      for (let turn = 0; turn < 10; turn += 1) {
        await site.run(prng.between(1, 20_000));
        if (prng.chance(0.5)) a.command({ kind: "rekeySak" });
      }
      const whole = a.all("peerLost").length + b.all("peerLost").length === 0;
      // The frames of a peer that was not heard for a life time are lost with it.
      if (whole) expect(lost(a, b), name).toEqual([]);
      expect(
        site.broken.filter((line) => !line.includes("has not got it")),
        name,
      ).toEqual([]);
      if (whole) expect(site.broken, name).toEqual([]);
      rekeyings += reasons(a).length - 1;
      site.faults = { loss: 0, twice: 0, lateMs: 0 };
      await site.run(30_000);
      expect(a.isSecured && b.isSecured, name + site.describe()).toBe(true);
      expect(a.session.latestSak, name).toEqual(b.session.latestSak);
    }
    console.log(`seed ${seed}: ${rekeyings} rekeyings in ${runs} runs`);
    expect(rekeyings).toBeGreaterThan(runs * 3);
  });
});
