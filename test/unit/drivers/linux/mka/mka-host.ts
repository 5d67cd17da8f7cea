// Two hosts with an MKA process each, under virtual time: what their ports send reaches the other,
// and their kernels store what they are sent.

import { MkaClient } from "#drivers/linux/mka/client.ts";
import { MkaControlServer, type MkaMemory } from "#drivers/linux/mka/control-server.ts";
import { readMemory, writeMemory } from "#drivers/linux/mka/memory.ts";
import { type RequestedOperation, writeReply } from "#drivers/linux/mka/protocol.ts";
import { wipeSnapshot } from "#drivers/linux/mka/snapshot.ts";
import { fillOctets } from "#drivers/transport/octets.ts";
import type { CipherSuite } from "#hal/model.ts";
import type { Octets } from "#hal/netlink.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import { secretOf, type TestCa } from "../../../kit/kay-recorded.ts";
import { sciA, sciB } from "../../../kit/kay-station.ts";
import { change, type Step } from "../../../kit/mka-change.ts";
import { PretendKernel } from "./mka-kernel.ts";

const wireMs = 1;

function bytesOf(octets: Octets): Uint8Array {
  const bytes = new Uint8Array(octets.reduce((sum, part) => sum + part.byteLength, 0));
  fillOctets(octets, bytes);
  return bytes;
}

interface Life {
  readonly server: MkaControlServer;
  readonly over: AbortController;
  readonly ended: Promise<unknown>;
}

export class Host {
  readonly kernel = new PretendKernel();
  readonly client: MkaClient;
  readonly clock: SimClock;
  readonly sci: string;
  readonly log: string[] = [];
  /** The memory as the service manager holds it. */
  memory: Uint8Array | undefined;
  /** Each state that was stored, the newest last. */
  readonly memories: Uint8Array[] = [];
  /** True while the process stands still: frames wait in its socket. */
  isStill = false;
  /** Data frames that came in at the port in the clear since the last query. */
  clearFrames = 0n;
  peer: Host | undefined;
  readonly #prng: Prng;
  #waiting: Uint8Array[] = [];
  #hear: ((octets: Uint8Array) => void) | undefined;
  #life: Life | undefined;

  constructor(clock: SimClock, sci: string) {
    this.clock = clock;
    this.sci = sci;
    this.#prng = new Prng(sci);
    this.client = new MkaClient(async (octets, _how, signal) => {
      if (this.#life === undefined) throw new Error("no process answers");
      return writeReply(await this.#life.server.answer(bytesOf(octets), signal));
    }, "wire");
  }

  make(suite: CipherSuite): void {
    this.kernel.make(suite, this.sci);
    this.#life?.server.noteChange();
  }

  /** Starts with `told` instead of the memory that the service manager holds. */
  start(stored?: MkaMemory): void {
    const memory = this.memory?.slice();
    const over = new AbortController();
    const server = new MkaControlServer({
      port: "wire",
      sockets: this.kernel,
      openFrames: (_port, listener) => {
        this.#hear = (octets) => listener.frame(octets);
        return {
          send: (frame) => this.#send(frame, over.signal),
          takeWaiting: () => {
            for (const frame of this.#waiting.splice(0)) listener.frame(frame);
          },
          takeClear: () => {
            const count = this.clearFrames;
            this.clearFrames = 0n;
            return count;
          },
          [Symbol.dispose]: () => undefined,
        };
      },
      clock: this.clock,
      entropy: { bytes: (length) => this.#prng.bytes(length) },
      log: { write: (level, code, text) => this.log.push(`${level} ${code} ${text}`) },
      memory: stored ?? (memory === undefined ? undefined : readMemory(memory, this.clock.wall())),
      store: (stored) => this.#store(stored),
    });
    const ended = server.run(over.signal).catch((error: unknown) => error);
    this.#life = { server, over, ended };
  }

  /** Kills the process; the kernel keeps its state. */
  kill(): void {
    this.#life?.over.abort();
    this.#life = undefined;
    this.#hear = undefined;
  }

  /** The error that `run` ended with. */
  get ended(): Promise<unknown> | undefined {
    return this.#life?.ended;
  }

  noteChange(): void {
    this.#life?.server.noteChange();
  }

  /** The state that a successor would get; the keys in it are the caller's. */
  remembered(): MkaMemory {
    if (this.memory === undefined) throw new Error("it has told nothing yet");
    return readMemory(this.memory.slice(), this.clock.wall());
  }

  #store(memory: MkaMemory): void {
    this.memory = bytesOf(writeMemory(memory, this.clock.wall()));
    this.memories.push(this.memory.slice());
    if (memory.snapshot !== undefined) wipeSnapshot(memory.snapshot);
  }

  #send(frame: Uint8Array, over: AbortSignal): void {
    if (over.aborted) return;
    const octets = Uint8Array.from(frame);
    void this.clock.sleep(wireMs).then(() => this.peer?.take(octets));
  }

  take(frame: Uint8Array): void {
    if (this.isStill) this.#waiting.push(frame);
    else this.#hear?.(frame);
  }

  async add(
    { ckn, cak }: TestCa,
    within: number | "final" = "final",
    token: string = ckn,
  ): Promise<void> {
    using secret = secretOf(cak);
    await this.change({ kind: "add", ckn, key: secret }, { token, within });
  }

  change(operation: RequestedOperation, step: Step): Promise<void> {
    return change(this.client, operation, step, signal);
  }

  async isSecured(): Promise<boolean> {
    const observation = await this.client.observe(signal);
    return observation.kind === "bound" && observation.session.controlledPort === "secured";
  }
}

export const { signal } = new AbortController();

export function hosts(suite: CipherSuite | "none" = "gcm-aes-xpn-256"): {
  readonly clock: SimClock;
  readonly a: Host;
  readonly b: Host;
} {
  const clock = new SimClock(1_000_000_000);
  const [a, b] = [new Host(clock, sciA), new Host(clock, sciB)];
  a.peer = b;
  b.peer = a;
  for (const one of [a, b]) {
    if (suite !== "none") one.make(suite);
    one.start();
  }
  return { clock, a, b };
}
