// `npm run english`: how many sentences of comments begin without a subject, by folder; and with
// `-- --list PATH` each of them below that path.

import { lacksSubject, type Sentence, sentencesOf } from "./tidy/english.ts";
import { tree } from "./tidy/tree.ts";

const at = process.argv.indexOf("--list");
const listed = at === -1 ? undefined : (process.argv[at + 1] ?? "");
const all = tree()
  .filter(({ path }) => /\.[jt]s$/.test(path))
  .flatMap((source) => sentencesOf(source));
const folderOf = ({ path }: Sentence): string =>
  path.startsWith("test/")
    ? "test"
    : path
        .split("/")
        .slice(0, 2)
        .join("/")
        .replace(/\/.*\..*/, "");

const counts = new Map<string, { sentences: number; without: number }>();
for (const sentence of all) {
  const count = counts.get(folderOf(sentence)) ?? { sentences: 0, without: 0 };
  count.sentences += 1;
  if (lacksSubject(sentence)) count.without += 1;
  counts.set(folderOf(sentence), count);
  if (listed !== undefined && sentence.path.startsWith(listed) && lacksSubject(sentence)) {
    console.log(`${sentence.path}:${sentence.line}: ${sentence.text.slice(0, 120)}`);
  }
}
for (const [folder, { sentences, without }] of [...counts].toSorted(([a], [b]) =>
  a < b ? -1 : 1,
)) {
  console.log(`${String(without).padStart(6)} of ${String(sentences).padStart(6)}  ${folder}`);
}
const without = all.filter(lacksSubject).length;
const share = ((100 * without) / all.length).toFixed(1);
console.log(`${without} of ${all.length} sentences begin without a subject: ${share} %`);
