// What a person types on a router with EOS, in its command line.

import { type ByHand, handLines } from "#hal/by-hand.ts";
import { cipherOf } from "./config.ts";
import { ownProfile } from "./names.ts";

const begin = "configure";

/** The commands for a router with EOS. */
export const eosByHand: ByHand = {
  showMacsec: (port) =>
    handLines(
      `show mac security interface ${port} detail`,
      `show mac security participants ${port} detail`,
      `show mac security counters ${port} detail`,
      `show mac security mka counters ${port}`,
    ),
  showPort: (port) => handLines(`show interfaces ${port}`, `show interfaces ${port} transceiver`),
  showBgp: () => handLines("show bgp summary vrf all"),
  showTunnel: () => handLines("show ip security connection detail"),
  openPort: (port) => handLines(begin, `interface ${port}`, "no shutdown", "end"),
  restartMka: (port) => handLines(begin, `interface ${port}`, "shutdown", "no shutdown", "end"),
  putKey: (port, { cak, ckn, oldCkn }, { suite, includeSci }) => {
    const profile = ownProfile(port);
    return handLines(
      "configure session night",
      ...["mac security", `profile ${profile}`, `cipher ${cipherOf(suite)}`],
      includeSci ? "sci" : "no sci",
      "traffic unprotected drop",
      ...[`no key ${oldCkn}`, `key ${ckn} 0 ${cak}`],
      ...["exit", "exit", `interface ${port}`, `mac security profile ${profile}`],
      "commit timer 00:05:00",
      `show mac security interface ${port} detail`,
      "configure session night commit",
    );
  },
  macsecOff: (port) => handLines(begin, `interface ${port}`, "no mac security profile", "end"),
  undrain: (means) =>
    means === "peeringShutdown"
      ? handLines(begin, "router bgp <OUR-AS>", "no neighbor <NEIGHBOUR> shutdown", "end")
      : handLines(
          ...["show running-config section linkseal-drain", begin, "router bgp <OUR-AS>"],
          "! in a VRF: vrf <VRF>",
          "! a map with sub-route-map NAME took the place of NAME, so put that back:",
          "! neighbor <NEIGHBOUR> route-map NAME out (and in), instead of:",
          "no neighbor <NEIGHBOUR> route-map linkseal-drain-out-<NEIGHBOUR> out",
          "no neighbor <NEIGHBOUR> route-map linkseal-drain-in-<NEIGHBOUR> in",
          "end",
        ),
  save: () => handLines("write memory"),
};
