// What a person types on a router with IOS XR, in its command line.

import { type ByHand, handLines, noHandLines } from "#hal/by-hand.ts";
import type { PortName } from "#hal/model.ts";
import { ownName } from "./names.ts";

const nameOf = (port: PortName): string => ownName(port) ?? "ls-port";

/** The commands for a router with IOS XR. */
export const iosxrByHand: ByHand = {
  showMacsec: (port) =>
    handLines(
      `show macsec mka session interface ${port} detail`,
      `show macsec mka statistics interface ${port}`,
      `show macsec secy stats interface ${port} sc`,
    ),
  showPort: (port) => handLines(`show interfaces ${port}`, `show controllers ${port} phy`),
  showBgp: () => handLines("show bgp all all summary"),
  showTunnel: () => noHandLines("IOS XR ends no tunnel of linkseal."),
  openPort: (port) => handLines("configure", `interface ${port}`, "no shutdown", "commit"),
  restartMka: (port) =>
    handLines(
      ...["configure", `interface ${port}`, "shutdown", "commit"],
      ...["no shutdown", "commit"],
    ),
  putKey: (port, { cak, ckn }, { suite, confidentialityOffset }) => {
    // A chain of its own: of two keys in one chain the one with the later start is used.
    const chain = `${nameOf(port)}-n`;
    const algorithm = suite.endsWith("128") ? "aes-128-cmac" : "aes-256-cmac";
    return handLines(
      "configure",
      ...[`key chain ${chain}`, "timezone gmt", "macsec", `key ${ckn}`],
      `key-string ${cak} cryptographic-algorithm ${algorithm}`,
      "lifetime 00:00:00 january 01 2026 infinite",
      "root",
      `macsec-policy ${nameOf(port)}`,
      `cipher-suite ${suite.toUpperCase()}`,
      `conf-offset CONF-OFFSET-${confidentialityOffset}`,
      "security-policy must-secure",
      "root",
      `interface ${port}`,
      `macsec psk-keychain ${chain} policy ${nameOf(port)}`,
      ...["commit confirmed 300", `do show macsec mka session interface ${port}`, "commit"],
    );
  },
  macsecOff: (port) =>
    handLines("configure", `interface ${port}`, "no macsec psk-keychain", "commit"),
  undrain: (means) =>
    handLines(
      ...["configure", "router bgp <OUR-AS>", "! in a VRF: vrf <VRF>", "neighbor <NEIGHBOUR>"],
      means === "peeringShutdown" ? "no shutdown" : "no graceful-maintenance",
      "commit",
    ),
  save: () => noHandLines("A commit is saved: IOS XR boots with it."),
};
