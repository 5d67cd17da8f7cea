// The package of this clone, one of a later version, which differs only in its version and the
// build that it reports, and that of the first version that had one.

import { type ExecFileSyncOptions, execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { firstVersion, packageFirstVersion, whyNoFirstVersion } from "../first-version.ts";

const root = join(import.meta.dirname, "..", "..");
const packageFolder = join(root, ".tmp", "test-packages");
const firstFolder = join(packageFolder, "first");

export interface Packages {
  readonly first: string;
  readonly present: string;
  readonly later: string;
}

/** Returns the version with its last number increased, such as 0.1.0 to 0.1.1. */
function laterThan(version: string): string {
  const parts = version.split(".").map(Number);
  return [...parts.slice(0, -1), (parts.at(-1) ?? 0) + 1].join(".");
}

export function packagesOf(version: string): Packages {
  const file = (one: string): string => join(packageFolder, `linkseal_${one}_amd64.deb`);
  const first = join(firstFolder, `linkseal_${firstVersion}_amd64.deb`);
  return { first, present: file(version), later: file(laterThan(version)) };
}

/**
 * Builds them; a shallow clone cannot build the first. Returns undefined once they exist, otherwise
 * the reason.
 */
export function buildPackages(): string | undefined {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly version: string;
  };
  mkdirSync(packageFolder, { recursive: true });
  const { present, later } = packagesOf(version);
  const options: ExecFileSyncOptions = { cwd: root, stdio: ["ignore", "ignore", "inherit"] };
  const unpacked = join(packageFolder, "later");
  try {
    const script = join(root, ".ci", "package.ts");
    const argv = [script, "--compression", "zstd", "--out", packageFolder];
    execFileSync(process.execPath, argv, options);
    rmSync(unpacked, { recursive: true, force: true });
    execFileSync("dpkg-deb", ["-R", present, unpacked], options);
    const next = laterThan(version);
    edit(join(unpacked, "DEBIAN", "control"), `Version: ${version}`, `Version: ${next}`);
    edit(join(unpacked, "DEBIAN", "preinst"), version, next);
    writeFileSync(join(unpacked, "usr/lib/linkseal/dist/STAMP"), "f".repeat(64));
    execFileSync("dpkg-deb", ["--root-owner-group", "-Zzstd", "-b", unpacked, later], options);
    rmSync(unpacked, { recursive: true });
    if (whyNoFirstVersion() === undefined) packageFirstVersion(firstFolder);
    return undefined;
  } catch (error) {
    return `not run: no package can be built: ${error instanceof Error ? error.message : ""}`;
  }
}

function edit(path: string, from: string, to: string): void {
  const text = readFileSync(path, "utf8");
  if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
  writeFileSync(path, text.replaceAll(from, to));
}
