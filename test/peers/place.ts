// What the peers tier needs on this computer: programs that nobody here has written.

import { existsSync } from "node:fs";
import { isCommand } from "../machine/place.ts";

/** Debian's, which its own Python alone finds. */
export const python = "/usr/bin/python3";
const programs = ["ssh", "ssh-keygen", "snmpd", "snmpbulkwalk"];
const ncclient = "/usr/lib/python3/dist-packages/ncclient";

/** Undefined where all of them are there. */
export function whyNoPeers(): string | undefined {
  const missing = programs.find((name) => !isCommand(name));
  const lacks = missing ?? (existsSync(ncclient) ? undefined : "python3-ncclient");
  return lacks && `not run: there is no ${lacks}; npm run test:tools installs it`;
}
