// What a person types on a switch with NX-OS, in its command line. Each line takes effect when it
// is entered.

import { type ByHand, handLines, noHandLines } from "#hal/by-hand.ts";
import type { PortName } from "#hal/model.ts";
import { ownName } from "./names.ts";

const nameOf = (port: PortName): string => ownName(port) ?? "ls-port";
const begin = "configure terminal";

/** The commands for a switch with NX-OS. */
export const nxosByHand: ByHand = {
  showMacsec: (port) =>
    handLines(
      `show macsec mka session interface ${port} details`,
      `show macsec mka statistics interface ${port}`,
      `show macsec secy statistics interface ${port}`,
    ),
  showPort: (port) =>
    handLines(`show interface ${port}`, `show interface ${port} transceiver details`),
  showBgp: () => handLines("show bgp all summary vrf all"),
  showTunnel: () => noHandLines("NX-OS ends no tunnel of linkseal."),
  openPort: (port) => handLines(begin, `interface ${port}`, "no shutdown", "end"),
  restartMka: (port) => handLines(begin, `interface ${port}`, "shutdown", "no shutdown", "end"),
  putKey: (port, { cak, ckn }, { suite, confidentialityOffset }) => {
    const chain = `${nameOf(port)}-n`;
    const algorithm = suite.endsWith("128") ? "AES_128_CMAC" : "AES_256_CMAC";
    return handLines(
      ...[begin, `key chain ${chain} macsec`, `key ${ckn}`],
      `key-octet-string ${cak} cryptographic-algorithm ${algorithm}`,
      ...["exit", "exit", `macsec policy ${nameOf(port)}`],
      `cipher-suite ${suite.toUpperCase()}`,
      `conf-offset CONF-OFFSET-${confidentialityOffset}`,
      ...["security-policy must-secure", "exit", `interface ${port}`],
      `macsec keychain ${chain} policy ${nameOf(port)}`,
      ...["end", `show macsec mka session interface ${port} details`],
    );
  },
  macsecOff: (port) =>
    handLines(
      ...["show running-config | include 'macsec keychain'", begin, `interface ${port}`],
      "no macsec keychain <CHAIN> policy <POLICY>",
      "end",
    ),
  undrain: (means) => {
    const neighbour = ["router bgp <OUR-AS>", "! in a VRF: vrf <VRF>", "neighbor <NEIGHBOUR>"];
    return means === "peeringShutdown"
      ? handLines(begin, ...neighbour, "no shutdown", "end")
      : handLines(
          ...["show running-config bgp | exclude password", begin, ...neighbour],
          "address-family ipv4 unicast",
          "! linkseal-drain-...@NAME took the place of NAME, so put that back:",
          "! route-map NAME out (and in), instead of:",
          "no route-map linkseal-drain-out-<NEIGHBOUR> out",
          "no route-map linkseal-drain-in-<NEIGHBOUR> in",
          "end",
        );
  },
  save: () => handLines("copy running-config startup-config"),
};
