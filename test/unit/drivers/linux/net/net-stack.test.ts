// Which links are ports, what is on them, and where frames of a link leave.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { portBelow, portsOf, stackOn, subnetsOf } from "#drivers/linux/net/stack.ts";
import { type Address, readAddress } from "#drivers/linux/netlink/rtnetlink-address.ts";
import { type Link, readLink } from "#drivers/linux/netlink/rtnetlink-link.ts";
import { effort } from "../../../../effort.ts";
import { recorded } from "../../../kit/recorded.ts";

const ethernet = 1;
const loopback = 772;
const site = recorded("links", readLink);
const siteAddresses = recorded("addresses", readAddress);

interface Made {
  readonly kind?: string;
  readonly below?: number;
  readonly master?: number;
  readonly name?: string;
  readonly hardware?: number;
  readonly linkNamespace?: number;
}

/** A link of the kernel as far as it matters here; `name` is `l` and its index by default. */
function made(index: number, { kind, below, master, ...rest }: Made = {}): Link {
  return {
    name: `l${index}`,
    hardware: ethernet,
    ...rest,
    index,
    flags: 1,
    unnamed: [],
    ...(kind === undefined ? {} : { info: { kind, slaveKind: undefined, unnamed: [] } }),
    ...(below === undefined ? {} : { link: below }),
    ...(master === undefined ? {} : { master }),
  } as unknown as Link;
}

const names = (links: readonly Link[]) => links.map(({ name }) => name);
const address = (link: number, own: string, prefixLength: number, more = {}): Address => ({
  link,
  family: 2,
  local: own,
  address: own,
  prefixLength,
  scope: 0,
  unnamed: [],
  ...more,
});

describe("the ports of this host", () => {
  it("the ports of the recorded site are the two ends of the cable", () => {
    expect(names(portsOf(site))).toEqual(["b0", "a0"]);
  });

  it.each(["macsec", "vlan", "vrf", "bridge", "bond", "dummy", "xfrm", "macvlan", "team", "vxlan"])(
    "a link of the kind %s is not a port",
    (kind) => {
      expect(portsOf([made(1, { kind })])).toEqual([]);
    },
  );

  it("ports are Ethernet links with a name, of no kind or one end of a veth", () => {
    const nameless = { ...made(7), name: undefined };
    const links = [
      made(9),
      made(3, { kind: "veth", below: 9 }),
      made(1, { name: "lo", hardware: loopback }),
      made(5, { hardware: 512 }),
      nameless as unknown as Link,
      // A port in a bond is a port all the same.
      made(4, { master: 3 }),
    ];
    expect(names(portsOf(links))).toEqual(["l3", "l4", "l9"]);
  });

  it("at most 512 links are ports, those with the lowest indices", () => {
    const many = Array.from({ length: 600 }, (_, index) => made(600 - index));
    const found = portsOf(many);
    expect(found).toHaveLength(512);
    expect([found[0]?.index, found.at(-1)?.index]).toEqual([1, 512]);
  });
});

describe("the links on a port", () => {
  it("the links on a recorded port are all whose frames leave by it", () => {
    const [b0, a0] = portsOf(site);
    if (a0 === undefined || b0 === undefined) throw new Error("no ports");
    expect(names(stackOn(a0, site))).toEqual(["a0", "ms0", "ms1", "ms2", "ms3", "ipsec42", "a0.5"]);
    expect(names(stackOn(b0, site))).toEqual(["b0"]);
  });

  it("the links on a port include stacked ones, from below upwards", () => {
    const links = [
      made(4, { kind: "vlan", below: 3 }),
      made(3, { kind: "macsec", below: 2 }),
      made(2),
      made(5, { kind: "ipvlan", below: 4 }),
      made(6, { kind: "macvlan", below: 2 }),
      made(7, { kind: "vlan", below: 8 }),
    ];
    expect(names(stackOn(made(2), links))).toEqual(["l2", "l3", "l6", "l4", "l5"]);
  });

  it.each(["bond", "bridge", "veth", "vxlan", "vrf"])(
    "a %s with the port's index is not on the port",
    (kind) => {
      expect(names(stackOn(made(2), [made(2), made(3, { kind, below: 2 })]))).toEqual(["l2"]);
    },
  );

  it("a link whose lower index belongs to another network is not on the port", () => {
    const links = [made(2), made(3, { kind: "macvlan", below: 2, linkNamespace: 0 })];
    expect(names(stackOn(made(2), links))).toEqual(["l2"]);
    expect(portBelow(3, links)).toBeUndefined();
  });

  it("links in a circle end the walk", () => {
    const first = made(3, { kind: "vlan", below: 4 });
    const links = [
      made(2),
      first,
      made(4, { kind: "vlan", below: 3 }),
      made(5, { kind: "vlan", below: 5 }),
    ];
    expect(names(stackOn(first, links))).toEqual(["l3", "l4"]);
    expect([2, 3, 4, 5].map((index) => portBelow(index, links))).toEqual([
      "l2",
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe("the port that frames of a link leave by", () => {
  it("the port below a link is found for every link of the recorded site", () => {
    expect(site.map(({ index, name }) => [name, portBelow(index, site)])).toEqual([
      ["lo", "lo"],
      ["b0", "b0"],
      ["a0", "a0"],
      ["ms0", "a0"],
      ["ms1", "a0"],
      ["ms2", "a0"],
      ["ms3", "a0"],
      ["vrf7", undefined],
      ["ipsec42", "a0"],
      ["a0.5", "a0"],
      ["d0", undefined],
    ]);
  });

  it("the port below a VLAN on a SecY is found", () => {
    const links = [
      made(4, { kind: "vlan", below: 3 }),
      made(3, { kind: "macsec", below: 2 }),
      made(2, { name: "eth0" }),
    ];
    expect(portBelow(4, links)).toBe("eth0");
  });

  it("the port below a bond, a link on a bond, or a missing link is unknown", () => {
    const links = [
      made(2, { master: 4 }),
      made(3, { master: 4 }),
      made(4, { kind: "bond" }),
      made(5, { kind: "vlan", below: 4 }),
      made(6, { kind: "vlan", below: 77 }),
      made(7, { kind: "vlan" }),
    ];
    expect([4, 5, 6, 7, 77].map((index) => portBelow(index, links))).toEqual(
      Array(5).fill(undefined),
    );
  });

  it("the port below a link and the links on a port agree, whatever the kernel reports", () => {
    const kinds = fc.constantFrom(
      ...["macsec", "vlan", "macvlan", "veth", "bond", "vrf", undefined],
    );
    const row = fc.record({ kind: kinds, below: fc.nat(12), master: fc.nat(12) });
    const run = fc.property(fc.array(row, { maxLength: 12 }), (rows) => {
      const links = rows.map(({ kind, ...rest }, index) =>
        made(index + 1, kind === undefined ? rest : { kind, ...rest }),
      );
      for (const port of portsOf(links)) {
        for (const { index } of stackOn(port, links)) {
          expect(portBelow(index, links)).toBe(port.name);
        }
      }
      subnetsOf(links, siteAddresses);
    });
    fc.assert(run, { numRuns: effort(500, 20_000) });
  });
});

describe("where a far end may have an address", () => {
  it("subnets of the recorded site are reported by link and VRF", () => {
    const reported = subnetsOf(site, siteAddresses).map(
      ({ link, vrf, prefix, ...on }) =>
        `${"port" in on ? on.port : on.tunnel} ${link} ${vrf ?? "-"} ${prefix}`,
    );
    const ofOurs = siteAddresses.filter(({ link }) => site.some(({ index }) => index === link));
    expect(reported.every((line) => /^(a0|b0|ipsec42) /.test(line))).toBe(true);
    expect(reported.filter((line) => line.startsWith("b0 "))).toEqual(
      ofOurs
        .filter(({ link }) => link === 2)
        .map(({ address: own, prefixLength }) => `b0 b0 vrf7 ${own}/${prefixLength}`),
    );
    expect(reported.length).toBeGreaterThan(3);
  });

  it("a subnet is in the VRF of its own link, and in the default one otherwise", () => {
    const links = [
      made(2, { name: "eth0", master: 9 }),
      made(3, { name: "ms0", kind: "macsec", below: 2, master: 8 }),
      made(4, { name: "eth0.5", kind: "vlan", below: 2 }),
      made(8, { name: "red", kind: "vrf" }),
      made(9, { name: "br0", kind: "bridge" }),
    ];
    const addresses = [
      address(4, "192.0.2.9", 30),
      address(3, "2001:db8::1", 64, { local: undefined }),
      address(2, "192.0.2.1", 30),
      address(9, "192.0.2.5", 30),
      address(77, "192.0.2.13", 30),
    ];
    expect(subnetsOf(links, addresses)).toEqual([
      { port: "eth0", link: "eth0", prefix: "192.0.2.1/30" },
      { port: "eth0", link: "ms0", vrf: "red", prefix: "2001:db8::1/64" },
      { port: "eth0", link: "eth0.5", prefix: "192.0.2.9/30" },
    ]);
  });

  it("the subnet of an address with a peer is the peer's", () => {
    const own = address(2, "192.0.2.1", 32, { address: "203.0.113.2" });
    expect(subnetsOf([made(2)], [own])).toEqual([
      { port: "l2", link: "l2", prefix: "203.0.113.2/32" },
    ]);
  });

  it("a subnet of a tunnel is on no port that its interface may name as below", () => {
    const links = [
      made(2, { name: "eth0" }),
      made(5, { name: "hub-1", kind: "xfrm", below: 2, master: 8, hardware: 65_534 }),
      made(8, { name: "red", kind: "vrf" }),
    ];
    const own = address(5, "169.254.21.2", 32, { address: "169.254.21.1" });
    expect(subnetsOf(links, [own])).toEqual([
      { tunnel: "hub-1", link: "hub-1", vrf: "red", prefix: "169.254.21.1/32" },
    ]);
  });

  it("subnets of 512 ports and no more are reported, each with what is on it", () => {
    const links = Array.from({ length: 600 }, (_, index) => [
      made(index + 1),
      made(index + 1001, { kind: "vlan", below: index + 1 }),
    ]).flat();
    const addresses = links.map(({ index }) => address(index, "192.0.2.1", 30));
    expect(subnetsOf(links, addresses)).toHaveLength(1_024);
  });
});
