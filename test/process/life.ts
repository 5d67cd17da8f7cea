// One process of ours from its start to its end, and all that it says.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as rest } from "node:timers/promises";

/** In the line that a service of ours logs once it serves; other lines may come before that one. */
export const readyMark = '"code":"ready"';

export class Life {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  /** All that it wrote on either stream; one character an octet, so that none is lost. */
  said = "";

  constructor(child: ChildProcess) {
    this.child = child;
    this.ended = once(child, "close");
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.said += chunk.toString("latin1");
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
    return Buffer.from(this.said, "latin1");
  }

  /** Resolves once it said the text, or is dead. */
  async until(text: string): Promise<void> {
    while (!this.said.includes(text) && !this.dead) await rest(10);
  }

  /** Resolves once it serves. Throws with all that it wrote if it ended instead. */
  async ready(): Promise<this> {
    await this.until(readyMark);
    if (!this.said.includes(readyMark)) throw new Error(`it ended before it served: ${this.said}`);
    return this;
  }
}
