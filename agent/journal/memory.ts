// What the journal makes the agent remember: a pure fold over its records.

import type { KeyRef } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import type { Campaign } from "../campaign/campaign.ts";

/** The key that a link is known to run on, and how that came to be. */
export interface Binding {
  readonly key: KeyRef;
  readonly since: WallTime;
  /** Creation time of the CAK version, for its age. */
  readonly created: WallTime;
  readonly how: "enrolled" | "adopted";
}

export interface Memory {
  /** By group: the last campaign, running or ended. */
  readonly campaigns: Readonly<Record<string, Campaign>>;
  /** By `group/link`. */
  readonly bindings: Readonly<Record<string, Binding>>;
  /** By tunnel: the intent number under which it was last seen as wanted. */
  readonly tunnels: Readonly<Record<string, number>>;
  /** By device: the transaction that reconcile last began and has not settled. */
  readonly pending: Readonly<Record<string, string>>;
}

export const emptyMemory: Memory = { campaigns: {}, bindings: {}, tunnels: {}, pending: {} };

/** One journal payload; the shapes never change meaning, only new kinds join (versioning rule). */
export type JournalRecord =
  | { readonly kind: "campaign"; readonly campaign: Campaign }
  | {
      readonly kind: "effect";
      readonly place: string;
      readonly what: string;
      readonly token: string;
    }
  | { readonly kind: "operation"; readonly link: string; readonly operation: string }
  | { readonly kind: "binding"; readonly link: string; readonly binding: Binding }
  | { readonly kind: "forget"; readonly link: string }
  | { readonly kind: "tunnel"; readonly name: string; readonly intent: number }
  | { readonly kind: "pending"; readonly device: string; readonly token: string | null }
  | { readonly kind: "snapshot"; readonly memory: Memory };

const kinds: Readonly<Record<JournalRecord["kind"], true>> = {
  campaign: true,
  effect: true,
  operation: true,
  binding: true,
  forget: true,
  tunnel: true,
  pending: true,
  snapshot: true,
};

/**
 * The memory of a journal whose MACs were checked. A kind of its own, such as an accepted loss, or
 * of a later version says nothing about the world.
 */
export function recollect(entries: readonly { readonly kind: string }[]): Memory {
  return entries
    .filter((entry) => Object.hasOwn(kinds, entry.kind))
    .reduce((memory, entry) => remember(memory, entry as JournalRecord), emptyMemory);
}

export function remember(memory: Memory, record: JournalRecord): Memory {
  switch (record.kind) {
    case "campaign":
      return {
        ...memory,
        campaigns: { ...memory.campaigns, [record.campaign.group]: record.campaign },
      };
    case "binding":
      return { ...memory, bindings: { ...memory.bindings, [record.link]: record.binding } };
    case "forget":
      return { ...memory, bindings: without(memory.bindings, record.link) };
    case "tunnel":
      return { ...memory, tunnels: { ...memory.tunnels, [record.name]: record.intent } };
    case "pending":
      return {
        ...memory,
        pending:
          record.token === null
            ? without(memory.pending, record.device)
            : { ...memory.pending, [record.device]: record.token },
      };
    case "snapshot":
      return record.memory;
    case "effect":
    case "operation":
      return memory;
  }
}

/** By a name that somebody else chose: `constructor` is no entry of its own. */
export function named<T>(all: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(all, name) ? all[name] : undefined;
}

function without<T>(all: Readonly<Record<string, T>>, name: string): Record<string, T> {
  return Object.fromEntries(Object.entries(all).filter(([key]) => key !== name));
}

/** A campaign that has not ended. */
export function openCampaign(memory: Memory, group: string): Campaign | undefined {
  const campaign = named(memory.campaigns, group);
  return campaign === undefined || campaign.state === "done" ? undefined : campaign;
}
