// The far end of both links: a SecY with one key each, as an operator or a cloud sets it.

import { caKeys } from "#drivers/linux/mka/keys.ts";
import { MkaPort } from "#drivers/linux/mka/port.ts";
import { FrameChannel } from "#drivers/transport/frames.ts";
import { monitor, NetlinkChannel } from "#drivers/transport/netlink.ts";
import type { CipherSuite, Ckn, PortName } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { Clock } from "#hal/world.ts";
import { enterNetwork, ip, ipBatch, native, netlinkFamilies } from "../lab.ts";
import type { Pair } from "./router.ts";

export interface FarKey {
  readonly ckn: Ckn;
  readonly cak: Uint8Array;
}

interface FarPort {
  readonly port: MkaPort;
  suite: CipherSuite | undefined;
  ckn: Ckn | undefined;
}

const linkGroup = 1;
/** It is never key server beside an edge with the usual priority. */
const settings = { keyServerPriority: 32, sakRekeyMs: undefined, delayProtection: "off" } as const;

export class FarEnd implements AsyncDisposable {
  readonly #pair: Pair;
  readonly #clock: Clock;
  readonly #ports = new Map<PortName, FarPort>();
  readonly #sockets = new DisposableStack();
  readonly #over = new AbortController();
  readonly #running: Promise<void>[] = [];
  #turn: Promise<unknown> = Promise.resolve();

  constructor(pair: Pair, clock: Clock) {
    this.#pair = pair;
    this.#clock = clock;
  }

  keyOf(port: PortName): Ckn | undefined {
    return this.#ports.get(port)?.ckn;
  }

  /** Sets the port's only key; later calls are carried out after this one. */
  give(port: PortName, key: FarKey, suite: CipherSuite): void {
    this.#next(() => this.#give(port, key, suite));
  }

  /** Removes its key, with no replacement. */
  leave(port: PortName): void {
    this.#next(async () => {
      const far = this.#ports.get(port);
      if (far?.ckn !== undefined) await far.port.command({ kind: "removeActor", ckn: far.ckn });
      if (far !== undefined) far.ckn = undefined;
    });
  }

  #next(act: () => Promise<void>): void {
    this.#turn = this.#turn.then(act);
    this.#turn.catch((error: unknown) => console.error("the far end broke", error));
  }

  async #give(port: PortName, { ckn, cak }: FarKey, suite: CipherSuite): Promise<void> {
    const far = this.#ports.get(port) ?? this.#open(port);
    this.#ports.set(port, far);
    if (far.suite !== suite) makeSecy(this.#pair, port, suite);
    far.suite = suite;
    // A link has one key, and the change of it is not atomic.
    if (far.ckn !== undefined) await far.port.command({ kind: "removeActor", ckn: far.ckn });
    using secret = Secret.take("cak", Uint8Array.from(cak));
    const keys = caKeys(secret, ckn);
    await far.port.command({ kind: "addActor", ckn, keys, role: "primary" });
    far.ckn = ckn;
  }

  #open(port: PortName): FarPort {
    const { edge, far } = this.#pair;
    const inside = <T>(open: () => T): T => {
      enterNetwork(far.network);
      try {
        return open();
      } finally {
        enterNetwork(edge.network);
      }
    };
    const { route, generic } = netlinkFamilies;
    const sockets = inside(() => ({
      routes: this.#sockets.use(new NetlinkChannel(native, route)),
      generic: this.#sockets.use(new NetlinkChannel(native, generic)),
    }));
    const opened = new MkaPort({
      port: port.replace("p", "m"),
      sockets,
      openFrames: (index, listener) => inside(() => new FrameChannel(native, index, listener)),
      clock: this.#clock,
      entropy: { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) },
      log: { write: () => undefined },
      settings,
    });
    const noteChange = (): void => opened.noteChange();
    inside(() =>
      this.#sockets.use(
        monitor(native, route, [linkGroup], { message: noteChange, resync: noteChange }),
      ),
    );
    this.#running.push(opened.run(this.#over.signal));
    return { port: opened, suite: undefined, ckn: undefined };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn.catch(() => undefined);
    this.#over.abort();
    await Promise.all(this.#running).catch((error: unknown) => console.error("far end", error));
    this.#sockets.dispose();
  }
}

const farAddress = (port: PortName): string => `192.0.2.${Number(port.slice(1)) * 4 - 2}/30`;
const edgeAddress = (port: PortName): string => `192.0.2.${Number(port.slice(1)) * 4 - 3}/30`;

function makeSecy({ far }: Pair, port: PortName, suite: CipherSuite): void {
  const below = port.replace("p", "m");
  const name = `ms-${below}`;
  ipBatch(
    [
      `addr flush dev ${below}`,
      ...(hasSecy(far.network, name) ? [`link del ${name}`] : []),
      `link add link ${below} name ${name} type macsec port 1 cipher ${suite} encrypt on`,
      `link set ${name} type macsec validate strict replay on window 64`,
      `addr add ${farAddress(port)} dev ${name}`,
      `link set ${name} up`,
    ],
    "-n",
    far.network,
  );
}

function hasSecy(network: string, name: string): boolean {
  return secysOf(network).some(({ ifname }) => ifname === name);
}

function secysOf(network: string): readonly { readonly ifname: string }[] {
  const text = ip("-n", network, "-j", "link", "show", "type", "macsec");
  // `ip` lists an interface of another kind as an object without a name.
  const links = text.trim() === "" ? [] : (JSON.parse(text) as { readonly ifname?: string }[]);
  return links.flatMap(({ ifname }) => (ifname === undefined ? [] : [{ ifname }]));
}

/** Restores both links as they were built, whatever SecYs exist on them. */
export function unprotect({ edge, far, ports }: Pair): void {
  for (const { network } of [edge, far]) {
    const away = secysOf(network).map(({ ifname }) => `link del ${ifname}`);
    const own = ports.flatMap(({ port }) => {
      const isEdge = network === edge.network;
      const device = isEdge ? port : port.replace("p", "m");
      const address = isEdge ? edgeAddress(port) : farAddress(port);
      return [`link set ${device} up`, `addr replace ${address} dev ${device}`];
    });
    ipBatch([...away, ...own], "-n", network);
  }
}
