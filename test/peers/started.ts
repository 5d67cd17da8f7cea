// `npm start` in a process of its own, and the commands that an operator types beside it.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { patienceMs } from "../patience.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");

export class Started implements AsyncDisposable {
  readonly #home = mkdtempSync(join(tmpdir(), "linkseal-start-"));
  readonly child: ChildProcess;
  #output = "";

  constructor(...words: readonly string[]) {
    this.child = this.#spawn("sim", "site", ...words);
    this.child.stdout?.on("data", (chunk: Buffer) => (this.#output += chunk.toString()));
    this.child.stderr?.on("data", (chunk: Buffer) => (this.#output += chunk.toString()));
  }

  get output(): string {
    return this.#output;
  }

  #spawn(...words: readonly string[]): ChildProcess {
    const env = { ...process.env, LINKSEAL_HOME: this.#home, TMPDIR: this.#home, NO_COLOR: "1" };
    return spawn(process.execPath, [command, ...words], { env, stdio: ["ignore", "pipe", "pipe"] });
  }

  /** LINKSEAL_HOME of the agent; the folder is removed with it. */
  get home(): string {
    return this.#home;
  }

  get viewSocket(): string {
    return join(this.#home, "run", "view.sock");
  }

  /** Returns the status as JSON, whatever it is. */
  async status(): Promise<string> {
    const child = this.#spawn("status", "--json");
    let out = "";
    child.stdout?.on("data", (chunk: Buffer) => (out += chunk.toString()));
    await once(child, "close");
    return out;
  }

  /** Returns the output of a command; throws if the command fails. */
  async run(...words: readonly string[]): Promise<string> {
    const child = this.#spawn(...words);
    let [out, err] = ["", ""];
    child.stdout?.on("data", (chunk: Buffer) => (out += chunk.toString()));
    child.stderr?.on("data", (chunk: Buffer) => (err += chunk.toString()));
    const [status] = (await once(child, "close")) as [number | null];
    if (status !== 0) throw new Error(`${words.join(" ")} ended with ${status}: ${err}`);
    return out;
  }

  /** Returns the address with a fresh login code, once the page is served. */
  async login(): Promise<string> {
    for (const begun = performance.now(); ; await rest(100)) {
      try {
        return (await this.run("page", "code")).split("\n")[0] ?? "";
      } catch (error) {
        if (performance.now() - begun > patienceMs) throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill("SIGKILL");
      await once(this.child, "close");
    }
    rmSync(this.#home, { recursive: true, force: true });
  }
}
