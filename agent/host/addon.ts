// Loads the native addon of this host.

import { join } from "node:path";
import { loadNative, type Native } from "#drivers/transport/native.ts";
import { LinksealError } from "#hal/error.ts";
import type { Log } from "#hal/world.ts";

/**
 * Loads the addon.
 * @throws LinksealError with `usage` if there is none for this machine
 */
export function loadAddon(): Native {
  // The addon is beside the folder of the bundle, or in dist/ of the clone whose sources run.
  const above = join(import.meta.dirname, "..");
  const folders = [above, join(above, "..", "dist")];
  for (const folder of folders) {
    try {
      return loadNative(join(folder, "native", "linkseal.node"));
    } catch {
      // The other folder may have it.
    }
  }
  throw new LinksealError("usage", "the native addon is missing, or not for this machine", {
    effect: "none",
    where: "native/linkseal.node",
    next: "npm run addon",
  });
}

/** Loads the addon; undefined = there is none for this machine. */
export function findAddon(): Native | undefined {
  try {
    return loadAddon();
  } catch {
    return undefined;
  }
}

/**
 * Makes sure that no core file of this process is written and that no debugger of its user
 * attaches: prctl(2), PR_SET_DUMPABLE. Without an addon the service manager has to do that, and the
 * log says so.
 */
export function refuseDumps(native: Native | undefined, log: Log): void {
  native?.refuseDumps();
  if (native !== undefined) return;
  const how = "keep core files off by LimitCORE=0 or ulimit -c 0";
  log.write("info", "dumps-allowed", `no native addon here: ${how}`);
}
