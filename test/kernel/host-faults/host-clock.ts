// Sets the wall clock of the machine, and suspends it.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

/** Sets the wall clock to a Unix time in milliseconds. */
export function setClock(wallMs: number): void {
  execFileSync("date", ["--set", `@${(wallMs / 1000).toFixed(3)}`], { stdio: "ignore" });
}

/** Moves the wall clock by so many milliseconds, back if negative. */
export function stepClock(ms: number): void {
  setClock(Date.now() + ms);
}

const alarm = "/sys/class/rtc/rtc0/wakealarm";

/**
 * Suspends the machine to memory; returns once the alarm of its real-time clock has woken it. All
 * of its programs stand still meanwhile, this one too.
 */
export function suspend(seconds: number): void {
  if (!existsSync(alarm)) {
    throw new Error("this kernel has no clock that wakes it: npm run test:tools builds one");
  }
  writeFileSync(alarm, "0");
  writeFileSync(alarm, `+${seconds}`);
  writeFileSync("/sys/power/state", "mem");
}

/** Returns the time since the boot in seconds, which counts a suspend. */
export function sinceBoot(): number {
  return Number(readFileSync("/proc/uptime", "latin1").split(" ")[0]);
}

/** Steps of a clock that the tests make, in milliseconds; each is followed by the way back. */
export const clockSteps = [1_000, 60_000, 600_000, 3_600_000, 86_400_000].flatMap((ms) => [
  ms,
  -ms,
]);
