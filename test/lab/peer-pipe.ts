// `linkseal peer` behind a channel inside the test, in place of an SSH session to another host.

import { frameLine } from "#drivers/linux/peer/frames.ts";
import type { LoginFacts } from "#drivers/linux/peer/protocol.ts";
import { servePeer } from "#drivers/linux/peer/serve.ts";
import { fillCommand } from "#drivers/transport/fill.ts";
import { fillOctets } from "#drivers/transport/octets.ts";
import { orAborted } from "#hal/deadline.ts";
import { LinksealError } from "#hal/error.ts";
import type { Octets } from "#hal/netlink.ts";
import type { ByteChannel, Dialer, Log, StreamChannel } from "#hal/world.ts";

/** Octets in one direction. */
class Way {
  #coming: Uint8Array[] = [];
  #isOver = false;
  #wake = Promise.withResolvers<void>();

  give(octets: Uint8Array): void {
    if (this.#isOver) return;
    this.#coming.push(octets);
    this.#wake.resolve();
  }

  end(): void {
    this.#isOver = true;
    this.#wake.resolve();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  async take(): Promise<Uint8Array | undefined> {
    for (;;) {
      const next = this.#coming.shift();
      if (next !== undefined) return next;
      if (this.#isOver) return undefined;
      this.#wake = Promise.withResolvers<void>();
      await this.#wake.promise;
    }
  }
}

/** A channel of the agent, and the far end of it. */
export interface Pipe {
  readonly channel: ByteChannel;
  readonly far: StreamChannel;
  /** All that the agent wrote, as one text of single octets. */
  readonly written: () => string;
  /** Ends it as a lost connection does. */
  cut(): void;
}

/** What becomes of a frame on its way. */
export interface Fate {
  /** How many of its octets arrive. */
  readonly arrives: number;
  /** `cut`: both ends notice the end; `lost`: neither does, and nothing arrives any more. */
  readonly path: "open" | "cut" | "lost";
}

/** Decides about each frame: of the agent (`there`), and of the other host (`back`). */
export type Fates = (way: "there" | "back", octets: Uint8Array, of: Pick<Pipe, "cut">) => Fate;

const passes: Fates = (_way, { length }) => ({ arrives: length, path: "open" });

/** Makes a pipe. `pieces`: into how many octets what is sent is cut. */
export function pipe(pieces = Number.POSITIVE_INFINITY, fates = passes): Pipe {
  const [there, back] = [new Way(), new Way()];
  const written: string[] = [];
  const cut = (): void => {
    there.end();
    back.end();
  };
  let isLost = false;
  const give = (way: Way, octets: Uint8Array): void => {
    if (isLost) return;
    const { arrives, path } = fates(way === there ? "there" : "back", octets, { cut });
    const whole = octets.subarray(0, arrives);
    for (let at = 0; at < whole.length; at += pieces) way.give(whole.slice(at, at + pieces));
    if (path === "cut") cut();
    isLost = path === "lost";
  };
  const channel: ByteChannel = {
    async write(text, signal) {
      signal.throwIfAborted();
      if (there.isOver) {
        const details = { effect: "none", where: "edge-b", next: "linkseal doctor" } as const;
        throw new LinksealError("transport.closed", "the channel has ended", details);
      }
      const octets = fillCommand(text);
      written.push(Buffer.from(octets).toString("latin1"));
      give(there, octets);
      octets.fill(0);
    },
    read: (signal) => orAborted(back.take(), signal),
    async [Symbol.asyncDispose]() {
      cut();
    },
  };
  const far: StreamChannel = {
    read: () => there.take(),
    async write(octets: Octets) {
      const room = new Uint8Array(octets.reduce((sum, part) => sum + part.byteLength, 0));
      fillOctets(octets, room);
      give(back, room);
    },
    [Symbol.dispose]: cut,
  };
  return { channel, far, cut, written: () => written.join("") };
}

/** Where the processes of the other host are, as `linkseal peer --serve` knows them. */
export interface OtherHost {
  readonly dial: Pick<Dialer, "http" | "framed" | "exec" | "stream">;
  readonly net?: string;
  readonly mka?: string;
  readonly charon?: string;
  /** The agent's address as sshd reports it. */
  readonly from?: string;
  readonly login?: Partial<LoginFacts>;
  readonly log?: Log;
}

/** Opens channels to the other host, one after the other; `pipes` has them all. */
export function channelsTo(
  host: OtherHost,
  pieces?: number,
  fates?: Fates,
): { readonly open: Dialer["channel"]; readonly pipes: readonly Pipe[] } {
  const pipes: Pipe[] = [];
  const open: Dialer["channel"] = async (_to, kind) => {
    if (kind !== "peer") throw new Error(`a channel of the kind ${kind}`);
    const made = pipe(pieces, fates);
    pipes.push(made);
    const { net = "/nowhere/net.sock", mka = "/nowhere/mka", charon = "/nowhere/charon" } = host;
    const log = host.log ?? { write: () => undefined };
    const served = { dial: host.dial, net, mka, charon, version: "0.0.0", log };
    const from = Buffer.from(frameLine({ kind: "from", address: host.from, ...host.login }, []));
    let isFirst = true;
    const far: StreamChannel = {
      ...made.far,
      // What the login's process sends before it passes octets on.
      read: async () => {
        if (!isFirst) return await made.far.read();
        isFirst = false;
        return from;
      },
    };
    // A defect ends the session, and the test that caused it notices that.
    servePeer(far, served).catch(() => undefined);
    return made.channel;
  };
  return { open, pipes };
}
