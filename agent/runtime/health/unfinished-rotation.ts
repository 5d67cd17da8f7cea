// A rotation that gave one link its new key and left another one on its old key.

import { type Raised, raise } from "../../health/warnings.ts";
import { reasonText } from "../../model/reason-text.ts";
import { type Memory, named } from "../../store/journal/memory.ts";

/** Warns of each link that the last rotation of its group left behind, beside one that moved. */
export function unfinishedRotation({ campaigns, bindings }: Memory, group: string): Raised[] {
  const last = named(campaigns, group);
  if (last?.kind !== "rotate" || !last.links.some(({ outcome }) => outcome === "rotated"))
    return [];
  return last.links.flatMap(({ name, outcome, old, turnedBack }): Raised[] => {
    const about = `${group}/${name}`;
    const isOld = named(bindings, about)?.key.cakSecretId === old?.key.cakSecretId;
    if (outcome !== "reverted" || !isOld) return [];
    const why = turnedBack === undefined ? "" : `: ${reasonText(turnedBack)}`;
    return [raise("rotation-unfinished", about, `it is still on its old key${why}`)];
  });
}
