import { describe, expect, it } from "vitest";
import { hasIcv } from "#drivers/linux/mka/keys.ts";
import { locate } from "#drivers/linux/mka/mkpdu.ts";
import type { Instant } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../../../effort.ts";
import { caOf } from "../../../kit/kay-kit.ts";
import { built, keysOf, recordedFrames, sealed, type TestCa } from "../../../kit/kay-recorded.ts";
import { member, Puppet } from "./kay-puppet.ts";
import { Subject } from "./kay-subject.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "hostile";
const runs = effort(10_000, 1_000_000);
const megabyte = 1024 * 1024;
const ca = caOf("hostile");

/** Everything about the KaY except its counters. */
function state({ kay }: Subject, now: Instant): string {
  const { mkpdus: _, ...observed } = kay.observe(now);
  const { actors, ...rest } = kay.snapshot(now);
  const known = actors.map(({ ick, kek, ...actor }) => {
    ick[Symbol.dispose]();
    kek[Symbol.dispose]();
    return actor;
  });
  return JSON.stringify([observed, known, rest, kay.wakeAt(now)]);
}

function mutated(prng: Prng, frames: readonly Uint8Array[]): Uint8Array {
  const octets = Uint8Array.from(prng.pick(frames));
  for (let change = prng.between(1, 4); change > 0; change -= 1) {
    const at = prng.between(prng.chance(0.9) ? 18 : 0, octets.length - 1);
    if (prng.chance(0.5)) octets[at] = prng.uint32();
    else octets[at & ~1] = prng.pick([0, 1, 2, 3, 4, 7, 8, 15, 16, 0x1f, 0xff]);
  }
  if (prng.chance(0.1)) return octets.slice(0, prng.between(0, octets.length));
  // Most frames would be refused for their length otherwise.
  if (octets.length > 18) new DataView(octets.buffer).setUint16(16, octets.length - 18);
  return octets;
}

const isOurs = (frame: Uint8Array, of: TestCa): boolean => {
  const located = locate(frame);
  return (
    located.kind === "located" &&
    located.ckn === of.ckn &&
    hasIcv(keysOf(of).ick, located.octets, located.icv)
  );
};

/** MKPDUs of the peer with every parameter set in them, and recorded ones. */
function material(server: Puppet): Uint8Array[] {
  const sakUse = server.use(1, 0, "transmit");
  const xpn = { suspensionSeconds: 0, latestHigh: 0, oldHigh: 1 };
  const announced = [{ suiteId: "0080c20001000004", capability: 2 }];
  const rest = { livePeers: server.heard, ...sakUse, xpn, announced };
  return [
    server.frame(rest),
    server.frame({ ...rest, distributedSak: server.sak(2, 1) }),
    server.frame({ potentialPeers: server.heard, icvIndicator: "present" }),
    ...recordedFrames.map(({ mkpdu }) =>
      built({ ...mkpdu, basic: { ...mkpdu.basic, ckn: ca.ckn } }, ca),
    ),
  ];
}

describe("damaged MKPDUs", () => {
  it(`${runs} damaged MKPDUs without the right ICV change nothing, bounded (seed ${seed})`, () => {
    const prng = new Prng(seed);
    const { subject, server } = member(ca);
    const frames = material(server);
    const before = { state: state(subject, subject.now), rss: process.memoryUsage.rss() };
    let skipped = 0;
    for (let run = 0; run < runs; run += 1) {
      const frame = mutated(prng, frames);
      if (isOurs(frame, ca)) {
        skipped += 1;
        continue;
      }
      const outputs = subject.kay.receive(frame, subject.now);
      const name = `seed ${seed}, run ${run}: ${Buffer.from(frame).toString("hex")}`;
      if (outputs.length > 0) throw new Error(name);
      if (run % 500 === 0) expect(state(subject, subject.now), name).toBe(before.state);
    }
    const grown = (process.memoryUsage.rss() - before.rss) / megabyte;
    const { mkpdus } = subject.observed;
    const reasons = Object.entries(mkpdus.malformedBy).map(([why, count]) => `${why} ${count}`);
    console.log(`seed ${seed}: ICV ${mkpdus.icvFailed}, ${reasons.join(", ")}`);
    expect(state(subject, subject.now)).toBe(before.state);
    expect(mkpdus.icvFailed).toBeGreaterThan(BigInt(runs) / 20n);
    expect(mkpdus.unknownCkn).toBeGreaterThan(BigInt(runs) / 20n);
    expect(mkpdus.malformed).toBeGreaterThan(BigInt(runs) / 20n);
    expect(skipped).toBeLessThan(runs / 20);
    expect(grown).toBeLessThan(200);
  });

  it(`${runs / 5} damaged MKPDUs with a right ICV are read or refused (seed ${seed})`, () => {
    const prng = new Prng(`${seed} member`);
    const { subject, server } = member(ca);
    const frames = material(server);
    const before = process.memoryUsage.rss();
    for (let run = 0; run < runs / 5; run += 1) {
      const changed = mutated(prng, frames);
      const frame = changed.length < 66 ? changed : sealed(changed, ca);
      const name = `seed ${seed}, run ${run}: ${Buffer.from(frame).toString("hex")}`;
      try {
        subject.hear(frame);
      } catch (error) {
        throw new Error(name, { cause: error });
      }
      if (run % 50 === 0) subject.pass(prng.between(0, 500));
      const { session } = subject.observed;
      const [one] = session.participants;
      expect((one?.livePeers ?? 0) + (one?.potentialPeers ?? 0), name).toBeLessThanOrEqual(16);
      expect(subject.secy.transmit.size, name).toBeLessThanOrEqual(2);
      subject.sent.length = Math.min(subject.sent.length, 1);
      subject.events.length = 0;
      subject.operations.length = 0;
    }
    const grown = (process.memoryUsage.rss() - before) / megabyte;
    expect(new Set(subject.secy.used).size).toBe(subject.secy.used.length);
    expect(subject.observed.mkpdus.malformed).toBeGreaterThan(BigInt(runs) / 500n);
    expect(grown).toBeLessThan(200);
  });
});

it("a peer of each version of MKA, 1 to 255, gets a SAK and has it in use", () => {
  for (let version = 1; version <= 255; version += 1) {
    const subject = new Subject(ca);
    const peer = new Puppet(subject);
    peer.version = version;
    peer.keyServer = false;
    peer.sendMkpdu();
    peer.answer();
    const { mi, mn } = subject.last.basic;
    const [made] = subject.all("sakMade");
    expect(made?.keyId, `version ${version}`).toBe(`${mi}/1`);
    peer.answer({ livePeers: [{ mi, mn }], ...peer.use(1, made?.an ?? 0, "receive", 1, mi) });
    expect(subject.observed.session, `version ${version}`).toMatchObject({
      controlledPort: "secured",
      respondedPeers: 1,
    });
  }
});
