// Bundles the three programs and the pages of agent and hub into dist/, a folder a program; does
// nothing when the sources are those of the last build.

import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";
import sources from "#agent/programs.json" with { type: "json" };

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
const stamp = join(dist, "STAMP");
const legacy = { "snmp-legacy-child": "drivers/transport/snmp-legacy-child.ts" };

interface Program {
  /** Composition roots; each lazy import stays a chunk, so that a verb loads only what it uses. */
  readonly entries: Readonly<Record<string, string>>;
  /** The script of its page, if it has one. */
  readonly page?: string;
}

const programs: Readonly<Record<string, Program>> = {
  agent: { entries: { cli: sources.agent.source, ...legacy }, page: "agent/web/main.ts" },
  hub: { entries: { cli: sources.hub.source }, page: "agent/hub/web/hub.ts" },
  lab: { entries: { cli: sources.lab.source, ...legacy } },
};

// CommonJS packages inside an ESM bundle still call require for builtins and read __dirname.
const banner = `import { createRequire as requireOfBundle } from "node:module";
const require = requireOfBundle(import.meta.url);
const __dirname = import.meta.dirname;`;

function sourceHash(): string {
  const hash = createHash("sha256");
  const code = ["{agent,drivers,hal,sim}/**/*.{ts,json}", "agent/{,hub/}web/*", ".ci/bundle.ts"];
  const sources = new Set<string>(globSync(code, { cwd: root }));
  for (const path of ["package-lock.json", ...[...sources].sort((a, b) => (a < b ? -1 : 1))]) {
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(root, path)))
      .update("\0");
  }
  return hash.digest("hex");
}

function isBuilt(hash: string): boolean {
  return existsSync(stamp) && readFileSync(stamp, "utf8") === hash;
}

/** Bundles a program. Returns the paths of the sources that went into the bundle. */
async function bundle(outdir: string, { entries }: Program): Promise<readonly string[]> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: entries,
    outdir,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    sourcemap: true,
    // Node keeps the text of all code that it runs, so less whitespace saves some megabytes of
    // memory. Names are not shortened.
    minifyWhitespace: true,
    minifySyntax: true,
    metafile: true,
    legalComments: "none",
    logLevel: "warning",
    banner: { js: banner },
    // Optional native modules of the SSH library. They are not built; the library runs without
    // them.
    external: ["cpu-features", "*.node"],
  });
  const written = new Set(Object.keys(metafile.outputs).map((path) => basename(path)));
  for (const entry of readdirSync(outdir, { withFileTypes: true })) {
    if (entry.isFile() && !written.has(entry.name)) rmSync(join(outdir, entry.name));
  }
  return Object.keys(metafile.inputs);
}

/**
 * Folders of the packages that went into the bundle: the bundle has their licences and their
 * defects.
 */
function packagesIn(inputs: readonly string[]): readonly string[] {
  const folders = inputs.map((path) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0]);
  return [...new Set(folders.filter((folder) => folder !== undefined))].sort();
}

/**
 * Bundles a page: one script and one style sheet, nothing from other origins. Returns the paths of
 * its sources.
 */
async function bundlePage(folder: string, script: string): Promise<readonly string[]> {
  const web = join(root, "agent", "web");
  const outdir = join(folder, "web");
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [
      { in: script, out: "page" },
      { in: "agent/web/page.css", out: "page" },
    ],
    outdir,
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: ["es2022", "chrome109", "firefox115", "safari16.4"],
    metafile: true,
    legalComments: "none",
    logLevel: "warning",
  });
  for (const name of ["page.html", "icon.svg"]) copyFileSync(join(web, name), join(outdir, name));
  return Object.keys(metafile.inputs);
}

/** Bundles a program and its page, with the list of the packages inside. */
async function bundleProgram([name, program]: [string, Program]): Promise<void> {
  const folder = join(dist, name);
  mkdirSync(folder, { recursive: true });
  const { page } = program;
  const inputs = [
    ...(await bundle(folder, program)),
    ...(page === undefined ? [] : await bundlePage(folder, page)),
  ];
  const packages = JSON.stringify(packagesIn(inputs), undefined, 1);
  writeFileSync(join(folder, "PACKAGES"), `${packages}\n`);
}

async function main(): Promise<void> {
  mkdirSync(dist, { recursive: true });
  // This time is the file system's own and is read before the sources, so that a file which is
  // edited during the build is newer.
  const begun = join(dist, "BEGUN");
  writeFileSync(begun, "");
  const startedSeconds = statSync(begun).mtimeMs / 1000;
  rmSync(begun);
  const hash = sourceHash();
  if (!isBuilt(hash)) {
    // No program trusts a bundle without a stamp.
    rmSync(stamp, { force: true });
    await Promise.all(Object.entries(programs).map(bundleProgram));
    writeFileSync(stamp, hash);
  }
  utimesSync(stamp, startedSeconds, startedSeconds);
}

await main();
