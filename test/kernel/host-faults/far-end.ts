// The far end of the port whose linkseal-mka is struck: linkseal-mka with both keys, or
// wpa_supplicant, which was not written by us and holds one key.

import { Participant } from "../mka/participant.ts";
import { address, keysOf, makeSecy } from "../mka/station.ts";
import { Supplicant } from "../mka/supplicant.ts";
import { first, second, suite } from "./mka-scenarios.ts";

/** The near end has a lower one, so that it is the key server. */
const priority = 32;

export interface FarEnd extends Disposable {
  /** What it prints, if it is ours. */
  readonly output: string;
  /** Starts it with its keys. */
  start(): Promise<void>;
  /** Returns true if it sends and receives under this SAK of the near end. */
  uses(sak: string, networks: readonly [string, string]): Promise<boolean>;
}

class ParticipantEnd implements FarEnd {
  readonly #participant: Participant;

  constructor(network: string, folder: string) {
    makeSecy(network, { suite, sci: "on" });
    address(network, 1);
    this.#participant = new Participant({ network, folder });
  }

  get output(): string {
    return this.#participant.output;
  }

  async start(): Promise<void> {
    await this.#participant.start();
    const settings = { keyServerPriority: priority, sakRekeyMs: undefined } as const;
    const last = { kind: "configure", settings: { ...settings, delayProtection: "off" } } as const;
    await this.#participant.change(last, { token: "far-1", within: "final" });
    await this.#participant.add(first, { token: "far-2", within: "final" });
    await this.#participant.add(second, { token: "far-3", within: "final" });
  }

  async uses(sak: string): Promise<boolean> {
    return (await this.#participant.secured()) === sak;
  }

  [Symbol.dispose](): void {
    this.#participant[Symbol.dispose]();
  }
}

class SupplicantEnd implements FarEnd {
  readonly #supplicant: Supplicant;
  readonly #network: string;
  readonly output = "";

  constructor(network: string) {
    this.#network = network;
    const settings = { version: "2.11", suite, replayWindow: 64 } as const;
    this.#supplicant = new Supplicant({ ...settings, network, key: first, priority });
  }

  async start(): Promise<void> {
    address(this.#network, 1, await this.#supplicant.device());
  }

  // It does not tell which SAK it uses: the kernels at both ends do.
  async uses(_sak: string, networks: readonly [string, string]): Promise<boolean> {
    const [near, far] = networks.map(keysOf);
    if (near === undefined || far === undefined || near.sent !== far.sent) return false;
    const isTaken = [near, far].every(({ taken }) => taken.includes(near.sent));
    return await Promise.resolve(isTaken && this.#supplicant.isSecured);
  }

  [Symbol.dispose](): void {
    this.#supplicant[Symbol.dispose]();
  }
}

export const farEnds = {
  "linkseal-mka": (network: string, folder: string): FarEnd => new ParticipantEnd(network, folder),
  wpa_supplicant: (network: string): FarEnd => new SupplicantEnd(network),
} as const;
