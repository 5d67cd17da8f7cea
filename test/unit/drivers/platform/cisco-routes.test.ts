// Tables of routes and pages of neighbours in the layouts of Cisco's routers, with invented names.
// What is not understood must not look like "no routes": a drain goes by that.

import { describe, expect, it } from "vitest";
import { familiesOf } from "#drivers/iosxe/commands.ts";
import { received } from "#drivers/iosxr/commands.ts";
import { readConfig } from "#drivers/iosxr/config.ts";
import { readRoutes } from "#drivers/platform/cisco-routes.ts";
import { readPeerPages } from "#drivers/platform/cisco-system.ts";
import { preview } from "#hal/secret.ts";
import { texts } from "../iosxr-kit.ts";

const legend =
  "BGP table state: Active\n\nStatus codes: s suppressed, d damped, h history, * valid, > best\n" +
  "              i - internal, r RIB-failure, S stale, N Nexthop-discard\n" +
  "Origin codes: i - IGP, e - EGP, ? - incomplete\n";
const xrHead = `${legend}   Network            Next Hop            Metric LocPrf Weight Path\n`;
const xeHead = `${legend}\n     Network          Next Hop            Metric LocPrf Weight Path\n`;

function read(...rows: readonly string[]) {
  return readRoutes(rows.join("\n"), "port")?.map(({ prefix, best }) => [prefix, best]);
}

describe("a table of routes", () => {
  it("a table of IOS XR may have a prefix whose row ends after it", () => {
    const rows = [
      "*> 2001:db8:abcd:1200::/56",
      "                      2001:db8::2",
      "                                             0             0 12076 i",
      "*> 2001:db8:40::/48   2001:db8::2              0             0 12076 i",
      "*  2001:db8:abcd:1300::/56",
      "                      2001:db8::2              0             0 12076 i",
      "",
      "Processed 3 prefixes, 3 paths",
    ];
    expect(read(xrHead, ...rows)).toEqual([
      ["2001:db8:abcd:1200::/56", true],
      ["2001:db8:40::/48", true],
      ["2001:db8:abcd:1300::/56", false],
    ]);
  });

  it("a table of IOS XE may have a best path in the row below its prefix", () => {
    const rows = [
      "Route Distinguisher: 65000:1 (default for vrf AZURE)",
      " * i 10.1.1.0/24      198.51.100.2             0    100      0 12076 i",
      " *>i                  198.51.100.2             0    100      0 12076 i",
      " *>  172.16.200.100/32",
      "                      198.51.100.2             0             0 12076 i",
      "",
      "Total number of prefixes 3 ",
    ];
    expect(read(xeHead, ...rows)).toEqual([
      ["10.1.1.0/24", true],
      ["172.16.200.100/32", true],
    ]);
  });

  it("a table of newer IOS XE is one column to the right of its heading", () => {
    const rows = [
      " *>   10.0.0.0/16      198.51.100.2                           0 12076 i",
      " *    10.1.0.0/16      198.51.100.2                           0 12076 i",
      " *>                    198.51.100.2                           0 12076 i",
      " r>   192.0.2.0        198.51.100.2                           0 12076 i",
      " s    10.3.0.0/16      198.51.100.2                           0 12076 i",
      "Total number of prefixes 5 ",
    ];
    expect(read(xeHead, ...rows)).toEqual([
      ["10.0.0.0/16", true],
      ["10.1.0.0/16", true],
      ["192.0.2.0/24", true],
    ]);
  });

  it("a table may have codes with nothing between them and the prefix", () => {
    const rows = [
      "* i10.4.1.0/24        198.51.100.2          2222    100      0 12076 i",
      "*>i10.49.0.0/16       198.51.100.2                  100      0 12076 i",
      "r>i2001:db8::/32      2001:db8::2                   100      0 12076 i",
      "s i10.50.0.0/16       198.51.100.2                  100      0 12076 i",
      "Processed 4 prefixes, 4 paths",
    ];
    expect(read(xrHead, ...rows)).toEqual([
      ["10.4.1.0/24", false],
      ["10.49.0.0/16", true],
      ["2001:db8::/32", true],
    ]);
  });

  it("a table may have a path in use that is not the best one: several of equal cost", () => {
    const rows = [
      " *m   10.0.0.0/16      198.51.100.2                           0 12076 i",
      "Total number of prefixes 1",
    ];
    expect(read(xeHead, ...rows)).toEqual([["10.0.0.0/16", true]]);
  });

  const whole = [
    "*> 10.0.0.0/16        198.51.100.2             0             0 12076 i",
    "*  10.1.0.0/16        198.51.100.2             0             0 12076 i",
    "",
  ];

  it.each([
    ["a row less than IOS XR counts", ["Processed 3 prefixes, 3 paths"]],
    ["a path less than IOS XR counts", ["Processed 2 prefixes, 3 paths"]],
    ["a row more", ["Processed 1 prefixes, 1 paths"]],
    ["a row less than IOS XE counts", ["Total number of prefixes 3"]],
    ["a row that is not a prefix", ["*> [2]:[77][7,0]/616  198.51.100.2   0 12076 i"]],
    ["a row with a length that no prefix has", ["*> 10.0.0.0/33        198.51.100.2   0 i"]],
    ["a row with a code of another kind", ["*9 10.2.0.0/16        198.51.100.2   0 i"]],
    ["a row under another column", ["*>       10.2.0.0/16  198.51.100.2   0 i"]],
    ["a path that is not a next hop", ["*>                    nowhere   0 12076 i"]],
    ["a line that is not a row", ["sysmgr: no output"]],
  ])("a table with %s is not understood", (_, more) => {
    expect(read(xrHead, ...whole, "Processed 2 prefixes, 2 paths")).toHaveLength(2);
    expect(read(xrHead, ...whole, ...more)).toBeUndefined();
  });

  it("a table without a count at its end is not understood: its end may be missing", () => {
    expect(read(xrHead, ...whole)).toBeUndefined();
    expect(read(xeHead, " *   10.0.0.0/16      198.51.100.2      0 12076 i")).toBeUndefined();
  });

  it("a table with two best paths of one prefix is not understood", () => {
    const twice = [...whole.slice(0, 1), ...whole];
    expect(read(xrHead, ...twice, "Processed 2 prefixes, 3 paths")).toBeUndefined();
    expect(read(xeHead, ...twice, "Total number of prefixes 3")).toBeUndefined();
  });

  it("a table that has the sentence about families among its rows is not understood", () => {
    const sentence = "% None of the requested address families are configured";
    expect(read(xrHead, ...whole, sentence, "Processed 2 prefixes, 2 paths")).toBeUndefined();
  });

  it("a table is empty only by its count: a heading with nothing below it may be cut off", () => {
    expect(read(xrHead)).toBeUndefined();
    expect(read(xrHead, "Processed 0 prefixes, 0 paths")).toEqual([]);
    expect(read("Total number of prefixes 0 ")).toEqual([]);
    expect(read("Total number of prefixes 7")).toBeUndefined();
    expect(read("% None of the requested address families are configured")).toEqual([]);
    for (const text of ["", "% Neighbor not found", "% No such neighbor", "Unable to get data"]) {
      expect(read(text)).toBeUndefined();
    }
    // Rows whose heading was lost.
    expect(read(...whole, "Processed 2 prefixes, 2 paths")).toBeUndefined();
  });
});

describe("a neighbour", () => {
  it("a neighbour whose address begins with colons is one word of a command", () => {
    const at = (address: string) => ({ address, vrf: undefined });
    expect(preview(received("ipv6", at("::ffff:198.51.100.2"), "#"))).toBe(
      "show bgp ipv6 unicast neighbors ::ffff:198.51.100.2 routes",
    );
    expect(() => received("ipv6", at("::"), "#")).toThrow("not one word");
    expect(() => received("ipv6", at(":x"), "#")).toThrow("not one word");
  });

  const page = (about: string, state: string): string =>
    `BGP neighbor is ${about},  remote AS 12076, external link\n  ${state}\n`;

  it("a neighbour without an address or a state is not understood, rather than down", () => {
    expect(readPeerPages(page("198.51.100.2", "BGP state = Established"))).toHaveLength(1);
    expect(readPeerPages(page("198.51.100.2", "BGP version 4"))).toBeUndefined();
    expect(readPeerPages(page("router-b", "BGP state = Established"))).toBeUndefined();
  });

  it("a neighbour of two families has one state, or none that is known", () => {
    const up = page("198.51.100.2", "BGP state = Established, up for 3d");
    const down = page("198.51.100.2", "BGP state = Active");
    expect(readPeerPages(`${up}${up}`)).toHaveLength(2);
    expect(readPeerPages(`${up}${down}`)).toBeUndefined();
    const other = page("198.51.100.2,  vrf OTHER", "BGP state = Active");
    expect(readPeerPages(`${up}${other}`)).toHaveLength(2);
  });

  it("a neighbour on IOS XE has its routes read for each family in which it is active", () => {
    const asked = (address: string, ...families: readonly string[]) =>
      familiesOf({ address, families });
    expect(asked("198.51.100.2")).toEqual(["ipv4"]);
    expect(asked("198.51.100.2", "address-family ipv4", "address-family ipv6")).toEqual([
      "ipv4",
      "ipv6",
    ]);
    expect(asked("2001:db8::2", "address-family ipv6 vrf AZURE")).toEqual(["ipv6"]);
    expect(asked("198.51.100.2", "address-family ipv6 multicast")).toEqual(["ipv4"]);
  });

  it("a neighbour on IOS XR has its routes read for each family that it may bring", () => {
    const bgp =
      "router bgp 64512\n neighbor-group both\n  address-family ipv6 unicast\n  !\n !\n" +
      " neighbor 198.51.100.2\n  use neighbor-group both\n !\n" +
      " neighbor 2001:db8::2\n  remote-as 12076\n  address-family ipv6 unicast\n  !\n !\n" +
      " neighbor 198.51.100.6\n  address-family ipv4 unicast\n  !\n !\n!\n";
    const asked = readConfig({ ...texts, bgp }, true)?.neighbours.flatMap((one) =>
      one.families.map((family) => preview(received(family, one, "(config)#"))),
    );
    expect(asked).toEqual([
      "do show bgp ipv4 unicast neighbors 198.51.100.2 routes",
      "do show bgp ipv6 unicast neighbors 198.51.100.2 routes",
      "do show bgp ipv6 unicast neighbors 2001:db8::2 routes",
      "do show bgp ipv4 unicast neighbors 198.51.100.6 routes",
    ]);
  });
});
