// A program that runs beside some work, and ends with it.

import { spawn } from "node:child_process";
import { once } from "node:events";

const patienceMs = 10_000;

/**
 * Runs `command` until the work, which gets its process id, has ended in any way. Rejects if the
 * program cannot be started, or ended by itself: then it did not run beside all of the work.
 */
export async function beside<T>(
  [command = "", ...argv]: readonly string[],
  work: (id: number) => Promise<T>,
): Promise<T> {
  const program = spawn(command, argv, { stdio: "ignore" });
  const ended = once(program, "close").catch((error: unknown) => error);
  await once(program, "spawn");
  const end = (): void => void program.kill("SIGTERM");
  process.once("exit", end);
  try {
    const result = await work(program.pid ?? 0);
    if (program.exitCode !== null || program.signalCode !== null) {
      throw new Error(`${command} has ended before what it was to run beside`);
    }
    return result;
  } finally {
    process.removeListener("exit", end);
    end();
    const late = setTimeout(() => program.kill("SIGKILL"), patienceMs);
    await ended;
    clearTimeout(late);
  }
}
