// The Ansible role of the examples, run by Debian's ansible-playbook against `npm start`: its
// "changed" and "failed" are what linkseal reports.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { patienceMs } from "../patience.ts";
import { type Ended, run } from "./run.ts";
import { Started } from "./started.ts";

const root = join(import.meta.dirname, "../..");
const playbook = join(root, "docs/examples/ansible/site.yaml");
/** Ansible starts a Python for each task: on a busy computer a run takes minutes. */
const timeout = 900_000;

let site: Started;
let folder = "";
let wanted = "";
let kept = "";
beforeAll(async () => {
  site = new Started("--start", "protected", "--speed", "1");
  for (const begun = performance.now(); !site.output.includes("linkseal apply "); await rest(100))
    if (performance.now() - begun > patienceMs) throw new Error(`no site: ${site.output}`);
  const demo = /linkseal apply (\S+demo\.yaml)/.exec(site.output)?.[1] ?? "";
  folder = join(site.home, "ansible");
  mkdirSync(folder);
  wanted = join(folder, "site.yaml");
  kept = join(folder, "kept.yaml");
  writeFileSync(wanted, readFileSync(demo, "utf8"));
  const command = [process.execPath, join(root, "agent/bin.js"), '"$@"'].join(" ");
  const lines = ["#!/bin/sh", `LINKSEAL_HOME='${site.home}' exec ${command}`, ""];
  writeFileSync(join(folder, "linkseal"), lines.join("\n"), { mode: 0o755 });
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
});

interface Recap {
  readonly changed: number;
  readonly failed: number;
}

/** Runs the playbook for this host, as it is shipped but for its paths. */
async function play(...options: readonly string[]): Promise<Ended & Recap> {
  const inventory = join(folder, "inventory.yaml");
  const host = {
    ansible_connection: "local",
    ansible_python_interpreter: "/usr/bin/python3",
    ansible_become: false,
    ansible_remote_tmp: join(folder, "remote"),
    linkseal_config: wanted,
    linkseal_command: join(folder, "linkseal"),
    linkseal_config_path: kept,
  };
  writeFileSync(inventory, JSON.stringify({ linkseal: { hosts: { here: host } } }));
  const variables = ["ANSIBLE_NOCOLOR=1", "ANSIBLE_RETRY_FILES_ENABLED=0", "LC_ALL=C.UTF-8"];
  const own = [`ANSIBLE_LOCAL_TEMP=${folder}/local`, `HOME=${folder}`, `TMPDIR=${folder}`];
  const argv = ["ansible-playbook", "-i", inventory, playbook, ...options];
  const ended = await run(["env", ...variables, ...own, ...argv], "");
  const recap = /here +: ok=\d+ +changed=(\d+) .*failed=(\d+)/.exec(ended.stdout);
  if (recap === null) throw new Error(`no recap: ${ended.stdout}${ended.stderr}`);
  return { ...ended, changed: Number(recap[1]), failed: Number(recap[2]) };
}

async function configs(): Promise<number> {
  const { history } = JSON.parse(await site.run("config", "history", "--json")) as {
    readonly history: readonly unknown[];
  };
  return history.length;
}

describe("the Ansible role, one run after the other", { timeout }, () => {
  it("--check shows the plan, reports a change, and changes nothing", async () => {
    const { status, changed, failed, stdout } = await play("--check");
    expect([status, failed]).toEqual([0, 0]);
    expect(changed).toBeGreaterThan(0);
    expect(stdout).toContain("No config is in force; this one has");
    expect([await configs(), existsSync(kept)]).toEqual([0, false]);
  });

  it("the first run applies the config and keeps it", async () => {
    expect(await play()).toMatchObject({ status: 0, changed: 2, failed: 0 });
    expect(await configs()).toBe(1);
    expect(readFileSync(kept, "utf8")).toBe(readFileSync(wanted, "utf8"));
  });

  it("the next run changes nothing", async () => {
    expect(await play()).toMatchObject({ status: 0, changed: 0, failed: 0 });
    expect(await play("--check")).toMatchObject({ status: 0, changed: 0, failed: 0 });
    expect(await configs()).toBe(1);
  });

  it("another setting is applied once", async () => {
    writeFileSync(
      wanted,
      `${readFileSync(wanted, "utf8")}repair: on\n`.replace("repair: off\n", ""),
    );
    const { status, changed, stdout } = await play();
    expect([status, changed]).toEqual([0, 2]);
    expect(stdout).toContain("! repair: off -> on");
    expect(await configs()).toBe(2);
    expect(await play()).toMatchObject({ status: 0, changed: 0 });
  });

  it("an invalid config fails with its complaint, and changes nothing", async () => {
    const before = readFileSync(wanted, "utf8");
    writeFileSync(wanted, before.replace("version: 1", "version: 7"));
    const { status, changed, failed, stdout } = await play();
    writeFileSync(wanted, before);
    expect([status, changed, failed]).toEqual([2, 0, 1]);
    expect(stdout).toContain(":1:");
    expect(stdout).toMatch(/version: .*7/);
    expect([await configs(), readFileSync(kept, "utf8")]).toEqual([2, before]);
  });

  it("an agent that does not answer fails, and the file is not put in its place", async () => {
    const lost = join(folder, "linkseal");
    const before = readFileSync(lost, "utf8");
    writeFileSync(lost, before.replace(site.home, join(folder, "nowhere")));
    rmSync(kept);
    const { status, changed, failed, stdout } = await play();
    writeFileSync(lost, before);
    expect([status, changed, failed]).toEqual([2, 0, 1]);
    expect(stdout).toContain('"rc": 5');
    expect(existsSync(kept)).toBe(false);
  });

  it("a site that is not protected fails the run if that is asked for", async () => {
    await site.run("sim", "fault", "peer-silent");
    for (const begun = performance.now(); ; await rest(100)) {
      if (/verdict":"down"/.test(await site.status())) break;
      if (performance.now() - begun > patienceMs) throw new Error("the fault never showed");
    }
    expect(await play()).toMatchObject({ status: 0, failed: 0 });
    const strict = ["-e", '{"linkseal_must_be_protected": true}'];
    expect(await play(...strict)).toMatchObject({ status: 2, failed: 1 });
  });
});
