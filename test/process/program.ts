// One of our processes from its start to its end, with all of its output.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as rest } from "node:timers/promises";

/** Part of the line that a service of ours logs once it serves; other lines may come before it. */
export const readyMark = '"code":"ready"';

export class Program {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  /** All output on both streams; one character per octet, so that none is lost. */
  output = "";

  constructor(child: ChildProcess) {
    this.child = child;
    this.ended = once(child, "close");
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.output += chunk.toString("latin1");
      });
    }
  }

  get dead(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get bytes(): Uint8Array {
    return Buffer.from(this.output, "latin1");
  }

  /** Resolves once the output contains the text, or the process has ended. */
  async until(text: string): Promise<void> {
    while (!this.output.includes(text) && !this.dead) await rest(10);
  }

  /** Resolves once it serves. Throws with all of its output if it ended instead. */
  async ready(): Promise<this> {
    await this.until(readyMark);
    if (!this.output.includes(readyMark))
      throw new Error(`it ended before it served: ${this.output}`);
    return this;
  }
}
