// The service in front of a simulated site in another process: plan, apply, and a restart.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Pace, paceClock, type Served, serveSite } from "#sim/serve/site.ts";
import { siteHandler } from "#sim/site/protocol.ts";
import { buildSite } from "#sim/site/site.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");
const root = realpathSync(mkdtempSync(join(tmpdir(), "linkseal-service-")));
const socket = join(root, "site.sock");
const file = join(root, "site.yaml");
const changed = join(root, "changed.yaml");
const children: ChildProcess[] = [];
let served: Served;
let pace: Pace;

beforeAll(async () => {
  const shape = { seed: "service", name: "demo", groups: 1, tunnels: 1, start: "clear" } as const;
  const site = buildSite(shape);
  served = await serveSite(siteHandler(site), socket);
  pace = paceClock(site.clock, { speed: 1 });
  const text = site.config(`unix:${socket}`);
  writeFileSync(file, text);
  writeFileSync(changed, text.replace("drain: prepend", "drain: gracefulShutdown"));
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await pace.stop();
  await served.close();
  rmSync(root, { recursive: true });
});

function start(argv: readonly string[], address?: string): ChildProcess {
  const env = { ...process.env, LINKSEAL_HOME: root, LINKSEAL_SITE: address };
  const child = spawn(process.execPath, [command, ...argv], { env, stdio: "pipe" });
  child.stdin?.end();
  children.push(child);
  return child;
}

async function run(...argv: readonly string[]): Promise<{ status: unknown; output: string }> {
  const child = start(argv);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk) => (output += String(chunk)));
  }
  const [status]: unknown[] = await once(child, "close");
  return { status, output };
}

/** Resolves once the text was printed on either stream. */
function saying(child: ChildProcess, text: string): Promise<string> {
  let output = "";
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk) => {
        output += String(chunk);
        if (output.includes(text)) resolve(output);
      });
    }
    child.once("close", () => reject(new Error(`it ended and had only said: ${output}`)));
  });
}

// The simulated site begins on this day, far from the host's own clock.
const siteDay = '"at":"2026-11-24T10:0';

describe("the service of a simulated site", () => {
  it("a service plans, accepts, queues, and serves on after a kill", async () => {
    const agent = start(["agent"], `unix:${socket}`);
    await saying(agent, "READY: no config");

    const plan = await run("plan", file);
    expect(plan.status).toBe(3);
    expect(plan.output).toContain("give the far end its first key");
    expect(await run("config", "history", "--json")).toMatchObject({
      status: 0,
      output: expect.stringContaining('"history":[]') as string,
    });

    const apply = start(["apply", file, "--yes"]);
    await saying(apply, "(campaign-queued)");
    // The accepted config goes on without the client that sent it.
    apply.kill("SIGINT");
    const status = await run("status", "--json");
    expect(status).toMatchObject({
      status: 4,
      output: expect.stringContaining(siteDay) as string,
    });
    expect(status.output).toContain('"kind":"enrol"');
    expect((await run("enrol", "erd-demo")).status).toBe(6);
    expect((await run("links", "erd-demo/primary")).output).toContain("macsec-not-configured");
    expect((await run("apply", changed, "--yes")).status).toBe(6);
    expect((await run("apply", changed, "--yes", "--queue")).output).toContain("Queued");
    expect((await run("config", "show")).output).toContain("drain: prepend");

    agent.kill("SIGKILL");
    await once(agent, "close");
    const next = start(["agent"]);
    await saying(next, "READY: serves intent 1 of site demo");
    const again = await run("rotation", "show", "--json");
    expect(again.output).toContain('"group":"erd-demo"');
    expect((await run("status", "--json")).output).toContain(siteDay);
    next.kill("SIGINT");
    expect(await once(next, "close")).toEqual([0, null]);
  });
});
