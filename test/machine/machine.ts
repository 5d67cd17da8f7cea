// Runs one command as root in a machine of its own: Debian's kernel in an emulator, on this
// computer's files, which it can read and not change.

import { spawn } from "node:child_process";
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

export interface MachineRun {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly patienceMs: number;
  readonly megabytes?: number;
  /**
   * One processor on which every instruction takes one nanosecond: what else this computer does at
   * the same time does not show in what the command measures.
   */
  readonly counted?: true;
  /** Descriptors that get what the command writes, octet by octet. */
  readonly out: number;
  readonly err: number;
  /** A folder that the command may write to, at /run/machine/results. */
  readonly results?: string;
}

export type MachineEnd =
  | { readonly kind: "ended"; readonly status: number }
  /** The last lines of the kernel's console tell more. */
  | { readonly kind: "died" | "overdue"; readonly console: string };

const consoleLinesMax = 80;

export async function runInMachine(run: MachineRun): Promise<MachineEnd> {
  const folder = mkdtempSync(join(tmpdir(), "linkseal-machine-"));
  const control = join(folder, "control");
  const log = openSync(join(folder, "console"), "a+");
  try {
    writeControl(control, run);
    const overdue = await emulate(run, control, log);
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
  copyFileSync(join(import.meta.dirname, "second.sh"), join(control, "second.sh"));
  const lines = [
    ...Object.entries(run.env ?? {}).map(([name, value]) => `export ${name}=${quote(value)}`),
    ...(run.results === undefined
      ? []
      : [`mount -t 9p -o trans=virtio,version=9p2000.L,cache=none results /run/machine/results`]),
    `cd ${quote(run.cwd)}`,
    `exec ${run.argv.map(quote).join(" ")}`,
  ];
  writeFileSync(join(control, "command.sh"), `${lines.join("\n")}\n`);
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

// True when it had to be ended.
function emulate(run: MachineRun, control: string, log: number): Promise<boolean> {
  const child = spawn(emulator, emulatorOptions(run, control), {
    stdio: ["ignore", log, log, run.out, run.err],
  });
  let overdue = false;
  const timer = setTimeout(() => {
    overdue = true;
    child.kill("SIGKILL");
  }, run.patienceMs);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => resolve(overdue));
  }).finally(() => clearTimeout(timer)) as Promise<boolean>;
}

const twoProcessors = ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max", "-smp", "2"];
const countedProcessor = [
  ...["-accel", "tcg,thread=single,tb-size=512", "-cpu", "max", "-smp", "1"],
  ...["-icount", "shift=0,sleep=off"],
];

const kernelOptions = [
  "console=ttyS0",
  "quiet",
  // A panic is a reset, and a reset is the end.
  "panic=-1",
  "reboot=t",
  // What only costs time in an emulator.
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
  const port = (name: string, fd: number, set: number): string[] => [
    ...["-add-fd", `fd=${fd},set=${set}`],
    ...["-chardev", `file,id=${name},path=/dev/fdset/${set},append=on`],
    ...["-device", `virtserialport,chardev=${name},name=${name}`],
  ];
  return [
    ...(run.counted === true ? countedProcessor : twoProcessors),
    ...["-m", String(run.megabytes ?? 2048)],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ...["-kernel", files.kernel, "-initrd", files.initrd],
    ...["-append", kernelOptions.join(" "), "-serial", "stdio"],
    ...shared("/", "root", ",readonly=on"),
    ...shared(files.modules, "modules", ",readonly=on"),
    ...shared(control, "control", ""),
    ...(run.results === undefined ? [] : shared(run.results, "results", "")),
    ...["-device", "virtio-rng-pci", "-device", "virtio-serial-pci"],
    ...port("out", 3, 1),
    ...port("err", 4, 2),
  ];
}
