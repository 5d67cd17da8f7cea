// P5 on real processes: no output of agent or command line contains a key in any form.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { routes } from "#agent/api/routes.ts";
import { hostDialer } from "#agent/host/host.ts";
import { firstLine } from "../first-line.ts";
import type { Account } from "./deadly-site.ts";
import { Emissions } from "./emissions.ts";
import { Stage } from "./stage.ts";

const patienceMs = 60_000;
const sampleMs = 20;

/** Verbs that only read. */
const readVerbs: readonly (readonly string[])[] = [
  ["status"],
  ["links"],
  ["tunnels"],
  ["keys", "list"],
  ["keys", "check"],
  ["rotation", "show"],
  ["events"],
  ["journal"],
  ["doctor"],
  ["config", "show"],
  ["config", "history"],
];

/** One whole enrolment with faults on its way; all output is collected in `emissions`. */
class Show {
  readonly emissions = new Emissions();
  readonly stage: Stage;

  constructor(stage: Stage) {
    this.stage = stage;
  }

  /** Samples every process of the stage while `work` runs. */
  async watched(work: () => Promise<void>): Promise<void> {
    const timer = setInterval(() => {
      for (const program of this.stage.programs)
        if (!program.dead) this.emissions.takeProcess(program.pid);
    }, sampleMs);
    try {
      await work();
    } finally {
      clearInterval(timer);
    }
  }

  /** Runs one command line to its end; resolves to its exit status. */
  async run(...argv: readonly string[]): Promise<number | null> {
    const program = this.stage.start(...argv);
    await program.ended;
    this.emissions.take(`output ${this.stage.programs.length} of ${argv.join(" ")}`, program.bytes);
    return program.child.exitCode;
  }

  async askEverything(): Promise<void> {
    for (const route of Object.keys(routes)) {
      const [method, path = ""] = route.split(" ");
      if (method === "GET") await this.ask("GET", path, "");
    }
  }

  /** Returns the raw reply of both sockets. */
  async ask(method: "GET" | "POST", path: string, body: string): Promise<void> {
    for (const role of ["view", "admin"]) {
      const to = `unix:${join(this.stage.folder, `run/${role}.sock`)}`;
      const request = { to, method, path, body: [body], replyBytesMax: 10_000_000 };
      const reply = await hostDialer.http(request, AbortSignal.timeout(patienceMs));
      this.emissions.take(`${role} ${method} ${path} ${body.slice(0, 20)}`, reply.body);
    }
  }

  /** Collects metrics as a collector of this host does. */
  async scrape(port: number): Promise<void> {
    const to = `http://127.0.0.1:${port}`;
    const request = { to, method: "GET", path: "/metrics", replyBytesMax: 10_000_000 } as const;
    const reply = await hostDialer.http(request, AbortSignal.timeout(patienceMs));
    if (reply.status !== 200) throw new Error(`the scrape got ${reply.status}`);
    this.emissions.take(`metrics ${this.emissions.places.length}`, reply.body);
  }

  async fault(name: string, heal?: true): Promise<void> {
    const body = [JSON.stringify({ name, heal })];
    const to = `unix:${join(this.stage.folder, "site.sock")}`;
    const request = { to, method: "POST", path: "/fault", body, replyBytesMax: 10_000 } as const;
    const { status } = await hostDialer.http(request, AbortSignal.timeout(patienceMs));
    if (status !== 200) throw new Error(`the site refused ${name}`);
  }
}

async function play(show: Show, keys: Account["canaries"]): Promise<void> {
  const { stage, emissions } = show;
  const file = join(stage.folder, "site.yaml");
  const port = await freePort();
  const metrics = `serve: { metrics: { listen: 127.0.0.1:${port} } }\n`;
  writeFileSync(file, stage.config + metrics);
  const agent = await stage.live();
  expect(await show.run("plan", file)).toBe(3);

  // A key pasted where its name belongs must not appear in the error message.
  const key = Buffer.from(keys[0]?.bytes ?? []).toString("hex");
  const folder = mkdtempSync(join(tmpdir(), "linkseal-pasted-"));
  const pasted = join(folder, "pasted.yaml");
  writeFileSync(pasted, stage.config.replace("cak: erd-demo-1-cak", `cak: ${key}`));
  expect(await show.run("validate", pasted)).toBe(2);
  expect(await show.run("apply", pasted, "--yes")).toBe(2);
  rmSync(folder, { recursive: true });

  await show.fault("vault-denied");
  const applying = show.run("apply", file, "--yes");
  await agent.until("vault.denied");
  await show.run("status");
  await show.scrape(port);
  await show.fault("vault-denied", true);
  while (stage.records() < 12) await rest(sampleMs);
  stage.kill(agent);
  await applying;

  const next = await stage.live();
  expect(await stage.settled(next, patienceMs)).toMatchObject({ over: true });
  for (const verb of readVerbs) {
    await show.run(...verb);
    await show.run(...verb, "--json");
  }
  expect(await show.run("keys", "generate", "erd-demo")).toBe(0);
  const ids = ["--cak", "0".repeat(32), "--ckn", "0".repeat(32)];
  expect(await show.run("keys", "pair", "erd-demo/primary", ...ids)).toBe(1);
  await show.askEverything();
  await show.scrape(port);
  await show.ask("POST", "/v1/apply", JSON.stringify({ text: "version: 1", file: "x" }));
  await show.ask("POST", "/v1/enrol", JSON.stringify({ target: "erd-demo" }));
  await show.ask("POST", "/v1/plan", "{");
  for (const [index, program] of stage.programs.entries())
    emissions.take(`streams ${index}`, program.bytes);
  emissions.takeFolder(stage.folder);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("all output of real processes", () => {
  let stage: Stage;
  let show: Show;
  let account: Account;
  beforeAll(async () => {
    const setting = { seed: "canary", start: "clear", speed: 100, fate: undefined } as const;
    stage = await Stage.open(setting);
    show = new Show(stage);
    const { canaries } = await stage.account();
    await show.watched(() => play(show, canaries));
    account = await stage.account();
  });
  afterAll(async () => {
    await stage[Symbol.asyncDispose]();
  });

  it("no output contains a key of the vault", () => {
    expect(account.canaries.length).toBeGreaterThanOrEqual(4);
    expect(show.emissions.find(account.canaries)).toEqual([]);
    expect(account.violations).toEqual([]);
  });

  it("the search covered every kind of output", () => {
    const { places } = show.emissions;
    const seen = (part: string): number => places.filter((place) => place.includes(part)).length;
    const pids = stage.programs.map(({ pid }) => pid);
    expect(seen("/state/journal")).toBe(1);
    expect(seen("/state/host.key")).toBe(1);
    expect(seen("/state/report.key")).toBe(1);
    expect(seen("/state/audit")).toBeGreaterThan(0);
    const reads = Object.keys(routes).filter((route) => route.startsWith("GET ")).length;
    expect(reads).toBeGreaterThan(15);
    expect(seen("view GET /v1/")).toBe(reads);
    expect(seen("admin GET /v1/")).toBe(reads);
    expect(seen("metrics")).toBe(2);
    expect(seen("output")).toBe(7 + 2 * readVerbs.length);
    const sampled = pids.filter((pid) => places.includes(`environment of ${pid}`));
    expect(sampled.length).toBeGreaterThan(pids.length / 2);
  });
});

describe("the search", () => {
  const key = Uint8Array.from({ length: 32 }, (_, index) => 0x11 + 7 * index);
  const keys = [{ id: "planted", bytes: key }];
  const bytes = Buffer.from(key);
  const forms: readonly (readonly [string, Uint8Array | string])[] = [
    ["raw", bytes],
    ["hex", bytes.toString("hex")],
    ["HEX", bytes.toString("hex").toUpperCase()],
    ["base64", bytes.toString("base64")],
  ];
  const folder = mkdtempSync(join(tmpdir(), "linkseal-planted-"));
  const children: ChildProcess[] = [];
  afterAll(() => {
    for (const child of children) child.kill("SIGKILL");
    rmSync(folder, { recursive: true });
  });

  it.each(forms)("the search finds a key in a log file as %s", (name, form) => {
    const emissions = new Emissions();
    const logs = join(folder, name);
    mkdirSync(logs);
    const line = Buffer.concat([Buffer.from('{"text":"'), Buffer.from(form), Buffer.from('"}\n')]);
    writeFileSync(join(logs, "agent.log"), line);
    emissions.takeFolder(logs);
    expect(emissions.find(keys)).toHaveLength(1);
  });

  const asText = forms.filter(([name]) => name !== "raw");
  it.each(asText)(
    "the search finds a key in a grandchild's environment and arguments as %s",
    async (_, form) => {
      const emissions = new Emissions();
      const program = "require('child_process').spawn('sleep', ['60'], {stdio: 'inherit'})";
      const output = String(form);
      const child = spawn(process.execPath, ["-e", `${program};console.log()`, output], {
        env: { KEY: output, PATH: process.env["PATH"] },
        stdio: ["ignore", "pipe", "inherit"],
        detached: true,
      });
      children.push(child);
      await firstLine(child.stdout);
      emissions.takeProcess(child.pid ?? 0);
      process.kill(-(child.pid ?? 0), "SIGKILL");
      const places = emissions.find(keys).map((found) => found.split(" ")[0]);
      expect(places).toEqual(["cmdline", "environment", "environment"]);
    },
  );
});
