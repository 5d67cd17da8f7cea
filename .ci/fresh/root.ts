// Makes a fresh Debian in a folder of this machine.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

export interface Root {
  readonly folder: string;
  /** File that describes the contents of the folder; it is written last. */
  readonly label: string;
  readonly suite: string;
  readonly packages: readonly string[];
  /** Command lines that are run inside, once the packages are installed. */
  readonly setup?: readonly string[];
}

/**
 * Makes the root (this needs root rights) unless it exists as described. Returns a description of
 * its contents.
 */
export function makeRoot({ folder, label, suite, packages, setup = [] }: Root): string {
  const words = `${suite} with ${packages.join(", ")}`;
  const content = `${[words, ...setup].join("\n")}\n`;
  if (existsSync(folder) && existsSync(label) && readFileSync(label, "utf8") === content) {
    return words;
  }
  const fresh = `${folder}.new`;
  for (const old of [fresh, label]) rmSync(old, { recursive: true, force: true });
  mkdirSync(dirname(folder), { recursive: true });
  const include = `--include=${packages.join(",")}`;
  // It takes nothing from the package lists and preferences of this machine.
  execFileSync("mmdebstrap", ["--quiet", "--variant=minbase", include, suite, fresh], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  for (const line of setup) {
    execFileSync("chroot", [fresh, "sh", "-ec", line], { stdio: ["ignore", "ignore", "inherit"] });
  }
  rmSync(folder, { recursive: true, force: true });
  renameSync(fresh, folder);
  writeFileSync(label, content);
  return words;
}
