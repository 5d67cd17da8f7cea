// What the vault costs an agent: the time to load Microsoft's libraries, and the memory compared
// with an agent that reads its keys from the simulated site's own vault.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { ask } from "#agent/cli/client.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { Program } from "../test/process/program.ts";
import { type Bench, sized } from "./bench.ts";

const root = join(import.meta.dirname, "..");
const command = join(root, "agent", "bin.js");
const patienceMs = 120_000;
/** Once the pair is protected, the agent asks the vault for newer keys a few times in this time. */
const watchMs = sized(12_000, 500);

function megabytes(child: ChildProcess): number {
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

function milliseconds(code: string): number {
  const begun = performance.now();
  const ended = spawnSync(process.execPath, ["--input-type=module", "-e", code], { cwd: root });
  if (ended.status !== 0) throw new Error(String(ended.stderr));
  return performance.now() - begun;
}

/** Loads the chunks of the bundle, as the agent does. Returns the milliseconds. */
function loading(): number {
  const names = globSync("dist/agent/{open-azure,esm}-*.js", { cwd: root });
  const libraries = names.map((name) => `import(${JSON.stringify(join(root, name))})`);
  return milliseconds(`await Promise.all([${libraries.join(", ")}]);`);
}

/** Starts a command that serves until it is killed; resolves to its output once it is ready. */
async function served(argv: readonly string[], ready: RegExp): Promise<[ChildProcess, string]> {
  const stdio = ["ignore", "pipe", "inherit"] as const;
  const child = spawn(process.execPath, [command, ...argv], { stdio: [...stdio] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  const end = performance.now() + patienceMs;
  while (!ready.test(output)) {
    if (performance.now() > end) throw new Error(`${argv.join(" ")} never began`);
    await rest(20);
  }
  return [child, output];
}

/**
 * Applies the config and waits until everything is protected, and then `watchMs`. Resolves to the
 * memory.
 */
async function memoryOf(cloud: string, vault: "real" | "simulated"): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "linkseal-azure-bench-"));
  mkdirSync(join(folder, "state"), { mode: 0o700 });
  const word = (name: string): string => new RegExp(`^${name} (\\S+)$`, "m").exec(cloud)?.[1] ?? "";
  const site = word("site");
  const extra = { LINKSEAL_HOME: folder, LINKSEAL_SITE: site, NODE_EXTRA_CA_CERTS: word("ca") };
  const child = spawn(process.execPath, [command, "agent"], {
    env: { ...process.env, ...extra },
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    await new Program(child).ready();
    const config = readFileSync(word("config"), "utf8");
    const block = /^azure:\n(?: .*\n)+/m;
    const text =
      vault === "simulated"
        ? config.replace(block, `azure: { cloud: sim, vault: "${site}", farEnd: agent }\n`)
        : config;
    const asks = "    drain: prepend\n    rotate: { on: vaultVersion }";
    const body = { text: text.replace("    drain: prepend", asks), file: "x.yaml", queue: false };
    const socket = (role: string): string => join(folder, `run/${role}.sock`);
    const path = "/v1/apply";
    const admin = { role: "admin", method: "POST", path, socket: socket("admin") } as const;
    await ask({ ...admin, body });
    const view = {
      role: "view",
      method: "GET",
      path: "/v1/status",
      socket: socket("view"),
    } as const;
    const end = performance.now() + patienceMs;
    while (((await ask(view)) as Status).verdict !== "protected") {
      if (performance.now() > end) throw new Error("the pair was never protected");
      await rest(200);
    }
    await rest(watchMs);
    return megabytes(child);
  } finally {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true });
  }
}

/** Makes a fresh world for each run, because one world can be enrolled only once. */
async function agentOn(vault: "real" | "simulated"): Promise<number> {
  const [cloud, output] = await served(
    ["sim", "azure", "--speed", "100"],
    /FEDERATED_TOKEN_FILE=.+\n/,
  );
  try {
    return await memoryOf(output, vault);
  } finally {
    const ended = once(cloud, "exit");
    cloud.kill();
    await ended;
  }
}

export const bench: Bench = {
  title: "the vault behind Microsoft's libraries, in the bundle",
  runs: 5,
  figures: [
    {
      name: "start, libraries loaded",
      unit: "ms",
      ours: loading,
      peer: { name: "node alone", sample: () => milliseconds("0") },
    },
    {
      name: "memory (RSS), a pair protected",
      unit: "MB",
      runs: 2,
      ours: () => agentOn("real"),
      peer: { name: "without the libraries", sample: () => agentOn("simulated") },
    },
  ],
};
