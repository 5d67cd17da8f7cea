// Namespaces for a test, if this user may have them.

import { spawnSync } from "node:child_process";

/** Arguments of unshare(1) for PIDs and mounts; programs inside end with unshare. */
export const namespaces = [
  ...["--pid", "--fork", "--kill-child", "--mount", "--mount-proc"],
  ...(process.getuid?.() === 0 ? [] : ["--map-root-user"]),
];

/** Returns why this host does not allow them; undefined = it does. */
export function hindrance(): string | undefined {
  const tried = spawnSync("unshare", [...namespaces, "mount", "-t", "tmpfs", "none", "/mnt"]);
  if (tried.status === 0) return undefined;
  const output = tried.error?.message ?? tried.stderr.toString().trim();
  return `not run: no PID and mount namespaces for this user (${output})`;
}
