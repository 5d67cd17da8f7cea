import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Prng } from "#sim/base/prng.ts";
import { CanarySearch } from "#sim/oracle/canary.ts";
import { watchSite } from "#sim/oracle/oracle.ts";
import { buildSite } from "#sim/site/site.ts";

const key = new Prng("canary").bytes(32);
const hex = Buffer.from(key).toString("hex");

function searching(): CanarySearch {
  const search = new CanarySearch();
  for (let other = 0; other < 50; other += 1) {
    search.add({ label: `other ${other}`, bytes: new Prng(`other ${other}`).bytes(32) });
  }
  search.add({ label: "the key", bytes: key });
  return search;
}

/** Encodes text with Cisco's type 7, as an IOS device would show the key. */
function type7(text: string, salt: number): string {
  const by = "dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87";
  const mixed = Array.from(text, (letter, index) => {
    const octet = letter.charCodeAt(0) ^ by.charCodeAt((salt + index) % by.length);
    return octet.toString(16).toUpperCase().padStart(2, "0");
  });
  return String(salt).padStart(2, "0") + mixed.join("");
}

const leaks: readonly (readonly [string, string | Uint8Array])[] = [
  ["raw", Buffer.concat([Buffer.from("key="), key, Buffer.from(";")])],
  ["raw", key.slice(24)],
  ["hex", `{"cak":"${hex}"}`],
  ["hex", `cak ${hex.toUpperCase()}`],
  ["hex", `cak ${hex.slice(0, 17)}${hex.slice(17).toUpperCase()}`],
  ["hex", `only its end: ${hex.slice(-16)}`],
  ["hex", inspect(Buffer.from(key))],
  ["hex", (hex.match(/../g) ?? []).join(":")],
  ["decimal", JSON.stringify([...key])],
  ["decimal", JSON.stringify(key)],
  ["decimal", inspect(key)],
  ["base64", Buffer.from(key).toString("base64")],
  ["base64", Buffer.concat([Buffer.from("x"), key]).toString("base64")],
  ["base64", Buffer.concat([Buffer.from("xy"), key]).toString("base64url")],
  ["base64 of hex", Buffer.from(`cak=${hex}`).toString("base64")],
  ["base64 of HEX", Buffer.from(hex.toUpperCase()).toString("base64")],
  ["type 7", `cryptographic-algorithm aes-256-cmac password 7 ${type7(hex, 7)}`],
  ["type 7", `password ${type7(hex.toUpperCase(), 15)}`],
];

describe("the canary search", () => {
  it.each(leaks)("the canary search finds a key as %s", (form, emitted) => {
    const bytes = typeof emitted === "string" ? new TextEncoder().encode(emitted) : emitted;
    expect(searching().search("log", bytes)).toEqual({ label: "the key", form });
  });

  it("the canary search finds a key that is cut into chunks anywhere", () => {
    for (let cut = 1; cut < hex.length; cut += 1) {
      const search = searching();
      const chunks = [hex.slice(0, cut), hex.slice(cut)].map((text) =>
        new TextEncoder().encode(text),
      );
      const seen = chunks.map((chunk) => search.search("socket", chunk));
      expect(seen.some((sighting) => sighting?.label === "the key")).toBe(true);
    }
  });

  it("the canary search does not join chunks of different places", () => {
    const search = searching();
    expect(search.search("a", new TextEncoder().encode(hex.slice(20, 32)))).toBeUndefined();
    expect(search.search("b", new TextEncoder().encode(hex.slice(32, 44)))).toBeUndefined();
  });

  it("the canary search finds nothing in text without a key", () => {
    const search = searching();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.string(), (bytes, text) => {
        expect(search.search("noise", bytes)).toBeUndefined();
        expect(search.search("text", new TextEncoder().encode(text))).toBeUndefined();
      }),
      { seed: 7 },
    );
  });
});

describe("P5 at a site", () => {
  it("a P5 violation names seed, place, key id and form once, and shows no key", () => {
    const site = buildSite({ seed: "p5", name: "demo", groups: 1, tunnels: 1, start: "clear" });
    const oracle = watchSite(site);
    const link = site.links[0];
    if (link === undefined) throw new RangeError("a site has links");
    site.clock.jumpWall(1);
    const { cakSecretId } = site.vault.generatePair(link.key, "gcm-aes-256");
    const value = site.vault.value(cakSecretId);
    oracle.emitted("stderr", "nothing to see");
    oracle.emitted("stderr", `oops: ${value.toLowerCase()}`);
    oracle.emitted("stderr", `oops: ${value.toLowerCase()}`);
    const psk = site.vault.versions("hub-1-psk").at(-1)?.id ?? "";
    oracle.emitted("argv", site.vault.value(psk));
    const found = oracle.violations.map(({ seed, promise, event, text }) => [
      seed,
      promise,
      event,
      text,
    ]);
    expect(found).toEqual([
      ["p5", "P5", "output to stderr", `${cakSecretId} was emitted as hex`],
      ["p5", "P5", "output to argv", `${psk} was emitted as raw`],
    ]);
  });
});
