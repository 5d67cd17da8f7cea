// Machines that lack a guard, or that read the port in another way, for the proof that the model
// catches them.

import type { ActionKind, Context, Guards, PortFacts } from "#agent/model/campaign.ts";
import { table } from "#agent/rotation/campaign.ts";
import { guards } from "#agent/rotation/guards.ts";
import type { Machine } from "./campaign-observation.ts";
import { realMachine } from "./campaign-space.ts";

export interface NamedGuard {
  readonly action: ActionKind;
  readonly name: string;
}

/** Returns all guards but this one. */
export function without({ action, name }: NamedGuard): Guards {
  return { ...guards, [action]: guards[action].filter((each) => each.name !== name) };
}

/** Returns a machine that sees what `change` makes of a port, in its guards or in its rows too. */
export function reading(
  change: (port: PortFacts) => PortFacts,
  what: "guards" | "rows and guards",
): Machine {
  const other = (context: Context): Context => {
    const port = context.port === undefined ? undefined : change(context.port);
    return { ...context, port, facts: { ...context.facts, port } };
  };
  const guarded = Object.entries(guards).map(([action, some]) => [
    action,
    some.map(({ name, holds }) => ({ name, holds: (one: Context) => holds(other(one)) })),
  ]);
  const rows = Object.entries(table).map(([state, some]) => [
    state,
    some.map((row) => ({ ...row, when: (context: Context) => row.when(other(context)) })),
  ]);
  const lesser = { ...realMachine, guards: Object.fromEntries(guarded) };
  return what === "guards" ? lesser : { ...lesser, table: Object.fromEntries(rows) };
}
