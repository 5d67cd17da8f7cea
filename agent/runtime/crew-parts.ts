// What the loops of one accepted intent are built from.

import type { PeerSecret } from "#hal/device.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { Instant, World } from "#hal/world.ts";
import type { MadeTunnel } from "../compare/tunnel-change.ts";
import type { Campaign } from "../model/campaign.ts";
import type { Cloud } from "../model/cloud.ts";
import type { DesiredLink, DesiredTunnel } from "../model/desired.ts";
import type { Alarm } from "../rotation/sibling.ts";
import type { Intent } from "../store/intent/intent.ts";
import type { JournalRecord, Memory } from "../store/journal/memory.ts";
import type { OnDecision } from "./campaigns/conductor.ts";
import type { LookoutParts } from "./polling/lookout.ts";
import type { Turns } from "./polling/turns.ts";

export interface CrewParts extends Omit<LookoutParts, "desired"> {
  readonly world: World;
  readonly intent: Intent;
  readonly vault: KeyVault;
  readonly memory: () => Memory;
  readonly write: (record: JournalRecord) => Promise<void>;
  readonly note: (campaign: Campaign) => void;
  /** Adds an event with severity warning. */
  readonly tell: (code: string, about: string, text: string) => void;
  readonly startedAt: Instant;
  /** By `group/link`: until when a put whose end was not seen may still land. */
  readonly graces: Map<string, Instant>;
  /** Runs after every look and every step: the place where health is judged. */
  readonly judge: () => void;
  /** What health says against leaning on a link; undefined = nothing. */
  readonly alarm: (link: DesiredLink) => Alarm | undefined;
  readonly onDecision: OnDecision | undefined;
  /** Writes are refused while it holds: the journal is not whole. */
  readonly readOnly: () => boolean;
  readonly turns: Turns;
  readonly made: MadeTunnel;
  readonly cloud: Cloud;
  readonly gatewayKey: (tunnel: DesiredTunnel) => PeerSecret | undefined;
}
