// The first version of linkseal that had a package, built from the history of this clone: upgrades
// start from it.

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const cache = join(root, ".tmp");

/** The first version with a package, so that a host may have its state (CHANGELOG.md). */
export const firstVersion = "0.2.0";
/** Its full id: a clone need not have the tag of a release. */
const commit = "bff92ba6dc61f4ce358cf9dd221e96c8b6abfdf7";
const folder = join(cache, `linkseal-${commit.slice(0, 12)}`);

/** What a package is made of. */
const sources = [
  ...[".ci", "agent", "docs", "drivers", "hal", "sim", "systemd"],
  ...["CHANGELOG.md", "LICENSE", "package.json", "package-lock.json", "tsconfig.json"],
];

/** Returns why this clone cannot build it; undefined = it can. */
export function whyNoFirstVersion(): string | undefined {
  const found = spawnSync("git", ["cat-file", "-e", `${commit}^{commit}`], { cwd: root });
  if (found.status === 0) return undefined;
  return `this clone lacks ${commit.slice(0, 12)} (${firstVersion}): git fetch --unshallow`;
}

/**
 * Builds its command on the libraries of this clone: its state is written by its own code. Returns
 * the path of the command, which Node runs.
 */
export function buildFirstVersion(): string {
  if (!existsSync(folder)) unpack();
  run("bundle.ts", []);
  return join(folder, "agent", "bin.js");
}

/** Builds its package in the folder `out`. */
export function packageFirstVersion(out: string): void {
  buildFirstVersion();
  const show = ["show", "--no-patch", "--format=%ct", commit];
  const epoch = execFileSync("git", show, { cwd: root, encoding: "utf8" }).trim();
  run("package.ts", ["--compression", "zstd", "--out", out], { SOURCE_DATE_EPOCH: epoch });
}

function unpack(): void {
  mkdirSync(cache, { recursive: true });
  const fresh = mkdtempSync(join(cache, "first-"));
  const limits = { cwd: root, maxBuffer: 256_000_000 };
  const archive = execFileSync("git", ["archive", commit, "--", ...sources], limits);
  // The files keep the time of the commit, so they are older than what is built from them.
  execFileSync("tar", ["-x", "-C", fresh], { input: archive });
  symlinkSync(join(root, "node_modules"), join(fresh, "node_modules"));
  renameSync(fresh, folder);
}

/** The folder is no clone: a script that needs the date of the commit gets it by a variable. */
function run(script: string, argv: readonly string[], own: NodeJS.ProcessEnv = {}): void {
  execFileSync(process.execPath, [join(folder, ".ci", script), ...argv], {
    ...{ cwd: folder, env: { ...process.env, ...own }, stdio: ["ignore", "ignore", "inherit"] },
  });
}
