// Rules between durations: which must be longer than which, and which are too short to be safe.

import type { HealthSettings } from "../model/desired.ts";
import { accepts, type Finding, finding, type Rule } from "./rule.ts";
import type { Config } from "./schema.ts";
import { durationMs } from "./units.ts";

// Two round trips to a slow device: the observation that ends the verification, and the confirm
// itself.
const roundTripsMs = 30_000;

/** The least evidence window without an accepted risk. */
const staleAfterMs = 90_000;
const pollsMissed = 3;
/** The default, which a shorter evidence window of an accepted risk does not forbid. */
const usualMs = 30_000;

/**
 * The longest time in milliseconds for which a reading may support a verdict. The first observation
 * after a silence is compared with one before it only inside the evidence window, and a long window
 * is for idle links, not for routers that do not answer.
 */
export function staleBoundMs({
  pollMs,
  evidenceMs,
}: Pick<HealthSettings, "pollMs" | "evidenceMs">): number {
  const boundMs = Math.min(evidenceMs, Math.max(staleAfterMs, pollsMissed * pollMs));
  return Math.max(boundMs, usualMs);
}

function* staleAfterBound({ health }: Config): Generator<Finding> {
  const [pollMs, evidenceMs] = [durationMs(health.poll), durationMs(health.evidence)];
  const boundMs = staleBoundMs({ pollMs, evidenceMs });
  if (durationMs(health.staleAfter) <= boundMs) return;
  const times = `poll ${health.poll} and evidence ${health.evidence}`;
  const why = `with ${times} a link would count as protected long after it was last observed`;
  const what = `is ${health.staleAfter}`;
  yield finding(["health", "staleAfter"], what, why, `staleAfter: at most ${boundMs / 1000}s`);
}

export const timingRules: readonly Rule[] = [
  {
    says: "`rotation.confirm` exceeds `rotation.verify` by more than 30s.",
    *find({ rotation }) {
      if (durationMs(rotation.confirm) > durationMs(rotation.verify) + roundTripsMs) return;
      const what = `is ${rotation.confirm} with verify ${rotation.verify}`;
      const why = "the device would undo a change while we still verify it";
      yield finding(["rotation", "confirm"], what, why, "confirm: more than verify + 30s");
    },
  },
  {
    says: "`rotation.farEnd` exceeds `rotation.putGrace`.",
    *find({ rotation }) {
      if (durationMs(rotation.farEnd) > durationMs(rotation.putGrace)) return;
      const what = `is ${rotation.farEnd} with putGrace ${rotation.putGrace}`;
      const why = "the far end cannot be settled before that";
      yield finding(["rotation", "farEnd"], what, why, "farEnd: more than putGrace");
    },
  },
  {
    says: "`health.staleAfter` and `health.evidence` exceed `health.poll`.",
    *find({ health }) {
      for (const key of ["staleAfter", "evidence"] as const) {
        if (durationMs(health[key]) > durationMs(health.poll)) continue;
        const what = `is ${health[key]} with poll ${health.poll}`;
        const why = "it would end before the next observation";
        yield finding(["health", key], what, why, `${key}: more than poll`);
      }
    },
  },
  {
    says:
      "`health.staleAfter` over 30s exceeds neither `health.evidence` nor the longer of 90s and " +
      "three times `health.poll`. A config that is in force with more is used under that bound.",
    binds: "new",
    find: staleAfterBound,
  },
  {
    says:
      "The accepted risk shortSettle is needed for `rotation.settle` under 18s, " +
      "`rotation.putGrace` or `health.evidence` under 90s, and fewer than 3 `rotation.drained` " +
      "samples or less than 10s between them.",
    find: shortWaits,
  },
];

function* shortWaits(config: Config): Generator<Finding> {
  if (accepts(config, "shortSettle")) return;
  const { health, rotation } = config;
  const waits = [
    // Three MKA life times of 6 s (802.1X-2020 table 9-3).
    { path: ["rotation", "settle"], is: rotation.settle, least: "18s" },
    { path: ["rotation", "putGrace"], is: rotation.putGrace, least: "90s" },
    { path: ["rotation", "drained", "every"], is: rotation.drained.every, least: "10s" },
    { path: ["health", "evidence"], is: health.evidence, least: "90s" },
  ];
  const accept = "accept shortSettle under acceptRisks";
  for (const { path, is, least } of waits) {
    if (durationMs(is) >= durationMs(least)) continue;
    const why = `under ${least} is the named risk shortSettle`;
    yield finding(path, `is ${is}`, why, `${path.at(-1)}: ${least}, or ${accept}`);
  }
  if (rotation.drained.samples < 3) {
    const why = "under 3 is the named risk shortSettle";
    const path = ["rotation", "drained", "samples"];
    yield finding(path, `is ${rotation.drained.samples}`, why, `samples: 3, or ${accept}`);
  }
}
