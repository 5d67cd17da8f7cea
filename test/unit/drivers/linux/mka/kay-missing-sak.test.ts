import { describe, expect, it } from "vitest";
import { caOf, pair } from "../../../kit/kay-kit.ts";
import type { Station } from "../../../kit/kay-station.ts";
import { member, Puppet } from "./kay-puppet.ts";
import { Subject } from "./kay-subject.ts";

const ca = caOf("missing");
const refusals = ["installReceiveSa", "installTransmitSa"] as const;

const lost = (...stations: Station[]): string[] => stations.flatMap(({ data }) => data.lost);

/** The highest key number taken from the key server is not that of a SAK in the SecY. */
function lacksItsSak(station: Station): boolean {
  const { actors, saks } = station.kay.snapshot(station.site.now);
  const kn = actors[0]?.peers[0]?.kn ?? 0;
  return kn > 0 && saks.every(({ keyIdentifier }) => keyIdentifier.kn !== kn);
}

// The key number was in the snapshot, and the wait for another SAK was not: each SAK that the key
// server distributed was refused for ever, and it made no other.
describe("a successor whose SecY lacks the SAK that its predecessor took", () => {
  it.each(refusals)("killed after a refused %s of the first SAK, it gets another", async (kind) => {
    const { site, a, b } = pair(`first ${kind}`, [ca]);
    site.watches = "keys";
    b.secy.faults.push({ kind, errno: "ENOMEM" });
    await site.until("B lacks its SAK", () => lacksItsSak(b));
    await site.run(1000);
    b.kill();
    await site.run(500);
    b.begin("memory");
    expect(await site.secured()).toBeLessThan(8000);
    await site.run(10_000);
    expect(a.all("sakMade").map(({ why }) => why)).toEqual(["first", "newPeer"]);
    expect(a.session.latestSak).toEqual(b.session.latestSak);
    expect(b.kay.observe(site.now).troubles).toEqual([]);
    expect(site.broken).toEqual([]);
  });

  it.each(refusals)("killed after a refused %s of a later SAK, it loses no frame", async (kind) => {
    const { site, a, b } = pair(`later ${kind}`, [ca]);
    await site.secured();
    await site.run(10_000);
    b.secy.faults.push({ kind, errno: "ENOMEM" });
    a.command({ kind: "rekeySak" });
    await site.until("B lacks its SAK", () => lacksItsSak(b));
    await site.run(1000);
    b.kill();
    await site.run(500);
    b.begin("memory");
    await site.run(15_000);
    expect(a.session.latestSak).toMatchObject({ an: 2, receive: true, transmit: true });
    expect(a.session.latestSak).toEqual(b.session.latestSak);
    // The key server can rekey again.
    a.command({ kind: "rekeySak" });
    await site.run(10_000);
    expect(a.session.latestSak).toMatchObject({ an: 3, receive: true, transmit: true });
    expect(a.session.latestSak).toEqual(b.session.latestSak);
    expect(site.broken).toEqual([]);
    expect(lost(a, b)).toEqual([]);
  });

  it("killed before it installed a SAK that waited, it gets another", async () => {
    const { site, a, b } = pair("waits", [ca]);
    site.watches = "keys";
    await site.secured();
    await site.run(10_000);
    b.operationMs = 400;
    a.command({ kind: "rekeySak" });
    await site.run(500);
    a.command({ kind: "rekeySak" });
    await site.until("B lacks its SAK", () => lacksItsSak(b));
    b.kill();
    await site.run(300);
    b.begin("memory");
    await site.run(30_000);
    expect(a.session.latestSak).toMatchObject({ receive: true, transmit: true });
    expect(a.session.latestSak).toEqual(b.session.latestSak);
    expect(b.kay.observe(site.now).troubles).toEqual([]);
    expect(site.broken).toEqual([]);
  });

  it("another is asked for also if the key server was silent meanwhile", () => {
    const subject = new Subject(ca, { keyServerPriority: 64 });
    const server = new Puppet(subject);
    subject.secy.faults.push({ kind: "installTransmitSa", errno: "ENOMEM" });
    server.sendMkpdu();
    server.answer({ distributedSak: server.sak(1, 0) });
    subject.restart();
    subject.pass(7000);
    expect(subject.observed.session.livePeers).toBe(0);
    const { mi } = subject.last.basic;
    for (let second = 0; second < 8; second += 1) {
      server.answer({ distributedSak: server.sak(1, 0) });
      subject.pass(1000);
    }
    expect(subject.last.basic.mi).not.toBe(mi);
    expect(subject.secy.used).toEqual([]);
    server.answer({ distributedSak: server.sak(2, 1) });
    expect(subject.secy.used).toHaveLength(1);
  });

  it("a newer SAK is taken at once, and its MI kept then", () => {
    const { subject, server } = member(ca);
    subject.secy.faults.push({ kind: "installTransmitSa", errno: "ENOMEM" });
    server.answer({ distributedSak: server.sak(2, 1) });
    subject.restart();
    server.answer({ distributedSak: server.sak(3, 2) });
    const { mi } = subject.last.basic;
    subject.pass(2000);
    server.answer(server.use(3, 2, "transmit"));
    subject.pass(5000);
    expect(subject.last.basic.mi).toBe(mi);
    expect(subject.secy.encodingAn).toBe(2);
  });
});

describe("a successor never takes the missing SAK itself", () => {
  it("however often the key server distributes it, under whichever MI of ours", () => {
    const { subject, server } = member(ca);
    subject.secy.faults.push({ kind: "installTransmitSa", errno: "ENOMEM" });
    server.answer({ distributedSak: server.sak(2, 1) });
    const { log, used } = subject.secy;
    for (let turn = 0; turn < 3; turn += 1) {
      const { mi } = subject.last.basic;
      subject.restart();
      for (let second = 0; second < 7; second += 1) {
        for (const kn of [1, 2]) server.answer({ distributedSak: server.sak(kn, kn - 1) });
        subject.pass(1000);
      }
      expect(subject.last.basic.mi).not.toBe(mi);
    }
    expect(log.filter((kind) => kind.startsWith("installTransmitSa"))).toHaveLength(2);
    expect(used).toHaveLength(1);
    server.answer({ distributedSak: server.sak(3, 2) });
    expect(used).toHaveLength(2);
  });
});
