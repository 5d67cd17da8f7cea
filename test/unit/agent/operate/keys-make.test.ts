// Making pairs and declaring them: through a simulated fault console, cut off at every call.

import { describe, expect, it } from "vitest";
import type { DesiredLink } from "#agent/model/desired.ts";
import { generateKey, type MakeParts, pairKey } from "#agent/operate/keys/make.ts";
import { surveyKeys } from "#agent/runtime/polling/key-check.ts";
import { chooseKey } from "#agent/runtime/polling/vault.ts";
import type { Binding } from "#agent/store/journal/memory.ts";
import { simKeyStore } from "#drivers/index.ts";
import { LinksealError } from "#hal/error.ts";
import type { Ckn } from "#hal/model.ts";
import { generationTag, type KeyStore, pairTag } from "#hal/vault.ts";
import type { WallTime } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import { FaultConsole } from "#sim/faults/fault-console.ts";
import { watchSite } from "#sim/oracle/oracle.ts";
import { buildSite, type Site } from "#sim/site/site.ts";
import { handlerDialer, never, refused, settled } from "../../kit/site-bench.ts";
import { linkNamed } from "../../kit/snapshot-kit.ts";

const primary = linkNamed("primary");
const secondary = linkNamed("secondary");
const both = [primary, secondary];
const hex = (digit: string, digits = 64): string => digit.repeat(digits);

class VaultBench {
  readonly site: Site = buildSite({
    ...{ seed: "keys", name: "demo", groups: 1, tunnels: 0 },
    start: "clear",
  });
  readonly entropy = new Prng("host");
  readonly vault: KeyStore;
  readonly parts: MakeParts;

  constructor() {
    const handler = new FaultConsole(this.site, watchSite(this.site)).handler();
    this.vault = simKeyStore(handlerDialer(handler), "unix:/site.sock");
    this.parts = this.with(this.vault);
  }

  with(vault: KeyStore): MakeParts {
    return { vault, entropy: this.entropy, now: () => this.site.clock.wall() };
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return settled(this.site.clock, promise);
  }

  generate(link = primary, vault = this.vault) {
    return this.run(generateKey(this.with(vault), link, never));
  }

  /** Puts two versions by hand, then says that they are a pair. */
  pair(cak: string, ckn: string, link = primary) {
    const ids = [this.put(link.key.cak, cak), this.put(link.key.ckn, ckn)] as const;
    return this.name(ids[0], ids[1], link);
  }

  put(name: string, value: string, tags = {}): string {
    return this.site.vault.put(name, value, { tags });
  }

  name(cakId: string, cknId: string, link: DesiredLink = primary) {
    const named = { cak: last(cakId), ckn: last(cknId) };
    return this.run(pairKey(this.parts, link, named, both, never));
  }

  choose(link = primary) {
    return this.run(chooseKey(this.vault, link, this.site.clock.wall(), never));
  }

  async findings(): Promise<readonly (string | undefined)[]> {
    const parts = { ...this.parts, bound: () => undefined, now: this.site.clock.wall() };
    const { checks } = await this.run(surveyKeys(parts, both, never));
    return checks.map(({ finding }) => finding?.code);
  }

  value(id: string): string {
    return this.site.vault.valueForFarEnd(id);
  }
}

function last(id: string): string {
  return id.split("/").at(-1) ?? "";
}

describe("a generated pair", () => {
  it("a generated pair is complete, of full length, tagged, and chosen", async () => {
    const vaultBench = new VaultBench();
    const before = await vaultBench.choose();
    const { key, generation, link } = await vaultBench.generate();
    expect([link, generation]).toEqual(["erd-demo/primary", (before.generation ?? 0) + 1]);
    expect((await vaultBench.choose()).key).toEqual(key);
    expect(vaultBench.value(key.cknSecretId)).toBe(key.ckn.toUpperCase());
    expect(vaultBench.value(key.cakSecretId)).toMatch(/^[0-9A-F]{64}$/);
    const version = vaultBench.site.vault.detail(key.cakSecretId)?.version;
    expect(version?.tags).toEqual({
      [pairTag]: key.ckn.toUpperCase(),
      [generationTag]: String(generation),
    });
    expect(await vaultBench.findings()).toEqual([undefined, undefined]);
  });

  it("a generated pair has a CAK of 16 octets for a suite of 128 bits", async () => {
    const vaultBench = new VaultBench();
    const settings = { ...primary.settings, suite: "gcm-aes-xpn-128" } as const;
    const { key } = await vaultBench.generate({ ...primary, settings });
    expect(vaultBench.value(key.cakSecretId)).toMatch(/^[0-9A-F]{32}$/);
  });

  it("a generated pair never has a lower generation than a disabled one", async () => {
    const vaultBench = new VaultBench();
    const { key, generation } = await vaultBench.generate();
    vaultBench.site.vault.setEnabled(key.cakSecretId, false);
    expect((await vaultBench.generate()).generation).toBe(generation + 1);
  });

  it("a generated pair has a higher generation than one of the same second", async () => {
    const vaultBench = new VaultBench();
    const made = [await vaultBench.generate(), await vaultBench.generate()];
    const created = 1_000 as WallTime;
    const versions = (await vaultBench.run(vaultBench.vault.versions(primary.key.cak, never)))
      .map((version) => ({ ...version, created }))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
    for (const list of [versions, versions.toReversed()]) {
      const coarse: KeyStore = {
        ...vaultBench.vault,
        versions: async (name, signal) =>
          name === primary.key.cak ? list : await vaultBench.vault.versions(name, signal),
      };
      const wall = vaultBench.site.clock.wall();
      const { key } = await vaultBench.run(chooseKey(coarse, primary, wall, never));
      expect(key).toEqual(made[1]?.key);
    }
  });
});

/** Breaks the nth call, before or after it had its effect. */
function cut(vault: KeyStore, at: number, when: "before" | "after", effect: "none" | "unknown") {
  let calls = 0;
  const counted =
    <A extends readonly unknown[], T>(call: (...words: A) => Promise<T>) =>
    async (...words: A): Promise<T> => {
      calls += 1;
      const isCut = calls === at;
      const done = isCut && when === "before" ? undefined : await call(...words);
      if (!isCut) return done as T;
      const details = { effect, where: "vault", next: "linkseal keys check" };
      throw new LinksealError("vault.unreachable", "the line is cut", details);
    };
  const store: KeyStore = {
    versions: counted((...words) => vault.versions(...words)),
    read: counted((...words) => vault.read(...words)),
    put: counted((...words) => vault.put(...words)),
    mark: counted((...words) => vault.mark(...words)),
  };
  return { store, calls: () => calls };
}

describe("generation that is cut off", () => {
  it("a generation cut off at any call leaves the old pair or the new one", async () => {
    const whole = new VaultBench();
    const counted = cut(whole.vault, 0, "before", "none");
    await whole.generate(primary, counted.store);
    expect(counted.calls()).toBeGreaterThan(5);
    for (let at = 1; at <= counted.calls(); at += 1) {
      for (const when of ["before", "after"] as const) {
        const vaultBench = new VaultBench();
        const before = await vaultBench.choose();
        const pairs = [before.key, ...vaultBench.site.vault.pairs(primary.key)].map(
          ({ ckn }) => ckn,
        );
        const { store } = cut(vaultBench.vault, at, when, when === "before" ? "none" : "unknown");
        const error = await refused(vaultBench.generate(primary, store));
        const { key } = await vaultBench.choose();
        const tag = vaultBench.site.vault.detail(key.cakSecretId)?.version.tags[pairTag];
        expect(vaultBench.value(key.cknSecretId), `${at} ${when}`).toBe(tag);
        const isOld = pairs.includes(key.ckn);
        const versions = vaultBench.site.vault.versions(primary.key.cak).length;
        expect(versions, `${at} ${when}`).toBe(isOld ? 1 : 2);
        const isTouched = vaultBench.site.vault.versions(primary.key.ckn).length > 1;
        const reported = when === "after" && at < 4 ? "unknown" : "applied";
        if (isTouched) expect([at, when, error.effect]).toEqual([at, when, reported]);
        const again = await vaultBench.generate();
        expect((await vaultBench.choose()).key).toEqual(again.key);
      }
    }
  });

  it("a generation that fails between its writes says that the CKN is harmless", async () => {
    const vaultBench = new VaultBench();
    const { store } = cut(vaultBench.vault, 3, "before", "none");
    const error = await refused(vaultBench.generate(primary, store));
    expect(error).toMatchObject({ code: "vault.unreachable", effect: "applied" });
    expect(error.message).toMatch(/^the CKN [0-9a-f]{64} is written, its CAK is not: alone/);
    const lost = cut(vaultBench.vault, 3, "after", "unknown");
    expect(await refused(vaultBench.generate(primary, lost.store))).toMatchObject({
      effect: "unknown",
    });
  });

  it("a generation that another operator overtakes reports the other pair", async () => {
    const vaultBench = new VaultBench();
    const { vault } = vaultBench;
    const slow: KeyStore = {
      ...vault,
      async put(name, octets, tags, signal) {
        const id = await vault.put(name, octets, tags, signal);
        if (name === primary.key.cak)
          vaultBench.site.vault.generatePair(primary.key, "gcm-aes-xpn-256");
        return id;
      },
    };
    const error = await refused(vaultBench.generate(primary, slow));
    expect(error).toMatchObject({ code: "vault.unpaired", effect: "applied" });
    expect(error.message).toContain("another operator wrote a newer pair");
    expect(await vaultBench.findings()).toEqual([undefined, undefined]);
  });

  it("a generation on a host whose randomness repeats itself writes nothing", async () => {
    const vaultBench = new VaultBench();
    const stuck = {
      ...vaultBench.parts,
      entropy: { bytes: (n: number) => new Uint8Array(n).fill(9) },
    };
    await vaultBench.run(generateKey(stuck, primary, never));
    const error = await refused(vaultBench.run(generateKey(stuck, primary, never)));
    expect(error).toMatchObject({ code: "vault.reusedCkn", effect: "none" });
    expect(vaultBench.site.vault.versions(primary.key.ckn)).toHaveLength(2);
  });

  it("a generation whose vault reads back another value is reported", async () => {
    const vaultBench = new VaultBench();
    const twisted: KeyStore = {
      ...vaultBench.vault,
      put: (name, octets, tags, signal) =>
        name === primary.key.cak
          ? Promise.resolve(vaultBench.put(name, hex("7"), tags))
          : vaultBench.vault.put(name, octets, tags, signal),
    };
    expect((await refused(vaultBench.generate(primary, twisted))).message).toContain(
      "another value",
    );
  });
});

describe("two versions by hand", () => {
  it("two versions become a pair once it is declared, and only once", async () => {
    const vaultBench = new VaultBench();
    const cakId = vaultBench.put(primary.key.cak, hex("5"), { owner: "ops" });
    const cknId = vaultBench.put(primary.key.ckn, hex("C"));
    expect(await vaultBench.findings()).toEqual(["vault.unpaired", undefined]);
    const made = await vaultBench.name(cakId, cknId);
    expect(made).toMatchObject({ did: "paired", generation: 2 });
    expect((await vaultBench.choose()).key).toEqual(made.key);
    expect(vaultBench.site.vault.detail(cakId)?.version.tags).toMatchObject({ owner: "ops" });
    expect(await vaultBench.name(cakId, cknId)).toEqual({ ...made, did: "nothing" });
    expect(await vaultBench.findings()).toEqual([undefined, undefined]);
  });

  const bad: readonly (readonly [string, string, string, string, string])[] = [
    ["a short CAK", hex("5", 48), hex("C"), "vault.malformedKey", "not full-length"],
    ["a CAK for another suite", hex("5", 32), hex("C"), "vault.malformedKey", "16 octets where"],
    ["a CAK with a line feed", `${hex("5")}\n`, hex("C"), "vault.malformedKey", "65 characters"],
    ["a CAK that is no hexadecimal", hex("x"), hex("C"), "vault.malformedKey", "not full-length"],
    ["a short CKN", hex("5"), hex("C", 8), "vault.malformedKey", "contains 8 digits"],
    ["a CKN that is no hexadecimal", hex("5"), hex("y"), "vault.malformedKey", "not hexadecimal"],
  ];
  it.each(bad)(
    "two versions with %s are refused as a pair",
    async (_name, cak, ckn, code, text) => {
      const vaultBench = new VaultBench();
      const error = await refused(vaultBench.pair(cak, ckn));
      expect(error).toMatchObject({ code, effect: "none" });
      expect(error.message).toContain(text);
      expect(JSON.stringify([error.message, error.where, error.next])).not.toContain(hex("5", 20));
      expect(vaultBench.site.vault.versions(primary.key.cak).at(-1)?.tags).toEqual({});
    },
  );

  it("two versions whose CKN names a CAK of any link already are refused as a pair", async () => {
    const vaultBench = new VaultBench();
    for (const link of both) {
      const { key } = await vaultBench.choose(link);
      const error = await refused(vaultBench.pair(hex("5"), key.ckn));
      expect(error).toMatchObject({ code: "vault.reusedCkn", effect: "none" });
    }
  });

  it("two versions whose CAK another link has are refused as a pair", async () => {
    const vaultBench = new VaultBench();
    const { key } = await vaultBench.choose(secondary);
    const error = await refused(vaultBench.pair(vaultBench.value(key.cakSecretId), hex("C")));
    expect(error).toMatchObject({ code: "vault.reusedCkn", effect: "none" });
    expect(error.message).toContain("the same CAK is in another version");
  });

  it("a CAK that is paired otherwise, not the newest, or gone is refused", async () => {
    const vaultBench = new VaultBench();
    const cakId = vaultBench.put(primary.key.cak, hex("5"), { [pairTag]: "other\u001b[2J CKN" });
    const cknId = vaultBench.put(primary.key.ckn, hex("C"));
    const { message } = await refused(vaultBench.name(cakId, cknId));
    expect(message).toContain("paired with another CKN (other [2J CKN)");
    const newer = vaultBench.put(primary.key.cak, hex("6"));
    expect((await refused(vaultBench.name(cakId, cknId))).message).toContain("a newer version");
    vaultBench.site.vault.setEnabled(newer, false);
    expect((await refused(vaultBench.name(newer, cknId))).message).toContain("is disabled");
    expect((await refused(vaultBench.name(`x/${hex("0", 32)}`, cknId))).message).toContain(
      "no such",
    );
    const pasted = await refused(vaultBench.name(`x/${hex("5")}`, cknId));
    expect(pasted.message).not.toContain(hex("5", 20));
  });
});

describe("the check", () => {
  const cases: readonly (readonly [
    string,
    (vaultBench: VaultBench) => unknown,
    readonly unknown[],
  ])[] = [
    [
      "two links with one CAK",
      (vaultBench) => twins(vaultBench),
      ["vault.reusedCkn", "vault.reusedCkn"],
    ],
    [
      "a pair in lower case",
      (vaultBench) => {
        vaultBench.put(primary.key.ckn, hex("c"));
        vaultBench.put(primary.key.cak, hex("a"), { [pairTag]: hex("c"), [generationTag]: "9" });
      },
      ["key-lower-case", undefined],
    ],
    [
      "a version that ends soon",
      (vaultBench) => {
        const id = vaultBench.site.vault.pairs(primary.key).at(-1)?.cakSecretId ?? "";
        const expires = (vaultBench.site.clock.wall() + 86_400_000) as WallTime;
        vaultBench.site.vault.update(id, { expires });
      },
      ["key-expiring", undefined],
    ],
    [
      "a vault that denies",
      (vaultBench) => vaultBench.site.vault.setFault("denied", true),
      ["vault.denied", "vault.denied"],
    ],
  ];
  it.each(cases)("keys check finds %s", async (_name, spoil, codes) => {
    const vaultBench = new VaultBench();
    spoil(vaultBench);
    expect(await vaultBench.findings()).toEqual(codes);
  });

  it("keys check finds a pair that is older than what the link has run on", async () => {
    const vaultBench = new VaultBench();
    const { key, generation, created } = await vaultBench.choose();
    const binding: Binding = {
      ...{ key, created, since: created, settings: primary.settings },
      ...{ intent: 1, how: "rotated", generation: (generation ?? 0) + 3 },
    };
    const parts = { ...vaultBench.parts, bound: () => binding, now: vaultBench.site.clock.wall() };
    const { checks } = await vaultBench.run(surveyKeys(parts, [primary], never));
    const [check] = checks;
    expect(check?.finding?.text).toContain("an older key was put back");
  });
});

function twins(vaultBench: VaultBench): void {
  const [one] = vaultBench.site.vault.pairs(primary.key);
  const value = vaultBench.value(one?.cakSecretId ?? "");
  const ckn = hex("E") as Ckn;
  vaultBench.put(secondary.key.ckn, ckn);
  vaultBench.put(secondary.key.cak, value, { [pairTag]: ckn, [generationTag]: "9" });
}
