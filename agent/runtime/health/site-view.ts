// What health is judged by: the loops of the accepted intent, and the agent around them.

import type { LinksealError } from "#hal/error.ts";
import type { MadeTunnel } from "../../compare/tunnel-change.ts";
import type { DesiredGroup } from "../../model/desired.ts";
import type { Intent } from "../../store/intent/intent.ts";
import type { Journal } from "../../store/journal/journal.ts";
import type { Memory } from "../../store/journal/memory.ts";
import type { Unwritten } from "../../store/journal/state-watch.ts";
import type { Waiting } from "../campaigns/begin.ts";
import type { BackupProofs } from "../polling/backup-proof.ts";
import type { UsedUntil } from "../polling/key-watch.ts";
import type { Lookout } from "../polling/lookout.ts";

/** The loops that serve one accepted intent, as far as they are read. */
export interface SiteView {
  readonly intent: Intent;
  readonly lookout: Lookout;
  readonly backupProofs: BackupProofs;
  /** What is in use and has a last day. */
  readonly ends: readonly UsedUntil[];
  /** Why the links of a group that want a key get none; undefined = they get one. */
  waiting(group: string): Waiting | undefined;
  /** The last failure of an effect of the loop of this device; undefined = it went well. */
  trouble(device: string): LinksealError | undefined;
  /** The last failures of effects on this group or its devices. */
  troubles(group: DesiredGroup): readonly LinksealError[];
}

/** What is judged of the agent as a whole. */
export interface JudgedAgent {
  /** undefined = no intent is served. */
  readonly crew: SiteView | undefined;
  readonly memory: Memory;
  readonly intent: Intent | undefined;
  /** Why the newest accepted config is not acted on; undefined = it is. */
  readonly intentDamage: LinksealError | undefined;
  /** The config file as it is on the host; undefined = not read. */
  readonly fileText: string | undefined;
  readonly journalState: Journal["state"];
  /** Why the audit log takes no records; undefined = it does. */
  readonly auditTrouble: LinksealError | undefined;
  readonly unwritten: readonly Unwritten[];
  readonly made: MadeTunnel;
}
