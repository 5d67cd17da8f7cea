// The agent's memory of the journal: a pure fold over its records.

import type { PortChange, TrafficMove } from "#hal/device.ts";
import type { Ckn, KeyRef, PortName, WantedSettings } from "#hal/model.ts";
import type { TunnelAuth } from "#hal/tunnel-spec.ts";
import type { WallTime } from "#hal/world.ts";
import type { Campaign, CampaignState } from "../../model/campaign.ts";
import type { Reason } from "../../model/reason.ts";
import type { AuthInUse } from "../../model/tunnel-change.ts";

/** The key that a link is known to use, and how that began. */
export interface Binding {
  /** The key: its CKN and secret ids. */
  readonly key: KeyRef;
  /** When the link began to use it. */
  readonly since: WallTime;
  /** Creation time of the CAK version, for the key's age. */
  readonly created: WallTime;
  /**
   * Generation of the CAK version; undefined = the vault has none. No key of a lower generation is
   * used again.
   */
  readonly generation: number | undefined;
  /** The settings of both ends; a new intent with other settings needs a `change` campaign. */
  readonly settings: WantedSettings;
  /** Number of the accepted intent under which it was made. */
  readonly intent: number;
  /** Which operation made it. */
  readonly how: "enrolled" | "adopted" | "changed" | "rotated";
  /**
   * KI of the SAK in use at the end of a rotation that proved no later one; absent = later SAKs
   * are not watched.
   */
  readonly firstSak?: string;
}

/** One change of state of a campaign, as `linkseal rotation show` lists it. */
export interface Move {
  /** When. */
  readonly at: WallTime;
  /** Name of the link in its group. */
  readonly link: string;
  /** The state that began. */
  readonly state: CampaignState;
  /** Why it began. */
  readonly reason: Reason;
}

/** A link or tunnel whose traffic was moved away at an operator's request. */
export interface ManualDrain {
  /** The operator or program that asked for it. */
  readonly by: string;
  /** When. */
  readonly since: WallTime;
  /**
   * `authenticated`: a tunnel gets its traffic back when its SAs were replaced; absent = when an
   * operator undrains it.
   */
  readonly until?: "authenticated";
}

/** A final change that was sent, and whose end the agent has not observed. */
export interface LateChange {
  readonly token: string;
  /**
   * What it does to the link: moves its traffic, shuts its port, or removes a key or changes
   * settings.
   */
  readonly what: "drain" | "shut" | "keys";
  /** CKN of the key that it removes; absent = it changes settings. */
  readonly takes?: Ckn;
  /** When it was sent. */
  readonly since: WallTime;
  /**
   * True if an observation cannot show whether it was carried out, because the link was, or is
   * again, in the state that it asks for.
   */
  readonly hidden?: true;
}

/** A part of a change that stays, and that an observation of its port shows. */
export type CommitPart = Exclude<
  Extract<PortChange, { readonly port: PortName }>,
  { readonly kind: "macsec.rekeySak" }
>;

/**
 * A commit of ours that is not known to be saved, on a device that saves apart from a commit: the
 * agent may have ended in between.
 */
export interface UnsavedCommit {
  /** Token of its transaction. */
  readonly token: string;
  /** When it was sent. */
  readonly since: WallTime;
  /** The drains and restores in it, whose routes the device exchanges after a commit. */
  readonly moves: readonly TrafficMove[];
  /** What it does to ports; absent = not known. */
  readonly parts?: readonly CommitPart[];
  /** The boot of the device that was observed last before it was sent; absent = not known. */
  readonly boot?: string;
  /** When the device was seen without these parts after a reload; absent = it was not. */
  readonly gone?: WallTime;
}

/** Versions that a change gives to tunnels, by tunnel. */
export type PutAuths = Readonly<Record<string, TunnelAuth>>;

/** What became of a signed proposal; it is never applied after that. */
interface EndedProposal {
  /** `applied`: from just before its config was accepted, so that no crash applies it twice. */
  readonly end: "applied" | "rejected";
  /** Name and fingerprint of the signer. */
  readonly signer: string;
  /** Who applied or rejected it. */
  readonly by: string;
}

/** A key that an emergency declared compromised. */
export interface CompromisedKey {
  /** The link whose accepted key it was, as `group/link`. */
  readonly link: string;
  readonly ckn: Ckn;
  /** Id of its CAK version. */
  readonly cakSecretId: string;
  /** When it was declared. */
  readonly since: WallTime;
  /** Who declared it. */
  readonly by: string;
  /** When every place was seen without it; absent = not yet. */
  readonly gone?: WallTime;
  /** The mark on its version in the vault; absent = there is none, or none is known. */
  readonly mark?: "tagged" | "disabled";
}

/** Everything that the agent remembers; all records have own keys only (see `named`). */
export interface Memory {
  /** The last campaign, running or ended, by group. */
  readonly campaigns: Readonly<Record<string, Campaign>>;
  /** The changes of state of that campaign, the oldest first, by group. */
  readonly trails: Readonly<Record<string, readonly Move[]>>;
  /** Keys in use, by `group/link`. */
  readonly bindings: Readonly<Record<string, Binding>>;
  /** Links and tunnels that an operator drained, by `group/link` or tunnel. */
  readonly drains: Readonly<Record<string, ManualDrain>>;
  /** The last durations in ms, the newest last, by what was measured, such as `commit edge-a`. */
  readonly measures: Readonly<Record<string, readonly number[]>>;
  /** The last operation that the far end accepted from us, by `group/link`. */
  readonly operations: Readonly<Record<string, string>>;
  /** The intent number under which a tunnel was last observed as wanted, by tunnel. */
  readonly tunnels: Readonly<Record<string, number>>;
  /**
   * Versions in use, by tunnel that linkseal itself has given its pre-shared key or certificate.
   */
  readonly auths: Readonly<Record<string, AuthInUse>>;
  /**
   * Token of a campaign's last change that was final at once, by device, or by link of a far end.
   */
  readonly finals: Readonly<Record<string, string>>;
  /** Final changes that a router may still carry out, the oldest first, by `group/link`. */
  readonly late: Readonly<Record<string, readonly LateChange[]>>;
  /**
   * Token of the transaction that reconcile last began and that has not settled, by device, or by
   * tunnel of a device that sets up several at a time (`pendingPlace`).
   */
  readonly pending: Readonly<Record<string, string>>;
  /** Versions that such a transaction gives to tunnels, by its key in `pending`. */
  readonly puts: Readonly<Record<string, PutAuths>>;
  /** Commits that are not known to be saved, the oldest first, by device. */
  readonly unsaved: Readonly<Record<string, readonly UnsavedCommit[]>>;
  /** Proposals that were applied or rejected, the newest last, by SHA-256 of what was signed. */
  readonly proposals: Readonly<Record<string, EndedProposal>>;
  /** Keys that were declared compromised, the newest last, by id of the CAK version. */
  readonly compromised: Readonly<Record<string, CompromisedKey>>;
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
  puts: {},
  unsaved: {},
  proposals: {},
  compromised: {},
};

/**
 * One journal payload. The shapes never change their meaning, only new kinds are added
 * (docs/versioning.md).
 */
export type JournalRecord =
  | { readonly kind: "campaign"; readonly campaign: Campaign }
  | {
      readonly kind: "effect";
      readonly place: string;
      readonly what: string;
      readonly token: string;
      /** Its effect on this link if it is carried out late; absent = no harm. */
      readonly late?: Omit<LateChange, "token"> & { readonly link: string };
    }
  | { readonly kind: "settled"; readonly link: string; readonly token: string }
  | { readonly kind: "operation"; readonly link: string; readonly operation: string }
  | { readonly kind: "binding"; readonly link: string; readonly binding: Binding }
  | { readonly kind: "forget"; readonly link: string }
  | { readonly kind: "forgetTunnel"; readonly name: string }
  | { readonly kind: "handDrain"; readonly link: string; readonly drain: ManualDrain | null }
  | { readonly kind: "measured"; readonly what: string; readonly ms: number }
  | { readonly kind: "tunnel"; readonly name: string; readonly intent: number }
  | { readonly kind: "auth"; readonly name: string; readonly inUse: AuthInUse }
  /** The same for tunnels that have one key at their gateway. */
  | {
      readonly kind: "sharedAuth";
      readonly names: readonly string[];
      readonly inUse: AuthInUse;
    }
  | {
      readonly kind: "pending";
      readonly device: string;
      readonly token: string | null;
      /** What tunnels authenticate with once it is carried out; absent = it puts none. */
      readonly puts?: PutAuths;
    }
  | { readonly kind: "unsaved"; readonly device: string; readonly commit: UnsavedCommit }
  | { readonly kind: "saved"; readonly device: string; readonly token: string }
  | { readonly kind: "proposal"; readonly sha256: string; readonly ended: EndedProposal }
  | { readonly kind: "compromised"; readonly key: CompromisedKey }
  /** Stands for all records before it. */
  | { readonly kind: "snapshot"; readonly memory: Memory }
  /** Goes on with the snapshot before it: entries that it had no room for. */
  | { readonly kind: "snapshotPart"; readonly memory: Memory };

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
    case "sharedAuth": {
      const shared = record.names.map((name) => [name, record.inUse] as const);
      return { ...memory, auths: { ...memory.auths, ...Object.fromEntries(shared) } };
    }
    case "pending":
      return withPending(memory, record);
    case "unsaved":
    case "saved":
      return { ...memory, unsaved: withUnsaved(memory.unsaved, record) };
    case "proposal":
      return { ...memory, proposals: withProposal(memory.proposals, record) };
    case "compromised":
      return { ...memory, compromised: withCompromised(memory.compromised, record.key) };
    case "snapshot":
      return record.memory;
    case "snapshotPart":
      return joined(memory, record.memory);
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

function joined(memory: Memory, part: Memory): Memory {
  const sections = (Object.keys(memory) as (keyof Memory)[]).map(
    (name) => [name, { ...memory[name], ...part[name] }] as const,
  );
  return Object.fromEntries(sections) as unknown as Memory;
}

function withEffect(
  memory: Memory,
  { place, what, token, late }: Extract<JournalRecord, { kind: "effect" }>,
): Memory {
  // A key that is added is confirmed later, so its token is in the campaign.
  const finals = what === "stage" ? without(memory.finals, place) : memory.finals;
  return {
    ...memory,
    finals: what === "stage" ? finals : { ...finals, [place]: token },
    late: late === undefined ? memory.late : withLate(memory.late, token, late),
  };
}

function withPending(
  memory: Memory,
  { device, token, puts }: Extract<JournalRecord, { kind: "pending" }>,
): Memory {
  const others = { pending: without(memory.pending, device), puts: without(memory.puts, device) };
  return {
    ...memory,
    pending: token === null ? others.pending : { ...others.pending, [device]: token },
    puts: puts === undefined ? others.puts : { ...others.puts, [device]: puts },
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

/** Each save is one of all, so what is lost of an older one is the exchange of its routes. */
const unsavedMax = 16;

function withUnsaved(
  unsaved: Memory["unsaved"],
  record: Extract<JournalRecord, { kind: "unsaved" | "saved" }>,
): Memory["unsaved"] {
  const { device } = record;
  const token = record.kind === "unsaved" ? record.commit.token : record.token;
  const known = named(unsaved, device) ?? [];
  const rest = known.filter((commit) => commit.token !== token);
  const left = record.kind === "unsaved" ? withCommit(known, record.commit) : rest;
  const others = without(unsaved, device);
  return left.length === 0 ? others : { ...others, [device]: left };
}

/** A commit that is known keeps its place: a later one may replace what it did. */
function withCommit(
  known: readonly UnsavedCommit[],
  commit: UnsavedCommit,
): readonly UnsavedCommit[] {
  const isKnown = known.some(({ token }) => token === commit.token);
  if (!isKnown) return [...known, commit].slice(-unsavedMax);
  return known.map((one) => (one.token === commit.token ? commit : one));
}

/** An older one names a config that is not in force any more. */
const proposalsMax = 256;

function withProposal(
  proposals: Memory["proposals"],
  { sha256, ended }: Extract<JournalRecord, { kind: "proposal" }>,
): Memory["proposals"] {
  const others = Object.entries(proposals).filter(([name]) => name !== sha256);
  return Object.fromEntries([...others, [sha256, ended] as const].slice(-proposalsMax));
}

/** Of those that are gone, the oldest are forgotten first; one that is not gone never is. */
const goneMax = 256;

function withCompromised(
  compromised: Memory["compromised"],
  key: CompromisedKey,
): Memory["compromised"] {
  const all = Object.entries({ ...compromised, [key.cakSecretId]: key });
  const gone = all.filter(([, { gone }]) => gone !== undefined).map(([id]) => id);
  const forgotten = new Set(gone.slice(0, Math.max(0, gone.length - goneMax)));
  return Object.fromEntries(all.filter(([id]) => !forgotten.has(id)));
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

/** Grows with each change of state or link; a new campaign begins a new list. */
function trailOf(memory: Memory, campaign: Campaign): readonly Move[] {
  const before = named(memory.campaigns, campaign.group);
  const isNew = before === undefined || (before.state === "done" && campaign.state === "queued");
  const known = isNew ? [] : (named(memory.trails, campaign.group) ?? []);
  if (!isNew && before.state === campaign.state && before.at === campaign.at) return known;
  const { since, state, reason } = campaign;
  const link = campaign.links[campaign.at]?.name ?? "";
  return [...known, { at: since, link, state, reason }].slice(-movesMax);
}

/** Looks up a name that comes from outside: `constructor`, for example, is not an entry. */
export function named<T>(all: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(all, name) ? all[name] : undefined;
}

function without<T>(all: Readonly<Record<string, T>>, name: string): Record<string, T> {
  return Object.fromEntries(Object.entries(all).filter(([key]) => key !== name));
}

/** Returns the key in `Memory.pending` of one tunnel; names have no space. */
export function pendingPlace(device: string, tunnel: string): string {
  return `${device} ${tunnel}`;
}

/** A transaction whose end is not known. */
export interface PendingChange {
  /** Its key in `Memory.pending`. */
  readonly place: string;
  /** The token by which the device recalls it. */
  readonly token: string;
  /** The tunnel that it sets up; undefined = it may change anything on the device. */
  readonly tunnel: string | undefined;
}

/** Returns the transactions of a device whose end is not known. */
export function pendingOn({ pending }: Memory, device: string): readonly PendingChange[] {
  return Object.entries(pending).flatMap(([place, token]) => {
    const [name, tunnel] = place.split(" ");
    return name === device ? [{ place, token, tunnel }] : [];
  });
}

/** Returns true if the end of a transaction is not known that may change this tunnel. */
export function isPending(memory: Memory, device: string, tunnel: string): boolean {
  return pendingOn(memory, device).some((one) => (one.tunnel ?? tunnel) === tunnel);
}

/** Returns the group's campaign if it has not ended. */
export function openCampaign(memory: Memory, group: string): Campaign | undefined {
  const campaign = named(memory.campaigns, group);
  return campaign === undefined || campaign.state === "done" ? undefined : campaign;
}

/** Returns the numbers of the accepted configs by which links, tunnels and campaigns were made. */
export function intentsInUse({ bindings, campaigns, tunnels }: Memory): ReadonlySet<number> {
  return new Set([
    ...Object.values(bindings).map(({ intent }) => intent),
    ...Object.values(campaigns).map(({ intent }) => intent),
    ...Object.values(tunnels),
  ]);
}
