// `npm run size`: the lines of each program with all that it takes from, type imports included, and
// the octets that its package ships; then product and tests as a whole.

import { execFileSync } from "node:child_process";
import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import programs from "#agent/programs.json" with { type: "json" };
import { bundlePatterns } from "./package/layout.ts";

const root = join(import.meta.dirname, "..");
const tracked = execFileSync("git", ["ls-files"], { cwd: root, encoding: "utf8" }).split("\n");
const texts = tracked.filter((path) => /\.(ts|js|json|css|html|svg|c|h|sh|py)$/.test(path));

interface Counted {
  readonly files: number;
  /** Comments and blanks included. */
  readonly lines: number;
  readonly code: number;
}

function count(paths: Iterable<string>): Counted {
  let [files, lines, code] = [0, 0, 0];
  for (const path of paths) {
    const all = readFileSync(join(root, path), "utf8").trimEnd().split("\n");
    files += 1;
    lines += all.length;
    code += all.filter((line) => !/^\s*(\/\/|\/?\*|$)/.test(line)).length;
  }
  return { files, lines, code };
}

/** Returns all files of the product that these lead to. */
function reached(roots: readonly string[]): ReadonlySet<string> {
  const found = new Set(roots);
  for (const path of found) {
    const text = /\.[jt]s$/.test(path) ? readFileSync(join(root, path), "utf8") : "";
    for (const [, name = ""] of text.matchAll(/(?:from|import|import\()\s*"([#.][^"]+)"/g)) {
      const target = name.startsWith("#") ? name.slice(1) : join(dirname(path), name);
      if (existsSync(join(root, target)) && /^(agent|drivers|hal|sim)\//.test(target))
        found.add(target);
    }
  }
  return found;
}

/** Octets of what the build left for a program; 0 = nothing was built. */
function shipped(name: string): number {
  const folder = join(root, "dist", name);
  const files = globSync([...bundlePatterns], { cwd: folder });
  return files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
}

function print(name: string, { files, lines, code }: Counted, octets?: number): void {
  const cells = [files, lines, code, ...(octets === undefined ? [] : [octets])];
  const shown = cells.map((cell) => cell.toLocaleString("en-US").padStart(10));
  console.log(`${name.padEnd(16)}${shown.join("")}`);
}

const legacy = "drivers/transport/snmp-legacy-child.ts";
const native = texts.filter((path) => /^drivers\/.*\.[ch]$/.test(path));
const pages = { agent: ["agent/web/main.ts"], hub: ["agent/hub/web/hub.ts"], lab: [] };
console.log(`${"".padEnd(16)}     files     lines      code   shipped`);
for (const name of ["agent", "hub", "lab"] as const) {
  const own = name === "hub" ? [] : [legacy, ...native];
  const page = pages[name].length === 0 ? [] : ["agent/web/page.css", "agent/web/page.html"];
  const command = ["agent/bin.js", ...pages[name], ...page];
  print(name, count(reached([programs[name].source, ...own, ...command])), shipped(name));
}
const product = texts.filter((path) => /^(agent|drivers|hal|sim)\//.test(path));
print("whole product", count(product));
print("tests", count(texts.filter((path) => path.startsWith("test/"))));
