// `npm run graph`: which folders import which, how many of these imports go up, the largest cycles
// of folders and of files, and the lines of code by folder.

import { graphOf, upward } from "./tidy/imports.ts";
import { circlesOf, foldersOf } from "./tidy/layers.ts";
import type { Source } from "./tidy/source.ts";
import { tree } from "./tidy/tree.ts";

const sources = tree().filter(({ path }) => /^(hal|drivers|sim|agent)\/.*\.[jt]s$/.test(path));
const files = graphOf(sources);
const folders = foldersOf(files);
const rows = [...folders].toSorted(([a], [b]) => (a < b ? -1 : 1));
for (const [folder, targets] of rows) {
  console.log(`${folder} -> ${[...targets].toSorted().join(" ") || "nothing"}`);
}
const sizes = [folders, files].map((graph) => circlesOf(graph)[0]?.length ?? 1);
const arrows = [...folders.values()].reduce((sum, targets) => sum + targets.size, 0);
const up = upward(files);
for (const arrow of up) console.log(`runs up: ${arrow}`);
console.log(`${files.size} files, ${folders.size} folders, ${arrows} arrows between folders`);
console.log(`${up.length} upward imports in agent/`);
console.log(`largest circle: ${sizes[0]} folders, ${sizes[1]} files`);

/** Counts lines that hold more than a comment. */
const linesOf = (source: Source): number => new Set(source.code.map(({ line }) => line)).size;

const lines = new Map<string, number>();
for (const source of sources) {
  const [top = "", second = ""] = source.path.split("/");
  const folder = second.includes(".") ? top : `${top}/${second}`;
  lines.set(folder, (lines.get(folder) ?? 0) + linesOf(source));
}
for (const [folder, count] of [...lines].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
  console.log(`${String(count).padStart(7)}  ${folder}`);
}
console.log(`${[...lines.values()].reduce((sum, count) => sum + count, 0)} lines of code`);
