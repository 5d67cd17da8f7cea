// A wave and a freeze as a view of many sites shows them, read as the hub that runs waves reads
// them: a record that it refuses does not look sound on a page.

import { parseFreeze } from "../fleet/records.ts";
import type { MemberState } from "../fleet/wave.ts";
import { isoTime } from "../model/iso-time.ts";
import type { FreezeRow, WaveRow } from "./fleet-shape.ts";
import { waveAt } from "./wave-reading.ts";

/** Returns what is shown of a wave; a record that cannot be read is shown as such. */
export function waveRow(name: string, octets: Uint8Array): WaveRow {
  const wave = waveAt(name, octets);
  if (wave === undefined) {
    return { name, kind: null, state: null, why: null, stage: 0, stages: 0, progress: [] };
  }
  const { kind, state, stage, stages } = wave;
  const counts = new Map<MemberState["kind"], number>();
  for (const member of stages.flat()) {
    counts.set(member.state.kind, (counts.get(member.state.kind) ?? 0) + 1);
  }
  return {
    ...{ name, kind, state: state.kind, why: "why" in state ? state.why : null },
    ...{ stage: Math.min(stage + 1, stages.length), stages: stages.length },
    progress: [...counts].map(([each, count]) => ({ state: each, count })),
  };
}

/** Returns a freeze that is in force; undefined = the record says that it is over. */
export function freezeRow(key: string, octets: Uint8Array): FreezeRow | undefined {
  const freeze = parseFreeze(octets);
  if (freeze === undefined) return { key, freeze: null };
  const { state, at, by, why } = freeze;
  return state === "thawed" ? undefined : { key, freeze: { at: isoTime(at), by, why } };
}
