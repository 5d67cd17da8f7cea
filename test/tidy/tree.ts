// Reads the files of this repository, as a clone has them.

import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { type Source, sourceOf } from "./source.ts";

const root = join(import.meta.dirname, "../..");
const ignored = new Set([".git", ".tmp", "coverage", "dist", "node_modules"]);

function paths(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (ignored.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? paths(path) : [path];
  });
}

// A picture has a name and no text.
const textOf = (path: string): string =>
  path.endsWith(".png") ? "" : readFileSync(join(root, path), "utf8");

export function tree(): Source[] {
  return paths("").map((path) => sourceOf(path.split(sep).join("/"), textOf(path)));
}
