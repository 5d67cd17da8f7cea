// Builds a kernel from Debian's source as a user-mode program, on which the kernel tier runs.
// Debian's own package of such a kernel has no XFRM interfaces and no virtual time. It is newer
// than the kernel of this Debian, on which the long form runs: since 6.16 a program's system calls
// reach it by seccomp, which takes half the processor time of ptrace.

import { type ExecFileSyncOptions, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { filesIn } from "./place.ts";
import { openSuite, ownSuite } from "./suite.ts";

// A kernel that other code built is built anew.
const builders = ["user-mode-kernel.ts", "user-mode.config"];
/** With this one the tier was last run; once the mirror has it no more, the newest is taken. */
const known = "linux-source-7.2";
/** Folders whose code is not built; only their lists of options are unpacked. */
const leftPacked = [
  "*/Documentation/*/*",
  "*/tools/testing/*",
  ..."drivers/gpu drivers/media drivers/staging drivers/net/ethernet drivers/net/wireless sound"
    .split(" ")
    .map((folder) => `*/${folder}/*.[ch]`),
];

function output(command: string, ...argv: string[]): string {
  return execFileSync(command, argv, { encoding: "utf8", maxBuffer: 64_000_000 });
}

/** Downloads Debian's source of a new kernel into `work`; returns its name and its file. */
function fetchSource(work: string): { readonly name: string; readonly file: string } {
  const suite = openSuite(`${ownSuite()}-backports`, work);
  const listed = suite.ask("search", "--names-only", "^linux-source-[0-9.]+$");
  const names = [...listed.matchAll(/^(linux-source-[\d.]+) /gm)].map(([, name = ""]) => name);
  const newest = names.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).at(-1);
  const name = names.includes(known) ? known : newest;
  if (name === undefined) throw new Error("the mirror has no source of a newer kernel");
  return { name, file: suite.download(name) };
}

function hashOfBuilders(): string {
  const hash = createHash("sha256").update(output("gcc", "--version"));
  for (const file of builders) hash.update(readFileSync(join(import.meta.dirname, file)));
  return hash.digest("hex");
}

/** Unpacks the source in `work`. Returns its folder. */
function unpack(name: string, file: string, work: string): string {
  const quiet: ExecFileSyncOptions = { cwd: work, stdio: ["ignore", "ignore", "inherit"] };
  execFileSync("dpkg-deb", ["-x", file, "package"], quiet);
  const without = leftPacked.map((pattern) => `--exclude='${pattern}'`).join(" ");
  const unpacker = `xz -T0 -dc package/usr/src/${name}.tar.xz | tar -x ${without}`;
  execFileSync("bash", ["-c", `set -o pipefail; ${unpacker}`], quiet);
  rmSync(join(work, "package"), { recursive: true });
  return join(work, name);
}

function settings(): readonly string[] {
  const text = readFileSync(join(import.meta.dirname, "user-mode.config"), "utf8");
  const lines = text.split("\n").filter((line) => !line.startsWith("#"));
  const symbols = lines.flatMap((line) => line.split(" ")).filter((word) => word !== "");
  return symbols.map((symbol) => `CONFIG_${symbol}=y`);
}

const scheduler = "kernel/sched/core.c";
const beforePatch = "int __sched __cond_resched(void)\n{\n";
/**
 * With `time-travel=inf-cpu` no tick ever interrupts a task. A task that calls cond_resched() until
 * another one gets on, as shrink_dcache_parent() does for a dentry that another one holds, would do
 * so for ever: after a hundred thousand calls without a switch it sleeps for one jiffy.
 */
const patch = `${beforePatch}\tstatic u64 switches;
\tstatic unsigned int calls;

\tif (switches != this_rq()->nr_switches) {
\t\tswitches = this_rq()->nr_switches;
\t\tcalls = 0;
\t} else if (system_state == SYSTEM_RUNNING && !irqs_disabled() && !in_atomic() &&
\t\t   ++calls > 100000) {
\t\tcalls = 0;
\t\tschedule_timeout_uninterruptible(1);
\t\treturn 1;
\t}
`;

function patchScheduler(source: string): void {
  const file = join(source, scheduler);
  const text = readFileSync(file, "utf8");
  if (text.split(beforePatch).length !== 2)
    throw new Error(`${scheduler} is another than expected`);
  writeFileSync(file, text.replace(beforePatch, patch));
}

function build(source: string): void {
  patchScheduler(source);
  const chosen = join(source, "chosen");
  const wanted = settings();
  writeFileSync(chosen, `${wanted.join("\n")}\nCONFIG_CON_CHAN="null"\nCONFIG_SSL_CHAN="null"\n`);
  const env = { ...process.env, KCONFIG_ALLCONFIG: chosen };
  const make = (...argv: string[]): void => {
    const all = ["-s", "ARCH=um", ...argv];
    execFileSync("make", all, { cwd: source, env, stdio: ["ignore", "ignore", "inherit"] });
  };
  make("allnoconfig");
  const taken = new Set(readFileSync(join(source, ".config"), "utf8").split("\n"));
  const refused = wanted.filter((line) => !taken.has(line));
  if (refused.length > 0) throw new Error(`this kernel does not have ${refused.join(", ")}`);
  make(`-j${availableParallelism()}`, "linux");
}

/** Builds a kernel at `folder` unless this code built the one there; returns its name. */
export function prepareUserModeKernel(folder: string): string {
  const { userMode, userModeLabel } = filesIn(folder);
  const hash = hashOfBuilders();
  const old = existsSync(userModeLabel) ? readFileSync(userModeLabel, "utf8").trim() : "";
  if (old.endsWith(` ${hash}`)) return old.slice(0, -hash.length - 1);
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(`${folder}-user-mode-`);
  try {
    const { name, file } = fetchSource(work);
    const source = unpack(name, file, work);
    build(source);
    copyFileSync(join(source, "linux"), `${userMode}.new`);
    renameSync(`${userMode}.new`, userMode);
    writeFileSync(userModeLabel, `${name} ${hash}\n`);
    return name;
  } finally {
    rmSync(work, { recursive: true });
  }
}
