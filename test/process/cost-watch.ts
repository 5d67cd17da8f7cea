// What some work costs its process: memory, and the longest turn of the event loop in processor
// time, so that a busy computer changes neither. The process needs --expose-gc.

import { setTimeout as rest } from "node:timers/promises";

export interface Cost {
  /** Megabytes of resident memory beyond those before the first look: the most, and at the end. */
  readonly peakMb: number;
  readonly keptMb: number;
  /** The longest turn of the event loop, in milliseconds of this thread's processor time. */
  readonly turnMs: number;
  /** What each look ended with. */
  readonly ends: readonly string[];
}

const megabyte = 1024 * 1024;
const processorMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};

/** Watches every turn of the event loop until it is stopped. */
class Watch {
  turnMs = 0;
  peak = 0;
  #last = processorMs();
  #sampled = 0;
  #timer: NodeJS.Immediate | undefined;

  start(): void {
    this.#last = processorMs();
    this.#turn();
  }

  /** Work that needed no second turn, such as to parse a text, has been measured by then too. */
  stop(): void {
    clearImmediate(this.#timer);
    this.#sampled = 0;
    this.#measure();
  }

  #turn(): void {
    this.#measure();
    this.#timer = setImmediate(() => this.#turn());
  }

  #measure(): void {
    const now = processorMs();
    this.turnMs = Math.max(this.turnMs, now - this.#last);
    if (performance.now() - this.#sampled > 5) {
      this.#sampled = performance.now();
      this.peak = Math.max(this.peak, process.memoryUsage.rss());
    }
    this.#last = processorMs();
  }
}

async function settled(): Promise<number> {
  for (let round = 0; round < 3; round += 1) {
    globalThis.gc?.();
    await rest(20);
  }
  return process.memoryUsage.rss();
}

/** Does the work `looks` times; `quiet` loads and compiles its code before. */
export async function measured(
  look: () => Promise<string>,
  quiet: () => Promise<unknown>,
  looks: number,
): Promise<Cost> {
  for (let round = 0; round < 3; round += 1) await quiet();
  const before = await settled();
  const watch = new Watch();
  watch.start();
  const ends: string[] = [];
  for (let count = 0; count < looks; count += 1) {
    ends.push(await look());
    // Two looks are never one turn.
    if (count < looks - 1) await new Promise(setImmediate);
  }
  watch.stop();
  const kept = (await settled()) - before;
  const peakMb = (Math.max(watch.peak, before) - before) / megabyte;
  return { peakMb, keptMb: kept / megabyte, turnMs: watch.turnMs, ends };
}
