// The native addon of this host, and what the service manager is told by it.

import { join } from "node:path";
import { loadNative, type Native } from "#drivers/transport/native.ts";
import { LinksealError } from "#hal/error.ts";
import type { Log } from "#hal/world.ts";

/** Throws `usage` where it was not built for this machine. */
export function loadAddon(): Native {
  // Beside the bundle, or beside the sources that it was made of.
  const folders = [import.meta.dirname, join(import.meta.dirname, "..", "..", "dist")];
  for (const folder of folders) {
    try {
      return loadNative(join(folder, "native", "linkseal.node"));
    } catch {
      // The other place may have it.
    }
  }
  throw new LinksealError("usage", "the native addon is missing, or not for this machine", {
    effect: "none",
    where: "native/linkseal.node",
    next: "npm run addon",
  });
}

/** That it is ready, if a manager waits for that: sd_notify(3). */
export function tellManager(native: Pick<Native, "notify">, log: Log): void {
  const { NOTIFY_SOCKET: address } = process.env;
  if (address === undefined) return;
  try {
    native.notify(address, "READY=1", []);
  } catch (error) {
    log.write("warn", "manager-unreachable", error instanceof Error ? error.message : "");
  }
}
