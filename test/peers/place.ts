// The foreign programs that the peers tier needs on this computer.

import { existsSync } from "node:fs";
import { isCommand } from "../machine/place.ts";

/** Debian's Python, which alone finds Debian's packages. */
export const python = "/usr/bin/python3";
const programs = [
  ...["gcc", "ssh", "ssh-keygen", "snmpd", "snmpbulkwalk", "promtool", "chromium", "jq"],
];
const files: readonly (readonly [sign: string, name: string])[] = [
  ["/usr/lib/python3/dist-packages/ncclient", "python3-ncclient"],
  ["/usr/lib/python3/dist-packages/netmiko", "python3-netmiko"],
  ["/usr/include/nc_server.h", "libnetconf2-dev"],
  ["/usr/include/libyang/libyang.h", "libyang-dev"],
  ["/usr/include/libssh/callbacks.h", "libssh-dev"],
  ["/usr/sbin/sshd", "openssh-server"],
];

/** Returns undefined if all of them exist. */
export function whyNoPeers(): string | undefined {
  const missing = programs.find((name) => !isCommand(name));
  const lacks = missing ?? files.find(([sign]) => !existsSync(sign))?.[1];
  return lacks && `not run: there is no ${lacks}; npm run test:tools installs it`;
}
