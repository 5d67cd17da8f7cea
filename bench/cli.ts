// The time that an operator waits for the status, compared with the start of Node alone.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Program } from "../test/process/program.ts";
import type { Bench } from "./bench.ts";

const command = join(import.meta.dirname, "..", "agent", "bin.js");
const home = mkdtempSync(join(tmpdir(), "linkseal-bench-"));
const env = { ...process.env, LINKSEAL_HOME: home };

/** Starts an agent without a config; it ends with this process. */
async function startAgent(): Promise<void> {
  const stdio = ["ignore", "pipe", "inherit"] as const;
  const agent = spawn(process.execPath, [command, "agent"], { env, stdio: [...stdio] });
  process.once("exit", () => {
    agent.kill("SIGKILL");
    rmSync(home, { recursive: true, force: true });
  });
  await new Program(agent).ready();
  agent.unref();
  agent.stdout.destroy();
}

function milliseconds(argv: readonly string[], status: number): number {
  const begun = performance.now();
  const ended = spawnSync(process.execPath, argv, { env });
  if (ended.status !== status) throw new Error(`${argv.join(" ")}: ${String(ended.stderr)}`);
  return performance.now() - begun;
}

let started: Promise<void> | undefined;

export const bench: Bench = {
  title: "`linkseal status` of a running agent",
  runs: 30,
  figures: [
    {
      name: "the command from start to end",
      unit: "ms",
      async ours() {
        started ??= startAgent();
        await started;
        return milliseconds([command, "status"], 4);
      },
      peer: { name: "node -e 0", sample: () => milliseconds(["-e", "0"], 0) },
    },
  ],
};
