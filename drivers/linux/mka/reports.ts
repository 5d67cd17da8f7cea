// What the live peers of all CAs say about a SAK. A station is known by its SCI: it may speak in
// several CAs, and tells of its SAKs in that which it holds for the principal one.

import type { Actor, Peer } from "./actor.ts";
import { sameKey } from "./cp.ts";
import type { KeyIdentifier } from "./keys.ts";
import type { KeyUse } from "./mkpdu.ts";

export interface KeyReport extends KeyUse {
  /** Lowest packet number, of 64 bits where the peer tells its high half. */
  readonly pn: bigint;
  readonly sci: string;
}

// The SAK in use may stand in either slot: most stations call it old as soon as they can.
export function keyReports({ sakUse, xpn, sci }: Peer): KeyReport[] {
  if (sakUse?.kind !== "used") return [];
  const report = (use: KeyUse | undefined, high: number | undefined): KeyReport[] =>
    use === undefined
      ? []
      : [{ ...use, sci, pn: (BigInt(high ?? 0) << 32n) | BigInt(use.lowestPn) }];
  return [...report(sakUse.latest, xpn?.latestHigh), ...report(sakUse.old, xpn?.oldHigh)];
}

export function livePeers(actors: readonly Actor[]): Peer[] {
  return actors.flatMap((actor) => actor.livePeers);
}

function liveScis(actors: readonly Actor[]): ReadonlySet<string> {
  return new Set(livePeers(actors).map(({ sci }) => sci));
}

export function reportsOn(actors: readonly Actor[], key: KeyIdentifier): KeyReport[] {
  return livePeers(actors)
    .flatMap(keyReports)
    .filter(({ keyIdentifier }) => sameKey(keyIdentifier, key));
}

/** SCIs of live peers that do not say that they do this under the SAK. */
export function missing(
  actors: readonly Actor[],
  key: KeyIdentifier,
  what: "receive" | "transmit",
): string[] {
  const doing = new Set(
    reportsOn(actors, key)
      .filter((report) => report[what])
      .map(({ sci }) => sci),
  );
  return [...liveScis(actors)].filter((sci) => !doing.has(sci));
}
