// A person agrees to a plan that was shown, or nothing is stored.

import type { Plan } from "../compare/plan.ts";
import type { ApplyAnswer } from "../runtime/agent-shapes.ts";

export interface Table {
  show(plan: Plan, why: "first" | "changed"): void;
  /** Whether the person says yes to what was shown last. */
  ask(): Promise<boolean>;
  push(shown: Plan): Promise<ApplyAnswer>;
}

/** Shows and asks again while the world moves; undefined = the person said no. */
export async function agree(first: Plan, table: Table): Promise<ApplyAnswer | undefined> {
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
