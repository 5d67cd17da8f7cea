// Runs a program as an ordinary user inside a fresh root, where the program cannot write.

import { spawnSync } from "node:child_process";

/** A folder of this machine, and the existing path inside the root where it is mounted. */
export interface Mount {
  readonly from: string;
  readonly at: string;
  readonly access: "read" | "write";
}

export interface Visit {
  readonly root: string;
  readonly mounts: readonly Mount[];
  readonly user: { readonly uid: number; readonly gid: number };
  /**
   * All variables that the program has. They are not passed as arguments, where other processes
   * could read them.
   */
  readonly environment: Readonly<Record<string, string>>;
  /** In octal, as `umask` takes it: Debian's logins have 0002, this machine another one. */
  readonly umask: string;
  readonly cwd: string;
  readonly argv: readonly string[];
}

const patienceMs = 3_600_000;
const devices = ["null", "zero", "full", "random", "urandom", "tty"];

/** Quotes a word for `sh`. */
export const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/**
 * Returns a script for `sh` in its own namespaces: it mounts everything, then runs the program in
 * that root.
 */
export function script({ root, mounts, user, umask, cwd, argv }: Visit): string {
  const inside = (path: string): string => quoted(`${root}${path}`);
  const bind = (from: string, at: string): string => `mount --bind ${quoted(from)} ${inside(at)}`;
  const readOnly = (at: string): string => `mount -o remount,bind,ro ${inside(at)}`;
  const program = `umask ${umask} && cd ${quoted(cwd)} && exec ${argv.map(quoted).join(" ")}`;
  return [
    "set -eu",
    bind(root, ""),
    readOnly(""),
    `mount -t proc proc ${inside("/proc")}`,
    `mount -t tmpfs -o mode=755 devices ${inside("/dev")}`,
    `mkdir -m 1777 ${inside("/dev/shm")}`,
    `mkdir ${inside("/dev/pts")}`,
    `mount -t devpts -o newinstance,ptmxmode=666 devpts ${inside("/dev/pts")}`,
    `ln -s pts/ptmx ${inside("/dev/ptmx")}`,
    ...devices.flatMap((name) => [
      `: > ${inside(`/dev/${name}`)}`,
      bind(`/dev/${name}`, `/dev/${name}`),
    ]),
    ...["fd", "fd/0", "fd/1", "fd/2"].map((path, index) => {
      const name = ["fd", "stdin", "stdout", "stderr"][index];
      return `ln -s /proc/self/${path} ${inside(`/dev/${name}`)}`;
    }),
    `mount -t tmpfs -o mode=755 run ${inside("/run")}`,
    ...mounts.flatMap(({ from, at, access }) => [
      bind(from, at),
      ...(access === "read" ? [readOnly(at)] : []),
    ]),
    // This is not exec: a shell as the first process reaps orphaned processes, and Node would not.
    `PATH=$PATH:/usr/sbin:/sbin chroot --userspec=${user.uid}:${user.gid} --groups= \\`,
    `  ${quoted(root)} env PATH="$PATH" sh -c ${quoted(program)}`,
    "exit $?",
  ].join("\n");
}

/**
 * Runs the program and returns its exit status; its output goes to our own output. It is killed
 * after an hour.
 */
export function enter(visit: Visit): number {
  const { status, error } = spawnSync(
    "unshare",
    ["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script(visit)],
    {
      ...{ env: visit.environment, timeout: patienceMs, killSignal: "SIGKILL" },
      stdio: ["ignore", "inherit", "inherit"],
    },
  );
  if (error !== undefined) throw new Error(`unshare does not start: ${error.message}`);
  return status ?? 1;
}
