// Which waits end before a key can be proven where no probe is sent: by the frames of the routing
// alone.

import type { RotationSettings } from "./desired.ts";

/**
 * A drained link carries at least this: a KEEPALIVE of BGP a minute each way, as the far end's
 * timers have it, and the acknowledgement of each.
 */
const idleFrameMs = 30_000;

type Waits = Pick<RotationSettings, "settleMs" | "proofFrames" | "verifyMs" | "farEndMs">;

export interface ShortWait {
  readonly key: "verify" | "farEnd";
  /** The least that is long enough, as the config writes it. */
  readonly least: string;
  readonly why: string;
}

/** How long a campaign waits for the proof of the new key. */
export function provingMs({ verifyMs, settleMs }: Pick<Waits, "verifyMs" | "settleMs">): number {
  return verifyMs + 2 * settleMs;
}

/**
 * Returns the waits that are too short for a proof by routing frames alone (finding
 * `proof-too-slow`); a device that sends probes needs no such check.
 */
export function waitsTooShort(waits: Waits): readonly ShortWait[] {
  const { settleMs, proofFrames, farEndMs } = waits;
  const needsMs = Math.max(settleMs, proofFrames * idleFrameMs);
  const lacking = [
    { key: "verify", givesMs: provingMs(waits), leastMs: needsMs - 2 * settleMs },
    // The way back proves the old key in it.
    { key: "farEnd", givesMs: farEndMs, leastMs: needsMs },
  ] as const;
  const proof = `proof-too-slow: without probes ${proofFrames} frames of the routing`;
  return lacking
    .filter(({ givesMs }) => givesMs < needsMs)
    .map(({ key, givesMs, leastMs }) => ({
      key,
      least: seconds(leastMs),
      why: `${proof} take up to ${seconds(needsMs)}, and ${key} gives ${seconds(givesMs)}`,
    }));
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1000)}s`;
}
