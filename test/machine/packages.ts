// The packages of this clone, those of a later version, which differ only in their version and the
// build that they report, and that of the first version that had one.

import { type ExecFileSyncOptions, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { firstVersion, packageFirstVersion, whyNoFirstVersion } from "../first-version.ts";

const root = join(import.meta.dirname, "..", "..");
const packageFolder = join(root, ".tmp", "test-packages");
const firstFolder = join(packageFolder, "first");

const names = ["linkseal", "linkseal-hub", "linkseal-lab"] as const;
type Name = (typeof names)[number];

export interface Packages {
  readonly first: string;
  readonly present: Readonly<Record<Name, string>>;
  readonly later: Readonly<Record<Name, string>>;
}

/** Returns the version with its last number increased, such as 0.1.0 to 0.1.1. */
function laterThan(version: string): string {
  const parts = version.split(".").map(Number);
  return [...parts.slice(0, -1), (parts.at(-1) ?? 0) + 1].join(".");
}

export function packagesOf(version: string): Packages {
  const files = (one: string) => ({
    linkseal: join(packageFolder, `linkseal_${one}_amd64.deb`),
    "linkseal-hub": join(packageFolder, `linkseal-hub_${one}_all.deb`),
    "linkseal-lab": join(packageFolder, `linkseal-lab_${one}_all.deb`),
  });
  const first = join(firstFolder, `linkseal_${firstVersion}_amd64.deb`);
  return { first, present: files(version), later: files(laterThan(version)) };
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
  try {
    const script = join(root, ".ci", "package.ts");
    const argv = [script, "--compression", "zstd", "--out", packageFolder];
    execFileSync(process.execPath, argv, options);
    for (const name of names) makeLater(present[name], later[name], version);
    if (whyNoFirstVersion() === undefined) packageFirstVersion(firstFolder);
    return undefined;
  } catch (error) {
    return `not run: no package can be built: ${error instanceof Error ? error.message : ""}`;
  }
}

function makeLater(present: string, later: string, version: string): void {
  const options: ExecFileSyncOptions = { stdio: ["ignore", "ignore", "inherit"] };
  const unpacked = join(packageFolder, "later");
  const stamp = join(unpacked, "usr/lib/linkseal/dist/STAMP");
  rmSync(unpacked, { recursive: true, force: true });
  execFileSync("dpkg-deb", ["-R", present, unpacked], options);
  edit(join(unpacked, "DEBIAN", "control"), version, laterThan(version));
  const preinst = join(unpacked, "DEBIAN", "preinst");
  if (existsSync(preinst)) edit(preinst, version, laterThan(version));
  if (existsSync(stamp)) writeFileSync(stamp, "f".repeat(64));
  execFileSync("dpkg-deb", ["--root-owner-group", "-Zzstd", "-b", unpacked, later], options);
  rmSync(unpacked, { recursive: true });
}

function edit(path: string, from: string, to: string): void {
  const text = readFileSync(path, "utf8");
  if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
  writeFileSync(path, text.replaceAll(from, to));
}
