// What a person types at the hub of a stage, and `linkseal hub run`, in processes of their own.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { NatsStage } from "./nats-stage.ts";

export const command = join(import.meta.dirname, "../../agent/bin.js");

/** The options by which a verb reaches the engine of a stage, as its hub. */
export const hubLogin = ({ server, ca, keys }: NatsStage): readonly string[] => [
  ...["--server", server, "--ca", ca, "--key", keys.hub],
];

export interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the command as it is installed. */
export async function tried(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [command, ...words], {
    ...{ stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } },
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const [status] = (await once(child, "close")) as [number | null];
  return { status, out, err };
}

export const hubTried = (stage: NatsStage, words: readonly string[]): Promise<Ended> =>
  tried([...words, ...hubLogin(stage)]);

/** Resolves to the output. Throws if the exit status is not 0. */
export async function hubRun(stage: NatsStage, words: readonly string[]): Promise<string> {
  const { status, out, err } = await hubTried(stage, words);
  if (status !== 0) throw new Error(`${words.join(" ")} ended with ${status}: ${err}`);
  return out;
}

interface Line {
  readonly code: string;
  readonly wave?: string;
  readonly about?: string;
  readonly open?: number;
}

/** `linkseal hub run` in a process of its own. */
export class Hub implements AsyncDisposable {
  readonly child: ChildProcess;
  #output = "";

  constructor(stage: NatsStage) {
    this.child = spawn(process.execPath, [command, "hub", "run", ...hubLogin(stage)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.child.stdout?.on("data", (chunk: Buffer) => (this.#output += chunk.toString()));
  }

  get lines(): readonly Line[] {
    const whole = this.#output.split("\n").slice(0, -1);
    return whole.map((line) => JSON.parse(line) as Line);
  }

  get codes(): readonly string[] {
    return this.lines.map(({ code }) => code);
  }

  get leads(): boolean {
    return this.codes.findLast((code) => /^hub-(leads|follows)$/.test(code)) === "hub-leads";
  }

  async end(signal: "SIGKILL" | "SIGTERM"): Promise<number | null> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return null;
    const ended = once(this.child, "close");
    this.child.kill(signal);
    const [status] = (await ended) as [number | null];
    return status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGTERM");
  }
}
