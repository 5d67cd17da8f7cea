// An agent and a simulated cloud, each in its own process: TLS, tokens and the management API as in
// production, with control over the simulated site behind them.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { ask } from "#agent/cli/client.ts";
import { buildSite } from "#sim/site/site.ts";
import { patienceMs } from "../patience.ts";
import { hasty } from "../short-waits.ts";
import { Program } from "./program.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");

export class CloudStage {
  readonly folder: string;
  readonly socket: string;
  readonly #programs: Program[] = [];
  readonly #speed: number;
  #cloud: Program | undefined;
  #agent: Program | undefined;
  environment: Readonly<Record<string, string>> = {};

  constructor(name: string, speed: number) {
    this.folder = realpathSync(mkdtempSync(join(tmpdir(), `linkseal-${name}-`)));
    this.socket = join(this.folder, "site.sock");
    this.#speed = speed;
  }

  get cloud(): Program {
    if (this.#cloud === undefined) throw new Error("no cloud stands");
    return this.#cloud;
  }

  get agent(): Program {
    if (this.#agent === undefined) throw new Error("no agent lives");
    return this.#agent;
  }

  start(...argv: readonly string[]): Program {
    const { folder } = this;
    const env = { ...process.env, LINKSEAL_HOME: folder, TMPDIR: folder, ...this.environment };
    const child: ChildProcess = spawn(process.execPath, [command, ...argv], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const program = new Program(child);
    this.#programs.push(program);
    return program;
  }

  /** Runs a command to its end; returns its output and its exit status. */
  async run(
    ...argv: readonly string[]
  ): Promise<{ readonly output: string; readonly exit: number }> {
    const program = this.start(...argv);
    await program.ended;
    return { output: program.output, exit: program.child.exitCode ?? -1 };
  }

  async begin(): Promise<void> {
    const { socket } = this;
    this.#cloud = this.start("sim", "azure", "--socket", socket, "--speed", String(this.#speed));
    await this.#cloud.until("# Azure Arc");
    const lines = [...this.#cloud.output.matchAll(/^export (\w+)=(.*)$/gm)];
    this.environment = Object.fromEntries(lines.map(([, name = "", value = ""]) => [name, value]));
    this.#agent = this.start("agent", "--site", `unix:${socket}`);
    await this.#agent.ready();
  }

  async end(): Promise<void> {
    for (const program of this.#programs) program.child.kill("SIGKILL");
    await Promise.all(this.#programs.map((program) => program.ended));
    rmSync(this.folder, { recursive: true });
  }

  /** Returns the value of that name in the cloud's first output. */
  settings(name: string): string {
    return new RegExp(`^${name} (.*)$`, "m").exec(this.cloud.output)?.[1] ?? "";
  }

  /** Returns a config of this cloud, with the connection of one tunnel to watch. */
  config(): string {
    const shape = { seed: "1", name: "demo", groups: 1, tunnels: 2, start: "clear" } as const;
    const site = `unix:${this.socket}`;
    const identity = [
      `kind: clientCertificate, tenant: ${this.environment["AZURE_TENANT_ID"]}`,
      `client: ${this.environment["AZURE_CLIENT_ID"]}`,
      `certificate: "file:${this.environment["AZURE_CLIENT_CERTIFICATE_PATH"]}"`,
    ];
    const gateway = "remote: { address: 203.0.113.1";
    const group = this.settings("expressRoutePort").split("/providers/")[0] ?? "";
    const connection = `${group}/providers/Microsoft.Network/connections/hub-1`;
    const text = hasty(buildSite(shape).config(site)).replace(
      gateway,
      `${gateway}, azureConnection: ${connection}`,
    );
    const file = join(this.folder, "site.yaml");
    const cloud = [
      "  cloud: loopback",
      `  vault: ${this.settings("vault")}`,
      `  authority: ${this.settings("authority")}`,
      `  arm: ${this.settings("arm")}`,
      `  identity: { ${identity.join(", ")} }`,
      "",
    ];
    writeFileSync(file, text.replace(`  cloud: sim\n  vault: ${site}\n`, cloud.join("\n")));
    return file;
  }

  async view<T>(path: string): Promise<T> {
    const socket = join(this.folder, "run/view.sock");
    return (await ask({ role: "view", method: "GET", path, socket })) as T;
  }

  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    for (const begun = performance.now(); !(await holds()); ) {
      if (performance.now() - begun > patienceMs) {
        const status = JSON.stringify(await this.view("/v1/status"));
        throw new Error(`waited too long: ${what}: ${status}`);
      }
      await rest(200);
    }
  }
}
