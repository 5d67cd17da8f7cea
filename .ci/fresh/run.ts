// `npm run test:fresh`: runs the commands of README in a fresh Debian, as a user who has nothing
// else.

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Command, commandsOf } from "./commands.ts";
import { enter, type Mount } from "./enter.ts";
import { asked, npmNeeds } from "./npm.ts";
import { makeRoot } from "./root.ts";

const repository = join(import.meta.dirname, "..", "..");
const caches = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
/** The cache is outside the clone, so that another clone need not install it again. */
const cache = join(caches, "linkseal-fresh");
const user = { uid: 1000, gid: 1000 };
/** A path with a blank, because some readers have such folders. */
const clone = "/srv/a clone";
const tool = "/opt/npm";
/** The newest version that runs on the Node of this Debian. */
const newestNpm = "11";
/** The file that `npm test` leaves in its clone, and its path in this clone. */
const report = { from: ".tmp/report.json", to: ".tmp/fresh.json" };

/** Tests that see what npm installed: the commands, the bundle's libraries, the licences. */
const installed = [
  "test/process/bin",
  "test/process/sbom",
  "test/process/start",
  "test/unit/house",
];

const places = [clone, tool, "/srv/npm", "/srv/reader"];
const root = {
  folder: join(cache, "root"),
  label: join(cache, "ROOT"),
  suite: "trixie",
  packages: ["nodejs", "npm", "git", "ca-certificates", "passwd"],
  setup: [
    `groupadd --gid ${user.gid} reader`,
    `useradd --uid ${user.uid} --gid ${user.gid} --no-create-home reader`,
    `mkdir -p ${places.map((path) => `'${path}'`).join(" ")}`,
    "touch /etc/resolv.conf /etc/hosts",
  ],
};

function npm(...argv: readonly string[]): string {
  // This folder belongs to no project, whose settings would otherwise be among the answers.
  return execFileSync("npm", argv, { cwd: tmpdir(), encoding: "utf8" });
}

/** Installs, once, the newest npm that the root's Node can run. Returns its folder. */
function installNpm(): string {
  const versions = JSON.parse(npm("view", `npm@${newestNpm}`, "version", "--json")) as
    | string
    | readonly string[];
  const version = typeof versions === "string" ? versions : (versions.at(-1) ?? newestNpm);
  const folder = join(cache, `npm-${version}`);
  if (existsSync(folder)) return folder;
  const fresh = mkdtempSync(join(cache, "npm-new-"));
  npm("install", "--global", "--silent", "--prefix", fresh, `npm@${version}`);
  execFileSync("chmod", ["-R", "go+rX", fresh]);
  execFileSync("mv", [fresh, folder]);
  return folder;
}

/** Makes a copy of the commit, owned by that user; nothing else of this clone is copied. */
function makeClone(work: string): void {
  const place = join(work, "clone", "linkseal");
  const safe = ["-c", "safe.directory=*", "-c", "advice.detachedHead=false"];
  execFileSync("git", [...safe, "clone", "--quiet", "--no-hardlinks", repository, place]);
  const status = ["-c", "safe.directory=*", "status", "--porcelain"];
  const changed = execFileSync("git", status, { cwd: repository, encoding: "utf8" });
  if (changed !== "") console.log(`not committed, so not tried:\n${changed}`);
}

interface Variant {
  readonly name: string;
  /** Folder of an npm that comes before the root's own one in PATH. */
  readonly npm: string | undefined;
  /** What new files withhold: 0002 at a login of Debian, 0077 where a site is strict. */
  readonly umask: string;
  /** Follows a command that ends: the tests of what another npm may install otherwise. */
  readonly only: string;
}

/**
 * Runs the command in a new clone with an empty home; returns true if it ends as README promises.
 */
function isKept(
  { name, npm: own, umask, only }: Variant,
  { line, runs }: Command,
  work: string,
): boolean {
  console.log(`\n== ${name}, umask ${umask}: ${line}`);
  for (const folder of ["clone", "home", "npm", "tmp"]) mkdirSync(join(work, folder));
  makeClone(work);
  const { environment, certificates } = npmNeeds(npm("config", "get", ...asked));
  if (certificates !== undefined) copyFileSync(certificates, join(work, "npm", "ca.pem"));
  const owned = ["clone", "home", "tmp"].map((folder) => join(work, folder));
  execFileSync("chown", ["-R", `${user.uid}:${user.gid}`, ...owned]);
  execFileSync("chmod", ["-R", "go+rX", join(work, "npm")]);
  const mounts: Mount[] = [
    { from: join(work, "clone"), at: clone, access: "write" },
    { from: join(work, "home"), at: "/srv/reader", access: "write" },
    { from: join(work, "tmp"), at: "/tmp", access: "write" },
    { from: join(work, "npm"), at: "/srv/npm", access: "read" },
    ...["/etc/resolv.conf", "/etc/hosts"].map((at): Mount => ({ from: at, at, access: "read" })),
    ...(own === undefined ? [] : [{ from: own, at: tool, access: "read" } as const]),
  ];
  const path = [...(own === undefined ? [] : [`${tool}/bin`]), "/usr/local/bin:/usr/bin:/bin"];
  const status = enter({
    ...{ root: root.folder, mounts, user, umask, cwd: `${clone}/linkseal` },
    argv: [
      ...["node", ".ci/fresh/visit.js", runs.replaceAll(" ", "-")],
      runs === "to its end" ? `${line}${only}` : line,
    ],
    environment: {
      ...{ PATH: path.join(":"), HOME: "/srv/reader", LANG: "C" },
      ...environment,
      ...(certificates === undefined ? {} : { npm_config_cafile: "/srv/npm/ca.pem" }),
    },
  });
  return status === 0;
}

/**
 * Keeps the report for `npm test -- --rest=FILE`, which runs the tests that a fresh root cannot
 * run.
 */
function keepReport(work: string): void {
  const from = join(work, "clone", "linkseal", report.from);
  const to = join(repository, report.to);
  mkdirSync(dirname(to), { recursive: true });
  if (existsSync(from)) copyFileSync(from, to);
}

function main(): number {
  if (process.getuid?.() !== 0) {
    console.error("fresh root: only root can make one; run it as root");
    return 1;
  }
  mkdirSync(cache, { recursive: true });
  console.log(`README's commands on a fresh ${makeRoot(root)}`);
  const commands = commandsOf(readFileSync(join(repository, "README.md"), "utf8"));
  const variants: readonly Variant[] = [
    { name: "the npm of Debian", npm: undefined, umask: "0002", only: "" },
    {
      ...{ name: "the newest npm", npm: installNpm(), umask: "0077" },
      only: ` -- ${installed.join(" ")}`,
    },
  ];
  const isGood = variants.every((variant) =>
    commands.every((command) => {
      const work = mkdtempSync(join(tmpdir(), "linkseal-fresh-"));
      try {
        const isGoodHere = isKept(variant, command, work);
        if (isGoodHere && variant.only === "") keepReport(work);
        return isGoodHere;
      } finally {
        rmSync(work, { recursive: true, force: true });
      }
    }),
  );
  console.log(isGood ? "fresh root: README keeps its word" : "fresh root: failed");
  return isGood ? 0 : 1;
}

process.exitCode = main();
