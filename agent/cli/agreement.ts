// An operator agrees to a plan that was shown, or nothing is stored.

import type { SitePlan } from "../compare/site-plan.ts";
import type { ApplyAnswer } from "../runtime/agent-shapes.ts";

export interface Table {
  show(plan: SitePlan, why: "first" | "changed"): void;
  /** Asks the operator; true = yes to the plan that was shown last. */
  ask(): Promise<boolean>;
  push(shown: SitePlan): Promise<ApplyAnswer>;
}

/** Shows and asks again as long as the plan changes meanwhile; undefined = the operator said no. */
export async function agree(first: SitePlan, table: Table): Promise<ApplyAnswer | undefined> {
  let plan = first;
  table.show(plan, "first");
  while (await table.ask()) {
    const answer = await table.push(plan);
    if (answer.kind !== "changed") return answer;
    plan = answer.plan;
    table.show(plan, "changed");
  }
  return undefined;
}
