// The inputs of the health evaluator: the loops of the accepted intent, and the agent around them.

import type { LinksealError } from "#hal/error.ts";
import type { MadeTunnel } from "../../compare/tunnel-change.ts";
import type { DesiredLink } from "../../model/desired.ts";
import type { Reason } from "../../model/health.ts";
import type { AuditLog } from "../../store/audit/log.ts";
import type { Intent } from "../../store/intent/intent.ts";
import type { Journal } from "../../store/journal/journal.ts";
import type { Memory } from "../../store/journal/memory.ts";
import type { Unwritten } from "../../store/journal/state-watch.ts";
import type { Waiting } from "../campaigns/begin.ts";
import type { CompromisedKeys } from "../polling/compromised-keys.ts";
import type { DeviceCache } from "../polling/device-cache.ts";
import type { UsedUntil } from "../polling/key-poller.ts";
import type { LoopLag } from "../polling/loop-lag.ts";
import type { RightsReader } from "../polling/rights-reader.ts";
import type { TunnelProbes } from "../polling/tunnel-probes.ts";
import type { UnsavedCommits } from "../polling/unsaved-commits.ts";

/** The read-only side of the loops that serve one accepted intent. */
export interface SiteView {
  /** The accepted intent. */
  readonly intent: Intent;
  /** The newest observations, with their ages. */
  readonly deviceCache: DeviceCache;
  /** The rights of the agent's identity in Azure. */
  readonly rights: Pick<RightsReader, "report">;
  /** The commits that are not known to be saved. */
  readonly unsavedCommits: Pick<UnsavedCommits, "failure" | "left">;
  /** The proofs of the tunnels that back up links. */
  readonly tunnelProbes: TunnelProbes;
  /** The keys that were declared compromised, and where they are. */
  readonly compromisedKeys: Pick<CompromisedKeys, "places" | "unrecorded">;
  /** Keys, certificates and identities in use that expire. */
  readonly ends: readonly UsedUntil[];
  /** Why links of a group that need a key get none; undefined = nothing waits. */
  waiting(group: string): Waiting | undefined;
  /** The last failure of an effect on this device as a whole; undefined = it succeeded. */
  trouble(device: string): LinksealError | undefined;
  /** The failure of the last set-up or change of this tunnel; undefined = it succeeded. */
  trouble(device: string, tunnel: string): LinksealError | undefined;
  /** The last failures of effects on this link, and of those on its device as a whole. */
  troubles(link: DesiredLink): readonly LinksealError[];
}

/** The parts of the agent that are evaluated. */
export interface EvaluatedAgent {
  /** undefined = no intent is in force. */
  readonly supervisor: SiteView | undefined;
  /** The state that the journal's records add up to. */
  readonly memory: Memory;
  /** The accepted intent; undefined = none is in force. */
  readonly intent: Intent | undefined;
  /** Why the newest accepted config is not in force; undefined = it is. */
  readonly intentDamage: LinksealError | undefined;
  /** The config file as it is on the host; undefined = not read. */
  readonly fileText: string | undefined;
  /** How the journal ended when it was last read, such as `whole` or `corrupt`. */
  readonly journalState: Journal["state"];
  /** What of the audit log is overwritten next; undefined = nothing soon. */
  rollOver: AuditLog["rollOver"];
  /** Why the audit log takes no records; undefined = it takes them. */
  readonly auditTrouble: LinksealError | undefined;
  /** The size of the journal, and how many records it lacks. */
  readonly journal: Pick<Journal, "bytes" | "missing">;
  /** The last compaction of the journal; `trouble`: why it failed. */
  readonly compaction: { readonly trouble: LinksealError | undefined };
  /** How late the timers of this process ring. */
  readonly loopLag: Pick<LoopLag, "isOverload" | "ms">;
  /** The signed proposal for this site: what a person has to know of it. */
  readonly proposals: { warnings(): readonly Pick<Reason, "code" | "text">[] };
  /** The files of the state folder that cannot be written now. */
  readonly unwritten: readonly Unwritten[];
  /** A tunnel as it was last applied. */
  readonly made: MadeTunnel;
}
