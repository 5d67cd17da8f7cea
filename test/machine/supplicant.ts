// Fetches a newer wpa_supplicant than this computer's Debian has: a peer that knows GCM-AES-256. It
// is never installed here; the machine unpacks it for itself.

import { type ExecFileSyncOptions, execFileSync } from "node:child_process";
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { filesIn } from "./place.ts";

const suite = "forky";
const name = "wpasupplicant";
const version = /^\s*Candidate: (2:2\.11-\S+)$/m;

/** Returns this computer's own package source, with only the suite changed. */
function sourceOfSuite(): string {
  const release = readFileSync("/etc/os-release", "utf8");
  const own = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1] ?? "";
  const stanzas = globSync("/etc/apt/sources.list.d/*.sources")
    .flatMap((path) => readFileSync(path, "utf8").split(/\n\s*\n/))
    .filter((stanza) => stanza.includes("Signed-By:"));
  const stanza = stanzas.find((one) => new RegExp(`^Suites:.*\\b${own}(\\s|$)`, "m").test(one));
  if (own === "" || stanza === undefined)
    throw new Error("apt has no signed source of this Debian");
  return `${stanza.replace(/^Suites:.*$/m, `Suites: ${suite}`)}\n`;
}

/** Downloads the package, which apt verifies as everything; returns the version. */
export function prepareSupplicant(folder: string): string {
  const { supplicant, supplicantLabel } = filesIn(folder);
  if (existsSync(supplicant) && existsSync(supplicantLabel)) {
    return readFileSync(supplicantLabel, "utf8").trim();
  }
  const work = mkdtempSync(join(tmpdir(), "linkseal-supplicant-"));
  try {
    mkdirSync(join(work, "lists", "partial"), { recursive: true });
    const sources = join(work, "one.sources");
    writeFileSync(sources, sourceOfSuite());
    const options = [
      `Dir::Etc::sourcelist=${sources}`,
      "Dir::Etc::sourceparts=-",
      `Dir::State::lists=${join(work, "lists")}`,
      ...["Dir::Cache::pkgcache=", "Dir::Cache::srcpkgcache="],
      // It runs as root: apt's own user may not write into the folder.
      "APT::Sandbox::User=root",
    ].flatMap((option) => ["-o", option]);
    const quiet: ExecFileSyncOptions = { cwd: work, stdio: ["ignore", "ignore", "inherit"] };
    execFileSync("apt-get", ["-qq", ...options, "update"], quiet);
    const policy = execFileSync("apt-cache", [...options, "policy", name], { encoding: "utf8" });
    const found = version.exec(policy)?.[1];
    if (found === undefined) throw new Error(`the mirror has no ${name} 2.11 in ${suite}`);
    execFileSync("apt-get", ["-qq", ...options, "download", `${name}=${found}`], quiet);
    const [file = ""] = globSync("*.deb", { cwd: work });
    const fresh = `${supplicant}.new`;
    writeFileSync(fresh, readFileSync(join(work, file)));
    renameSync(fresh, supplicant);
    writeFileSync(supplicantLabel, `${found}\n`);
    return found;
  } finally {
    rmSync(work, { recursive: true });
  }
}
