// `npm run addon`: compiles the native addon into dist/native/ when its sources have changed: once
// as it is shipped, and once with the functions that only tests may call.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { addonSources, compileAddon, headersOf } from "./compile.ts";

const root = join(import.meta.dirname, "..");
const folder = join(root, "dist", "native");
const stamp = join(folder, "STAMP");
// The npm package that holds this Node also holds its headers.
const headers = headersOf(join(dirname(process.execPath), ".."));

const builds = [
  { file: "linkseal.node", defines: [] },
  { file: "linkseal-test.node", defines: ["-DLINKSEAL_TEST_BUILD"] },
];

function hashOfInputs(): string {
  const hash = createHash("sha256").update(process.version);
  const inputs = [".ci/addon.ts", ".ci/compile.ts", ...addonSources(root)];
  for (const path of inputs) hash.update(readFileSync(join(root, path)));
  return hash.digest("hex");
}

function compile(): void {
  for (const { file, defines } of builds) {
    compileAddon({ root, compiler: "gcc", headers, defines, file: join(folder, file) });
  }
}

const hash = hashOfInputs();
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== hash) {
  mkdirSync(folder, { recursive: true });
  rmSync(stamp, { force: true });
  try {
    compile();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
  writeFileSync(stamp, hash);
}
