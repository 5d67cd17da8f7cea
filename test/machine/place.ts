// Where the machine of the kernel tier lies on this computer, and whether it is there.

import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

export interface MachineFiles {
  readonly kernel: string;
  readonly initrd: string;
  readonly modules: string;
  /** Name of the kernel package that the others come from; written last. */
  readonly label: string;
}

const caches = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
/** Outside the clone, so that a fresh one need not fetch the kernel again. */
export const machineFolder = process.env["LINKSEAL_MACHINE"] ?? join(caches, "linkseal-machine");
export const emulator = "qemu-system-x86_64";

export function filesIn(folder: string): MachineFiles {
  return {
    kernel: join(folder, "vmlinuz"),
    initrd: join(folder, "initrd"),
    modules: join(folder, "modules"),
    label: join(folder, "LABEL"),
  };
}

export function isCommand(name: string): boolean {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.some((folder) => existsSync(join(folder, name)));
}

/** Undefined where a machine can be booted. */
export function whyNoMachine(): string | undefined {
  if (process.arch !== "x64") return `not run: the machine is an x64, this is ${process.arch}`;
  const missing = [emulator, "gcc", "ip", "vtysh", "ping"].find((name) => !isCommand(name));
  const remedy = "npm run test:tools installs it";
  if (missing !== undefined) return `not run: there is no ${missing}; ${remedy}`;
  if (existsSync(filesIn(machineFolder).label)) return undefined;
  return `not run: there is no kernel for the machine; ${remedy}`;
}
