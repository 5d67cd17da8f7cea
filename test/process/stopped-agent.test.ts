// The command beside an agent that is stopped: it ends by itself, and names what it waited for; the
// night card does not need the agent.

import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { FsDisk } from "#agent/host/disk.ts";
import { IntentStore } from "#agent/store/intent/intent.ts";
import type { WallTime } from "#hal/world.ts";
import { siteConfig } from "../unit/kit/site-config.ts";
import { compiled } from "./compiled.ts";
import { Program } from "./program.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");

it("status of a stopped agent reports that, and the night card comes", async () => {
  const home = realpathSync(mkdtempSync(join(tmpdir(), "ls-stopped-")));
  const env = { ...process.env, ...compiled, LINKSEAL_HOME: home, LINKSEAL_SITE: undefined };
  const start = (...argv: readonly string[]): Program =>
    new Program(spawn(process.execPath, [command, ...argv], { env, stdio: "pipe" }));
  const agent = await start("agent").ready();
  try {
    const store = await IntentStore.open(await FsDisk.open(join(home, "other")));
    await store.accept(siteConfig, "test", Date.UTC(2026, 10, 24) as WallTime);
    cpSync(join(home, "other/intent"), join(home, "state/intent"), { recursive: true });
    agent.child.kill("SIGSTOP");
    const status = start("status", "--json");
    const night = start("night");
    await Promise.race([night.ended, status.ended]);
    // The person who needs the card does not wait as long as `status` does.
    expect([night.child.exitCode, status.dead]).toEqual([0, false]);
    expect(night.output).toContain(`Night card of demo, from config 1 in ${join(home, "state")}`);
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
