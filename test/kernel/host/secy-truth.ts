// The kernel's state of the links and SecYs at both ends, as the truth of conformance cases. A
// thread of its own reads it and every caller waits for it, so that one read is one moment.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { MacsecSettings } from "#hal/model.ts";

export interface SecyTruth {
  readonly settings: Omit<MacsecSettings, "keyServerPriority" | "sakRekeyMs">;
  /**
   * Identifier of the SAK under which frames leave; the next field has those under which they may
   * arrive.
   */
  readonly sends?: string;
  readonly takes: readonly string[];
  /** Number of frames that it lost. */
  readonly lost: number;
}

export interface NetworkTruth {
  readonly links: readonly {
    readonly name: string;
    readonly admin: "up" | "down";
    readonly light: "on" | "off";
  }[];
  /** SecYs by the port below. */
  readonly secys: Readonly<Record<string, SecyTruth>>;
}

/** Size of the buffer in octets, behind a flag and a length. */
const roomBytes = 1_000_000;
const headBytes = 8;
const patienceMs = 20_000;

export class Truths implements AsyncDisposable {
  readonly #head: Int32Array;
  readonly #body: Uint8Array;
  readonly #worker: Worker;

  constructor(networks: readonly string[]) {
    const shared = new SharedArrayBuffer(headBytes + roomBytes);
    this.#head = new Int32Array(shared, 0, 2);
    this.#body = new Uint8Array(shared, headBytes);
    const file = new URL("truth-worker.ts", import.meta.url);
    this.#worker = new Worker(file, { workerData: { networks, shared } });
  }

  /** Reads the current state of each network. */
  read(): readonly NetworkTruth[] {
    Atomics.store(this.#head, 0, 0);
    this.#worker.postMessage("look");
    if (Atomics.wait(this.#head, 0, 0, patienceMs) === "timed-out") {
      throw new Error("the thread that reads the truth does not answer");
    }
    const octets = this.#body.slice(0, this.#head[1]);
    return JSON.parse(new TextDecoder().decode(octets)) as NetworkTruth[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exit = once(this.#worker, "exit");
    this.#worker.postMessage("end");
    await exit;
  }
}
