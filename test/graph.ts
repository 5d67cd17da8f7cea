// `npm run graph`: which folders import which, how many of these arrows run up, and the largest
// circles of folders and of files.

import { graphOf, upward } from "./tidy/imports.ts";
import { circlesOf, foldersOf } from "./tidy/layers.ts";
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
