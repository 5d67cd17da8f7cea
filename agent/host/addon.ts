// The native addon of this host.

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

/** undefined = it was not built for this machine. */
export function findAddon(): Native | undefined {
  try {
    return loadAddon();
  } catch {
    return undefined;
  }
}

/**
 * From here on no core file of this process is written, and no debugger of its user's gets in:
 * prctl(2), PR_SET_DUMPABLE. Without an addon that is the service manager's to do, and is told.
 */
export function refuseDumps(native: Native | undefined, log: Log): void {
  native?.refuseDumps();
  if (native !== undefined) return;
  const how = "keep core files off by LimitCORE=0 or ulimit -c 0";
  log.write("info", "dumps-allowed", `no native addon here: ${how}`);
}
