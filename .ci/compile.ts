// Compiles the native addon, for this machine or another.

import { spawnSync } from "node:child_process";
import { globSync, renameSync } from "node:fs";
import { join } from "node:path";

const flags = [
  "-std=gnu17",
  "-O2",
  "-shared",
  "-fPIC",
  "-fvisibility=hidden",
  "-fstack-protector-strong",
  "-D_FORTIFY_SOURCE=2",
  "-DNAPI_VERSION=9",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-Wl,-z,relro,-z,now",
];

export interface Compilation {
  readonly root: string;
  readonly compiler: "gcc" | "aarch64-linux-gnu-gcc";
  /** Folder of node_api.h. */
  readonly headers: string;
  readonly defines: readonly string[];
  readonly file: string;
}

export function addonSources(root: string): readonly string[] {
  return globSync("drivers/transport/native/*.{c,h}", { cwd: root }).sort();
}

/**
 * Compiles the addon into `file`. Throws an error with the compiler's name; the compiler has
 * written its own messages to standard error.
 */
export function compileAddon({ root, compiler, headers, defines, file }: Compilation): void {
  const units = addonSources(root).filter((path) => path.endsWith(".c"));
  // A process that has loaded the old file keeps that file unchanged.
  const fresh = `${file}.new`;
  const argv = [...flags, ...defines, `-I${headers}`, "-o", fresh, ...units];
  const { status, error } = spawnSync(compiler, argv, { cwd: root, stdio: "inherit" });
  if (status !== 0) {
    throw new Error(`${compiler} failed${error === undefined ? "" : `: ${error.message}`}`);
  }
  renameSync(fresh, file);
}

/** The headers that come with a Node from npm, by the folder of its package. */
export function headersOf(nodePackage: string): string {
  return join(nodePackage, "include", "node");
}
