// Requests of an operator to the agent as a whole, and the answers.

import type { Plan } from "../compare/plan.ts";
import type { Complaint } from "../config/index.ts";
import type { Signer } from "../model/signer.ts";
import type { AuditTrail } from "../store/audit/log.ts";

/** The answer to `linkseal apply`. */
export type ApplyAnswer =
  | { readonly kind: "refused"; readonly complaints: readonly Complaint[] }
  /** The plan changed since it was shown; `plan` is the new one. */
  | { readonly kind: "changed"; readonly plan: Plan }
  | { readonly kind: "busy"; readonly groups: readonly string[] }
  | { readonly kind: "queued" }
  | { readonly kind: "accepted"; readonly number: number; readonly plan: Plan };

export interface ApplyRequest {
  readonly text: string;
  readonly file: string;
  readonly who: string;
  /** The plan that the operator agreed to; absent = any plan is accepted. */
  readonly shown?: Plan;
  readonly queue: boolean;
}

export interface PageLogin {
  readonly url: string;
  /** Makes a login code that is valid once, for `validMs` milliseconds. */
  readonly code: () => { readonly code: string; readonly validMs: number };
}

export interface Evidence {
  readonly signer: Signer;
  readonly host: string;
  readonly read: () => Promise<AuditTrail>;
}
