// The foreign programs that the peers tier needs on this computer.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { isCommand } from "../machine/place.ts";

/** Debian's Python, which alone finds Debian's packages. */
export const python = "/usr/bin/python3";
const programs = [
  ...["gcc", "ssh", "ssh-keygen", "snmpd", "snmpbulkwalk", "promtool", "chromium", "jq"],
  ...["ansible-playbook", "man", "mandoc", "journalctl", "nats-server", "openssl"],
];
/** The folder whose packages are Microsoft's own clients. */
export const sdkFolder = join(import.meta.dirname, "../azure-sdk");
/** What npm leaves there at the end of an installation. */
export const sdkSign = join(sdkFolder, "node_modules/.package-lock.json");
const files: readonly (readonly [sign: string, name: string])[] = [
  ["/usr/lib/python3/dist-packages/ncclient", "python3-ncclient"],
  ["/usr/lib/python3/dist-packages/netmiko", "python3-netmiko"],
  ["/usr/include/nc_server.h", "libnetconf2-dev"],
  ["/usr/include/libyang/libyang.h", "libyang-dev"],
  ["/usr/include/libssh/callbacks.h", "libssh-dev"],
  [sdkSign, "client of Microsoft in test/azure-sdk"],
  ["/usr/sbin/sshd", "openssh-server"],
];

/** Returns undefined if all of them exist. */
export function whyNoPeers(): string | undefined {
  const missing = programs.find((name) => !isCommand(name));
  const lacks = missing ?? files.find(([sign]) => !existsSync(sign))?.[1];
  return lacks && `not run: there is no ${lacks}; npm run test:tools installs it`;
}
