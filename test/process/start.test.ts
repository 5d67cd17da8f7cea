// `npm start` as processes: the real command line, the real sockets, a real disk.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Plan } from "#agent/compare/plan.ts";
import { hostDialer } from "#agent/host/host.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { demoSite } from "#sim/lab/simulate.ts";
import { patienceMs } from "../patience.ts";
import { hasty } from "../short-waits.ts";
import { isAtRest, verdictIn } from "./glance.ts";

interface Ended {
  readonly exit: number | null;
  readonly out: string;
  readonly err: string;
}

let home = "";
const children: ChildProcess[] = [];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "linkseal-test-"));
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  rmSync(home, { recursive: true, force: true });
});

function start(...words: string[]): { readonly child: ChildProcess; readonly end: Promise<Ended> } {
  const child = spawn(process.execPath, ["agent/bin.js", ...words], {
    // Everything that a run leaves behind is in the home of its test.
    env: { ...process.env, LINKSEAL_HOME: home, TMPDIR: home, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let [out, err] = ["", ""];
  child.stdout?.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  const end = once(child, "close").then(() => ({ exit: child.exitCode, out, err }));
  return { child, end };
}

const run = (...words: string[]): Promise<Ended> => start(...words).end;

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const begun = performance.now(); !(await holds()); ) {
    if (performance.now() - begun > patienceMs) throw new Error(`waited too long: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const onceAtMax = ["sim", "site", "--once", "--speed", "max"];

describe("sim site --once", () => {
  it("--once protects everything, prints one JSON document and ends with 0", async () => {
    const { exit, out } = await run(...onceAtMax, "--json");
    const status = JSON.parse(out) as Status;
    expect([exit, status.schema, status.verdict]).toEqual([0, "linkseal.status/1", "protected"]);
    const parts = [...status.groups.flatMap(({ links }) => links), ...status.tunnels];
    expect(parts.map(({ name, verdict }) => `${name} ${verdict}`)).toEqual([
      "primary protected",
      "secondary protected",
      "hub-1 protected",
      "hub-2 protected",
    ]);
    const ages = status.groups.flatMap(({ links }) => links.map((link) => link.ages.farEndMs));
    expect(ages.every(Number.isInteger)).toBe(true);
    expect(existsSync(join(home, "run", "view.sock"))).toBe(false);
  });

  it.each([
    ["vault-denied", "primary", "vault-denied"],
    ["clear-path", "hub-1", "clear-path-beside-tunnel"],
  ])("--once ends with 4 and names the cause under %s", async (fault, name, code) => {
    const { exit, out } = await run(...onceAtMax, "--json", "--fault", fault);
    const status = JSON.parse(out) as Status;
    const parts = [...status.groups.flatMap(({ links }) => links), ...status.tunnels];
    const part = parts.find((each) => each.name === name);
    expect([exit, part?.reasons[0]?.code]).toEqual([4, code]);
  });

  it("--once prints the events line by line, and the status last", async () => {
    const { exit, out } = await run(...onceAtMax, "--seed", "2", "--fault", "mtu@600");
    expect(exit).toBe(4);
    expect(out).toMatch(/^ +\d+\.\d {2}erd-demo\/secondary {4}campaign-done/m);
    expect(out).toMatch(/^ +600\.\d {2}erd-demo\/primary {6}fault +mtu strikes/m);
    expect(out).toMatch(/^demo: down/m);
    expect(out).not.toContain("\u001b");
  });

  it.each([
    ["an unknown fault", ["--fault", "earthquake"], /no fault is named "earthquake"/],
    ["a mistyped fault", ["--fault", "peer-silnt@5"], /did you mean peer-silent\?/],
    ["a speed of nothing", ["--speed", "0"], /above 0/],
    ["an unknown start", ["--start", "half"], /Allowed choices are clear, protected/],
    ["an unknown overlap", ["--overlap", "some"], /Allowed choices are keychain, fallback, none/],
  ])("--once refuses %s with 2", async (_name, words, text) => {
    const { exit, err } = await run("sim", "site", "--once", ...words);
    expect([exit, err]).toEqual([2, expect.stringMatching(text)]);
  });
});

describe("sim site", () => {
  it("sim fault lists fifteen faults with their moments", async () => {
    const { exit, out } = await run("sim", "site", "--list-faults");
    const rows = out.trim().split("\n");
    expect([exit, rows.length]).toEqual([0, 15]);
    expect(rows.every((row) => /(before the first effect|once all is protected)$/.test(row))).toBe(
      true,
    );
  });

  it("sim site serves status and faults, keeps other users out, and ends at Ctrl-C", async () => {
    const { child, end } = start("sim", "site", "--speed", "300");
    const verdict = async (): Promise<string> => (await run("status", "--check")).out;
    await until("all protected", async () => (await verdictIn(home)) === "protected");
    expect((await verdict()).trim()).toBe("demo: protected");
    const folders = (): number =>
      readdirSync(home).filter((name) => name.startsWith("linkseal-demo-")).length;
    const before = folders();
    const second = await run("sim", "site");
    expect([second.exit, second.err]).toEqual([1, expect.stringContaining("another agent")]);
    // C: a start that was refused left its folder.
    expect(folders()).toBe(before);
    const beside = await run(...onceAtMax, "--json");
    expect([beside.exit, beside.err]).toEqual([0, expect.stringContaining("no sockets")]);
    expect((await run("sim", "fault", "fibre-cut")).out).toContain("a fibre is cut");
    await until("the link is down", async () => (await verdictIn(home)) === "down");
    expect(await verdict()).toContain("primary down");
    expect((await run("sim", "fault", "fibre-cut", "--heal")).out).toContain("healed");
    await until("protected again", async () => (await verdictIn(home)) === "protected");
    expect((await verdict()).trim()).toBe("demo: protected");
    const shown = JSON.parse((await run("config", "show", "--json")).out) as { text: string };
    const served = join(home, "served.yaml");
    const listen = join(home, "run", "m.sock");
    const page = /^serve: \{ (page: .*) \}\n/m;
    const metrics = `metrics: { listen: "unix:${listen}" }`;
    writeFileSync(served, shown.text.replace(page, `serve: { $1, ${metrics} }\n`));
    expect((await run("apply", served, "--yes")).exit).toBe(0);
    await until("metrics are served", () => existsSync(listen));
    const asked = { to: `unix:${listen}`, method: "GET", path: "/metrics" } as const;
    const reply = await hostDialer.http(
      { ...asked, replyBytesMax: 1e6 },
      AbortSignal.timeout(patienceMs),
    );
    expect(Buffer.from(reply.body).toString()).toContain("linkseal_link_verdict{");
    const { url, code } = JSON.parse((await run("page", "code", "--json")).out) as {
      readonly url: string;
      readonly code: string;
    };
    expect(code).toMatch(/^([0-9A-Z]{4}-?){3}$/);
    expect(await (await fetch(url)).text()).toContain("<title>linkseal</title>");
    child.kill("SIGINT");
    const ended = await end;
    expect(ended.exit).toBe(0);
    expect(ended.out).toContain(`page at ${url}; `);
    for (const name of ["view.sock", "admin.sock", "site.sock", "m.sock"]) {
      expect(existsSync(join(home, "run", name)), name).toBe(false);
    }
  });
});

describe("sim site --overlap", () => {
  it.each([
    [
      "keychain",
      ["move the traffic", "beside", "far end", "prove", "old key away", "traffic back"],
    ],
    [
      "fallback",
      [
        ...[
          "move the traffic",
          "beside",
          "far end",
          "prove",
          "primary one",
          "prove",
          "old key away",
        ],
        "traffic back",
      ],
    ],
    ["none", ["move the traffic", "candidate", "far end", "follow", "prove", "traffic back"]],
  ])("%s: a rotation is planned as such routers need it", async (overlap, words) => {
    start("sim", "site", "--speed", "300", "--overlap", overlap);
    await until("all at rest", () => isAtRest(home));
    expect((await run("keys", "generate", "erd-demo")).exit).toBe(0);
    const dry = await run("rotate", "erd-demo/primary", "--dry-run", "--json");
    const { steps } = JSON.parse(dry.out) as Plan;
    expect(dry.exit).toBe(3);
    const output = steps.filter(({ link }) => link === "erd-demo/primary").map(({ does }) => does);
    expect(output).toEqual(words.map((word) => expect.stringContaining(word)));
  });
});

describe("sim serve", () => {
  it("sim serve is a site that a separate agent protects without a broken promise", async () => {
    const socket = join(home, "site.sock");
    const file = join(home, "oracle.json");
    const words = ["--speed", "100", "--oracle-file", file];
    // The oracle hears what the agent reports, by the limits of its config.
    words.push("--agent", join(home, "run", "view.sock"));
    const site = start("sim", "serve", "--socket", socket, ...words);
    await until("the site serves", () => existsSync(socket));
    const agent = start("agent", "--site", `unix:${socket}`);
    await until("the agent serves", () => existsSync(join(home, "run", "admin.sock")));
    const config = join(home, "demo.yaml");
    writeFileSync(config, hasty(demoSite("1", "clear").site.config(`unix:${socket}`)));
    expect((await run("apply", config, "--yes")).exit).toBe(0);
    await until("all protected", async () => (await verdictIn(home)) === "protected");
    expect((await run("status", "--check")).exit).toBe(0);
    // The night card and `rotation show` print commands for the site without its socket.
    const faults = await run("sim", "fault", "--list");
    expect([faults.exit, faults.out]).toEqual([
      0,
      expect.stringContaining("nothing is struck now"),
    ]);
    agent.child.kill("SIGTERM");
    expect((await agent.end).exit).toBe(0);
    site.child.kill("SIGTERM");
    expect((await site.end).exit).toBe(0);
    const seen = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    expect(seen).toMatchObject({ seed: "1", violations: [] });
    expect(seen["agentWrites"]).toBeGreaterThanOrEqual(12);
  });
});
