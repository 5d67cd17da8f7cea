// What root types on a Linux router, in a shell.

import { type ByHand, handLines, noHandLines } from "#hal/by-hand.ts";

/** The commands for a Linux router. */
export const linuxByHand: ByHand = {
  showMacsec: (port) =>
    handLines("ip -s macsec show", `journalctl -u linkseal-mka@${port}.service -n 30`),
  showPort: (port) =>
    handLines(
      ...[`ip -s link show dev ${port}`, `ethtool ${port}`],
      `ethtool --module-info ${port}`,
    ),
  showBgp: () => handLines("vtysh -c 'show bgp summary'"),
  showTunnel: (name) =>
    handLines(`swanctl --list-sas --ike ${name}`, "journalctl -u strongswan -n 50"),
  openPort: (port) => handLines(`ip link set dev ${port} up`),
  restartMka: (port) => handLines(`ip link set dev ${port} down`, `ip link set dev ${port} up`),
  putKey: (port) =>
    noHandLines(
      "A Linux port gets its keys from the agent alone: give them to the vault, then " +
        `\`systemctl restart linkseal-net linkseal-mka@${port} linkseal\`.`,
    ),
  macsecOff: (port) =>
    handLines(
      `systemctl disable --now linkseal linkseal-net linkseal-mka@${port}`,
      ...["ip -d link show type macsec", "ip address show dev <SECY>"],
      ...["ip link delete dev <SECY>", `ip address add <ADDRESS/LENGTH> dev ${port}`],
    ),
  // FRR's configuration with the drain was never saved.
  undrain: () => handLines("systemctl restart frr"),
  save: () =>
    noHandLines(
      "What `ip` changed is gone at the next boot: write it into the network configuration of " +
        "the host. What `systemctl` changed stays.",
    ),
};
