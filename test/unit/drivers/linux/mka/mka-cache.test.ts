// The keys of a port over a boot.

import { describe, expect, it } from "vitest";
import { KeyCache } from "#drivers/linux/mka/cache.ts";
import type { MkaMemory } from "#drivers/linux/mka/control-server.ts";
import { seal, unseal } from "#drivers/linux/mka/keys.ts";
import { readMemory } from "#drivers/linux/mka/memory.ts";
import { Malformed } from "#hal/decoder.ts";
import { Secret } from "#hal/secret.ts";
import type { WallTime } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import { caOf } from "../../../kit/kay-kit.ts";
import { hexOf, keysOf, type TestCa } from "../../../kit/kay-recorded.ts";
import { hosts } from "./mka-host.ts";

const keyOf = (fill: number): Secret => Secret.take("cache key", new Uint8Array(32).fill(fill));
const settings = { keyServerPriority: 9, sakRekeyMs: undefined, delayProtection: "off" } as const;
const [one, two] = [caOf("one"), caOf("two")];

function memoryOf(cas: readonly TestCa[], more: Partial<MkaMemory> = {}): MkaMemory {
  const actors = cas.map((ca) => {
    const { ick, kek } = keysOf(ca);
    return { ckn: ca.ckn, ick, kek, mi: "ab".repeat(12), mnReserved: 5000, kn: 3, peers: [] };
  });
  const snapshot = { actors, principal: cas[0]?.ckn, saks: [], kept: [], spent: [], lastAn: 2 };
  return { settings, pending: undefined, snapshot, ...more };
}

const cacheOf = (fill = 7, port = "p1"): KeyCache =>
  new KeyCache(keyOf(fill), port, new Prng(`cache ${fill}`));

function sealedOf(cache: KeyCache, memory: MkaMemory): Uint8Array {
  const sealed = cache.seal(memory);
  if (sealed === undefined) throw new Error("nothing was sealed");
  return sealed;
}

describe("the sealed keys of a port", () => {
  it("cached keys come back as another member of the same CAs", () => {
    const memory = memoryOf([one, two]);
    const sealed = sealedOf(cacheOf(), memory);
    const back = cacheOf().unseal(sealed);
    expect(back?.settings).toEqual(settings);
    expect(back?.pending).toBeUndefined();
    const actors = back?.snapshot?.actors ?? [];
    expect(actors.map(({ ckn }) => ckn)).toEqual([one.ckn, two.ckn]);
    actors.forEach(({ ick, kek, mi, mnReserved, kn }, index) => {
      const keys = keysOf(index === 0 ? one : two);
      expect([ick.equals(keys.ick), kek.equals(keys.kek)]).toEqual([true, true]);
      // The cache does not know what was sent since then: under its former MI the member would be a
      // replay.
      expect([mi === "ab".repeat(12), mnReserved, kn]).toEqual([false, 0, 0]);
    });
    expect(new Set(actors.map(({ mi }) => mi)).size).toBe(2);
  });

  it("a cache shows no key in the clear, and no octets of it twice", () => {
    const [first, second] = [7, 7].map(() => hexOf(sealedOf(cacheOf(), memoryOf([one]))));
    const { ick, kek } = keysOf(one);
    for (const key of [ick, kek]) {
      expect(first).not.toContain(key.use((bytes) => hexOf(Uint8Array.from(bytes))).slice(0, 16));
    }
    expect(first).toBe(second);
    const cache = cacheOf();
    const again = [memoryOf([one]), memoryOf([one, two])].map((memory) => cache.seal(memory));
    expect(hexOf(again[0]?.subarray(0, 12) ?? new Uint8Array())).not.toBe(
      hexOf(again[1]?.subarray(0, 12) ?? new Uint8Array()),
    );
  });

  it("a cache opens on its own host and port alone, and only unchanged", () => {
    const sealed = sealedOf(cacheOf(), memoryOf([one]));
    expect(cacheOf(8).unseal(sealed)).toBeUndefined();
    expect(cacheOf(7, "p2").unseal(sealed)).toBeUndefined();
    for (let at = 0; at < sealed.length; at += 1) {
      const damaged = Uint8Array.from(sealed);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      expect(cacheOf().unseal(damaged)).toBeUndefined();
      expect(cacheOf().unseal(sealed.subarray(0, at))).toBeUndefined();
    }
  });

  it("the cache is written for new keys or settings, and only once they are confirmed", () => {
    const cache = cacheOf();
    expect(cache.seal(memoryOf([one]))).toBeDefined();
    expect(cache.seal(memoryOf([one]))).toBeUndefined();
    const pending = { token: "t", preview: "", leftMs: 5, undo: [] };
    expect(cache.seal(memoryOf([one, two], { pending }))).toBeUndefined();
    expect(cache.seal(memoryOf([one, two]))).toBeDefined();
    expect(cache.seal(memoryOf([two]))).toBeDefined();
    const other = { ...settings, keyServerPriority: 10 };
    expect(cache.seal(memoryOf([two], { settings: other }))).toBeDefined();
    expect(cache.seal({ settings, pending: undefined, snapshot: undefined })).toBeUndefined();
  });

  // A full disk kept the former keys in the file for ever: a boot found keys that the far end had
  // given up.
  it("octets that did not reach the disk are sealed again", () => {
    const cache = cacheOf();
    sealedOf(cache, memoryOf([one]));
    cache.unwritten();
    const again = cacheOf().unseal(sealedOf(cache, memoryOf([one])));
    expect(again?.snapshot?.actors.map(({ ckn }) => ckn)).toEqual([one.ckn]);
    expect(cache.seal(memoryOf([one]))).toBeUndefined();
  });

  it("cached keys protect a port after a boot without agent or vault", async () => {
    const { clock, a, b } = hosts();
    const cache = cacheOf();
    for (const host of [a, b]) await host.add(one);
    await clock.runFor(8000);
    expect(await a.isSecured()).toBe(true);
    const sealed = sealedOf(cache, a.remembered());
    a.kill();
    a.kernel.secy = undefined;
    await clock.runFor(60_000);
    const back = cacheOf(7).unseal(sealed);
    if (back === undefined) throw new Error("nothing came back");
    a.make("gcm-aes-xpn-256");
    a.start(back);
    await clock.runFor(15_000);
    expect([await a.isSecured(), await b.isSecured()]).toEqual([true, true]);
    expect(a.kernel.saks).toEqual(b.kernel.saks);
  });
});

it("the plain octets of a cache are wiped once they are read, also if they are damaged", () => {
  const key = keyOf(7);
  const sealed = sealedOf(cacheOf(), memoryOf([one]));
  for (const damage of [false, true]) {
    const plain = unseal(key, sealed, "p1") ?? new Uint8Array();
    const { ick } = keysOf(one);
    expect(hexOf(plain)).toContain(ick.use((bytes) => hexOf(Uint8Array.from(bytes))));
    if (damage) plain[4] = 0;
    if (damage) expect(() => readMemory(plain, 0 as WallTime)).toThrow(Malformed);
    else readMemory(plain, 0 as WallTime);
    expect(plain.every((octet) => octet === 0)).toBe(true);
  }
});

it("sealed octets open under their key and for their purpose alone", () => {
  const plain = Uint8Array.of(1, 2, 3);
  const sealed = seal(keyOf(1), [plain], "a", new Prng("seal"));
  expect(unseal(keyOf(1), sealed, "a")).toEqual(Buffer.from(plain));
  expect(unseal(keyOf(2), sealed, "a")).toBeUndefined();
  expect(unseal(keyOf(1), sealed, "b")).toBeUndefined();
  expect(unseal(keyOf(1), sealed.subarray(0, 27), "a")).toBeUndefined();
});
