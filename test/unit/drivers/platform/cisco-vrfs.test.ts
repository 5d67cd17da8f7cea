// The VRFs that a Cisco router is asked for its way to an address.

import { expect, it } from "vitest";
import { familiesIn, vrfsFor } from "#drivers/platform/cisco-config.ts";

it.each([
  ["ip address 192.0.2.1 255.255.255.0", ["ipv4"]],
  ["ip address dhcp", ["ipv4"]],
  ["ip unnumbered Loopback0", ["ipv4"]],
  ["ipv4 address 192.0.2.1 255.255.255.0", ["ipv4"]],
  ["ipv6 address 2001:db8::/64 eui-64", ["ipv6"]],
  ["ipv6 enable", ["ipv6"]],
  ["ip vrf forwarding azure", []],
  ["ip mtu 1400", []],
])("an interface with %s has addresses of %j", (line, families) => {
  expect([...familiesIn([line, "shutdown"])]).toEqual(families);
});

it("a VRF is asked if one of its interfaces has an address of the family", () => {
  const of = (vrf: string | undefined, ...families: readonly string[]) => {
    return { vrf, families: new Set(families) };
  };
  const interfaces = new Map([
    ["a", of("azure", "ipv4")],
    ["b", of("azure", "ipv6")],
    ["c", of("mgmt", "ipv4")],
    ["d", of("idle")],
  ]);
  expect(vrfsFor("192.0.2.9", interfaces)).toEqual([undefined, "azure", "mgmt"]);
  expect(vrfsFor("2001:db8::9", interfaces)).toEqual([undefined, "azure"]);
});
