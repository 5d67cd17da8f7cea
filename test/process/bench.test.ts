// Benchmarks on a computer that has only Node and this clone.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Watcher } from "../../bench/agent/watcher.ts";

const runner = join(import.meta.dirname, "../../bench/run.ts");
const empty = mkdtempSync(join(tmpdir(), "linkseal-bench-"));
afterAll(() => rmSync(empty, { recursive: true }));

describe("npm run bench on a fresh clone", () => {
  it.each([
    ["metrics", "prometheus-node-exporter"],
    ["netlink", "qemu-system-x86_64"],
    ["page", "chromium"],
    ["push", "python3"],
  ])("the bench %s reports in one line that there is no %s", (name, tool) => {
    const env = { ...process.env, PATH: empty };
    const { status, stderr } = spawnSync(process.execPath, [runner, name], { env });
    const lines = String(stderr).trim().split("\n");
    const why = process.arch === "x64" ? `there is no ${tool};` : "not run: ";
    expect([status, lines]).toEqual([1, [expect.stringContaining(why)]]);
    expect(lines[0]).toMatch(new RegExp(`^${name}: not run: `));
  });

  it("the watcher of an agent does not take dumps-allowed, its first line, for ready", async () => {
    await using watcher = await Watcher.open({ links: 2, speed: 200, warm: 1 });
    expect(await watcher.watch(1)).toBeGreaterThan(0);
    expect(watcher.child.exitCode).toBe(null);
  });
});
