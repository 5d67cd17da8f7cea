// A fresh Debian that boots inside the machine: its systemd is process 1 of its own namespaces,
// over a layer in memory.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { filesIn, machineFolder } from "../../machine/place.ts";

const place = "/run/fresh";
const waitMsMax = 300_000;

// It uses pivot_root, not chroot: systemd makes the sandbox of a service by moving its root once
// more. It makes mounts shared, as systemd does on a machine and leaves to the manager of a
// container: otherwise a service does not see the credentials that systemd mounts for it.
const boot = `set -e
mount --make-rprivate /
cd ${place}/root
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t devtmpfs devtmpfs dev
mount -t tmpfs -o mode=755 tmpfs run
pivot_root . mnt
umount -l mnt
mount --make-rshared /
exec env -i container=machine PATH=/usr/sbin:/usr/bin LANG=C.UTF-8 /usr/lib/systemd/systemd
`;

export interface Output {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export class FreshHost {
  readonly #first: ChildProcess;
  #pid = 0;

  private constructor(first: ChildProcess) {
    this.#first = first;
  }

  /** Boots the host; resolves once its systemd has started everything. */
  static async boot(): Promise<FreshHost> {
    for (const name of ["", "over", "over/up", "over/work", "root"]) {
      mkdirSync(join(place, name), { recursive: true });
    }
    const layer = join(place, "over");
    sh(`mount -t tmpfs -o size=1200m tmpfs ${layer} && mkdir ${layer}/up ${layer}/work`);
    const { root } = filesIn(machineFolder);
    const folders = `lowerdir=${root},upperdir=${layer}/up,workdir=${layer}/work`;
    sh(`mount -t overlay -o ${folders} overlay ${place}/root`);
    writeFileSync(join(place, "root/etc/hostname"), "fresh\n");
    writeFileSync(join(place, "root/etc/machine-id"), `${"0123456789abcdef".repeat(2)}\n`);
    const spaces = ["--pid", "--fork", "--mount", "--uts", "--ipc", "--cgroup"];
    const first = spawn("unshare", [...spaces, "sh", "-c", boot], { stdio: "inherit" });
    const host = new FreshHost(first);
    await host.#booted();
    return host;
  }

  async #booted(): Promise<void> {
    const from = performance.now();
    for (;;) {
      this.#pid = Number(childOf(this.#first.pid ?? 0));
      if (this.#pid > 0) {
        const { out } = this.run("systemctl is-system-running");
        if (/^(running|degraded)$/.test(out.trim())) return;
      }
      if (performance.now() - from > waitMsMax) {
        const why = this.#pid > 0 ? this.run("systemctl --failed; journalctl -b | tail").out : "";
        throw new Error(`the fresh host does not come up: ${why}`);
      }
      await rest(500);
    }
  }

  /** Runs a command line in the host's own shell, as root. */
  run(line: string): Output {
    const target = ["-t", String(this.#pid), "-m", "-u", "-i", "-p", "-r", "-w"];
    const env = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };
    const argv = [...target, "sh", "-c", line];
    const { status, stdout, stderr } = spawnSync("nsenter", argv, {
      ...{ env, encoding: "utf8", maxBuffer: 256_000_000, timeout: 300_000 },
    });
    return { status, out: stdout, err: stderr };
  }

  /** Returns the output of a command that has to succeed. */
  ok(line: string): string {
    const { status, out, err } = this.run(line);
    if (status === 0) return out;
    throw new Error(`${line}\nended with ${status}: ${out}\n${err}\n${this.journal(40)}`);
  }

  journal(lines: number): string {
    return this.run(`journalctl --no-pager -o cat -n ${lines}`).out;
  }

  /** Returns a path of the host, as this process reaches it. */
  path(inside: string): string {
    return join(`/proc/${this.#pid}/root`, inside);
  }

  async until<T>(what: string, probe: () => Promise<T | undefined>): Promise<T> {
    for (const from = performance.now(); ; await rest(300)) {
      const observed = await probe();
      if (observed !== undefined) return observed;
      if (performance.now() - from > waitMsMax) {
        throw new Error(`waited too long: ${what}\n${this.journal(60)}`);
      }
    }
  }

  end(): void {
    if (this.#pid > 0) process.kill(this.#pid, "SIGKILL");
  }
}

function sh(line: string): void {
  const { status, stderr } = spawnSync("sh", ["-c", line], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${line}: ${stderr}`);
}

// The child appears once unshare has forked.
function childOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")[0] ?? "";
  } catch {
    return "";
  }
}
