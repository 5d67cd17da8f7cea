// Builds an agent on any World, real or simulated; the one list of its parts.

import { drivers } from "#drivers/index.ts";
import type { Secret } from "#hal/secret.ts";
import type { World } from "#hal/world.ts";
import { type LoadCredentials, RealCloud } from "../azure/real-cloud.ts";
import { simCloud } from "../azure/sim-cloud.ts";
import { signerOf } from "../evidence/report/sign.ts";
import type { Clouds } from "../model/cloud.ts";
import type { OnDecision } from "../model/decision.ts";
import { Agent } from "../runtime/agent.ts";
import type { AgentParts } from "../runtime/agent-shapes.ts";
import { AuditLog } from "../store/audit/log.ts";
import { IntentStore } from "../store/intent/intent.ts";
import { Journal } from "../store/journal/journal.ts";
import { refuseNewer } from "../store/journal/newer.ts";
import { recollect } from "../store/journal/stored.ts";

/** What binds journal, audit log and reports to one host. */
export interface Identity {
  /** Key of the hash chains of journal and audit log. */
  readonly hostKey: Secret;
  /** Private half of the key that signs reports: 32 octets. */
  readonly reportKey: Secret;
  /** The host's id, as `readHostId` returns it. */
  readonly host: string;
}

/**
 * Opens what a process reads before it does anything. The audit log is read first: it knows what
 * journal and accepted configs must have.
 * @throws LinksealError with `journal.*` and the next safe step; `journal.newer` if a newer version
 * wrote the journal
 */
export async function openRecords(
  world: World,
  { hostKey, reportKey, host }: Identity,
): Promise<Pick<AgentParts, "intents" | "journal" | "audit" | "signer" | "host">> {
  const chainKey = { key: hostKey, host };
  const audit = await AuditLog.open(world, chainKey);
  const { known } = audit;
  const { journal } = await Journal.open(world, { ...chainKey, knownSeq: known.journalSeq });
  refuseNewer(journal.records());
  const { bindings, campaigns } = recollect(journal.records());
  const isUsed = Object.keys({ ...bindings, ...campaigns }).length > 0;
  const intents = await IntentStore.open(world.disk, Math.max(known.intent, isUsed ? 1 : 0));
  return { intents, journal, audit, signer: signerOf(reportKey), host };
}

/**
 * Makes the clouds of configs: one sign-in serves every config with the same Azure settings,
 * planned or in force.
 */
export function cloudsOf(world: World, credentials: LoadCredentials): Clouds {
  const clouds = new Map<string, RealCloud>();
  return (azure) => {
    if (azure.cloud === "sim") return simCloud(world.dial, azure.vault);
    const key = JSON.stringify({ ...azure, farEnd: undefined, scopes: undefined });
    const cloud = clouds.get(key) ?? new RealCloud(world, azure, credentials);
    clouds.set(key, cloud);
    return cloud;
  };
}

/**
 * Opens intent and journal and builds the agent; it connects to no device.
 * @throws LinksealError with `journal.*` or `config.*` and the next safe step
 */
export async function openAgent(
  world: World,
  identity: Identity,
  clouds: Clouds,
  onDecision?: OnDecision,
): Promise<Agent> {
  const records = await openRecords(world, identity);
  const hook = onDecision === undefined ? {} : { onDecision };
  return new Agent({ world, drivers, clouds, ...records, ...hook });
}
