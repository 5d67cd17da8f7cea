// Runs one command as root in a machine of its own, on this computer's files, which it can read but
// not change.

import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { emulator, filesIn, machineFolder } from "./place.ts";

/**
 * `emulated`: Debian's own kernel on two processors of an emulator, in this computer's time.
 * `counted`: the same on one processor on which every instruction takes one nanosecond, so that
 * other work of this computer does not change what the command measures. `user-mode`: a newer
 * kernel built as a program, with virtual time: programs take none of it, and when all of them wait
 * it jumps to the next timer.
 */
export type MachineKernel = "emulated" | "counted" | "user-mode";

export interface MachineRun {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly kernel: MachineKernel;
  /** The limit for the command, in ms of this computer's time. */
  readonly patienceMs: number;
  readonly megabytes?: number;
  /**
   * Number of the processor of this computer that a kernel of user mode keeps to: only one of its
   * processes runs at a time, and to wake the next one on another processor costs more.
   */
  readonly processor?: number;
  /** Descriptors to which the command's output is copied. */
  readonly out: number;
  readonly err: number;
  /** A folder to which the command may write, as /run/machine/results. */
  readonly results?: string;
}

export type MachineEnd =
  | { readonly kind: "ended"; readonly status: number }
  /** The last lines of the kernel's console show the cause. */
  | { readonly kind: "died" | "overdue"; readonly console: string };

const consoleLinesMax = 80;

export async function runInMachine(run: MachineRun): Promise<MachineEnd> {
  const folder = mkdtempSync(join(tmpdir(), "linkseal-machine-"));
  const control = join(folder, "control");
  const log = openSync(join(folder, "console"), "a+");
  try {
    writeControl(control, run);
    const overdue = await boot(run, control, log);
    const shown = (): string =>
      readFileSync(join(folder, "console"), "utf8").split("\n").slice(-consoleLinesMax).join("\n");
    if (overdue) return { kind: "overdue", console: shown() };
    const status = statusIn(control);
    return status === undefined ? { kind: "died", console: shown() } : { kind: "ended", status };
  } finally {
    closeSync(log);
    rmSync(folder, { recursive: true });
  }
}

function writeControl(control: string, run: MachineRun): void {
  mkdirSync(join(control, "results"), { recursive: true });
  for (const name of ["second.sh", "first-user-mode.sh"]) {
    copyFileSync(join(import.meta.dirname, name), join(control, name));
  }
  const lines = [
    ...Object.entries(run.env ?? {}).map(([name, value]) => `export ${name}=${quote(value)}`),
    ...(run.results === undefined ? [] : [mountOf(run.kernel, run.results)]),
    `cd ${quote(run.cwd)}`,
    `exec ${run.argv.map(quote).join(" ")}`,
  ];
  writeFileSync(join(control, "command.sh"), `${lines.join("\n")}\n`);
}

function mountOf(kernel: MachineKernel, results: string): string {
  return kernel === "user-mode"
    ? `mount -t hostfs -o ${quote(`hostfs=${results}`)} none /run/machine/results`
    : "mount -t 9p -o trans=virtio,version=9p2000.L,cache=none results /run/machine/results";
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function statusIn(control: string): number | undefined {
  try {
    const text = readFileSync(join(control, "status"), "utf8");
    return /^\d+\n$/.test(text) ? Number(text) : undefined;
  } catch {
    // The machine ended before the command did.
    return undefined;
  }
}

/** A machine ends with the process that started it. */
const endings = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

// Boots and waits. Resolves to true if the machine had to be killed.
async function boot(run: MachineRun, control: string, log: number): Promise<boolean> {
  const words = ["out", "err"].map((name) => join(control, name));
  for (const path of words) writeFileSync(path, "");
  const stdio = { stdio: ["ignore", log, log] } satisfies SpawnOptions;
  const overdue = await waitFor(
    run,
    run.kernel === "user-mode"
      ? spawn("taskset", userModeWords(run, control), { ...stdio, detached: true })
      : spawn(emulator, emulatorOptions(run, control), stdio),
  );
  [run.out, run.err].forEach((descriptor, index) => {
    writeFileSync(descriptor, readFileSync(words[index] ?? ""));
  });
  return overdue;
}

/** Each process in it is a process of this computer, in the group of the first. */
function userModeWords(run: MachineRun, control: string): string[] {
  const { userMode } = filesIn(machineFolder);
  return ["-c", processorFor(run), userMode, ...userModeOptions(run, control)];
}

/** Returns the number of a processor that this process may use; all may be used without a wish. */
function processorFor({ processor }: MachineRun): string {
  const status = readFileSync("/proc/self/status", "utf8");
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? "0";
  if (processor === undefined) return list;
  const allowed = list.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
  return String(allowed[processor % allowed.length] ?? list);
}

function waitFor(run: MachineRun, child: ChildProcess): Promise<boolean> {
  const end = (): void => {
    if (run.kernel !== "user-mode" || child.pid === undefined) child.kill("SIGKILL");
    // Some of the group may have ended with the first.
    else if (child.exitCode === null) process.kill(-child.pid, "SIGKILL");
  };
  const interrupted = (): void => process.exit(1);
  let overdue = false;
  const timer = setTimeout(() => {
    overdue = true;
    end();
  }, run.patienceMs);
  process.on("exit", end);
  for (const signal of endings) process.on(signal, interrupted);
  return new Promise<boolean>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => resolve(overdue));
  }).finally(() => {
    clearTimeout(timer);
    process.off("exit", end);
    for (const signal of endings) process.off(signal, interrupted);
  });
}

function userModeOptions(run: MachineRun, control: string): string[] {
  return [
    ...[`mem=${run.megabytes ?? 3072}M`, "root=/dev/root", "rootfstype=hostfs", "hostfs=/", "ro"],
    `init=${join(control, "first-user-mode.sh")}`,
    // The kernel puts a word that it does not know into the environment of the first process.
    `machine=${control}`,
    ...["time-travel=inf-cpu", "seccomp=auto"],
    // It gathers the jitter of a clock, which stands still here.
    "initcall_blacklist=jent_mod_init",
    // Debian's kernel makes devices of these kinds only on request.
    ...["dummy.numdummies=0", "sysctl.net.core.fb_tunnels_only_for_init_net=2"],
    ...["quiet", "panic=-1", "con=null", "con0=null,fd:1"],
  ];
}

const twoProcessors = ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max", "-smp", "2"];
const countedProcessor = [
  ...["-accel", "tcg,thread=single,tb-size=512", "-cpu", "max", "-smp", "1"],
  ...["-icount", "shift=0,sleep=off"],
];

const kernelOptions = [
  "console=ttyS0",
  "quiet",
  // A panic resets the machine, and a reset ends it.
  "panic=-1",
  "reboot=t",
  // These features only cost time in an emulator.
  "mitigations=off",
  "cryptomgr.notests",
  "no_timer_check",
  "random.trust_cpu=on",
];

function emulatorOptions(run: MachineRun, control: string): string[] {
  const files = filesIn(machineFolder);
  const shared = (path: string, tag: string, more: string): string[] => [
    "-virtfs",
    `local,path=${path},mount_tag=${tag},security_model=none,multidevs=remap${more}`,
  ];
  // The emulator writes into no descriptor that is open for reading too, as a terminal's is.
  const port = (name: string): string[] => [
    ...["-chardev", `file,id=${name},path=${join(control, name)},append=on`],
    ...["-device", `virtserialport,chardev=${name},name=${name}`],
  ];
  return [
    ...(run.kernel === "counted" ? countedProcessor : twoProcessors),
    ...["-m", String(run.megabytes ?? 2048)],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ...["-kernel", files.kernel, "-initrd", files.initrd],
    ...["-append", kernelOptions.join(" "), "-serial", "stdio"],
    ...shared("/", "root", ",readonly=on"),
    ...shared(files.modules, "modules", ",readonly=on"),
    ...shared(control, "control", ""),
    ...(run.results === undefined ? [] : shared(run.results, "results", "")),
    ...["-device", "virtio-rng-pci", "-device", "virtio-serial-pci"],
    ...port("out"),
    ...port("err"),
  ];
}
