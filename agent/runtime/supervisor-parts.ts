// The parts from which the loops of one accepted intent are built.

import type { PeerSecret } from "#hal/device.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { Instant, World } from "#hal/world.ts";
import type { MadeTunnel } from "../compare/tunnel-change.ts";
import type { Campaign } from "../model/campaign.ts";
import type { Cloud } from "../model/cloud.ts";
import type { DesiredLink, DesiredTunnel } from "../model/desired.ts";
import type { ReportEvent } from "../model/events.ts";
import type { Alarm } from "../rotation/sibling.ts";
import type { Intent } from "../store/intent/intent.ts";
import type { JournalRecord, Memory } from "../store/journal/memory.ts";
import type { PermitCache } from "./campaigns/permit-cache.ts";
import type { OnDecision } from "./campaigns/rotation-runner.ts";
import type { DeviceCacheParts } from "./polling/device-cache.ts";
import type { KeyedMutex } from "./polling/keyed-mutex.ts";
import type { ReadBudget } from "./polling/read-budget.ts";

export interface SupervisorParts extends Omit<DeviceCacheParts, "desired" | "rights"> {
  readonly world: World;
  readonly intent: Intent;
  readonly vault: KeyVault;
  readonly memory: () => Memory;
  readonly write: (record: JournalRecord) => Promise<void>;
  readonly note: (campaign: Campaign) => void;
  readonly report: ReportEvent;
  readonly startedAt: Instant;
  /** Runs after every observation and every step, to evaluate health. */
  readonly evaluateHealth: () => void;
  /** Why health advises against relying on a link; undefined = no reason. */
  readonly alarm: (link: DesiredLink) => Alarm | undefined;
  readonly onDecision: OnDecision | undefined;
  readonly permits: PermitCache;
  /** True while the journal is not whole: writes are refused. */
  readonly readOnly: () => boolean;
  readonly mutex: KeyedMutex;
  /** The requests to Azure that reports may cause. */
  readonly readBudget: ReadBudget;
  readonly made: MadeTunnel;
  readonly cloud: Cloud;
  readonly gatewayKey: (tunnel: DesiredTunnel) => PeerSecret | undefined;
}
