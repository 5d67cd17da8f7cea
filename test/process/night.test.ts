// The night card as a person uses it: an emergency re-key by nothing but its commands, with a far
// end that a person changes; and the card where no agent lives.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NightCard } from "#agent/explain/night.ts";
import { FsDisk } from "#agent/host/disk.ts";
import { errorShape } from "#agent/model/error-shape.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { IntentStore } from "#agent/store/intent/intent.ts";
import { LinksealError } from "#hal/error.ts";
import type { WallTime } from "#hal/world.ts";
import { patienceMs } from "../patience.ts";
import { siteConfig } from "../unit/kit/site-config.ts";
import { verdictIn } from "./glance.ts";

interface Ended {
  readonly exit: number | null;
  readonly out: string;
  readonly err: string;
}

const root = realpathSync(mkdtempSync(join(tmpdir(), "linkseal-night-")));
const fresh = (name: string): string => mkdtempSync(join(root, name));
const home = fresh("a-");
const command = join(import.meta.dirname, "../../agent/bin.js");
const group = "erd-demo";
let site: ChildProcess | undefined;

function start(folder: string, words: readonly string[]): ChildProcess {
  const env = { ...process.env, LINKSEAL_HOME: folder, TMPDIR: root, NO_COLOR: "1" };
  return spawn(process.execPath, [command, ...words], { env, stdio: ["ignore", "pipe", "pipe"] });
}

async function runIn(folder: string, ...words: readonly string[]): Promise<Ended> {
  const child = start(folder, words);
  let [out, err] = ["", ""];
  child.stdout?.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (err += chunk.toString()));
  await once(child, "close");
  return { exit: child.exitCode, out, err };
}

const run = (...words: readonly string[]): Promise<Ended> => runIn(home, ...words);

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const begun = performance.now(); !(await holds()); ) {
    if (performance.now() - begun > patienceMs) throw new Error(`waited too long: ${what}`);
    await sleep(100);
  }
}

afterAll(async () => {
  if (site !== undefined && site.exitCode === null) {
    const ended = once(site, "close");
    site.kill("SIGKILL");
    await ended;
  }
  rmSync(root, { recursive: true });
});

describe("an emergency re-key", () => {
  /** Every command that the person typed, with its exit status. */
  const transcript: string[] = [];

  beforeAll(async () => {
    site = start(home, ["sim", "site", "--start", "protected", "--speed", "200"]);
    await until("an agent", async () => (await verdictIn(home)) !== undefined);
    const folder = readdirSync(root).find((name) => name.startsWith("linkseal-demo-")) ?? "";
    const file = join(root, "manual.yaml");
    const text = readFileSync(join(root, folder, "demo.yaml"), "utf8");
    writeFileSync(file, text.replace("farEnd: agent", "farEnd: manual"));
    const applied = await run("apply", file, "--yes");
    if (applied.exit !== 0) throw new Error(applied.err);
    await until("an adoption", async () => (await run("adopt", group)).exit === 0);
    await until("protection", async () => (await verdictIn(home)) === "protected");
  });

  /** Types a command line of the card, or one that a command of the card printed. */
  async function type(line: string): Promise<Ended> {
    expect(line).toMatch(/^linkseal /);
    const ended = await run(...line.split(" ").slice(1));
    transcript.push(`$ ${line}    # exit ${ended.exit}`);
    return ended;
  }

  async function versions(): Promise<readonly (string | null)[]> {
    const { groups } = JSON.parse((await run("status", "--json")).out) as Status;
    return groups.flatMap(({ links }) => links.map(({ keyVersion }) => keyVersion));
  }

  /** Does once for each link what two steps of the card say. */
  async function bothLinks(proceed: string, show: string): Promise<void> {
    let last = "";
    for (const begun = performance.now(); performance.now() - begun < patienceMs; ) {
      const { out } = await run(...show.split(" ").slice(1));
      if (/primary rotated/.test(out) && /secondary rotated/.test(out)) return;
      const [, far] = /^ {2}with: (linkseal .*)$/m.exec(out) ?? [];
      if (far !== undefined && /far end: give link\d the new pair now/.test(out)) {
        if (far !== last) {
          transcript.push(`$ ${show}`);
          await type(far);
        }
        last = far;
      } else if (out.includes(`next: ${proceed}`)) await type(proceed);
      await sleep(100);
    }
    throw new Error(`the links were not rotated:\n${transcript.join("\n")}`);
  }

  it("a key is replaced at both ends of both links by the commands of the card alone", async () => {
    const { out } = await run("night", group, "--json");
    const card = JSON.parse(out) as NightCard;
    const chapter = card.chapters.find(({ title }) => title === "A key is compromised");
    const lines = (chapter?.steps ?? []).map(({ commands }) =>
      commands.flatMap((one) => one.lines),
    );
    const [generate, check, emergency, proceed, show] = lines.map(([line = ""]) => line);
    const before = await versions();
    expect((await type(generate ?? "")).exit).toBe(0);
    expect((await type(check ?? "")).exit).toBe(0);
    expect((await type(emergency ?? "")).exit).toBe(0);
    await bothLinks(proceed ?? "", show ?? "");
    await until("protection", async () => (await verdictIn(home)) === "protected");
    const after = await versions();
    expect(after.filter((version) => before.includes(version))).toEqual([]);
    expect(transcript.filter((line) => line.includes("rotation proceed"))).toHaveLength(2);
    expect(transcript.filter((line) => line.includes("far-ahead"))).toHaveLength(2);
    console.info(transcript.join("\n"));
  });

  it("a link shows both ends, counters and ages; an explanation has its names", async () => {
    const { out, exit } = await run("links", `${group}/primary`);
    expect(exit).toBe(0);
    for (const word of ["MKPDUs", "far end", "config", "keys", "BGP", "MTU", "cipher", "read"]) {
      expect(out).toContain(word);
    }
    expect(out).not.toContain("next: linkseal links");
    const explained = await run("explain", "sci-mismatch", `${group}/primary`);
    expect([explained.exit, explained.out]).toEqual([
      0,
      expect.stringContaining(`linkseal enrol ${group}`),
    ]);
  });
});

describe("the card without an agent", () => {
  it("the card is made from the accepted config in the state folder, or from a file", async () => {
    const folder = fresh("dead-");
    const none = await runIn(folder, "night");
    expect([none.exit, none.err]).toEqual([
      2,
      expect.stringContaining("no config was accepted in"),
    ]);
    const store = await IntentStore.open(await FsDisk.open(join(folder, "state")));
    await store.accept(siteConfig, "test", Date.UTC(2026, 10, 24) as WallTime);
    const dead = await runIn(folder, "night");
    expect([dead.exit, dead.out]).toEqual([
      0,
      expect.stringContaining(`Night card of demo, from config 1 in ${join(folder, "state")}`),
    ]);
    const file = join(root, "site.yaml");
    writeFileSync(file, siteConfig);
    const read = await runIn(folder, "night", "erd-demo", "--config", file);
    expect([read.exit, read.out]).toEqual([0, expect.stringContaining(`from ${file}`)]);
    const gone = await runIn(folder, "night", "gone", "--config", file);
    expect([gone.exit, gone.err]).toEqual([
      2,
      expect.stringContaining('no group, link or tunnel "gone"'),
    ]);
    const one = await runIn(folder, "night", "erd-demo/primary", "--config", file);
    expect([one.exit, one.out.includes("erd-demo/secondary")]).toEqual([0, false]);
    const steps = await runIn(folder, "explain", "sci-mismatch", "erd-demo/primary");
    expect([steps.exit, steps.out, steps.err]).toEqual([
      0,
      expect.stringContaining("linkseal enrol erd-demo"),
      expect.stringContaining(`No agent answers: the names are from config 1 in ${folder}`),
    ]);
  });

  it("an agent that is busy is not asked again: the state folder has the config", async () => {
    const folder = fresh("busy-");
    const store = await IntentStore.open(await FsDisk.open(join(folder, "state")));
    await store.accept(siteConfig, "test", Date.UTC(2026, 10, 24) as WallTime);
    mkdirSync(join(folder, "run"), { mode: 0o700 });
    const details = { effect: "none", where: "view", next: "try again" } as const;
    const busy = new LinksealError("agent.busy", "16 requests wait", details);
    const body = JSON.stringify(errorShape(busy));
    const agent = createServer((_, reply) => {
      reply.writeHead(429, { "content-length": body.length }).end(body);
    });
    agent.listen(join(folder, "run/view.sock"));
    await once(agent, "listening");
    try {
      const { exit, out } = await runIn(folder, "night");
      expect([exit, out]).toEqual([0, expect.stringContaining("from config 1 in ")]);
      expect((await runIn(folder, "status")).err).toContain("(agent.busy)");
    } finally {
      agent.close();
    }
  });

  it("a damaged config in the state folder ends in a sentence", async () => {
    const folder = fresh("damaged-");
    const store = await IntentStore.open(await FsDisk.open(join(folder, "state")));
    await store.accept(siteConfig, "test", Date.UTC(2026, 10, 24) as WallTime);
    writeFileSync(join(folder, "state/intent/0001.yaml"), "version: 1\n");
    const { exit, err } = await runIn(folder, "night");
    expect([exit === 0, err]).toEqual([false, expect.stringContaining("journal.corrupt")]);
  });
});
