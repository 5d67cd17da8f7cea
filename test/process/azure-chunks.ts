// Finds the files of the bundle that contain Microsoft's libraries.

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

const dist = join(import.meta.dirname, "../../dist/agent");

interface SourceMap {
  readonly sources: readonly string[];
}

/** Returns the names of the chunks with code of `@azure/*`. */
export function libraryChunks(): readonly string[] {
  return globSync("*.js", { cwd: dist }).filter((name) => {
    const map = JSON.parse(readFileSync(join(dist, `${name}.map`), "utf8")) as SourceMap;
    return map.sources.some((source) => source.includes("node_modules/@azure/"));
  });
}

/** Returns the chunk and all that is loaded with it, without its imports on demand. */
export function loadedWith(name: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(name)) return seen;
  seen.add(name);
  const code = readFileSync(join(dist, name), "utf8");
  for (const [, next = ""] of code.matchAll(/^(?:import|export)[^"']*"\.\/([\w.-]+\.js)"/gm)) {
    loadedWith(next, seen);
  }
  return seen;
}
