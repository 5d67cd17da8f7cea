import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { effort } from "../effort.ts";
import { type MachineKernel, runInMachine } from "../machine/machine.ts";

interface Heard {
  readonly end: Awaited<ReturnType<typeof runInMachine>>;
  readonly out: string;
  readonly err: string;
}

async function run(kernel: MachineKernel, script: string, patienceMs = 120_000): Promise<Heard> {
  const folder = mkdtempSync(join(tmpdir(), "linkseal-machine-test-"));
  const files = [join(folder, "out"), join(folder, "err")] as const;
  const [out, err] = files.map((path) => openSync(path, "a")) as [number, number];
  try {
    const argv = ["sh", "-c", script];
    const end = await runInMachine({
      ...{ kernel, argv, cwd: folder, patienceMs, megabytes: 512, out, err },
    });
    const [output, complained] = files.map((path) => readFileSync(path, "latin1"));
    return { end, out: output ?? "", err: complained ?? "" };
  } finally {
    closeSync(out);
    closeSync(err);
    rmSync(folder, { recursive: true });
  }
}

/** Console messages of a kernel that dies. */
const deaths = {
  emulated: ["echo c > /proc/sysrq-trigger; sleep 600", "sysrq triggered crash"],
  "user-mode": ["busybox poweroff -f", "Power down"],
} as const;
const kernels = effort<readonly (keyof typeof deaths)[]>(["user-mode"], ["user-mode", "emulated"]);

describe.each(kernels)("the machine, %s", { timeout: 180_000 }, (kernel) => {
  it("the machine returns output, error and status as they are, and changes no file", async () => {
    const mark = join(tmpdir(), `linkseal-mark-${process.pid}`);
    const { end, out, err } = await run(
      kernel,
      [
        "printf 'one\\000two\\377'",
        "printf 'no\\n' >&2",
        `echo x > '${mark}' && touch /etc/linkseal-mark`,
        "head -c 300000 /dev/zero",
        "exit 7",
      ].join("\n"),
    );
    expect(end).toEqual({ kind: "ended", status: 7 });
    expect(out).toBe(`one\0two\xff${"\0".repeat(300_000)}`);
    expect(err).toBe("no\n");
    expect(() => readFileSync(mark)).toThrow("ENOENT");
    expect(() => readFileSync("/etc/linkseal-mark")).toThrow("ENOENT");
  });

  it("the machine ends a command that takes too long, and tells a crash from an end", async () => {
    const [death, sign] = deaths[kernel];
    // With no process waiting for a timer, a whole night of virtual time passes at once.
    const endless = "while :; do :; done";
    const [slow, dead] = await Promise.all([run(kernel, endless, 15_000), run(kernel, death)]);
    expect(slow.end.kind).toBe("overdue");
    expect(dead.end.kind).toBe("died");
    expect(dead.end.kind === "died" && dead.end.console).toContain(sign);
  });
});

describe("the time of a kernel of user mode", () => {
  it("user-mode time jumps to the next timer, and programs take none of it", async () => {
    const began = performance.now();
    const work = "i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done";
    const { out } = await run(
      "user-mode",
      `cat /proc/uptime; sleep 3600; ${work}; cat /proc/uptime`,
    );
    const [before = 0, after = 0] = out.split("\n").map((line) => Number(line.split(" ")[0]));
    expect(after - before).toBeGreaterThanOrEqual(3600);
    expect(after - before).toBeLessThan(3601);
    expect(performance.now() - began).toBeLessThan(1_800_000);
  });
});
