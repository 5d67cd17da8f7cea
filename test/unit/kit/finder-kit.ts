// Runs one row of a table of finders on a scene that has no more than the row reads.

import type { Raised } from "#agent/health/warnings.ts";
import type { DesiredTunnel } from "#agent/model/desired.ts";
import type { FoundCode } from "#agent/model/warning-rows.ts";
import { type Finders, raisedIn, type Scene, type Subject } from "#agent/runtime/health/finder.ts";
import { finders } from "#agent/runtime/health/finders.ts";
import type { Memory } from "#agent/store/journal/memory.ts";

export interface PartialScene extends Partial<Omit<Scene, "agent" | "site">> {
  readonly agent?: Partial<Scene["agent"]>;
  readonly site?: Partial<Scene["site"]>;
}

export function foundBy<Of extends Subject>(
  rows: Finders<Of>,
  code: FoundCode,
  scene: PartialScene,
  of: Of,
): readonly Raised[] {
  const row = rows[code];
  if (row === undefined) throw new RangeError(`no row for ${code}`);
  return raisedIn({ [code]: row }, scene as Scene, of);
}

/** The warnings about a newer key or certificate of a tunnel. */
export function foundAuth(memory: Memory, tunnel: DesiredTunnel): readonly Raised[] {
  return foundBy(finders.tunnel, "rotation-held", { agent: { memory } }, tunnelSubject(tunnel));
}

export function tunnelSubject(tunnel: DesiredTunnel) {
  const { name: about, device } = tunnel;
  return { about, within: [device], device, port: about, tunnel };
}

export const siteSubject = { about: "site", within: [] } as const;
