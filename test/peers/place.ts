// What the peers tier needs on this computer: programs that nobody here has written.

import { existsSync } from "node:fs";
import { isCommand } from "../machine/place.ts";

/** Debian's, which its own Python alone finds. */
export const python = "/usr/bin/python3";
const packages = ["ncclient", "netmiko"];

/** Undefined where all of them are there. */
export function whyNoPeers(): string | undefined {
  const missing = ["ssh", "ssh-keygen"].find((name) => !isCommand(name));
  const absent = packages.find((name) => !existsSync(`/usr/lib/python3/dist-packages/${name}`));
  const lacks = missing ?? (absent && `python3-${absent}`);
  return lacks && `not run: there is no ${lacks}; npm run test:tools installs it`;
}
