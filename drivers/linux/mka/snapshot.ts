// The state that a successor needs to continue as the same member of its CAs. SAKs are not in it,
// because the kernel does not return them.

import type { Ckn } from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import type { KeyIdentifier } from "./keys.ts";

export interface PeerSnapshot {
  readonly mi: string;
  readonly sci: string;
  readonly mn: number;
  readonly version: number;
  readonly priority: number;
  readonly keyServer: boolean;
  /** The highest key number taken from it. */
  readonly kn: number;
}

export interface ActorSnapshot {
  readonly ckn: Ckn;
  readonly ick: Secret;
  readonly kek: Secret;
  readonly mi: string;
  /** No MN above it was ever sent. */
  readonly mnReserved: number;
  readonly kn: number;
  /** The live peers. */
  readonly peers: readonly PeerSnapshot[];
}

export interface SakSnapshot {
  readonly slot: "latest" | "old";
  readonly keyIdentifier: KeyIdentifier;
  readonly an: number;
  readonly ageMs: number;
  /** The MIs of the members that it was made for. */
  readonly members: readonly string[];
  /** Our own SSCI, with extended packet numbering. */
  readonly ssci: number | undefined;
}

/** A receive channel that stays for a while although no peer is live behind it. */
export interface KeptChannel {
  readonly sci: string;
  readonly leftMs: number;
}

export interface KaySnapshot {
  /** The primary one first. */
  readonly actors: readonly ActorSnapshot[];
  readonly principal: Ckn | undefined;
  readonly saks: readonly SakSnapshot[];
  readonly kept: readonly KeptChannel[];
  /** The last SAK taken under each MI of a key server. */
  readonly spent: readonly KeyIdentifier[];
  readonly lastAn: number | undefined;
}

export function copyOf(snapshot: KaySnapshot): KaySnapshot {
  const actors = snapshot.actors.map((actor) => {
    return { ...actor, ick: actor.ick.copy(), kek: actor.kek.copy() };
  });
  return { ...snapshot, actors };
}

/** Wipes the keys of a snapshot. */
export function wipeSnapshot({ actors }: KaySnapshot): void {
  for (const { ick, kek } of actors) {
    ick[Symbol.dispose]();
    kek[Symbol.dispose]();
  }
}
