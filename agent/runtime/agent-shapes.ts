// The parts of the agent, the requests of an operator to it as a whole, and the answers.

import type { Driver } from "#hal/device.ts";
import type { World } from "#hal/world.ts";
import type { SitePlan } from "../compare/site-plan.ts";
import type { Complaint } from "../config/index.ts";
import type { User } from "../model/client.ts";
import type { Clouds } from "../model/cloud.ts";
import type { OnDecision } from "../model/decision.ts";
import type { Signer } from "../model/signer.ts";
import type { AuditLog, AuditTrail } from "../store/audit/log.ts";
import type { IntentStore } from "../store/intent/intent.ts";
import type { Entry } from "../store/journal/chain.ts";
import type { Journal } from "../store/journal/journal.ts";

/** The parts from which an agent is built. */
export interface AgentParts {
  /** Clock, randomness, disk, dialer and log. */
  readonly world: World;
  /** The router drivers, by name. */
  readonly drivers: Readonly<Record<string, Driver>>;
  /** Connects to the Azure cloud of a config. */
  readonly clouds: Clouds;
  /** The accepted configs. */
  readonly intents: IntentStore;
  /** The durable record of effects. */
  readonly journal: Journal;
  /** The signed record of verdicts and changes. */
  readonly audit: AuditLog;
  /** Signs reports. */
  readonly signer: Signer;
  /** The id of this host, as journal and audit log name it. */
  readonly host: string;
  /** Called for each decision of a campaign; absent = no storm runs. */
  readonly onDecision?: OnDecision;
}

/** The answer to `linkseal apply`. */
export type ApplyAnswer =
  | { readonly kind: "refused"; readonly complaints: readonly Complaint[] }
  /** The plan changed since it was agreed to; `since` says how, `plan` is the new one. */
  | { readonly kind: "changed"; readonly since: readonly string[]; readonly plan: SitePlan }
  | { readonly kind: "busy"; readonly groups: readonly string[] }
  | { readonly kind: "queued" }
  /** The text is in force already, as that number, or waits already; nothing was done. */
  | { readonly kind: "unchanged"; readonly number: number | null }
  | { readonly kind: "accepted"; readonly number: number; readonly plan: SitePlan };

export interface ApplyRequest {
  readonly text: string;
  readonly file: string;
  readonly who: string;
  /** The plan that the operator agreed to; absent = any plan is accepted. */
  readonly shown?: Pick<SitePlan, "agreed">;
  readonly queue: boolean;
  /**
   * A proposal: `of` is the number of the config that it replaces and no other, and `begin` runs
   * just before it is accepted; if that throws, nothing is.
   */
  readonly instead?: { readonly of: number; readonly begin: () => Promise<void> };
}

export interface PageLogin {
  readonly url: string;
  /**
   * Makes a login code that is valid once, for `validMs` milliseconds; `user`: the one who asks.
   */
  readonly code: (user?: User) => { readonly code: string; readonly validMs: number };
}

/** The audit records, and what signs the reports that are made of them. */
export interface Evidence {
  /** Signs reports. */
  readonly signer: Signer;
  /** The id of this host, as the records name it. */
  readonly host: string;
  /** Reads all records on the disk. */
  readonly read: () => Promise<AuditTrail>;
  /** The newest records of the audit log, for readers that follow it. */
  readonly audit: Pick<AuditLog, "after" | "newestSeq">;
  /**
   * Writes a record whose number and MAC are for another log; if nothing was written since the last
   * one, returns that one. undefined = nothing can be written now.
   */
  readonly head: () => Promise<Pick<Entry, "seq" | "at" | "mac"> | undefined>;
}
