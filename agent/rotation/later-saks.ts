// The SAKs that follow the first one of a new key, while the old key is still the way back.

import { type MacsecPort, strongValue } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import {
  type Evidence,
  type LaterSaks,
  laterSaksNeeded,
  type PortFacts,
} from "../model/campaign.ts";
import { judge, type Sight, sightOf } from "../model/claims.ts";
import type { RotationSettings } from "../model/desired.ts";
import { type LinkSnapshot, portOf } from "../model/link-snapshot.ts";
import type { Cause, FarEnd } from "../model/reason.ts";
import { advanceProof, type Proven, proofOf, type Run } from "./evidence.ts";

/** A request for a later SAK. */
interface AskedSak {
  /** When the router accepted it. */
  readonly at: Instant;
  /** Which later SAK it is, from 1. */
  readonly number: number;
}

/** The SAKs of a new key that one process has seen, beside the old key on the port. */
export interface SakRun {
  /** The SAK in use; undefined = the session was lost since. */
  readonly sak: string | undefined;
  /** The run that proves the SAK in use; undefined = the one before it is installed as well. */
  readonly proof: Run | undefined;
  /** Whether the SAK in use is among the proven ones. */
  readonly counted: boolean;
  /** How many SAKs were proven one after the other, the first one included. */
  readonly proven: number;
  /** The request that is not answered by a proven SAK; undefined = there is none. */
  readonly asked: AskedSak | undefined;
}

/** What one observation shows of the link under way. */
interface SakView {
  readonly snapshot: LinkSnapshot;
  readonly port: PortFacts | undefined;
  readonly wanted: Proven;
  readonly far: FarEnd;
  readonly rotation: RotationSettings;
  readonly now: Instant;
}

/** Returns true if this router makes the SAKs of the port, and makes one on request. */
export function makesSaks(port: MacsecPort | undefined, freshSak: true | undefined): boolean {
  const session = port === undefined ? undefined : strongValue(port.session);
  return freshSak === true && session?.keyServer === "self";
}

/**
 * Continues the run of SAKs. It begins anew where the session was lost: a key that forms again has
 * passed no rekey. Returns undefined unless the router holds both keys.
 */
export function advanceSaks(run: SakRun | undefined, view: SakView): SakRun | undefined {
  const { snapshot, port, wanted, far, now } = view;
  const observed = portOf(snapshot.state, snapshot.link.port);
  const session = observed === undefined ? undefined : strongValue(observed.session);
  if (port === undefined || session === undefined) return run;
  if (port.keys !== "both") return undefined;
  const sak = session.latestSak?.keyId;
  if (port.carriedBy !== "new" || sak === undefined) {
    return { sak: undefined, proof: undefined, counted: false, proven: 0, asked: run?.asked };
  }
  const same = run?.sak === sak ? run : undefined;
  // Beside the SAK before it nothing shows which of the two the frames used.
  const isAlone = session.oldSak === undefined;
  const proof = isAlone ? advanceProof(same?.proof, snapshot, wanted, far, now) : undefined;
  const before = { sak, proof, proven: run?.proven ?? 0, asked: run?.asked };
  if (same?.counted === true) return { ...before, counted: true };
  if (sakEvidence(proof, view).kind === "waiting") return { ...before, counted: false };
  return { sak, proof, counted: true, proven: before.proven + 1, asked: undefined };
}

/** Returns the run after the router accepted the request for a later SAK. */
export function askedFor(run: SakRun | undefined, at: Instant): SakRun | undefined {
  if (run?.sak === undefined) return run;
  return { ...run, asked: { at, number: run.proven } };
}

/**
 * Returns how far the later SAKs are. A request that no new SAK has answered for as long as a proof
 * takes is made again.
 */
export function laterSaksOf(run: SakRun | undefined, view: SakView): LaterSaks {
  const { rotation, now } = view;
  if (run === undefined) return { kind: "notOffered" };
  const { counted, proven, asked } = run;
  const enough = (): Sight<undefined> => sightOf(proven > laterSaksNeeded || undefined);
  const { kind } = judge("later-saks-proven", { proven: enough });
  if (kind === "holds") return { kind: "proven" };
  const number = asked?.number ?? Math.max(1, proven);
  if (!counted) return { kind: "waiting", number, cause: lackOf(run, view) };
  const isAwaited = asked !== undefined && now - asked.at < rotation.settleMs;
  return isAwaited ? { kind: "waiting", number, cause: awaited } : { kind: "due", number };
}

const awaited: Cause = { code: "sak.awaited" };

/** What the SAK in use lacks. */
function lackOf({ sak, proof }: SakRun, view: SakView): Cause {
  if (sak === undefined || proof === undefined) return awaited;
  const evidence = sakEvidence(proof, view);
  return evidence.kind === "waiting" ? evidence.cause : awaited;
}

/** One SAK of a proven key needs frames of its own in both directions, and no time beside them. */
function sakEvidence(proof: Run | undefined, { snapshot, rotation, now }: SakView): Evidence {
  return proofOf(proof, snapshot, { ...rotation, settleMs: 0 }, now);
}
