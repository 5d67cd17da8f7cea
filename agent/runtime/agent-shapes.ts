// What an operator asks of the agent as a whole, and what comes back.

import type { Plan } from "../compare/plan.ts";
import type { Complaint } from "../config/index.ts";
import type { Signer } from "../model/signer.ts";
import type { AuditTrail } from "../store/audit/log.ts";

export type ApplyAnswer =
  | { readonly kind: "refused"; readonly complaints: readonly Complaint[] }
  /** The world is not as it was when the plan was shown: look at this one. */
  | { readonly kind: "changed"; readonly plan: Plan }
  | { readonly kind: "busy"; readonly groups: readonly string[] }
  | { readonly kind: "queued" }
  | { readonly kind: "accepted"; readonly number: number; readonly plan: Plan };

export interface ApplyRequest {
  readonly text: string;
  readonly file: string;
  readonly who: string;
  /** The plan that the person agreed to; absent = agreed to whatever it is. */
  readonly shown?: Plan;
  readonly queue: boolean;
}

export interface PageDoor {
  readonly url: string;
  /** A fresh code, good once. */
  readonly code: () => { readonly code: string; readonly validMs: number };
}

export interface Evidence {
  readonly signer: Signer;
  readonly host: string;
  readonly read: () => Promise<AuditTrail>;
}
