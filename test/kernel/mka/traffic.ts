// Traffic between the two networks of a wire.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";
import { firstLine } from "../../first-line.ts";

/** Returns how many of `count` pings were answered. */
export async function ping(network: string, to: string, count = 5): Promise<number> {
  const argv = ["netns", "exec", network, "ping", "-c", `${count}`, "-i", "0.1", "-W", "10", to];
  const { stdout } = await promisify(execFile)("ip", argv).catch(
    (error: unknown) => error as { stdout: string },
  );
  return Number(/(\d+) received/.exec(stdout)?.[1] ?? "0");
}

interface TrafficCounters {
  readonly sent: number;
  readonly received: number;
}

/** One packet each `everyMs`; those of one `turnMs` leave together. */
interface Rate {
  readonly everyMs: number;
  readonly turnMs: number;
}

/** Numbered packets in each direction, from its beginning to its end. */
export class Flow {
  readonly #ends: readonly ChildProcess[];
  readonly #output: readonly Promise<TrafficCounters>[];

  private constructor(ends: readonly ChildProcess[]) {
    this.#ends = ends;
    this.#output = ends.map(countersOf);
  }

  /** Begins with 200 packets a second, or with another rate. */
  static async begin(
    networks: readonly [string, string],
    { everyMs, turnMs }: Rate = { everyMs: 5, turnMs: 5 },
  ): Promise<Flow> {
    const addresses = ["10.0.0.1", "10.0.0.2"];
    const rate = [String(everyMs), "16", String(turnMs)];
    const ends = networks.map((network, index) => {
      const [own, far] = index === 0 ? addresses : addresses.toReversed();
      const argv = ["netns", "exec", network, process.execPath, program, own ?? "", far ?? ""];
      argv.push(...rate);
      return spawn("ip", argv, { stdio: ["pipe", "pipe", "inherit"] });
    });
    await Promise.all(ends.map(({ stdout }) => firstLine(stdout)));
    const flow = new Flow(ends);
    for (const end of ends) end.stdin?.write("\n");
    return flow;
  }

  async end(): Promise<{ readonly sent: number; readonly lost: number }> {
    for (const end of this.#ends) end.stdin?.end();
    const [a, b] = await Promise.all(this.#output);
    if (a === undefined || b === undefined) throw new Error("a flow has two ends");
    return { sent: a.sent + b.sent, lost: a.sent - b.received + b.sent - a.received };
  }
}

const program = join(import.meta.dirname, "..", "host", "traffic.ts");

async function countersOf({ stdout }: ChildProcess): Promise<TrafficCounters> {
  let output = "";
  stdout?.on("data", (chunk) => {
    output += String(chunk);
  });
  if (stdout !== null) await once(stdout, "close");
  return JSON.parse(output) as TrafficCounters;
}
