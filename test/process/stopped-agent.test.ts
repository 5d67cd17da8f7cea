// The command beside an agent that is stopped: it ends by itself, and names what it waited for.

import { spawn } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { compiled } from "./compiled.ts";
import { Program } from "./program.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");

it("status of an agent that is stopped ends and reports that the agent does not answer", {
  timeout: 300_000,
}, async () => {
  const home = realpathSync(mkdtempSync(join(tmpdir(), "ls-stopped-")));
  const env = { ...process.env, ...compiled, LINKSEAL_HOME: home, LINKSEAL_SITE: undefined };
  const start = (...argv: readonly string[]): Program =>
    new Program(spawn(process.execPath, [command, ...argv], { env, stdio: "pipe" }));
  const agent = await start("agent").ready();
  try {
    agent.child.kill("SIGSTOP");
    const status = start("status", "--json");
    await status.ended;
    expect(status.child.exitCode).toBe(5);
    expect(JSON.parse(status.output)).toMatchObject({
      ...{ code: "agent.unreachable", effect: "none", where: "GET /v1/status" },
      text: "the agent does not answer: no whole answer within 30 s",
    });
    // The agent was only slow to this client: it goes on.
    agent.child.kill("SIGCONT");
    const again = start("status", "--json");
    await again.ended;
    expect(again.child.exitCode).toBe(4);
  } finally {
    agent.child.kill("SIGCONT");
    agent.child.kill("SIGKILL");
    await agent.ended;
    rmSync(home, { recursive: true });
  }
});
