// What the journal makes the agent remember: a pure fold over its records.

import type { Ckn, KeyRef, TunnelAuth, WantedSettings } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import type { Campaign, CampaignState } from "../../model/campaign.ts";
import type { Reason } from "../../model/reason.ts";

/** The key that a link is known to run on, and how that came to be. */
export interface Binding {
  readonly key: KeyRef;
  readonly since: WallTime;
  /** Creation time of the CAK version, for its age. */
  readonly created: WallTime;
  /** Of the CAK version, where the vault tells: no key of a lower one is ever taken again. */
  readonly generation: number | undefined;
  /** What both ends are set to; a new intent that wants otherwise asks for a `change`. */
  readonly settings: WantedSettings;
  /** Number of the accepted intent under which it was made. */
  readonly intent: number;
  readonly how: "enrolled" | "adopted" | "changed" | "rotated";
}

/** One move of a campaign, for whoever asks what it did. */
export interface Move {
  readonly at: WallTime;
  readonly link: string;
  readonly state: CampaignState;
  readonly reason: Reason;
}

/** A link or tunnel whose traffic was moved away, and by whom. */
export interface HandDrain {
  readonly by: string;
  readonly since: WallTime;
  /** A tunnel that gets it back once it has authenticated anew; absent = once a person says so. */
  readonly until?: "authenticated";
}

/** A final change that was sent, and whose end the agent has not observed. */
export interface LateChange {
  readonly token: string;
  /** What it does to the link: moves its traffic, shuts its port, or takes a key or setting. */
  readonly what: "drain" | "shut" | "keys";
  /** The key that goes; absent = settings change. */
  readonly takes?: Ckn;
  readonly since: WallTime;
  /** A look cannot tell whether this one was carried out: the link was, or is again, as it asks. */
  readonly hidden?: true;
}

/** Newer versions of what a tunnel's end shows, not in use yet. */
export interface NextAuth {
  readonly auth: TunnelAuth;
  readonly state: NextAuthState;
  readonly since: WallTime;
  readonly because: string;
  /** What was said against it, by the gateway, the router or the vault. */
  readonly trouble?: string;
  /** Who asked for it last. */
  readonly by?: string;
}

/**
 * `waiting`: nothing is told; `giving`: the gateway may have it already; `switching`: ours is told,
 * and not proven; `returning`: it was refused, and the one in use goes back; `held`: it went back.
 */
export type NextAuthState = "waiting" | "giving" | "switching" | "returning" | "held";

/** The versions that a tunnel was set up with, and what comes after them. */
export interface AuthInUse {
  readonly auth: TunnelAuth;
  readonly next?: NextAuth;
}

export interface Memory {
  /** By group: the last campaign, running or ended. */
  readonly campaigns: Readonly<Record<string, Campaign>>;
  /** By group: the moves of that campaign, the oldest first. */
  readonly trails: Readonly<Record<string, readonly Move[]>>;
  /** By `group/link`. */
  readonly bindings: Readonly<Record<string, Binding>>;
  /** By `group/link`. */
  readonly drains: Readonly<Record<string, HandDrain>>;
  /** By what was measured, such as `commit edge-a`: the last durations in ms, the newest last. */
  readonly measures: Readonly<Record<string, readonly number[]>>;
  /** By `group/link`: the last operation that the far end accepted from us. */
  readonly operations: Readonly<Record<string, string>>;
  /** By tunnel: the intent number under which it was last seen as wanted. */
  readonly tunnels: Readonly<Record<string, number>>;
  /** By tunnel that linkseal itself has given its pre-shared key or certificate. */
  readonly auths: Readonly<Record<string, AuthInUse>>;
  /** By device, or link of a far end: the last change of a campaign that was final at once. */
  readonly finals: Readonly<Record<string, string>>;
  /** By `group/link`: final changes that its router may still carry out, the oldest first. */
  readonly late: Readonly<Record<string, readonly LateChange[]>>;
  /** By device: the transaction that reconcile last began and has not settled. */
  readonly pending: Readonly<Record<string, string>>;
}

export const emptyMemory: Memory = {
  campaigns: {},
  trails: {},
  bindings: {},
  drains: {},
  measures: {},
  operations: {},
  tunnels: {},
  auths: {},
  finals: {},
  late: {},
  pending: {},
};

/** One journal payload; the shapes never change meaning, only new kinds join (versioning rule). */
export type JournalRecord =
  | { readonly kind: "campaign"; readonly campaign: Campaign }
  | {
      readonly kind: "effect";
      readonly place: string;
      readonly what: string;
      readonly token: string;
      /** What it would do to this link if it were carried out late; absent = no harm. */
      readonly late?: Omit<LateChange, "token"> & { readonly link: string };
    }
  | { readonly kind: "settled"; readonly link: string; readonly token: string }
  | { readonly kind: "operation"; readonly link: string; readonly operation: string }
  | { readonly kind: "binding"; readonly link: string; readonly binding: Binding }
  | { readonly kind: "forget"; readonly link: string }
  | { readonly kind: "forgetTunnel"; readonly name: string }
  | { readonly kind: "handDrain"; readonly link: string; readonly drain: HandDrain | null }
  | { readonly kind: "measured"; readonly what: string; readonly ms: number }
  | { readonly kind: "tunnel"; readonly name: string; readonly intent: number }
  | { readonly kind: "auth"; readonly name: string; readonly inUse: AuthInUse }
  | { readonly kind: "pending"; readonly device: string; readonly token: string | null }
  | { readonly kind: "snapshot"; readonly memory: Memory };

/** Returns the memory after one more record. */
export function remember(memory: Memory, record: JournalRecord): Memory {
  switch (record.kind) {
    case "campaign":
      return {
        ...memory,
        campaigns: { ...memory.campaigns, [record.campaign.group]: record.campaign },
        trails: { ...memory.trails, [record.campaign.group]: trailOf(memory, record.campaign) },
      };
    case "binding":
      return { ...memory, bindings: { ...memory.bindings, [record.link]: record.binding } };
    case "forget":
      return { ...memory, bindings: without(memory.bindings, record.link) };
    case "forgetTunnel": {
      const { name } = record;
      return {
        ...memory,
        tunnels: without(memory.tunnels, name),
        auths: without(memory.auths, name),
        drains: without(memory.drains, name),
      };
    }
    case "handDrain":
      return {
        ...memory,
        drains:
          record.drain === null
            ? without(memory.drains, record.link)
            : { ...memory.drains, [record.link]: record.drain },
      };
    case "measured": {
      const known = named(memory.measures, record.what) ?? [];
      const measures = [...known, Math.round(record.ms)].slice(-measuresMax);
      return { ...memory, measures: { ...memory.measures, [record.what]: measures } };
    }
    case "tunnel":
      return { ...memory, tunnels: { ...memory.tunnels, [record.name]: record.intent } };
    case "auth":
      return { ...memory, auths: { ...memory.auths, [record.name]: record.inUse } };
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
    case "operation":
      return {
        ...memory,
        operations: { ...memory.operations, [record.link]: record.operation },
      };
    case "effect":
      return withEffect(memory, record);
    case "settled":
      return { ...memory, late: withoutLate(memory.late, record) };
  }
}

function withEffect(
  memory: Memory,
  { place, what, token, late }: Extract<JournalRecord, { kind: "effect" }>,
): Memory {
  // A key that joins is confirmed later: its token is the campaign's.
  const finals = what === "stage" ? without(memory.finals, place) : memory.finals;
  return {
    ...memory,
    finals: what === "stage" ? finals : { ...finals, [place]: token },
    late: late === undefined ? memory.late : withLate(memory.late, token, late),
  };
}

const lateMax = 16;

function withLate(
  late: Memory["late"],
  token: string,
  { link, ...change }: NonNullable<Extract<JournalRecord, { kind: "effect" }>["late"]>,
): Memory["late"] {
  const known = named(late, link) ?? [];
  return { ...late, [link]: [...known, { token, ...change }].slice(-lateMax) };
}

function withoutLate(
  late: Memory["late"],
  settled: Extract<JournalRecord, { kind: "settled" }>,
): Memory["late"] {
  const left = (named(late, settled.link) ?? [])
    .filter(({ token }) => token !== settled.token)
    .map((change) => ({ ...change, hidden: true as const }));
  const others = without(late, settled.link);
  return left.length === 0 ? others : { ...others, [settled.link]: left };
}

const measuresMax = 16;
const movesMax = 60;

/** Grows with each change of state or link; a new campaign begins a new one. */
function trailOf(memory: Memory, campaign: Campaign): readonly Move[] {
  const before = named(memory.campaigns, campaign.group);
  const isNew = before === undefined || (before.state === "done" && campaign.state === "queued");
  const known = isNew ? [] : (named(memory.trails, campaign.group) ?? []);
  if (!isNew && before.state === campaign.state && before.at === campaign.at) return known;
  const { since, state, reason } = campaign;
  const link = campaign.links[campaign.at]?.name ?? "";
  return [...known, { at: since, link, state, reason }].slice(-movesMax);
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
