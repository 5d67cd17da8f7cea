// `npm run addon`: compiles the native addon into dist/native/ when its sources have changed, once
// as it ships and once with what only tests may do.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "..");
const folder = join(root, "dist", "native");
const stamp = join(folder, "STAMP");
// The package that brings this Node brings its headers too.
const headers = join(dirname(process.execPath), "..", "include", "node");

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
const builds = [
  { file: "linkseal.node", defines: [] },
  { file: "linkseal-test.node", defines: ["-DLINKSEAL_TEST_BUILD"] },
];

const sources = globSync("drivers/transport/native/*.{c,h}", { cwd: root }).sort();

function hashOfInputs(): string {
  const hash = createHash("sha256").update(process.version);
  for (const path of [".ci/addon.ts", ...sources]) hash.update(readFileSync(join(root, path)));
  return hash.digest("hex");
}

function compile(): void {
  const units = sources.filter((path) => path.endsWith(".c"));
  for (const { file, defines } of builds) {
    // Whoever has the old one loaded keeps it whole.
    const fresh = join(folder, `${file}.new`);
    const argv = [...flags, ...defines, `-I${headers}`, "-o", fresh, ...units];
    const { status, error } = spawnSync("gcc", argv, { cwd: root, stdio: "inherit" });
    if (status !== 0) {
      console.error(`gcc failed${error === undefined ? "" : `: ${error.message}`}`);
      process.exit(1);
    }
    renameSync(fresh, join(folder, file));
  }
}

const hash = hashOfInputs();
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== hash) {
  mkdirSync(folder, { recursive: true });
  rmSync(stamp, { force: true });
  compile();
  writeFileSync(stamp, hash);
}
