// The programs of a router host in a network of the test: linkseal-net, the MKA processes, the
// agent, and the command.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import type { Status } from "#agent/runtime/health/status.ts";
import { readyMark } from "../../process/program.ts";
import { handed, knowingItself, type ServiceManager } from "../mka/service-manager.ts";

export const root = join(import.meta.dirname, "../../..");

export interface Output {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** A program, and what it printed so far. */
export interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
}

/** The processes that were started here, under any user. */
export class Programs implements Disposable {
  readonly #home: string;
  readonly #network: string;
  readonly #children: ChildProcess[] = [];
  /** Environment of the processes that are started from now on. */
  environment: Readonly<Record<string, string>> = {};
  /** Build of the processes that are started from now on. */
  build = root;
  /** File with the boot id that they see; undefined = that of the machine. */
  bootId: string | undefined;

  constructor(home: string, network: string) {
    this.#home = home;
    this.#network = network;
  }

  /** Starts a program; resolves once it reports that it is ready. */
  async serve(...argv: readonly string[]): Promise<ChildProcess> {
    return (await this.serveUntil(readyMark, ...argv)).child;
  }

  /** Starts a program; resolves once its output matches. `said` continues to grow. */
  async serveUntil(mark: string, ...argv: readonly string[]): Promise<Started> {
    return await readyAt(mark, argv, this.#start(argv));
  }

  /** Starts a program of a service, with what its manager holds for it; resolves once it serves. */
  async serveManaged(manager: ServiceManager, ...argv: readonly string[]): Promise<Started> {
    return await readyAt(readyMark, argv, this.#start(argv, manager));
  }

  async run(...argv: readonly string[]): Promise<Output> {
    const child = this.#start(argv);
    const [out, err] = [child.stdout, child.stderr].map((stream) => {
      const chunks: string[] = [];
      stream?.on("data", (chunk) => chunks.push(String(chunk)));
      return chunks;
    });
    const [status] = (await once(child, "close")) as [number | null];
    return { status, out: out?.join("") ?? "", err: err?.join("") ?? "" };
  }

  /** Asks the agent for its status: a program for each poll would be most of a test's work. */
  async status(): Promise<Status> {
    const socketPath = join(this.#home, "run", "view.sock");
    const call = request({ socketPath, path: "/v1/status" });
    call.end();
    const [response] = (await once(call, "response")) as [IncomingMessage];
    let text = "";
    for await (const chunk of response) text += String(chunk);
    return JSON.parse(text) as Status;
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) child.kill("SIGKILL");
  }

  // `ip` gives each program a mount namespace of its own.
  #boot(): readonly string[] {
    if (this.bootId === undefined) return [];
    const script = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"';
    return ["sh", "-c", script, this.bootId];
  }

  #start(argv: readonly string[], manager?: ServiceManager): ChildProcess {
    const held = manager?.held();
    const own = { LINKSEAL_HOME: this.#home, TMPDIR: this.#home };
    const handedOn = handed(manager?.address, held);
    const env = { ...process.env, ...this.environment, ...own, ...handedOn };
    // `ip` execs the program, so that a signal reaches it.
    const command = join(this.build, "agent", "bin.js");
    const before = [...this.#boot(), ...(manager === undefined ? [] : knowingItself)];
    const inside = ["netns", "exec", this.#network, ...before, process.execPath, command];
    const stdio = ["ignore", "pipe", "pipe", ...(held === undefined ? [] : [held])] as const;
    const child = spawn("ip", [...inside, ...argv], { env, stdio: [...stdio] });
    this.#children.push(child);
    return child;
  }
}

async function readyAt(
  mark: string,
  argv: readonly string[],
  child: ChildProcess,
): Promise<Started> {
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk) => (output += String(chunk)));
  }
  const ended = once(child, "close").then(() => {
    throw new Error(`${argv.join(" ")} ended: ${output}`);
  });
  const ready = new Promise<void>((resolve) => {
    child.stdout?.on("data", () => {
      if (output.includes(mark)) resolve();
    });
  });
  await Promise.race([ready, ended]);
  ended.catch(() => undefined);
  return { child, output: () => output };
}
