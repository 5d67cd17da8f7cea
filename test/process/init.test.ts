// `linkseal init` at a pseudo-terminal, as an operator types: every question, ten mistakes, Ctrl-C
// in between, with no network at all; and beside simulated routers that show a host key.

import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { Program } from "./program.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");
const folder = realpathSync(mkdtempSync(join(tmpdir(), "linkseal-init-")));
const env = { ...process.env, LINKSEAL_HOME: folder };
const config = join(folder, "etc/linkseal.yaml");
const kept = join(folder, "state/init-answers.json");
const id =
  "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/net/providers/" +
  "Microsoft.Network/expressRoutePorts/erd-dub";

/** A network namespace of its own reaches no router, no vault and no identity. */
const offline = ["--net", ...(process.getuid?.() === 0 ? [] : ["--map-root-user"])];

const quoted = (words: readonly string[]): string =>
  words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");

const controlC = "\x03";
const controlD = "\x04";

/** `linkseal init` at a terminal that script(1) makes. */
class Dialogue implements AsyncDisposable {
  readonly #program: Program;
  #read = 0;

  constructor(words: readonly string[], before: readonly string[] = []) {
    const line = quoted([...before, process.execPath, command, "init", ...words]);
    const child = spawn("script", ["--quiet", "--return", "--command", line, "/dev/null"], {
      ...{ env, stdio: ["pipe", "pipe", "pipe"] },
    });
    this.#program = new Program(child);
  }

  /** Waits until a question with these words waits for its reply, and types the octets. */
  async answer(question: string, octets: string): Promise<void> {
    const waits = (): boolean => {
      const text = stripVTControlCharacters(this.output.slice(this.#read));
      return text.includes(question) && text.endsWith(": ");
    };
    while (!waits()) {
      if (this.#program.dead) throw new Error(`it ended before "${question}": ${this.output}`);
      await rest(10);
    }
    this.#read = this.output.length;
    this.#program.child.stdin?.write(octets);
  }

  /** Types each reply once its question appears. */
  async type(replies: readonly (readonly [question: string, reply: string])[]): Promise<void> {
    for (const [question, reply] of replies) await this.answer(question, `${reply}\r`);
  }

  async ended(): Promise<number | null> {
    await this.#program.ended;
    return this.#program.child.exitCode;
  }

  get output(): string {
    return this.#program.output;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#program.dead) this.#program.child.kill("SIGKILL");
    await this.#program.ended;
  }
}

const firstHalf = [
  ["A name for this site [edge]", "Dublin DC"],
  ["A name for this site [dublin-dc]", "dublin"],
  ["The Azure cloud", "azure"],
  ["The Azure cloud", ""],
  ["The key vault", ""],
  ["The key vault", "kv-erd-dub"],
  ["The key vault (https://name.vault.azure.net) [https://kv-erd-dub.vault.azure.net]", ""],
  ["How this host proves itself", "password"],
  ["How this host proves itself", "arc"],
  ["Name of the router that has link1", ""],
  ["Platform of edge-a", "juniper"],
  ["[junos]", ""],
  ["Address of edge-a", "nowhere at all"],
  ["Address of edge-a", "192.0.2.1:2222"],
  ["SSH user on edge-a", ""],
  ["Host key of edge-a", "yes"],
  ["Host key of edge-a", ""],
] as const;

const kepts = [
  ["A name for this site [dublin]", ""],
  ["The Azure cloud", ""],
  ["The key vault", ""],
  ["How this host proves itself", ""],
  ["Name of the router that has link1", ""],
  ["Platform of edge-a", ""],
  ["Address of edge-a", ""],
  ["SSH user on edge-a", ""],
  ["Host key of edge-a", ""],
] as const;

const secondHalf = [
  ["Name of the router that has link2", "edge-a"],
  ["[none]", ""],
  ["A name for the pair of links", "erd-dub"],
  ["Resource id of the ExpressRoute port", "erd-dub"],
  ["Resource id of the ExpressRoute port", id],
  ["Port of edge-a on link1", "et-0/0/0"],
  ["Speed of et-0/0/0", "fast"],
  ["Speed of et-0/0/0", "100"],
  ["Port of edge-a on link2", "et-0/0/0"],
  ["Port of edge-a on link2", "et-0/0/1"],
] as const;

afterAll(() => rmSync(folder, { recursive: true }));

describe("init at a terminal", () => {
  it("ten mistakes and a Ctrl-C lose no answer, without a router and without Azure", async ({
    skip,
  }) => {
    const tried = spawnSync("unshare", [...offline, "true"]);
    // A test that this host cannot run counts as not run, which fails a complete run.
    if (tried.status !== 0) skip(`no network namespace for this user (${tried.stderr.toString()})`);
    {
      await using first = new Dialogue([], ["unshare", ...offline]);
      await first.type(firstHalf);
      await first.answer("Name of the router that has link2", controlC);
      expect(await first.ended()).toBe(2);
      expect(first.output).toContain("your answers are kept, and no config was written");
      expect(first.output).toContain("edge-a (192.0.2.1 port 2222) shows no host key");
    }
    expect(statSync(kept).mode & 0o777).toBe(0o600);
    expect(existsSync(config)).toBe(false);
    {
      await using second = new Dialogue([], ["unshare", ...offline]);
      await second.type([...kepts, ...secondHalf]);
      await second.answer("Speed of et-0/0/1", controlD);
      expect(await second.ended()).toBe(2);
      expect(second.output).toContain("answers of a run that was not finished are proposed again");
    }
    await using third = new Dialogue([], ["unshare", ...offline]);
    const questions = ["link2", "pair of links", "Resource id", "on link1", "Speed", "on link2"];
    const enter = questions.map((question) => [question, ""] as const);
    await third.type([...kepts, ...enter, ["Speed of et-0/0/1", "100G"]]);
    expect(await third.ended()).toBe(0);
    expect(third.output).toContain("not checked: the host key of edge-a (192.0.2.1)");
    expect(third.output).toContain("unknown vault: not checked: ");
    expect(third.output).not.toContain("good ");
    expect(third.output).toContain("LoadCredentialEncrypted=edge-a");
    expect(readdirSync(join(folder, "state"))).toEqual([]);
    const text = readFileSync(config, "utf8");
    expect(text).toContain("      port: 2222\n");
    const validated = spawnSync(process.execPath, [command, "validate", config], {
      ...{ env, encoding: "utf8" },
    });
    expect(validated.status).toBe(2);
    expect(validated.stdout).toContain("devices[0].ssh.hostKey");
    const confirmed = text.replace("SHA256:NOT-CONFIRMED", `SHA256:${"A".repeat(43)}`);
    const whole = join(folder, "whole.yaml");
    writeFileSync(whole, confirmed);
    expect(spawnSync(process.execPath, [command, "validate", whole], { env }).status).toBe(0);
  });

  it("init refuses to ask for a config that exists already", async () => {
    const taken = join(folder, "taken.yaml");
    writeFileSync(taken, "");
    await using dialogue = new Dialogue(["--out", taken]);
    expect(await dialogue.ended()).toBe(2);
    expect(dialogue.output).toContain("exists already");
    expect(dialogue.output).not.toContain("A name for this site");
  });

  it("yes and Enter do not confirm a host key; its last 12 characters do", async () => {
    const words = ["sim", "router", "--platform", "junos", "--start", "protected"];
    const stdio = ["ignore", "pipe", "pipe"] as const;
    const sim = new Program(
      spawn(process.execPath, [command, ...words], { env, stdio: [...stdio] }),
    );
    try {
      await sim.until("config for an agent: ");
      const [, port = "", key = ""] =
        /ssh -p (\d+) .*@127\.0\.0\.1.*\((SHA256:\S+)\)/.exec(sim.output) ?? [];
      const out = join(folder, "sim.yaml");
      const options = [
        ...["--site", "demo", "--cloud", "sim", "--vault", "unix:/nowhere.sock"],
        ...["--device", `edge-a=junos,127.0.0.1:${port}`, "--express-route-port", "erd-demo"],
        ...["--group", "erd-demo", "--link", "primary=edge-a,et-0/0/0,100G"],
        ...["--link", "secondary=edge-a,et-0/0/1,100G", "--out", out],
      ];
      await using dialogue = new Dialogue(options);
      const question = "later = leave it out";
      await dialogue.type([
        [question, "yes"],
        [question, ""],
        [question, `SHA256:${"B".repeat(43)}`],
        [question, key.slice(-8)],
        [question, key.slice(-12)],
      ]);
      expect(await dialogue.ended()).toBe(0);
      expect(dialogue.output).toContain("yes does not confirm it");
      expect(dialogue.output).toContain("edge-a may be another machine");
      expect(readFileSync(out, "utf8")).toContain(`hostKey: "${key}"`);
    } finally {
      sim.child.kill("SIGTERM");
      await sim.ended;
    }
  });

  it("init --fresh forgets the answers of an earlier run", async () => {
    const out = ["--out", join(folder, "fresh.yaml")];
    {
      await using first = new Dialogue(out);
      await first.type([["A name for this site [edge]", "cork"]]);
      await first.answer("The Azure cloud", controlC);
      expect(await first.ended()).toBe(2);
    }
    {
      await using resumed = new Dialogue(out);
      await resumed.answer("A name for this site [cork]", controlC);
      expect(await resumed.ended()).toBe(2);
    }
    await using fresh = new Dialogue([...out, "--fresh"]);
    await fresh.answer("A name for this site [edge]", controlC);
    expect(await fresh.ended()).toBe(2);
  });
});
