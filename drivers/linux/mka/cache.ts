// The keys of a port over a boot, sealed on the disk of the host: ICK and KEK, never a CAK. A
// process that begins with them is another member of the same CAs, because it does not know what
// was sent in the meantime.

import { encodeJson } from "#hal/json.ts";
import type { Secret } from "#hal/secret.ts";
import type { Entropy, WallTime } from "#hal/world.ts";
import type { MkaMemory } from "./control-server.ts";
import { seal, unseal } from "./keys.ts";
import { readMemory, writeMemory } from "./memory.ts";

const miBytes = 12;
const noMi = "00".repeat(miBytes);

/** Seals and unseals the key cache of one port. */
export class KeyCache {
  readonly #key: Secret;
  readonly #port: string;
  readonly #entropy: Entropy;
  #written = "";

  /** `key`: 32 octets that only this host has. */
  constructor(key: Secret, port: string, entropy: Entropy) {
    this.#key = key;
    this.#port = port;
    this.#entropy = entropy;
  }

  /**
   * Returns the octets to be written to the disk; undefined = the present file is up to date. A
   * change that waits for its confirmation does not survive a boot.
   */
  seal({ settings, pending, snapshot }: MkaMemory): Uint8Array | undefined {
    if (pending !== undefined || snapshot === undefined) return undefined;
    const actors = snapshot.actors.map(({ ckn, ick, kek }) => {
      return { ckn, ick, kek, mi: noMi, mnReserved: 0, kn: 0, peers: [] };
    });
    const name = encodeJson([settings, actors.map(({ ckn }) => ckn)]);
    if (name === this.#written) return undefined;
    this.#written = name;
    const rest = { principal: undefined, saks: [], kept: [], spent: [], lastAn: undefined };
    const memory = { settings, pending: undefined, snapshot: { actors, ...rest } };
    return seal(this.#key, writeMemory(memory, 0 as WallTime), this.#port, this.#entropy);
  }

  /** Records that what `seal` returned last is not on the disk: the next call returns it again. */
  unwritten(): void {
    this.#written = "";
  }

  /**
   * Returns undefined if the octets are of another host or port, or were changed.
   * @throws Malformed if another version wrote them
   */
  unseal(sealed: Uint8Array): MkaMemory | undefined {
    const plain = unseal(this.#key, sealed, this.#port);
    if (plain === undefined) return undefined;
    // It wipes the plain octets.
    const memory = readMemory(plain, 0 as WallTime);
    const { snapshot } = memory;
    if (snapshot === undefined) return memory;
    const actors = snapshot.actors.map((actor) => {
      return { ...actor, mi: Buffer.from(this.#entropy.bytes(miBytes)).toString("hex") };
    });
    return { ...memory, snapshot: { ...snapshot, actors } };
  }
}
