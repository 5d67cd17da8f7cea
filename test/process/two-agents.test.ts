// Two agents on one state folder, each in its own PID and mount namespaces, like two containers
// with one volume.

import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Status } from "#agent/runtime/health/status.ts";
import { socketIn } from "./deadly-site.ts";
import { hindrance, namespaces } from "./namespaces.ts";
import { Program } from "./program.ts";
import { Stage } from "./stage.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");
const why = hindrance();

let stage: Stage;
// A test that this host cannot run counts as not run, which fails a complete run.
beforeEach(async (context) => {
  if (why !== undefined) context.skip(why);
  const setting = { seed: "two-agents", start: "protected", speed: 1, fate: undefined } as const;
  stage = await Stage.open(setting);
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

/** Starts an agent with a runtime folder of its own, on the state folder of the stage. */
function elsewhere(name: string): Program {
  const home = join(stage.folder, name);
  mkdirSync(join(home, "state"), { recursive: true, mode: 0o700 });
  const script = 'mount --bind "$1" "$LINKSEAL_HOME/state"; exec "$2" "$3" agent';
  const argv = ["sh", "-ec", script, "sh", stage.state, process.execPath, command];
  const env = {
    ...process.env,
    LINKSEAL_HOME: home,
    LINKSEAL_SITE: `unix:${socketIn(stage.folder)}`,
  };
  const program = new Program(spawn("unshare", [...namespaces, ...argv], { env }));
  stage.programs.push(program);
  return program;
}

it("the second of two agents on one state folder is refused in another PID namespace", async () => {
  const first = await stage.live();
  await stage.apply();
  const second = elsewhere("second");
  await second.until('"code":"ready"');
  expect(second.output).toContain("(journal.locked)");
  await second.ended;
  expect(second.output).toContain(`another agent (process ${first.pid} of another container`);
  expect([second.child.exitCode, first.dead]).toEqual([1, false]);

  // The first agent works as before, and its lock is intact.
  const { site } = await stage.view<Status>("/v1/status");
  expect(site).toBe("demo");
  const third = stage.start("agent");
  await third.ended;
  expect([third.child.exitCode, third.output]).toEqual([1, expect.stringContaining("(process ")]);

  stage.kill(first);
  await first.ended;
  const heir = elsewhere("heir");
  await heir.until('"code":"ready"');
  expect([heir.dead, heir.output]).toEqual([
    false,
    expect.stringContaining("READY: serves intent"),
  ]);
});
