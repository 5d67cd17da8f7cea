import { describe, expect, it } from "vitest";
import { LinksealError } from "#hal/error.ts";
import { parseCkn } from "#hal/model.ts";
import { generationTag, pairTag } from "#hal/vault.ts";
import type { WallTime } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import { SimVault, type VaultFault } from "#sim/site/vault.ts";
import { wallStart } from "../../kit/site-bench.ts";

const base = "https://demo.vault.sim";
const names = { cak: "erd-1-cak", ckn: "erd-1-ckn" };

function build(): SimVault {
  return new SimVault({ clock: new SimClock(wallStart), prng: new Prng("vault"), base });
}

function codeOf(act: () => unknown): string {
  try {
    act();
    return "served";
  } catch (error) {
    return error instanceof LinksealError ? `${error.code} ${error.effect}` : String(error);
  }
}

describe("versions of the simulated vault", () => {
  it("vault versions keep their attributes, and each is created after the one before", () => {
    const vault = build();
    const first = vault.put("psk", "one", { tags: { a: "b" }, expires: 5 as WallTime });
    const second = vault.put("psk", "two", { enabled: false, notBefore: 7 as WallTime });
    expect(vault.versions("psk")).toEqual([
      {
        id: first,
        enabled: true,
        created: wallStart,
        notBefore: undefined,
        expires: 5,
        tags: { a: "b" },
      },
      {
        id: second,
        enabled: false,
        created: wallStart + 1,
        notBefore: 7,
        expires: undefined,
        tags: {},
      },
    ]);
    expect(first).toMatch(/^https:\/\/demo\.vault\.sim\/secrets\/psk\/[0-9a-f]{32}$/);
    expect(vault.versions("nothing")).toEqual([]);
  });

  it("vault versions are a pair if the tag of the CAK names the CKN of the other", () => {
    const vault = build();
    const made = vault.generatePair(names, "gcm-aes-xpn-256");
    const text = "AB".repeat(32);
    const cknSecretId = vault.put(names.ckn, text.toLowerCase(), { holds: "ckn" });
    vault.put(names.cak, "cd".repeat(32));
    vault.put(names.cak, "cd".repeat(32), { tags: { [pairTag]: "EF".repeat(32) } });
    const cakSecretId = vault.put(names.cak, "cd".repeat(32), { tags: { [pairTag]: text } });
    const written = { ckn: parseCkn(text), cakSecretId, cknSecretId };
    expect(vault.pairs(names)).toEqual([made, written]);
    vault.setEnabled(cakSecretId, false);
    expect(vault.pairs(names)).toEqual([made, written]);
    expect(vault.pairs({ ...names, cak: "erd-2-cak" })).toEqual([]);
  });

  it.each([
    ["gcm-aes-xpn-256", 64],
    ["gcm-aes-128", 32],
  ] as const)(
    "a generated pair for %s has a CAK of %i digits and names its CKN",
    (suite, digits) => {
      const vault = build();
      vault.generatePair(names, suite);
      const key = vault.generatePair(names, suite);
      const cak = vault.versions(names.cak).at(-1);
      expect(cak?.tags).toEqual({ [pairTag]: key.ckn.toUpperCase(), [generationTag]: "2" });
      expect(vault.value(key.cakSecretId)).toMatch(new RegExp(`^[0-9A-F]{${digits}}$`));
      expect(vault.value(key.cknSecretId)).toBe(key.ckn.toUpperCase());
      expect(vault.reads).toBe(2);
    },
  );

  it("the vault gives the oracle every key ever put, and no CKN", () => {
    const vault = build();
    const key = vault.generatePair(names, "gcm-aes-xpn-256");
    const psk = vault.put("psk", "swordfish");
    expect(vault.secretsForOracle()).toEqual([
      {
        id: key.cakSecretId,
        bytes: Uint8Array.from(Buffer.from(vault.value(key.cakSecretId), "hex")),
      },
      { id: psk, bytes: new TextEncoder().encode("swordfish") },
    ]);
  });
});

describe("faults of the simulated vault", () => {
  it.each([
    {
      fault: "down",
      list: "vault.unreachable none",
      read: "vault.unreachable none",
      farEnd: "vault.unreachable none",
    },
    { fault: "denied", list: "vault.denied none", read: "vault.denied none", farEnd: "served" },
    {
      fault: "throttled",
      list: "vault.unreachable none",
      read: "vault.unreachable none",
      farEnd: "served",
    },
  ] as const)(
    "vault fault $fault: list $list, read $read, far end $farEnd",
    ({ fault, list, read, farEnd }) => {
      const vault = build();
      const id = vault.put("psk", "one");
      vault.setFault(fault, true);
      expect(codeOf(() => vault.versions("psk"))).toBe(list);
      expect(codeOf(() => vault.value(id))).toBe(read);
      expect(codeOf(() => vault.valueForFarEnd(id))).toBe(farEnd);
      vault.setFault(fault, false);
      expect(vault.value(id)).toBe("one");
    },
  );

  it.each<[VaultFault | undefined, string]>([
    [undefined, "vault.denied none"],
    ["serveDisabled", "served"],
  ])("a disabled version under fault %s: %s", (fault, outcome) => {
    const vault = build();
    const id = vault.put("psk", "one");
    vault.setEnabled(id, false);
    if (fault !== undefined) vault.setFault(fault, true);
    expect(codeOf(() => vault.value(id))).toBe(outcome);
    expect(codeOf(() => vault.valueForFarEnd(id))).toBe("vault.denied none");
  });

  it("servePrevious gives the value before the one that was asked for", () => {
    const vault = build();
    const first = vault.put("psk", "one");
    const second = vault.put("psk", "two");
    vault.setFault("servePrevious", true);
    expect([vault.value(first), vault.value(second)]).toEqual(["one", "one"]);
    expect(vault.valueForFarEnd(second)).toBe("two");
  });

  it("an unknown version has no value", () => {
    expect(codeOf(() => build().value(`${base}/secrets/psk/${"0".repeat(32)}`))).toBe(
      "vault.malformedKey none",
    );
  });
});
