// The reports of the live peers of all CAs about a SAK. A station is identified by its SCI: it may
// be in several CAs, and reports its SAKs in the one that it takes for the principal one.

import type { Actor, Peer } from "./actor.ts";
import { sameKey } from "./held-sak.ts";
import type { KeyIdentifier } from "./keys.ts";
import type { KeyUse } from "./mkpdu.ts";

export interface KeyReport extends KeyUse {
  /** The lowest packet number, with 64 bits if the peer reports the high half. */
  readonly pn: bigint;
  readonly sci: string;
}

// The SAK in use may be in either slot: most stations call it old as soon as they can.
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

/** Returns the SCIs of live peers that do not report to do this under the SAK. */
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
