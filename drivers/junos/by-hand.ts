// What a person types on a router with Junos, in the command line of its operational mode.

import { type ByHand, handLines, noHandLines } from "#hal/by-hand.ts";
import type { DrainMeans } from "#hal/model.ts";
import { drainIn, drainOut, ownName } from "./names.ts";

const neighbour = "protocols bgp group <BGP-GROUP> neighbor <NEIGHBOUR>";

const undrained: Readonly<Record<DrainMeans, readonly string[]>> = {
  prepend: [
    `delete ${neighbour} export ${drainOut}-<OUR-AS>`,
    `delete ${neighbour} import ${drainIn}`,
  ],
  gracefulShutdown: [`delete ${neighbour} graceful-shutdown`],
  peeringShutdown: [`activate ${neighbour}`],
};

/** The commands for a router with Junos. */
export const junosByHand: ByHand = {
  showMacsec: (port) =>
    handLines(
      `show security mka sessions interface ${port} detail`,
      `show security mka statistics interface ${port}`,
      `show security macsec connections interface ${port}`,
      `show security macsec statistics interface ${port}`,
    ),
  showPort: (port) =>
    handLines(`show interfaces ${port}`, `show interfaces diagnostics optics ${port}`),
  showBgp: () => handLines("show bgp summary"),
  showTunnel: (_name, gateway) =>
    handLines(
      `show security ike security-associations ${gateway} detail`,
      "show security ipsec security-associations detail",
    ),
  openPort: (port) => handLines("configure", `delete interfaces ${port} disable`, "commit"),
  restartMka: (port) =>
    handLines(
      ...["configure", `set interfaces ${port} disable`, "commit"],
      ...[`delete interfaces ${port} disable`, "commit"],
    ),
  putKey: (port, { cak, ckn }, { suite, includeSci }) => {
    const name = ownName(port);
    const association = `security macsec connectivity-association ${name}`;
    return handLines(
      "configure",
      `set ${association} security-mode static-cak`,
      `set ${association} cipher-suite ${suite}`,
      `${includeSci ? "set" : "delete"} ${association} include-sci`,
      `delete ${association} mka should-secure`,
      `delete ${association} pre-shared-key-chain`,
      `set ${association} pre-shared-key ckn ${ckn}`,
      `set ${association} pre-shared-key cak ${cak}`,
      `set security macsec interfaces ${port} connectivity-association ${name}`,
      ...["commit confirmed 5", `run show security mka sessions interface ${port}`, "commit"],
    );
  },
  macsecOff: (port) =>
    handLines("configure", `delete security macsec interfaces ${port}`, "commit"),
  undrain: (means) =>
    handLines(
      "configure",
      "# in a routing instance: edit routing-instances <INSTANCE>",
      ...undrained[means],
      "commit",
    ),
  save: () => noHandLines("A commit is saved: Junos boots with it."),
};
