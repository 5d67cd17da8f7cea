// Earlier versions of linkseal, built from the history of this clone: upgrades start from them.

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const cache = join(root, ".tmp");

export interface OlderVersion {
  readonly version: string;
  /** Its full id: a clone need not have the tag of a release. */
  readonly commit: string;
}

/** The first one with a package: a host may have its state (docs/versioning.md). */
export const firstVersion: OlderVersion = {
  version: "0.1.0",
  commit: "878b441a177d2f8f2c301bf36ed7d8c220a59f9a",
};

/** The first one and each release since, the oldest first. */
export const olderVersions: readonly OlderVersion[] = [
  firstVersion,
  { version: "0.2.0", commit: "bff92ba6dc61f4ce358cf9dd221e96c8b6abfdf7" },
];

/** What a package is made of. */
const sources = [
  ...[".ci", "agent", "docs", "drivers", "hal", "sim", "systemd"],
  ...["CHANGELOG.md", "LICENSE", "package.json", "package-lock.json"],
];

/** Returns why this clone cannot build it; undefined = it can. */
export function whyNotBuilt({ version, commit }: OlderVersion): string | undefined {
  const found = spawnSync("git", ["cat-file", "-e", `${commit}^{commit}`], { cwd: root });
  if (found.status === 0) return undefined;
  return `this clone lacks ${commit.slice(0, 12)} (${version}): git fetch --unshallow`;
}

/**
 * Builds its command on the libraries of this clone: its state is written by its own code. Returns
 * the folder of its sources, in which agent/bin.js starts it.
 */
export function buildOlder({ commit }: OlderVersion): string {
  const folder = join(cache, `linkseal-${commit.slice(0, 12)}`);
  if (!existsSync(folder)) unpack(commit, folder);
  run(folder, "bundle.ts", []);
  return folder;
}

/** Builds its package. Returns the path of the file, in the folder `out`. */
export function packageOlder(older: OlderVersion, out: string): string {
  const folder = buildOlder(older);
  const show = ["show", "--no-patch", "--format=%ct", older.commit];
  const epoch = execFileSync("git", show, { cwd: root, encoding: "utf8" }).trim();
  run(folder, "package.ts", ["--compression", "zstd", "--out", out], epoch);
  return join(out, `linkseal_${older.version}_amd64.deb`);
}

function unpack(commit: string, folder: string): void {
  mkdirSync(cache, { recursive: true });
  const fresh = mkdtempSync(join(cache, "older-"));
  const limits = { cwd: root, maxBuffer: 256_000_000 };
  const archive = execFileSync("git", ["archive", commit, "--", ...sources], limits);
  // The files keep the time of the commit, so they are older than what is built from them.
  execFileSync("tar", ["-x", "-C", fresh], { input: archive });
  symlinkSync(join(root, "node_modules"), join(fresh, "node_modules"));
  renameSync(fresh, folder);
}

function run(folder: string, script: string, argv: readonly string[], epoch = ""): void {
  // The folder is no clone, so that the script could not find the date of its commit.
  const env = epoch === "" ? process.env : { ...process.env, SOURCE_DATE_EPOCH: epoch };
  const path = join(folder, ".ci", script);
  execFileSync(process.execPath, [path, ...argv], {
    ...{ cwd: folder, env, stdio: ["ignore", "ignore", "inherit"] },
  });
}
