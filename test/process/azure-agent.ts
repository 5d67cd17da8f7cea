// Runs an agent in its own process beside a simulated cloud: applies the cloud's config with
// another identity, waits until everything is protected, and prints the agent's output and loaded
// files as JSON.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { patienceMs } from "../patience.ts";
import { hasty } from "../short-waits.ts";
import type { HookEnvironment } from "./chunk-hook.ts";
import { Program } from "./program.ts";

export interface AgentOrder {
  /** Path of the simulated cloud's config. */
  readonly config: string;
  readonly site: string;
  /** The block under `azure.identity`, on one line. */
  readonly identity: string;
}

export interface AgentNews {
  readonly status: string;
  readonly output: string;
  readonly journal: string;
  readonly loaded: readonly string[];
}

const cli = join(import.meta.dirname, "../../dist/agent/cli.js");
const hook = join(import.meta.dirname, "chunk-hook.ts");

/** Runs `linkseal ...` from the bundle, even if sources were edited since. */
export function shipped(
  argv: readonly string[],
  env: NodeJS.ProcessEnv & HookEnvironment,
): Program {
  const run = `const { main } = await import(${JSON.stringify(cli)});
    process.exitCode = await main(${JSON.stringify(argv)});`;
  const words = ["--import", hook, "--input-type=module", "-e", run];
  return new Program(spawn(process.execPath, words, { env, stdio: ["ignore", "pipe", "pipe"] }));
}

async function live({ config, site, identity }: AgentOrder, folder: string): Promise<AgentNews> {
  mkdirSync(join(folder, "state"), { mode: 0o700 });
  const own = join(folder, "own.yaml");
  const block = /^ {2}identity:\n(?: {4}.*\n)+/m;
  writeFileSync(
    own,
    hasty(readFileSync(config, "utf8").replace(block, `  identity: ${identity}\n`)),
  );
  const loadedTo = join(folder, "loaded");
  const env = { ...process.env, LINKSEAL_HOME: folder };
  const agent = shipped(["agent", "--site", site], { ...env, LOADED_TO: loadedTo });
  const verb = async (...argv: readonly string[]): Promise<string> => {
    const program = shipped(argv, { ...env, LOADED_TO: join(folder, "verb-loaded") });
    await program.ended;
    return program.output;
  };
  await agent.ready();
  await verb("apply", own, "--yes");
  let status = "";
  for (const end = performance.now() + patienceMs; performance.now() < end; await rest(200)) {
    status = await verb("status", "--check");
    const isDone = /erd-demo\/secondary: restoring -> done/.test(agent.output);
    if ((status.trim() === "demo: protected" && isDone) || agent.dead) break;
  }
  agent.child.kill("SIGTERM");
  await agent.ended;
  const journal = readFileSync(join(folder, "state/journal"), "utf8");
  const loaded = readFileSync(loadedTo, "utf8").split("\n");
  return { status: status.trim(), output: agent.output, journal, loaded };
}

if (process.argv[1] === import.meta.filename) {
  const folder = mkdtempSync(join(tmpdir(), "linkseal-azure-agent-"));
  try {
    const news = await live(JSON.parse(process.argv[2] ?? "") as AgentOrder, folder);
    process.stdout.write(JSON.stringify(news));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
