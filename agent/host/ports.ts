// Finds the ports of this host that have hardware, and their speeds.

import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { FoundPort } from "../operate/init/answers.ts";

/** Returns the ports, sorted by name; empty = the kernel shows none. */
export async function hostPorts(folder = "/sys/class/net"): Promise<readonly FoundPort[]> {
  const names = await readdir(folder).catch((): string[] => []);
  const ports = names.filter((name) => existsSync(join(folder, name, "device"))).sort();
  return await Promise.all(
    ports.map(async (name) => ({ name, gigabits: await gigabitsOf(join(folder, name, "speed")) })),
  );
}

// A port without light does not report its speed.
async function gigabitsOf(path: string): Promise<number | undefined> {
  const megabits = Number(await readFile(path, "latin1").catch(() => "-1"));
  return megabits >= 1000 ? megabits / 1000 : undefined;
}
