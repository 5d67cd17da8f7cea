// `linkseal sim azure` in a process of its own, for clients that we did not write.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Program } from "../process/program.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");

export class StartedAzure implements AsyncDisposable {
  /** A folder of this cloud alone, which a test may use too. */
  readonly folder = mkdtempSync(join(tmpdir(), "linkseal-cloud-"));
  /** What the command prints, by name: `arm`, `ca`, `expressRoutePort`, `AZURE_TENANT_ID`, ... */
  readonly settings: Record<string, string> = {};
  readonly #program: Program;

  private constructor() {
    const argv = [command, "sim", "azure", "--speed", "20", "--start", "protected"];
    const env = { PATH: process.env["PATH"], TMPDIR: this.folder };
    const stdio = ["ignore", "pipe", "pipe"] as const;
    this.#program = new Program(spawn(process.execPath, argv, { env, stdio: [...stdio] }));
  }

  /** Starts it, and waits until it serves. */
  static async begin(): Promise<StartedAzure> {
    const begun = new StartedAzure();
    const program = begun.#program;
    await program.until("export AZURE_FEDERATED_TOKEN_FILE=");
    const lines = program.output.matchAll(/^(?:(?!export )(\w+) |(?:# )?export (\w+)=)(.+)$/gm);
    for (const [, word, name, value = ""] of lines) begun.settings[word ?? name ?? ""] = value;
    if (begun.settings["arm"] === undefined) throw new Error(`no cloud: ${program.output}`);
    return begun;
  }

  /** The variables that the command prints for Microsoft's clients. */
  get environment(): Readonly<Record<string, string>> {
    const isVariable = ([name]: [string, string]): boolean => /^[A-Z_]+$/.test(name);
    const all = Object.fromEntries(Object.entries(this.settings).filter(isVariable));
    const { AZURE_FEDERATED_TOKEN_FILE: _token, ...rest } = all;
    return { PATH: process.env["PATH"] ?? "", ...rest };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#program.child.kill("SIGTERM");
    await this.#program.ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
