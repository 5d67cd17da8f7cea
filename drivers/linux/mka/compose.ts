// Composes the MKPDU of one actor: its parameter sets, IEEE Std 802.1X-2020 11.11.1.

import type { Instant } from "#hal/world.ts";
import { type Actor, boundedHelloMs, entriesOf, type Peer } from "./actor.ts";
import type { Cp } from "./cp.ts";
import type { HeldSak } from "./held-sak.ts";
import type { KaySettings } from "./kay-types.ts";
import type { DistributedSak, Mkpdu, SakUse } from "./mkpdu.ts";
import { ssciOrder } from "./sak.ts";
import { suites } from "./suite.ts";

export interface Spoken {
  readonly actor: Actor;
  readonly cp: Cp;
  readonly settings: KaySettings;
  readonly periodMs: number;
  readonly now: Instant;
  /** Only the principal one among the CAs of a SecY reports its SAKs. */
  readonly standing:
    | { readonly kind: "standby" }
    | { readonly kind: "principal"; readonly distributedSak: DistributedSak | undefined };
}

/** Composes an MKPDU; uses up an MN. */
export function compose(spoken: Spoken): Mkpdu {
  const { actor, cp, settings, periodMs, now, standing } = spoken;
  const basic = actor.basic(settings.keyServerPriority, periodMs, now);
  const distributedSak = standing.kind === "principal" ? standing.distributedSak : undefined;
  const { id: suiteId, packetNumber } = suites[settings.suite];
  const isOrdered = distributedSak !== undefined && packetNumber === "64 bit";
  return {
    basic,
    // From version 3 on, the order of live peers defines the SSCIs.
    livePeers: entriesOf(isOrdered ? ssciOrdered(actor) : actor.livePeers),
    keyServerSsci: isOrdered ? (cp.latest?.ssci ?? 0) & 0xff : 0,
    potentialPeers: entriesOf(actor.potentialPeers),
    ...(cp.newest === undefined ? {} : useOf(spoken)),
    ...(distributedSak === undefined ? {} : { distributedSak }),
    announced: [{ suiteId, capability: 2 }],
    icvIndicator: "absent",
  };
}

function useOf(spoken: Spoken): Pick<Mkpdu, "sakUse" | "xpn"> {
  const { cp, settings, periodMs, now, standing } = spoken;
  const stillAnnounced = (held: HeldSak | undefined): HeldSak | undefined =>
    standing.kind === "principal" ? held : undefined;
  const latest = stillAnnounced(cp.latest);
  const old = stillAnnounced(cp.old);
  const sakUse: SakUse = {
    kind: "used",
    latest: cp.keyUse(latest, periodMs, now),
    old: cp.keyUse(old, periodMs, now),
    // Must-secure: nothing is sent or accepted without protection.
    plainTransmit: false,
    plainReceive: false,
    delayProtect: standing.kind === "principal" && periodMs === boundedHelloMs,
  };
  if (suites[settings.suite].packetNumber === "32 bit") return { sakUse };
  const high = (held: HeldSak | undefined): number =>
    held === undefined ? 0 : Number(cp.lowestPn(held, periodMs, now) >> 32n);
  const xpn = { suspensionSeconds: 0, latestHigh: high(latest), oldHigh: high(old) };
  return { sakUse, xpn };
}

function ssciOrdered(actor: Actor): Peer[] {
  return ssciOrder(actor.livePeers).flatMap(({ mi }) => actor.peer(mi) ?? []);
}
