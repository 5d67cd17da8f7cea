// What the machines of links and of tunnels have in common: rows of a state, the first one that
// fits, and the conditions without which an action may not run.

/** A condition without which an action may not run. */
export interface GuardOf<Seen> {
  /** What must hold, in words. */
  readonly name: string;
  /** Returns true if the action may run. */
  readonly holds: (seen: Seen) => boolean;
}

/** A row of a state's table, apart from the reason that it gives. */
export interface RuleOf<Seen, State extends string, Action extends string> {
  readonly when: (seen: Seen) => boolean;
  readonly next: State;
  /** The effect to run; the row fits only if the guards of its action hold as well. */
  readonly action?: Action;
}

/** The guards of each action; all of them must hold. */
export type GuardsOf<Seen, Action extends string> = Readonly<
  Record<Action, readonly GuardOf<Seen>[]>
>;

/** Returns the first row that fits what was seen; undefined = none does. */
export function fitting<
  Seen,
  Action extends string,
  Row extends Pick<RuleOf<Seen, string, Action>, "when" | "action">,
>(rows: readonly Row[], guards: GuardsOf<Seen, Action>, seen: Seen): Row | undefined {
  const may = (action: Action): boolean => guards[action].every(({ holds }) => holds(seen));
  return rows.find(({ when, action }) => when(seen) && (action === undefined || may(action)));
}
