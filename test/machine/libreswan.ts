// Fetches libreswan, a gateway that shares no code with charon. Its package conflicts with
// charon's, so it is never installed: it is unpacked into a folder, with the libraries that this
// computer lacks.

import { type ExecFileSyncOptions, execFileSync } from "node:child_process";
import {
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { filesIn } from "./place.ts";

const name = "libreswan";

function output(command: string, ...argv: string[]): string {
  return execFileSync(command, argv, { encoding: "utf8", maxBuffer: 16_000_000 });
}

/** Returns the packages that an installation would add; the simulation changes nothing. */
function lacking(): readonly string[] {
  const simulated = output("apt-get", "-s", "install", "--no-install-recommends", name);
  // A package that is installed already has its present version in brackets.
  return [...simulated.matchAll(/^Inst (\S+) \(/gm)].map(([, added = ""]) => added);
}

/**
 * Unpacks libreswan at its place in `folder` unless the current one exists; returns its version.
 */
export function prepareLibreswan(folder: string): string {
  const { libreswan, libreswanLabel } = filesIn(folder);
  const version = /^\s*Candidate: (\d\S*)$/m.exec(output("apt-cache", "policy", name))?.[1];
  if (version === undefined) throw new Error(`apt knows no ${name}: run apt-get update`);
  const label = `${version}\n`;
  if (existsSync(libreswanLabel) && readFileSync(libreswanLabel, "utf8") === label) return version;
  const work = mkdtempSync(`${libreswan}-`);
  try {
    const quiet: ExecFileSyncOptions = { cwd: work, stdio: ["ignore", "ignore", "inherit"] };
    // It runs as root: apt's own user may not write into the folder.
    const options = ["-qq", "-o", "APT::Sandbox::User=root"];
    execFileSync("apt-get", [...options, "download", ...lacking()], quiet);
    for (const file of globSync("*.deb", { cwd: work })) {
      execFileSync("dpkg-deb", ["-x", file, "root"], quiet);
    }
    rmSync(libreswan, { recursive: true, force: true });
    renameSync(join(work, "root"), libreswan);
    writeFileSync(libreswanLabel, label);
  } finally {
    rmSync(work, { recursive: true });
  }
  return version;
}
