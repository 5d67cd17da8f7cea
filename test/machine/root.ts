// A fresh Debian with systemd and next to nothing else, on which the package is installed: no Node.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { filesIn } from "./place.ts";

const packages = ["systemd", "systemd-sysv", "dbus", "iproute2", "kmod"];

/** Tells what it holds; made once, as root. */
export function prepareRoot(folder: string): string {
  const { root, rootLabel } = filesIn(folder);
  const release = readFileSync("/etc/os-release", "utf8");
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1] ?? "stable";
  const label = `${suite} with ${packages.join(", ")}`;
  if (existsSync(root) && existsSync(rootLabel)) {
    if (readFileSync(rootLabel, "utf8") === `${label}\n`) return label;
  }
  const fresh = `${root}.new`;
  for (const old of [fresh, rootLabel]) rmSync(old, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  const include = `--include=${packages.join(",")}`;
  execFileSync("mmdebstrap", ["--quiet", "--variant=minbase", include, suite, fresh], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  rmSync(root, { recursive: true, force: true });
  renameSync(fresh, root);
  writeFileSync(rootLabel, `${label}\n`);
  return label;
}
