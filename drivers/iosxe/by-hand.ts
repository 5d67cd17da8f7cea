// What a person types on a router with IOS XE, in its command line. Each line takes effect when it
// is entered.

import { type ByHand, handLines } from "#hal/by-hand.ts";
import type { PortName } from "#hal/model.ts";
import { ownName } from "./names.ts";

const nameOf = (port: PortName): string => ownName(port) ?? "ls-port";
const begin = "configure terminal";

/** The commands for a router with IOS XE. */
export const iosxeByHand: ByHand = {
  showMacsec: (port) =>
    handLines(
      `show mka sessions interface ${port} detail`,
      `show mka statistics interface ${port}`,
      `show macsec statistics interface ${port}`,
    ),
  showPort: (port) =>
    handLines(`show interfaces ${port}`, `show interfaces ${port} transceiver detail`),
  showBgp: () => handLines("show bgp all summary"),
  showTunnel: (_name, gateway) =>
    handLines("show crypto ikev2 sa detailed", `show crypto ipsec sa peer ${gateway}`),
  openPort: (port) => handLines(begin, `interface ${port}`, "no shutdown", "end"),
  restartMka: (port) => handLines(begin, `interface ${port}`, "shutdown", "no shutdown", "end"),
  putKey: (port, { cak, ckn }, { suite }) => {
    const chain = `${nameOf(port)}-n`;
    return handLines(
      begin,
      ...[`key chain ${chain} macsec`, `key ${ckn}`],
      `cryptographic-algorithm ${suite.endsWith("128") ? "aes-128-cmac" : "aes-256-cmac"}`,
      ...[`key-string ${cak}`, "exit", "exit"],
      ...[`mka policy ${nameOf(port)}`, `macsec-cipher-suite ${suite}`],
      ...(suite.includes("xpn") ? ["ssci-based-on-sci", "exit"] : ["exit"]),
      ...[`interface ${port}`, `mka policy ${nameOf(port)}`],
      `mka pre-shared-key key-chain ${chain}`,
      "macsec access-control must-secure",
      "macsec",
      "! on a Catalyst 9000: macsec network-link",
      "end",
      `show mka sessions interface ${port}`,
    );
  },
  macsecOff: (port) =>
    handLines(
      ...[begin, `interface ${port}`, "no macsec", "! on a Catalyst 9000: no macsec network-link"],
      ...["no mka pre-shared-key key-chain", "end"],
    ),
  undrain: (means) =>
    means === "peeringShutdown"
      ? handLines(begin, "router bgp <OUR-AS>", "no neighbor <NEIGHBOUR> shutdown", "end")
      : handLines(
          ...["show running-config | section router bgp", begin, "router bgp <OUR-AS>"],
          "address-family ipv4",
          "! in a VRF: address-family ipv4 vrf <VRF>",
          "! linkseal-drain-...@NAME took the place of NAME, so put that back:",
          "! neighbor <NEIGHBOUR> route-map NAME out (and in), instead of:",
          "no neighbor <NEIGHBOUR> route-map linkseal-drain-out-<NEIGHBOUR> out",
          "no neighbor <NEIGHBOUR> route-map linkseal-drain-in-<NEIGHBOUR> in",
          "end",
          "clear ip bgp <NEIGHBOUR> soft",
        ),
  save: () => handLines("write memory"),
};
