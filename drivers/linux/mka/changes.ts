// The differences that an event made: entries for the operator's log, and whether peers must be
// informed.

import type { Ckn } from "#hal/model.ts";
import type { Actor, Election } from "./actor.ts";
import type { Cp } from "./cp.ts";
import { type HeldSak, isReceiving } from "./held-sak.ts";
import type { KayEvent } from "./kay-types.ts";
import type { KeyIdentifier } from "./keys.ts";

interface ObservedCa {
  readonly mi: string;
  readonly election: Election["kind"];
  /** SCIs by MI. */
  readonly live: ReadonlyMap<string, string>;
}

/** Returns the key identifier as logs and the model show it. */
export function nameOf({ mi, kn }: KeyIdentifier): string {
  return `${mi}/${kn}`;
}

export function controlledPort({ inUse }: Cp): "secured" | "blocked" {
  return inUse !== undefined && isReceiving(inUse) ? "secured" : "blocked";
}

export class Changes {
  #cas: ReadonlyMap<Ckn, ObservedCa> = new Map();
  #principal: Ckn | undefined;
  #inUse: string | undefined;
  #port: "secured" | "blocked" = "blocked";
  #use = "";
  #memory = "";

  since(
    actors: readonly Actor[],
    principal: Actor | undefined,
    cp: Cp,
  ): { readonly events: readonly KayEvent[]; readonly isNews: boolean } {
    const cas = new Map(actors.map((actor) => [actor.ckn, observed(actor)]));
    const events = [...cas].flatMap(([ckn, ca]) => caEvents(ckn, this.#cas.get(ckn), ca));
    for (const ckn of this.#cas.keys()) {
      if (!cas.has(ckn)) events.push({ kind: "caRemoved", ckn });
    }
    this.#cas = cas;
    if (principal?.ckn !== this.#principal) {
      this.#principal = principal?.ckn;
      events.push({ kind: "principal", ckn: this.#principal });
    }
    const inUse = cp.inUse === undefined ? undefined : nameOf(cp.inUse.keyIdentifier);
    if (inUse !== this.#inUse) {
      this.#inUse = inUse;
      events.push({ kind: "sakInUse", keyId: inUse });
    }
    const port = controlledPort(cp);
    if (port !== this.#port) {
      this.#port = port;
      events.push({ kind: "controlledPort", is: port });
    }
    const use = JSON.stringify([this.#principal, useOf(cp.latest), useOf(cp.old)]);
    const isNews = use !== this.#use;
    this.#use = use;
    return { events, isNews };
  }

  /**
   * Returns true if a successor would need the change. MNs of peers count, so every hello is a
   * change: some stations ignore MKPDUs that do not list their latest MNs, and a life time is
   * short.
   */
  isMemorable(
    actors: readonly Actor[],
    principal: Actor | undefined,
    cp: Cp,
    lastAn: number | undefined,
  ): boolean {
    const memory = JSON.stringify([
      actors.map(({ ckn, mi, mnReserved, kn, livePeers }) => [
        [ckn, mi, mnReserved, kn],
        livePeers.map((peer) => [peer.mi, peer.mn, peer.kn, peer.priority, peer.keyServer]),
      ]),
      [principal?.ckn, lastAn],
      [cp.latest, cp.old].map((held) => held && [held.keyIdentifier, held.an]),
    ]);
    const isNew = memory !== this.#memory;
    this.#memory = memory;
    return isNew;
  }
}

function observed({ mi, election, livePeers }: Actor): ObservedCa {
  const live = new Map(livePeers.map((peer) => [peer.mi, peer.sci]));
  return { mi, election: election.kind, live };
}

function caEvents(ckn: Ckn, was: ObservedCa | undefined, is: ObservedCa): KayEvent[] {
  const events: KayEvent[] = [];
  if (was === undefined) events.push({ kind: "caCreated", ckn });
  else if (was.mi !== is.mi) events.push({ kind: "miRenewed", ckn });
  for (const [mi, sci] of is.live) {
    if (was?.live.has(mi) !== true) events.push({ kind: "peerLive", ckn, sci });
  }
  for (const [mi, sci] of was?.live ?? []) {
    if (!is.live.has(mi)) events.push({ kind: "peerLost", ckn, sci });
  }
  if ((was?.election ?? "none") !== is.election) {
    events.push({ kind: "keyServer", ckn, is: is.election });
  }
  return events;
}

// Packet numbers are left out, because they change all the time.
function useOf(held: HeldSak | undefined): unknown {
  return held && [held.keyIdentifier, held.an, held.transmit === "enabled", isReceiving(held)];
}
