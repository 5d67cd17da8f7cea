// Octets on their way between an agent and a router that stand on both sides of real sockets.

import { lengthOf } from "#drivers/transport/fill.ts";
import type { ByteChannel } from "#hal/world.ts";
import type { EmulatorSession, Wire } from "#sim/emulators/netconf.ts";

/** Octets under way on one channel. */
interface Pair {
  toRouter: number;
  toAgent: number;
  isOver: boolean;
}

/** Virtual time stands while octets travel: a slow machine must not look like a slow router. */
export class Travel {
  readonly #pairs: Pair[] = [];
  /** Opened by the agent, and not met by the router yet. */
  readonly #coming: Pair[] = [];
  #aside = 0;

  readonly hold = (): boolean =>
    this.#aside > 0 ||
    this.#coming.length > 0 ||
    this.#pairs.some(({ toRouter, toAgent, isOver }) => !isOver && toRouter + toAgent > 0);

  /** Virtual time stands meanwhile: the work is no part of the world. */
  async aside(work: () => void | Promise<void>): Promise<void> {
    this.#aside += 1;
    try {
      await work();
    } finally {
      this.#aside -= 1;
    }
  }

  async open(dial: () => Promise<ByteChannel>): Promise<ByteChannel> {
    const pair: Pair = { toRouter: 0, toAgent: 0, isOver: false };
    this.#pairs.push(pair);
    this.#coming.push(pair);
    try {
      return agentEnd(await dial(), pair);
    } finally {
      const at = this.#coming.indexOf(pair);
      if (at >= 0) this.#coming.splice(at, 1);
    }
  }

  routerEnd(connect: (wire: Wire) => EmulatorSession | undefined) {
    return (wire: Wire): EmulatorSession | undefined => {
      const [pair] = this.#coming;
      if (pair === undefined) throw new RangeError("a channel that was not opened");
      const session = connect({
        send: (octets) => {
          pair.toAgent += octets.length;
          wire.send(octets);
        },
        close: () => wire.close(),
      });
      return (
        session && {
          receive: (octets) => {
            pair.toRouter -= octets.length;
            session.receive(octets);
          },
          gone: () => {
            pair.isOver = true;
            session.gone();
          },
        }
      );
    };
  }
}

function agentEnd(inner: ByteChannel, pair: Pair): ByteChannel {
  return {
    write: async (text, signal) => {
      pair.toRouter += lengthOf(text);
      await inner.write(text, signal);
    },
    read: async (signal) => {
      const octets = await inner.read(signal);
      pair.toAgent -= octets?.length ?? 0;
      if (octets === undefined) pair.isOver = true;
      return octets;
    },
    [Symbol.asyncDispose]: async () => {
      pair.isOver = true;
      await inner[Symbol.asyncDispose]();
    },
  };
}
