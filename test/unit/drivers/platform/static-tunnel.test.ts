// Tunnels whose keys people chose, on a Linux host: SPIs that never come back, keys that lie
// nowhere, and the one that receives before the one that sends.

import { describe, expect, it } from "vitest";
import { drivers } from "#drivers/index.ts";
import { linux } from "#drivers/linux/driver/linux.ts";
import {
  answerKeys,
  keyFrameBytesMax,
  keySocket,
  readKeyAnswer,
  type StagedSa,
  writeKeys,
} from "#drivers/linux/net/key-frames.ts";
import { fillOctets } from "#drivers/transport/octets.ts";
import { missingCapability } from "#hal/capability.ts";
import { strongValue } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import { tunnelSpec } from "../../kit/charon-kit.ts";
import { never, refused, settled } from "../../kit/site-bench.ts";
import { pairOf, staticSpec } from "../../kit/static-kit.ts";
import { TunnelBench } from "../../kit/tunnel-bench.ts";

const { name } = staticSpec;
const put = { kind: "ipsec.putTunnel", tunnel: staticSpec } as const;
const remove = { kind: "ipsec.removeTunnel", name } as const;

async function open(seed = 1): Promise<TunnelBench> {
  const bench = await TunnelBench.open();
  bench.psk = JSON.stringify(pairOf(seed));
  return bench;
}

async function spis(bench: TunnelBench): Promise<readonly number[]> {
  const tunnel = await bench.tunnel();
  const sas = tunnel === undefined ? undefined : strongValue(tunnel.sas);
  return (sas ?? []).map(({ spi }) => spi).toSorted((a, b) => a - b);
}

describe("a tunnel with static keys", () => {
  it("is blocked around first, receives before it sends, and says what it is", async () => {
    const bench = await open();
    const transaction = await bench.prepare([put]);
    expect(transaction.preview.split("\n")).toEqual([
      "+ block 10.100.0.0/16 outside of tunnels",
      "+ xfrm interface hub-1, number 42, mtu 1400",
      "+ route 10.100.0.0/16 into hub-1",
      "+ SAs of hub-1 with static keys, SPI 4097 in and 8193 out [secret static]",
      "+ ESP aes-256-cbc/sha256, ends after 3600 s or 1024 kB",
    ]);
    expect(bench.kernel.acts).toEqual([]);
    await settled(bench.clock, transaction.apply(120_000, never));
    await settled(bench.clock, transaction.confirm(never));
    const { acts, sas, newSas, policies } = bench.kernel;
    expect(acts.indexOf("newSa")).toBeGreaterThan(acts.indexOf("newRoute"));
    expect(sas.map(({ spi }) => spi)).toEqual([4_097, 8_193]);
    expect(sas.map(({ replayWindow }) => replayWindow)).toEqual([32, 0]);
    const limits = { hardAddSeconds: 3_600n, hardBytes: 1_024n * 1_024n };
    for (const sa of sas) expect(sa.limits).toMatchObject(limits);
    for (const [at, way] of (["in", "out"] as const).entries()) {
      const { encryption, integrity } = pairOf(1)[way];
      for (const key of [encryption, integrity]) {
        expect(newSas[at]?.includes(Buffer.from(key, "hex"))).toBe(true);
      }
    }
    const own = policies.filter(({ attributes }) => attributes.ifId === 42);
    expect(own.map(({ direction }) => direction).toSorted()).toEqual(["forward", "in", "out"]);
    const tunnel = await bench.tunnel();
    expect(tunnel?.ike).toMatchObject({ kind: "known", value: "static" });
    const told = tunnel === undefined ? undefined : strongValue(tunnel.sas);
    for (const { transforms } of told ?? []) {
      expect(transforms).toEqual({ ...staticSpec.transforms, dhGroup: "unknown" });
    }
    expect(bench.charon.asked.filter((one) => one.startsWith("load"))).toEqual([]);
  });

  it("put again is not touched, also by the next linkseal-net", async () => {
    const bench = await open();
    await bench.put(staticSpec);
    const before = bench.kernel.acts.length;
    await bench.put(staticSpec);
    await bench.restart();
    const { preview } = await bench.prepare([put]);
    expect(preview).toBe("");
    await bench.put(staticSpec);
    expect(bench.kernel.acts.slice(before)).toEqual([]);
  });

  it("never gets an SPI back, whatever became of its SA, with the next step", async () => {
    const bench = await open();
    await bench.put(staticSpec);
    bench.kernel.sas = [];
    const gone = await bench.tunnel();
    expect([gone?.ike, gone?.sas]).toMatchObject([{ value: "static" }, { value: [] }]);
    await bench.restart();
    bench.kernel.links = [];
    const error = await refused(bench.put(staticSpec));
    const again = "SPI 4097 of hub-1 had these keys before, and never gets them again";
    expect(error).toMatchObject({
      code: "device.rejected",
      effect: "none",
      message: `${again}; nothing was changed`,
      next: "put a version with new SPIs and new keys into the vault, at both ends",
    });
    expect(bench.kernel.sas).toEqual([]);
    // One of the two is enough.
    bench.psk = JSON.stringify({ ...pairOf(2), out: pairOf(1).out });
    expect((await refused(bench.put(staticSpec))).message).toContain("SPI 8193 of hub-1");
    bench.psk = JSON.stringify(pairOf(2));
    await bench.put(staticSpec);
    expect(await spis(bench)).toHaveLength(2);
  });

  it("has its SPIs on disk before the kernel hears of them", async () => {
    const bench = await open();
    await bench.put(staticSpec);
    const used = new TextDecoder().decode(await bench.disk.read("static-spis"));
    expect(JSON.parse(used)).toEqual({
      used: ["198.51.100.1 203.0.113.1 8193", "203.0.113.1 198.51.100.1 4097"],
    });
    bench.psk = JSON.stringify(pairOf(2));
    const transaction = await bench.prepare([put]);
    const before = bench.kernel.newSas.length;
    bench.disk.setFault("full", true);
    const error = await refused(settled(bench.clock, transaction.apply("final", never)));
    expect(error.effect).toBe("none");
    expect(bench.kernel.newSas).toHaveLength(before);
    bench.disk.setFault("full", false);
    await bench.put(staticSpec);
    expect(await spis(bench)).toHaveLength(2);
    await bench.disk.replace("static-spis", new TextEncoder().encode("{"));
    bench.psk = JSON.stringify(pairOf(3));
    const blind = await refused(bench.put(staticSpec));
    expect(blind.message).toContain("which SPIs had static keys before is not known any more");
  });

  it("goes back whole where the second SA is refused, and its SPIs are used up", async () => {
    const bench = await open();
    const transaction = await bench.prepare([put]);
    const { kernel } = bench;
    // Somebody else's.
    kernel.addSa(8_193, "out");
    kernel.sas = kernel.sas.map((sa) => ({ ...sa, attributes: { ...sa.attributes, ifId: 7 } }));
    await refused(settled(bench.clock, transaction.apply(120_000, never)));
    expect(kernel.sas.map(({ spi }) => spi)).toEqual([8_193]);
    expect(kernel.links.some((link) => link.name === name)).toBe(false);
    expect(kernel.policies.filter(({ attributes }) => attributes.ifId === 42)).toEqual([]);
    kernel.sas = [];
    expect((await refused(bench.put(staticSpec))).message).toContain("SPI 4097");
  });

  it("takes newer keys beside the old ones, which end once they are confirmed", async () => {
    const bench = await open();
    await bench.put(staticSpec);
    bench.psk = JSON.stringify(pairOf(2));
    const transaction = await bench.prepare([put]);
    await settled(bench.clock, transaction.apply(120_000, never));
    expect(await spis(bench)).toEqual([4_097, 4_098, 8_193, 8_194]);
    await settled(bench.clock, transaction.confirm(never));
    expect(await spis(bench)).toEqual([4_098, 8_194]);
  });

  it("keeps the old keys where newer ones are not confirmed in time", async () => {
    const bench = await open();
    await bench.put(staticSpec);
    bench.psk = JSON.stringify(pairOf(2));
    const transaction = await bench.prepare([put]);
    await settled(bench.clock, transaction.apply(120_000, never));
    await bench.clock.runFor(130_000);
    expect(await spis(bench)).toEqual([4_097, 8_193]);
    expect((await refused(bench.put(staticSpec))).message).toContain("SPI 4098");
  });

  it("removed is gone with its SAs and policies, and its prefix stays blocked", async () => {
    const bench = await open();
    await bench.put(staticSpec);
    await bench.commit(remove);
    expect(await bench.tunnel()).toBeUndefined();
    expect(bench.kernel.sas).toEqual([]);
    expect(bench.kernel.policies.map(({ action }) => action)).toEqual(["block", "block", "block"]);
    const { blocked } = await bench.observe();
    expect(blocked).toMatchObject({ value: ["10.100.0.0/16"] });
  });

  it("is refused before anything is sent where its algorithms count", async () => {
    const bench = await open();
    const transforms = { encryption: "aes-256-gcm", integrity: "none", dhGroup: "none" };
    const tunnel = { ...staticSpec, transforms };
    const error = await refused(bench.put(tunnel));
    expect(error).toMatchObject({ code: "device.unsupported", effect: "none" });
    const two = bench.prepare([put, { kind: "ipsec.putTunnel", tunnel: tunnelSpec }]);
    expect((await refused(two)).code).toBe("device.unsupported");
    expect(bench.kernel.acts).toEqual([]);
  });

  it.each(["sim", "junos", "iosxe", "eos", "iosxr"])("is nothing that %s offers", (driver) => {
    const offers = drivers[driver]?.offers;
    if (offers === undefined) throw new Error("no such driver");
    expect(missingCapability([put], offers)).toBe("IPsec with static keys");
  });

  it("is all that a host without charon offers", () => {
    const { commit, ipsec } = linux.offers;
    if (ipsec === undefined) throw new Error("no IPsec");
    const bare = { commit, ipsec: { ...ipsec, keying: ["static"] } } as const;
    expect(missingCapability([put], bare)).toBeUndefined();
    const byIke = { kind: "ipsec.putTunnel", tunnel: tunnelSpec } as const;
    expect(missingCapability([byIke], bare)).toBe("IPsec keyed by IKE");
  });

  it("leaves no octet of a key on disk, in a preview, in an error or in memory", async () => {
    const bench = await open();
    const transaction = await bench.prepare([put]);
    await settled(bench.clock, transaction.apply(120_000, never));
    await settled(bench.clock, transaction.confirm(never));
    const first = pairOf(1);
    bench.psk = JSON.stringify(pairOf(2));
    const again = await bench.prepare([put]);
    await bench.clock.runFor(130_000);
    const late = await refused(settled(bench.clock, again.apply("final", never)));
    expect(late.message).toContain("its keys are no longer held; prepare it again");
    bench.psk = bench.psk.replace(/[0-9a-f]{64}/, "not a key at all");
    const broken = await refused(bench.put(staticSpec));
    expect(broken.code).toBe("vault.malformedKey");
    const said = [transaction.preview, late.message, broken.message, broken.next].join("\n");
    const files = await Promise.all(
      (await bench.disk.list("")).map((file) => bench.disk.read(file)),
    );
    const all = [Buffer.from(said), ...files.map((file) => Buffer.from(file ?? []))];
    const ways = [first, pairOf(2)].flatMap(({ in: inward, out }) => [inward, out]);
    for (const key of ways.flatMap((way) => [way.encryption, way.integrity])) {
      for (const form of [key, key.toUpperCase(), Buffer.from(key, "hex")]) {
        expect(all.some((octets) => octets.includes(form))).toBe(false);
      }
    }
    expect(bench.psks.every((secret) => isWiped(() => secret.use(() => 0)))).toBe(true);
  });

  it("is handed over beside the socket of linkseal-net, and forgotten in a minute", async () => {
    expect(keySocket("/run/linkseal-net/net.sock")).toBe("/run/linkseal-net/net-keys.sock");
    const bench = await open();
    const { staged } = bench.desk ?? {};
    if (staged === undefined) throw new Error("no desk");
    const place = { destination: "198.51.100.1", spi: 4_097 };
    const key = Secret.take("key", new Uint8Array(32).fill(7));
    staged.put({ ...place, encryption: key, integrity: key.copy() });
    await bench.clock.runFor(61_000);
    expect(staged.take(place)).toBeUndefined();
    expect(isWiped(() => key.use(() => 0))).toBe(true);
  });
});

describe("a frame with keys", () => {
  const fill = (): Uint8Array => {
    const key = (octet: number) => Secret.take("key", new Uint8Array(32).fill(octet));
    const parts = writeKeys({
      ...{ destination: "198.51.100.1", spi: 4_097 },
      ...{ encryption: key(1), integrity: key(2) },
    });
    const octets = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
    fillOctets(parts, octets);
    return octets;
  };
  const taken: StagedSa[] = [];
  const answer = (octets: Uint8Array): number | undefined =>
    answerKeys((staged) => taken.push(staged), octets)[0];

  it("is taken whole, and wiped", () => {
    const octets = fill();
    expect(octets.length).toBeLessThanOrEqual(keyFrameBytesMax);
    expect(answer(octets)).toBe(0);
    expect(taken[0]).toMatchObject({ destination: "198.51.100.1", spi: 4_097 });
    expect(octets.every((octet) => octet === 0)).toBe(true);
  });

  it("is refused where it is cut, longer, or of a strange place, and wiped all the same", () => {
    const whole = fill();
    const strange = fill();
    strange[1] = 0x20;
    const cuts = Array.from({ length: whole.length }, (_, length) => fill().slice(0, length));
    for (const octets of [...cuts, Uint8Array.of(...whole, 0), strange]) {
      const before = taken.length;
      expect(answer(octets)).toBe(1);
      expect(octets.every((octet) => octet === 0)).toBe(true);
      expect(taken).toHaveLength(before);
    }
    const said = (reply: Uint8Array) => () => readKeyAnswer(reply, "hub-1");
    expect(said(Uint8Array.of(0))).not.toThrow();
    for (const reply of [[1], [], [0, 0]]) {
      expect(said(Uint8Array.from(reply))).toThrow("does not understand its keys");
    }
  });
});

function isWiped(use: () => unknown): boolean {
  try {
    use();
    return false;
  } catch {
    return true;
  }
}
