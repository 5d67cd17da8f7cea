import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runInMachine } from "../machine/machine.ts";

interface Heard {
  readonly end: Awaited<ReturnType<typeof runInMachine>>;
  readonly out: string;
  readonly err: string;
}

async function run(script: string, patienceMs = 120_000): Promise<Heard> {
  const folder = mkdtempSync(join(tmpdir(), "linkseal-machine-test-"));
  const files = [join(folder, "out"), join(folder, "err")] as const;
  const [out, err] = files.map((path) => openSync(path, "a")) as [number, number];
  try {
    const argv = ["sh", "-c", script];
    const end = await runInMachine({ argv, cwd: folder, patienceMs, megabytes: 512, out, err });
    const [said, complained] = files.map((path) => readFileSync(path, "latin1"));
    return { end, out: said ?? "", err: complained ?? "" };
  } finally {
    closeSync(out);
    closeSync(err);
    rmSync(folder, { recursive: true });
  }
}

describe("the machine of the kernel tier", { timeout: 180_000 }, () => {
  it("brings back standard output, error and status as they are, and changes no file", async () => {
    const mark = join(tmpdir(), `linkseal-mark-${process.pid}`);
    const { end, out, err } = await run(
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

  it("ends what takes too long, and tells a death from an end", async () => {
    const [slow, dead] = await Promise.all([
      run("sleep 600", 15_000),
      run("echo c > /proc/sysrq-trigger; sleep 600"),
    ]);
    expect(slow.end.kind).toBe("overdue");
    expect(dead.end.kind).toBe("died");
    expect(dead.end.kind === "died" && dead.end.console).toContain("sysrq triggered crash");
  });
});
