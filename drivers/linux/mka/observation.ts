// The state of the KaY in the terms of the model, and what prevents a secured port.

import type { KeySlot, MkaParticipant, MkaSession, Sak } from "#hal/model.ts";
import { type Instant, instantAfter } from "#hal/world.ts";
import { type Actor, helloMs, lifeMs } from "./actor.ts";
import { controlledPort, nameOf } from "./changes.ts";
import type { Cp } from "./cp.ts";
import { type HeldSak, isLacking, isReceiving } from "./held-sak.ts";
import type { KayCounters, KayObservation, KaySettings, KayTrouble } from "./kay-types.ts";
import type { Malformation } from "./mkpdu.ts";
import { livePeers, missing } from "./reports.ts";
import { suiteOfId } from "./suite.ts";

/** A hello and some reserve: a key server that transmits under its SAK has reported it by then. */
const unreportedMsMax = helloMs + 500;

export class Counts {
  sent = 0n;
  received = 0n;
  icvFailed = 0n;
  unknownCkn = 0n;
  replayed = 0n;
  foreign = 0n;
  ownFrames = 0n;
  strange = 0n;
  readonly #malformedBy: Partial<Record<Malformation, bigint>> = {};

  /** Counts a malformed frame; it has no outputs. */
  malformed(why: Malformation): readonly [] {
    this.#malformedBy[why] = (this.#malformedBy[why] ?? 0n) + 1n;
    return [];
  }

  read(): KayCounters {
    const malformedBy = { ...this.#malformedBy };
    const malformed = Object.values(malformedBy).reduce((sum, count) => sum + count, 0n);
    const { sent, received, icvFailed, unknownCkn, replayed, foreign, ownFrames, strange } = this;
    const counts = { sent, received, icvFailed, unknownCkn, replayed, foreign, ownFrames, strange };
    return { ...counts, malformed, malformedBy };
  }
}

export interface Observed {
  readonly settings: KaySettings;
  readonly actors: readonly Actor[];
  readonly principal: Actor | undefined;
  readonly cp: Cp;
  readonly counters: KayCounters;
  readonly refusal: KayTrouble | undefined;
  readonly secyChanges: KayObservation["secyChanges"];
  readonly now: Instant;
}

export function observe(observed: Observed): KayObservation {
  const { settings, actors, cp, counters, secyChanges } = observed;
  const { suite, includeSci, keyServerPriority, replayWindow, sakRekeyMs } = settings;
  const keys = actors.map(
    ({ ckn }, index): KeySlot => ({ ckn, role: index === 0 ? "primary" : "fallback" }),
  );
  return {
    settings: {
      suite,
      policy: "mustSecure",
      includeSci,
      confidentialityOffset: 0,
      keyServerPriority,
      replayWindow,
      sakRekeyMs,
    },
    liveSuite: cp.inUse === undefined ? undefined : suite,
    keys,
    session: sessionOf(observed),
    mkpdus: counters,
    troubles: troublesOf(observed),
    secyChanges,
  };
}

function sessionOf({ settings, actors, principal, cp }: Observed): MkaSession {
  const live = principal?.livePeers ?? [];
  const key = (cp.inUse ?? cp.newest)?.keyIdentifier;
  const silent = key === undefined ? undefined : missing(actors, key, "receive");
  const responded = live.filter(({ sci }) => silent?.includes(sci) === false);
  const election = principal?.election.kind ?? "none";
  const priorities = {
    self: settings.keyServerPriority,
    peer: principal?.server?.priority,
    none: undefined,
  };
  return {
    controlledPort: controlledPort(cp),
    principalCkn: principal?.ckn,
    participants: actors.map(participantOf),
    livePeers: live.length,
    respondedPeers: responded.length,
    keyServer: election,
    keyServerPriority: priorities[election],
    // A SAK that is called old only because there is no newer one is shown as the latest.
    latestSak: sakOf(cp.newest),
    oldSak: cp.latest === undefined ? undefined : sakOf(cp.old),
  };
}

function participantOf(actor: Actor): MkaParticipant {
  const livePeers = actor.livePeers.length;
  const potentialPeers = actor.potentialPeers.length;
  return { ckn: actor.ckn, state: livePeers > 0 ? "live" : "active", livePeers, potentialPeers };
}

function sakOf(held: HeldSak | undefined): Sak | undefined {
  if (held === undefined) return undefined;
  const { keyIdentifier, an, transmit } = held;
  const keyId = nameOf(keyIdentifier);
  return { an, keyId, receive: isReceiving(held), transmit: transmit === "enabled" };
}

function troublesOf(observed: Observed): KayTrouble[] {
  const { settings, actors, principal, cp, refusal, now } = observed;
  const troubles: KayTrouble[] = refusal === undefined ? [] : [refusal];
  if (cp.device === "gone") troubles.push({ kind: "deviceLost" });
  const { newest } = cp;
  if (newest !== undefined && isLacking(newest)) troubles.push({ kind: "saLost" });
  if (newest !== undefined && now >= instantAfter(newest.createdAt, lifeMs)) {
    for (const sci of missing(actors, newest.keyIdentifier, "receive")) {
      troubles.push({ kind: "peerNotReceiving", sci });
    }
  }
  for (const { sci, macsecDesired, announced } of livePeers(actors)) {
    if (!macsecDesired) troubles.push({ kind: "peerWantsNoMacsec", sci });
    const offered = announced?.map(({ suiteId }) => suiteOfId(suiteId) ?? suiteId);
    if (offered !== undefined && !offered.includes(settings.suite)) {
      troubles.push({ kind: "suiteNotAnnounced", announced: offered });
    }
  }
  if (principal?.election.kind === "none" && principal.livePeers.length > 0) {
    troubles.push({ kind: "noKeyServer" });
  }
  return [...troubles, ...serverTroubles(observed)];
}

// The port waits for the key server. A SAK that was refused is reported for itself.
function serverTroubles({ principal, cp, refusal, now }: Observed): KayTrouble[] {
  const server = principal?.server;
  if (principal === undefined || server === undefined) return [];
  if (refusal !== undefined || cp.device === "gone" || cp.inUse !== undefined) return [];
  const { sci } = server;
  const { newest } = cp;
  if (newest === undefined) {
    const isDue = now >= instantAfter(principal.electedAt, lifeMs);
    return isDue ? [{ kind: "noSakDistributed", sci }] : [];
  }
  if (isLacking(newest)) return [];
  const isDue = isReceiving(newest) && now >= instantAfter(newest.createdAt, unreportedMsMax);
  return isDue ? [{ kind: "serverNotTransmitting", sci }] : [];
}
