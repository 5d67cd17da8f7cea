// A wave and a freeze as a view of many sites shows them. Who writes them is a hub; what is under
// their keys is hostile all the same.

import { parseFreeze } from "../../fleet/records.ts";
import { isoTime } from "../../model/iso-time.ts";
import { documentIn, type Fields } from "./fields.ts";
import type { FreezeRow, WaveRow } from "./fleet-shape.ts";

/** As long as a value of a bucket, and 1,000 groups of links. */
const limits = { octets: 256 * 1024, values: 50_000 } as const;
const membersMax = 1_000;

/** Returns what is shown of a wave; a record that cannot be read is shown as such. */
export function waveRow(name: string, octets: Uint8Array): WaveRow {
  const read = documentIn("linkseal.wave/1", octets, limits, (fields) => waveOf(name, fields));
  return read ?? { name, kind: null, state: null, why: null, stage: 0, stages: 0, progress: [] };
}

function waveOf(name: string, fields: Fields): WaveRow {
  const state = fields.object("state");
  const stages = fields.lists("stages", membersMax, (member) =>
    member.object("state").text("kind", 32),
  );
  const counts = new Map<string, number>();
  for (const kind of stages.flat()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return {
    name,
    kind: fields.text("kind", 32),
    state: state.text("kind", 32),
    why: state.has("why") ? state.text("why") : null,
    stage: Math.min(fields.count("stage") + 1, stages.length),
    stages: stages.length,
    progress: [...counts].map(([kind, count]) => ({ state: kind, count })),
  };
}

/** Returns a freeze that is in force; undefined = the record says that it is over. */
export function freezeRow(key: string, octets: Uint8Array): FreezeRow | undefined {
  const freeze = parseFreeze(octets);
  if (freeze === undefined) return { key, freeze: null };
  const { state, at, by, why } = freeze;
  return state === "thawed" ? undefined : { key, freeze: { at: isoTime(at), by, why } };
}
