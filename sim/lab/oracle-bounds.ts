// The limits by which the oracle judges an agent, from the config that the agent has accepted.

import type { Desired } from "#agent/model/desired.ts";

/** An MKA hello interval in milliseconds: the far end may be secured that much later. */
const helloMs = 2_000;

/** The wait and the frames that prove a key. */
export interface ProofLimits {
  /** How long the proof must last, in milliseconds. */
  readonly settleMs: number;
  /** Protected frames in each direction. */
  readonly frames: number;
}

/** Returns the oracle's limits of a proof, less what a flow of whole frames may lack. */
export function proofBounds({ settleMs, frames }: ProofLimits) {
  return { settleMs: Math.max(0, settleMs - helloMs), proofFrames: frames - 1 };
}

/**
 * Returns all limits that follow from a config, in milliseconds except the frames: two polls more
 * than it promises itself.
 */
export function configBounds({
  health: { pollMs, staleAfterMs, evidenceMs },
  rotation: { settleMs, proofFrames },
}: Pick<Desired, "health" | "rotation">) {
  const staleMs = staleAfterMs + 2 * pollMs;
  const dataMs = Math.max(evidenceMs, staleAfterMs) + 2 * pollMs;
  const proof = proofBounds({ settleMs, frames: proofFrames });
  return { ...proof, controlMs: staleMs, dataMs, staleMs };
}
