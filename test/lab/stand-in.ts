// The far end of both links: wpa_supplicant on each, with one key that an operator sets.

import { setTimeout as rest } from "node:timers/promises";
import type { CipherSuite, PortName } from "#hal/model.ts";
import { ip, ipBatch } from "../kernel/lab.ts";
import type { TestKey } from "../kernel/mka/station.ts";
import { Supplicant } from "../kernel/mka/supplicant.ts";

export interface FarKey extends TestKey {
  readonly suite: CipherSuite;
  /** Absent = it encrypts what it sends. */
  readonly sends?: "integrityOnly";
}

interface Held {
  readonly key: FarKey;
  /** undefined = the far end is silent. */
  readonly supplicant: Supplicant | undefined;
}

/** It is never key server beside an edge with the usual priority. */
const priority = 32;
/**
 * Frames from two processors of one machine overtake each other, which two routers on a fibre never
 * do.
 */
const replayWindow = 64;

export class StandIn implements Disposable {
  readonly #network: string;
  readonly #held = new Map<PortName, Held>();
  /** Wall clock at which the holder of the newest key was started. */
  startedAt = 0;

  constructor(network: string) {
    this.#network = network;
  }

  keyOf(port: PortName): FarKey {
    const held = this.#held.get(port);
    if (held === undefined) throw new Error(`the far end of ${port} has no key`);
    return held.key;
  }

  /** True if it reports its controlled port as secured. */
  saysSecured(port: PortName): boolean {
    return this.#held.get(port)?.supplicant?.isSecured === true;
  }

  /** Stops the old supplicant and starts the new one `gapMs` later, as Azure does. */
  async give(port: PortName, key: FarKey, gapMs = 0): Promise<void> {
    this.silence(port);
    await rest(gapMs);
    const far = farPort(port);
    const { ckn, cak, suite, sends } = key;
    const options = { version: "2.11", network: this.#network, key: { ckn, cak } } as const;
    const own = {
      ...{ priority, suite, replayWindow, port: far },
      ...(sends === undefined ? {} : { sends }),
    };
    const supplicant = new Supplicant({ ...options, ...own });
    this.startedAt = performance.timeOrigin + performance.now();
    this.#held.set(port, { supplicant, key });
    const device = await supplicant.device();
    const address = addressOf(port);
    ipBatch(
      [`addr flush dev ${far}`, `addr add ${address} dev ${device}`, `link set ${device} up`],
      "-n",
      this.#network,
    );
  }

  /** Makes the far end silent, like a machine that lost its power. */
  silence(port: PortName): void {
    const held = this.#held.get(port);
    held?.supplicant?.[Symbol.dispose]();
    if (held !== undefined) this.#held.set(port, { key: held.key, supplicant: undefined });
    // Leftover devices would block the next supplicant for good.
    for (const name of this.#devicesOn(farPort(port))) {
      ip("-n", this.#network, "link", "del", name);
    }
  }

  #devicesOn(port: string): readonly string[] {
    const output = ip("-n", this.#network, "link", "show", "type", "macsec");
    const found = output.matchAll(new RegExp(`^\\d+: (\\S+)@${port}:`, "gm"));
    return [...found].flatMap(([, name]) => name ?? []);
  }

  [Symbol.dispose](): void {
    for (const { supplicant } of this.#held.values()) supplicant?.[Symbol.dispose]();
  }
}

export const farPort = (port: PortName): string => port.replace("p", "m");

function addressOf(port: PortName): string {
  return `192.0.2.${Number(port.slice(1)) * 4 - 2}/30`;
}
