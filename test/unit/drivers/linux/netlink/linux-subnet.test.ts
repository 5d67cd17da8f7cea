// Which subnet contains an address, and which replies are not lists of subnets.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readSubnets, subnetOf, vrfsOf } from "#drivers/linux/netlink/subnet.ts";
import { Malformed } from "#hal/decoder.ts";
import { effort } from "../../../../effort.ts";

const eth0 = { port: "eth0", link: "ms0" };
const subnetsOf = (...rows: object[]) => readSubnets({ subnets: rows });

describe("the subnet of an address", () => {
  const subnets = subnetsOf(
    { ...eth0, prefix: "192.0.2.1/30" },
    { ...eth0, link: "ms0.5", vrf: "red", prefix: "192.0.2.1/30" },
    { port: "eth1", link: "eth1", prefix: "192.0.2.5/30" },
    { port: "eth1", link: "eth1", prefix: "2001:DB8::1/64" },
    { port: "eth2", link: "eth2", vrf: "red", prefix: "203.0.113.9/32" },
  );

  it.each([
    ["default", "192.0.2.2", "ms0"],
    ["default", "192.0.2.0", "ms0"],
    ["default", "192.0.2.3", "ms0"],
    ["default", "192.0.2.4", "eth1"],
    ["default", "192.0.2.8", undefined],
    ["red", "192.0.2.2", "ms0.5"],
    ["red", "192.0.2.6", undefined],
    ["red", "203.0.113.9", "eth2"],
    ["red", "203.0.113.8", undefined],
    ["blue", "192.0.2.2", undefined],
    ["default", "2001:db8::ffff", "eth1"],
    ["default", "2001:db8:0:1::1", undefined],
    ["default", "::ffff:192.0.2.2", undefined],
    ["default", "192.0.2", undefined],
    ["default", "edge", undefined],
    ["default", "", undefined],
  ])("in the VRF %s the address %s belongs to the subnet of %s", (vrf, address, link) => {
    expect(subnetOf(subnets, vrf, address)?.link).toBe(link);
  });

  it("a subnet of all addresses contains those of its own family alone", () => {
    const [all4, all6] = subnetsOf({ ...eth0, prefix: "0.0.0.0/0" }, { ...eth0, prefix: "::/0" });
    expect([all4?.holds("203.0.113.1"), all4?.holds("2001:db8::1")]).toEqual([true, false]);
    expect([all6?.holds("203.0.113.1"), all6?.holds("2001:db8::1")]).toEqual([false, true]);
  });

  it("a subnet belongs to a tunnel or to a port", () => {
    const [found] = subnetsOf({ tunnel: "hub-1", link: "hub-1", prefix: "169.254.21.1/32" });
    expect(found?.via).toEqual({ kind: "tunnel", name: "hub-1" });
    expect(subnetsOf({ ...eth0, prefix: "::/0" })[0]?.via).toEqual({ kind: "port", port: "eth0" });
  });

  it("VRFs are listed once, the default one first", () => {
    expect(vrfsOf(subnets)).toEqual(["default", "red"]);
    expect(vrfsOf([])).toEqual(["default"]);
    expect(vrfsOf(subnetsOf({ ...eth0, vrf: "red", prefix: "192.0.2.1/30" }))).toEqual([
      "default",
      "red",
    ]);
  });
});

describe("malformed lists of subnets", () => {
  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["a list for a reply", []],
    ["no list", { subnets: {} }],
    ["a word for a subnet", { subnets: ["192.0.2.1/30"] }],
    ["no port", { subnets: [{ link: "ms0", prefix: "192.0.2.1/30" }] }],
    ["no link", { subnets: [{ port: "eth0", prefix: "192.0.2.1/30" }] }],
    ["a port with an escape", { subnets: [{ port: "\u001b", link: "l", prefix: "::/0" }] }],
    ["a VRF that is a number", { subnets: [{ ...eth0, vrf: 7, prefix: "192.0.2.1/30" }] }],
    ["too many", { subnets: Array(8_193).fill({ ...eth0, prefix: "192.0.2.1/30" }) }],
    ...[
      ...["", "/", "192.0.2.1", "192.0.2.1/", "192.0.2.1/33", "192.0.2.1/-1", "192.0.2.1/1e1"],
      ...["192.0.2.1/ 8", "192.0.2.1/0x8", "192.0.2/24", "::1/129", "::1/", "::1", "/24"],
      ...["fe80::1%eth0/64", "192.0.2.1/30/30", "host/24", "192.0.2.1/30 "],
    ].map((prefix): [string, unknown] => [
      `a prefix ${JSON.stringify(prefix)}`,
      { subnets: [{ ...eth0, prefix }] },
    ]),
  ])("a malformed list of subnets is refused: %s", (_name, value) => {
    expect(() => readSubnets(value)).toThrow(Malformed);
  });

  it("any list of subnets is refused or read", () => {
    const text = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.string({ unit: fc.constantFrom(..."0123456789abcdef.:/%".split("")) }),
    );
    const prefix = fc
      .tuple(text, fc.oneof(fc.nat(140).map(String), text))
      .map((both) => both.join("/"));
    const run = fc.property(prefix, text, (written, address) => {
      try {
        for (const { holds } of subnetsOf({ ...eth0, prefix: written })) holds(address);
      } catch (error) {
        expect(error).toBeInstanceOf(Malformed);
      }
    });
    fc.assert(run, { numRuns: effort(1_000, 50_000) });
  });
});
