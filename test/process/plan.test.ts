// Plans as an operator uses them: of a file, of the config in force, saved and applied; by the real
// command, with its exit statuses.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SitePlan } from "#agent/compare/site-plan.ts";
import { patienceMs } from "../patience.ts";
import { verdictIn } from "./glance.ts";

interface Ended {
  readonly exit: number | null;
  readonly out: string;
  readonly err: string;
}

const home = mkdtempSync(join(tmpdir(), "linkseal-plan-"));
const command = join(import.meta.dirname, "../../agent/bin.js");
const file = join(home, "site.yaml");
let site: ChildProcess;

function start(...words: readonly string[]): ChildProcess {
  const env = { ...process.env, LINKSEAL_HOME: home, TMPDIR: home, NO_COLOR: "1" };
  return spawn(process.execPath, [command, ...words], { env, stdio: ["ignore", "pipe", "pipe"] });
}

async function run(...words: readonly string[]): Promise<Ended> {
  const child = start(...words);
  let [out, err] = ["", ""];
  child.stdout?.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (err += chunk.toString()));
  await once(child, "close");
  return { exit: child.exitCode, out, err };
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const begun = performance.now(); !(await holds()); ) {
    if (performance.now() - begun > patienceMs) throw new Error(`waited too long: ${what}`);
    await sleep(100);
  }
}

let inForce = "";
/** Writes the config in force with this edit into the file. */
function edited(edit: (text: string) => string): string {
  writeFileSync(file, edit(inForce));
  return file;
}

beforeAll(async () => {
  site = start("sim", "site", "--start", "protected", "--speed", "50");
  await until("an agent", async () => (await verdictIn(home)) !== undefined);
});

afterAll(async () => {
  if (site.exitCode === null) {
    const ended = once(site, "close");
    site.kill("SIGKILL");
    await ended;
  }
  rmSync(home, { recursive: true });
});

describe("plans at the command line", () => {
  it("without a file and without a config in force, the next step is init", async () => {
    const plan = await run("plan");
    expect([plan.exit, plan.err]).toEqual([2, expect.stringContaining("next: linkseal init")]);
    expect((await run("plan", "--accepted")).exit).toBe(2);
    expect((await run("apply", "--yes")).err).toContain("next: linkseal init");
  });

  it("a first plan shows what the agent may do; a link to adopt is shown once", async () => {
    const folder = readdirSync(home).find((name) => name.startsWith("linkseal-demo-"));
    const config = join(home, folder ?? "", "demo.yaml");
    const plan = await run("plan", config);
    expect(plan.exit).toBe(3);
    expect(plan.out).toContain("No config is in force; this one has");
    expect(plan.out).toContain("! What the agent may do by itself from then on:");
    const applied = await run("apply", config, "--yes");
    expect(applied.exit).toBe(0);
    const all = `${applied.out}${applied.err}`;
    expect(all.split("next: linkseal adopt erd-demo/primary")).toHaveLength(2);
    await until("an adoption", async () => (await run("adopt", "erd-demo")).exit === 0);
    await until("protection", async () => (await verdictIn(home)) === "protected");
    inForce = (await run("config", "show")).out;
  });

  it("the config in force is planned without a file, and has nothing to do", async () => {
    const accepted = await run("plan", "--accepted");
    expect([accepted.exit, accepted.out]).toEqual([
      0,
      "Nothing to do: config 1 is in force, and both ends are as it wants them.\n",
    ]);
    const bare = await run("plan");
    expect([bare.exit, bare.out]).toEqual([0, accepted.out]);
    expect(bare.err).toContain("so this plans the config in force");
    expect((await run("plan", file, "--accepted")).exit).toBe(2);
    expect((await run("plan", "--accepted", "--out", "x")).exit).toBe(2);
  });

  it("a change of authority is exit status 3, in plan and in config diff", async () => {
    const wanted = edited((text) => `${text}repair: on\n`);
    const plan = await run("plan", wanted);
    expect(plan.exit).toBe(3);
    expect(plan.out).toMatch(/^! repair: off -> on$/m);
    expect(plan.out).not.toContain("Nothing to do");
    const diff = await run("config", "diff", wanted);
    expect([diff.exit, diff.out]).toEqual([3, expect.stringMatching(/^! repair: off -> on$/m)]);
    const json = await run("config", "diff", wanted, "--json");
    expect(JSON.parse(json.out)).toMatchObject({
      ...{ schema: "linkseal.config-changes/1", accepted: 1, compared: "differs" },
      settings: [{ path: "repair", old: "off", new: "on" }],
    });
    writeFileSync(file, inForce);
    expect((await run("config", "diff", file)).exit).toBe(0);
    expect((await run("config", "diff", "1")).exit).toBe(0);
  });

  it("after a fault that validate cannot find the next step is plan with that file", async () => {
    const wanted = edited((text) => text.replaceAll("gcm-aes-xpn-256", "gcm-aes-xpn-128"));
    expect((await run("validate", wanted)).exit).toBe(0);
    const next = `next: correct the file, then linkseal plan ${wanted}\n`;
    for (const words of [["plan"], ["config", "diff"], ["apply", "--yes"]]) {
      const refused = await run(...words, wanted);
      expect([refused.exit, refused.err]).toEqual([2, expect.stringContaining(next)]);
    }
  });

  it("a saved plan is refused after drift, and applied once that is gone", async () => {
    const wanted = edited((text) => `${text}repair: on\n`);
    const saved = join(home, "monday.plan");
    const made = await run("plan", wanted, "--out", saved, "--json");
    expect(made.exit).toBe(3);
    expect((JSON.parse(made.out) as SitePlan).schema).toBe("linkseal.plan/1");
    expect(statSync(saved).mode & 0o777).toBe(0o600);
    expect((await run("plan", wanted, "--out", saved)).err).toContain("exists already");
    // The file may change: what was planned is in the plan.
    writeFileSync(file, "version: 1\n");

    await run("sim", "fault", "should-secure");
    await until("drift", async () => (await run("plan", "--accepted")).exit === 3);
    const refused = await run("apply", "--plan", saved, "--yes");
    expect([refused.exit, refused.err]).toEqual([
      6,
      expect.stringMatching(/\(gate\.planChanged\)[\s\S]*is no longer as it was/),
    ]);
    await run("sim", "fault", "should-secure", "--heal");
    await until("no drift", async () => (await run("plan", "--accepted")).exit === 0);

    expect((await run("apply", file, "--plan", saved, "--yes")).exit).toBe(2);
    expect((await run("apply", "--plan", saved, "--queue", "--yes")).exit).toBe(2);
    expect((await run("apply", "--plan", saved, "--yes")).exit).toBe(0);
    expect((await run("config", "show")).out).toContain("repair: on");
    const again = await run("apply", "--plan", saved, "--yes");
    expect([again.exit, again.err]).toEqual([
      6,
      expect.stringContaining("config 2 is in force, and it was config 1"),
    ]);
  });

  it("a hostile plan file is refused, and changes nothing", async () => {
    const hostile = join(home, "hostile.plan");
    const genuine = JSON.parse(readFileSync(join(home, "monday.plan"), "utf8")) as {
      readonly plan: SitePlan;
    };
    for (const content of [
      "",
      "[".repeat(100_000),
      JSON.stringify({ ...genuine, text: "version: 1\n" }),
      JSON.stringify({ ...genuine, plan: { agreed: { states: 7 } } }),
    ]) {
      writeFileSync(hostile, content);
      const { exit } = await run("apply", "--plan", hostile, "--yes");
      expect([2, 6]).toContain(exit);
    }
    expect((await run("config", "history")).out).not.toMatch(/^3 /m);
  });
});
