// Notes in the journal which tunnels of the intent a device has, and what they authenticate with.

import { type DeviceState, strongValue } from "#hal/model.ts";
import { judge, sightOf } from "../../model/claims.ts";
import type { Desired } from "../../model/desired.ts";
import {
  type JournalRecord,
  type Memory,
  named,
  type PutAuths,
  pendingOn,
} from "../../store/journal/memory.ts";
import { sameAuth } from "./key-unit.ts";

interface ReachedParts {
  readonly desired: Desired;
  readonly device: string;
  readonly intent: number;
  readonly memory: () => Memory;
  readonly write: (record: JournalRecord) => Promise<void>;
}

/** Records each tunnel of the intent that is on the device for the first time. */
export async function markReached(parts: ReachedParts, state: DeviceState): Promise<void> {
  const { desired, device, memory, write, intent } = parts;
  if (pendingOn(memory(), device).length > 0) return;
  for (const tunnel of desired.tunnels) {
    if (tunnel.device !== device || named(memory().tunnels, tunnel.name) !== undefined) continue;
    if (!isConfirmed(tunnel.name, state)) continue;
    await write({ kind: "tunnel", name: tunnel.name, intent });
  }
}

/** Returns true if a tunnel is there for good; `isAnswered`: its device has taken the confirm. */
export function isConfirmed(
  name: string,
  { ipsec, control }: DeviceState,
  isAnswered = false,
): boolean {
  const waits = strongValue(control)?.commitPending;
  const { kind } = judge("commit-confirmed", {
    shown: () => sightOf(ipsec.some((entry) => entry.name === name)),
    // A change that still waits may disappear at any moment.
    ended: () => sightOf(isAnswered || (waits === undefined ? undefined : !waits)),
  });
  return kind === "holds";
}

/** Records what a change gave to those tunnels that it reached, unless the journal has that. */
export async function markAuths(
  { memory, write }: Pick<ReachedParts, "memory" | "write">,
  puts: PutAuths = {},
  isReached: (tunnel: string) => boolean = () => true,
): Promise<void> {
  for (const [name, auth] of Object.entries(puts)) {
    if (!isReached(name)) continue;
    const before = named(memory().auths, name)?.auth;
    if (before !== undefined && sameAuth(before, auth)) continue;
    await write({ kind: "auth", name, inUse: { auth } });
  }
}
