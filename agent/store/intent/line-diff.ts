// The difference of two texts, line by line, in the format of diff -u.

const contextLines = 3;
// In larger texts the whole middle is shown as replaced, because the table below is quadratic.
const cellsMax = 4_000_000;

interface Edit {
  readonly mark: " " | "-" | "+";
  readonly line: string;
}

/** Returns unified hunks under the two names; "" if the texts are equal. */
export function unifiedDiff(nameA: string, a: string, nameB: string, b: string): string {
  if (a === b) return "";
  const edits = editsOf(a.split("\n"), b.split("\n"));
  return [`--- ${nameA}`, `+++ ${nameB}`, ...hunks(edits), ""].join("\n");
}

function editsOf(a: readonly string[], b: readonly string[]): Edit[] {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  const room = Math.min(a.length, b.length) - head;
  while (tail < room && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  const kept = (line: string): Edit => ({ mark: " ", line });
  return [
    ...a.slice(0, head).map(kept),
    ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...a.slice(a.length - tail).map(kept),
  ];
}

// Longest common subsequence; row i, column j is its length for a[i..] and b[j..].
function middle(a: readonly string[], b: readonly string[]): Edit[] {
  const width = b.length + 1;
  const common = a.length * b.length <= cellsMax;
  const lengths = new Uint32Array(common ? (a.length + 1) * width : 0);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = common ? a.length - 1 : -1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] =
        a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const edits: Edit[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [left, right] = [a[i], b[j]];
    if (common && left !== undefined && left === right) {
      edits.push({ mark: " ", line: left });
      [i, j] = [i + 1, j + 1];
    } else if (left !== undefined && (right === undefined || at(i + 1, j) >= at(i, j + 1))) {
      edits.push({ mark: "-", line: left });
      i += 1;
    } else {
      edits.push({ mark: "+", line: right ?? "" });
      j += 1;
    }
  }
  return edits;
}

function hunks(edits: readonly Edit[]): string[] {
  const lines: string[] = [];
  let [lineA, lineB, from] = [1, 1, 0];
  while (from < edits.length) {
    const change = edits.findIndex((edit, index) => index >= from && edit.mark !== " ");
    if (change < 0) break;
    const start = Math.max(from, change - contextLines);
    [lineA, lineB] = [lineA + start - from, lineB + start - from];
    let end = change + 1;
    for (let i = end; i < edits.length && i <= end + 2 * contextLines; i += 1) {
      if (edits[i]?.mark !== " ") end = i + 1;
    }
    end = Math.min(edits.length, end + contextLines);
    const hunk = edits.slice(start, end);
    const sizeA = hunk.filter(({ mark }) => mark !== "+").length;
    const sizeB = hunk.filter(({ mark }) => mark !== "-").length;
    lines.push(`@@ -${lineA},${sizeA} +${lineB},${sizeB} @@`);
    lines.push(...hunk.map(({ mark, line }) => `${mark}${line}`));
    [lineA, lineB, from] = [lineA + sizeA, lineB + sizeB, end];
  }
  return lines;
}
