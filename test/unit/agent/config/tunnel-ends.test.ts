// Ends, prefixes and keys of tunnels that can only be mistakes; each was valid before.

import { describe, expect, it } from "vitest";
import { formatComplaint, parseConfig } from "#agent/config/index.ts";
import { siteConfig } from "../../kit/site-config.ts";

const host = "driver: linux\n    charon: unix:/run/charon.vici";
const onLinux = siteConfig.replace("driver: sim", host).replace("    insideMacsec: erd-demo\n", "");
const theirs = "remote: { address: 203.0.113.1 }";
const ours = "local: { address: 198.51.100.1 }";
const [, remotePrefixes = ""] = /(remote: \[.*?\])/.exec(onLinux) ?? [];

function read(...edits: readonly (readonly [string, string])[]) {
  const text = edits.reduce((before, [written, instead]) => {
    if (!before.includes(written)) throw new Error(`the sample has no ${written}`);
    return before.replace(written, instead);
  }, onLinux);
  return parseConfig(text, "f");
}

function complaints(...edits: readonly (readonly [string, string])[]): readonly string[] {
  const result = read(...edits);
  return result.kind === "ok" ? [] : result.complaints.map(formatComplaint);
}

describe("the ends of a tunnel", () => {
  it.each(["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"])(
    "%s is the address of no end",
    (address) => {
      for (const edit of [
        [theirs, `remote: { address: ${address} }`],
        [ours, `local: { address: ${address} }`],
      ] as const) {
        const [first = "none"] = complaints(edit);
        expect(first).toMatch(
          new RegExp(`tunnels\\[0\\]\\.(remote|local)\\.address: is "?${address}`),
        );
      }
    },
  );

  it.each(["127.0.0.0/8", "224.0.0.0/4", "239.1.0.0/16"])("%s is not protected", (prefix) => {
    const [first = "none"] = complaints([remotePrefixes, `remote: [${prefix}]`]);
    expect(first).toContain(`tunnels[0].protects.remote[0]: is ${prefix}`);
  });

  it("a prefix of our own side, or with our own outer address, is allowed with a warning", () => {
    const warnings = (prefix: string): readonly string[] => {
      const result = read([remotePrefixes, `remote: [${prefix}]`]);
      if (result.kind !== "ok") throw new Error(result.complaints.map(formatComplaint).join());
      return result.warnings.map(formatComplaint);
    };
    expect(warnings("198.51.100.0/24").join()).toContain("our own outer address 198.51.100.1");
    expect(warnings("10.1.5.0/24").join()).toContain("overlaps with its own protects.local");
    expect(warnings("10.77.0.0/16").join()).not.toContain("protects");
  });
});

describe("the keys of two tunnels", () => {
  const second = (more: string, psk: string): string =>
    onLinux.replace(
      /^ {2}- name: hub-1\n([\s\S]*?)(?=^\S|$(?![\s\S]))/m,
      (first) =>
        first.replace(theirs, "remote: { address: 203.0.113.1, id: gw.partner.example }") +
        first
          .replace("hub-1", "hub-2")
          .replace(theirs, `remote: { address: 203.0.113.2${more} }`)
          .replace("hub-1-psk", psk),
    );
  const found = (more: string, psk: string): string => {
    const result = parseConfig(second(more, psk), "f");
    return result.kind === "ok" ? "" : result.complaints.map(formatComplaint).join("\n");
  };

  it("one pair of identities with two PSKs is refused: charon would use one for both", () => {
    expect(found(", id: gw.partner.example", "hub-2-psk")).toContain(
      "hub-1 has the same identities (198.51.100.1 and gw.partner.example) and the PSK hub-1-psk",
    );
    expect(found(", id: gw.partner.example", "hub-1-psk")).toBe("");
    expect(found(", id: gw2.partner.example", "hub-2-psk")).toBe("");
    expect(found("", "hub-2-psk")).toBe("");
  });
});
