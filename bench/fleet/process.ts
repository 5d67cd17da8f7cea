// What a process of a bench costs, from /proc.

import { readFileSync } from "node:fs";

/** The unit of /proc/PID/stat. */
const tickMs = 10;

const procFile = (pid: number, name: string): string =>
  readFileSync(`/proc/${pid}/${name}`, "utf8");

/** Returns the resident memory of a process, in megabytes. */
export const megabytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(procFile(pid, "status"))?.[1]) / 1024;

/** Returns the processor time of a process so far, in milliseconds. */
export function cpuMs(pid: number): number {
  const fields = procFile(pid, "stat").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}
