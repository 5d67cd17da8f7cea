// A fresh Debian with systemd and almost nothing else, without Node, on which the package is
// installed.

import { readFileSync } from "node:fs";
import { makeRoot } from "../../.ci/fresh/root.ts";
import { filesIn } from "./place.ts";

/** Makes the root once, as root. Returns a description of its contents. */
export function prepareRoot(folder: string): string {
  const { root, rootLabel } = filesIn(folder);
  const release = readFileSync("/etc/os-release", "utf8");
  return makeRoot({
    ...{ folder: root, label: rootLabel },
    suite: /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1] ?? "stable",
    packages: ["systemd", "systemd-sysv", "dbus", "iproute2", "kmod"],
  });
}
