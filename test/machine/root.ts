// A fresh Debian with systemd and next to nothing else, on which the package is installed: no Node.

import { readFileSync } from "node:fs";
import { makeRoot } from "../../.ci/fresh/root.ts";
import { filesIn } from "./place.ts";

/** Returns what it contains, in words; made once, as root. */
export function prepareRoot(folder: string): string {
  const { root, rootLabel } = filesIn(folder);
  const release = readFileSync("/etc/os-release", "utf8");
  return makeRoot({
    ...{ folder: root, label: rootLabel },
    suite: /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1] ?? "stable",
    packages: ["systemd", "systemd-sysv", "dbus", "iproute2", "kmod"],
  });
}
