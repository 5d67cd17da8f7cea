// Packages of another suite of this computer's own mirror, which apt verifies as everything. None
// of them is ever installed here.

import { type ExecFileSyncOptions, execFileSync } from "node:child_process";
import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Returns the code name of this computer's Debian, such as trixie. */
export function ownSuite(): string {
  const release = readFileSync("/etc/os-release", "utf8");
  return /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1] ?? "";
}

/** Returns this computer's own package source, with only the suite changed. */
function sourceOf(suite: string): string {
  const own = ownSuite();
  const stanzas = globSync("/etc/apt/sources.list.d/*.sources")
    .flatMap((path) => readFileSync(path, "utf8").split(/\n\s*\n/))
    .filter((stanza) => stanza.includes("Signed-By:"));
  const stanza = stanzas.find((one) => new RegExp(`^Suites:.*\\b${own}(\\s|$)`, "m").test(one));
  if (own === "" || stanza === undefined)
    throw new Error("apt has no signed source of this Debian");
  return `${stanza.replace(/^Suites:.*$/m, `Suites: ${suite}`)}\n`;
}

export interface Suite {
  /** Returns what `apt-cache` prints. */
  ask(...argv: readonly string[]): string;
  /** Downloads a package, as `name` or `name=version`, into the folder; returns its path. */
  download(what: string): string;
}

/** Reads the lists of a suite. `work`: an empty folder for them, and for what is downloaded. */
export function openSuite(suite: string, work: string): Suite {
  mkdirSync(join(work, "lists", "partial"), { recursive: true });
  const sources = join(work, "one.sources");
  writeFileSync(sources, sourceOf(suite));
  const options = [
    `Dir::Etc::sourcelist=${sources}`,
    "Dir::Etc::sourceparts=-",
    `Dir::State::lists=${join(work, "lists")}`,
    ...["Dir::Cache::pkgcache=", "Dir::Cache::srcpkgcache="],
    // A list that does not come is an error.
    "APT::Update::Error-Mode=any",
    // It runs as root: apt's own user may not write into the folder.
    "APT::Sandbox::User=root",
  ].flatMap((option) => ["-o", option]);
  const quiet: ExecFileSyncOptions = { cwd: work, stdio: ["ignore", "ignore", "inherit"] };
  execFileSync("apt-get", ["-qq", ...options, "update"], quiet);
  return {
    ask: (...argv) =>
      execFileSync("apt-cache", [...options, ...argv], { encoding: "utf8", maxBuffer: 64_000_000 }),
    download: (what) => {
      execFileSync("apt-get", ["-qq", ...options, "download", what], quiet);
      const [file = ""] = globSync(`${what.split("=")[0]}_*.deb`, { cwd: work });
      return join(work, file);
    },
  };
}
