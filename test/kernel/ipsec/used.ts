// What the programs of a router host have used up to now.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** The unit of /proc/PID/stat. */
const tickMs = 10;

interface Used {
  readonly processorMs: number;
  /** The most memory that was ever resident at once. */
  readonly megabytes: number;
}

/** By program: `agent`, `net`, each charon with its process id, and commands that run now. */
export function usedByPrograms(): ReadonlyMap<string, Used> {
  const found = new Map<string, Used>();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const argv = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      const at = argv.findIndex((word) => word.endsWith("agent/bin.js"));
      const isCharon = /charon/.test(readlinkSync(`/proc/${pid}/exe`));
      const what = at >= 0 ? argv[at + 1] : isCharon ? `charon ${pid}` : undefined;
      if (what !== undefined) found.set(what, usedBy(pid));
    } catch {
      // The process has ended meanwhile.
    }
  }
  return found;
}

function usedBy(pid: string): Used {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const [, kilobytes = "0"] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
  return {
    processorMs: (Number(fields[11]) + Number(fields[12])) * tickMs,
    megabytes: Math.round(Number(kilobytes) / 1_024),
  };
}
