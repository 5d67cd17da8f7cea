// `npm run sign`: signs the built files of a release, at its tag.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { listName, sha256Of, signRelease } from "./package/release.ts";

const root = join(import.meta.dirname, "..");
const usage = `npm run sign -- --key KEY [--out FOLDER] FILE...
KEY is an SSH key that belongs to no repository: a file, or the public half of one in an agent or on
a token. FOLDER gets the files, ${listName} with its signature, and release-signers.`;

function fail(text: string): never {
  console.error(`sign: ${text}`);
  process.exit(1);
}

const git = (...argv: readonly string[]): string =>
  execFileSync("git", argv, { cwd: root, encoding: "utf8" }).trim();

function version(): string {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly version: string;
  };
  if (git("status", "--porcelain") !== "") fail("the tree has changes that are not committed");
  if (!git("tag", "--points-at", "HEAD").split("\n").includes(`v${version}`))
    fail(`the commit has no tag v${version}`);
  return version;
}

const { values, positionals } = parseArgs({
  options: {
    key: { type: "string" },
    out: { type: "string", default: join(root, ".tmp", "release") },
    help: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
if (values.help) {
  console.log(usage);
} else {
  const { key, out } = values;
  if (key === undefined || positionals.length === 0) fail(usage);
  const missing = [key, ...positionals].find((path) => !existsSync(path));
  if (missing !== undefined) fail(`there is no ${missing}`);
  const epoch = process.env["SOURCE_DATE_EPOCH"] ?? git("log", "-1", "--format=%ct");
  mkdirSync(out, { recursive: true });
  const line = signRelease({
    origin: {
      version: version(),
      commit: git("rev-parse", "HEAD"),
      epochSeconds: Number(epoch),
      lockSha256: sha256Of(join(root, "package-lock.json")),
    },
    ...{ files: positionals, key, out },
  });
  writeFileSync(join(out, "release-signers"), line);
  console.log(`${out}: signed; publish release-signers elsewhere too:\n${line.trim()}`);
}
