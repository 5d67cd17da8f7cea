// What Azure grants an identity at a scope: the entries of `Microsoft.Authorization/permissions`
// (Permissions, List For Resource, 2022-04-01), and whether they contain an action. It is pure.
//
// Deny assignments are not in these entries, so a right that is granted here may still be refused.

/** What one role gives at a scope. */
export interface Permission {
  /** Patterns of actions; `*` stands for any text. */
  readonly actions: readonly string[];
  /** Patterns of actions that this role does not give; another role may. */
  readonly notActions: readonly string[];
  /** A condition may restrict the role to some resources. */
  readonly isConditional: boolean;
}

/** Limits of one page; real roles have some hundred patterns of at most 200 characters. */
const entriesMax = 500;
const patternsMax = 5_000;
const patternLengthMax = 500;

/** Returns the entries of one page; undefined = it is not a list of permissions. */
export function permissionsIn(document: unknown): readonly Permission[] | undefined {
  const list = fieldOf(document, "value");
  if (!Array.isArray(list) || list.length > entriesMax) return undefined;
  const found = list.map(permissionOf);
  return found.some((each) => each === undefined)
    ? undefined
    : found.filter((each) => each !== undefined);
}

function permissionOf(entry: unknown): Permission | undefined {
  if (typeof entry !== "object" || entry === null) return undefined;
  const actions = patternsOf(fieldOf(entry, "actions"));
  const notActions = patternsOf(fieldOf(entry, "notActions"));
  if (actions === undefined || notActions === undefined) return undefined;
  const condition = fieldOf(entry, "condition");
  const isConditional = condition !== undefined && condition !== null && condition !== "";
  return { actions, notActions, isConditional };
}

/** An absent list is empty; a list that is not understood in whole is not understood. */
function patternsOf(list: unknown): readonly string[] | undefined {
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list) || list.length > patternsMax) return undefined;
  const isPattern = (each: unknown): each is string =>
    typeof each === "string" && each.length <= patternLengthMax;
  return list.every(isPattern) ? list : undefined;
}

function fieldOf(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[key];
}

/**
 * Returns whether the entries give an action. An entry gives it if one of its `actions` matches and
 * none of the same entry's `notActions` does; the rights of all entries add up. `conditional` =
 * only entries with a condition give it.
 */
export function grantOf(
  entries: readonly Permission[],
  action: string,
): "held" | "missing" | "conditional" {
  const giving = entries.filter(
    ({ actions, notActions }) =>
      actions.some((pattern) => matchesAction(pattern, action)) &&
      !notActions.some((pattern) => matchesAction(pattern, action)),
  );
  if (giving.length === 0) return "missing";
  return giving.some(({ isConditional }) => !isConditional) ? "held" : "conditional";
}

/**
 * Returns whether a pattern matches an action, case ignored: `*` stands for any text, slashes
 * included and none as well. A star between two slashes matches one slash too: so the role Managed
 * Identity Operator gives `userAssignedIdentities/assign/action`. The time is at most the product
 * of both lengths.
 */
export function matchesAction(pattern: string, action: string): boolean {
  const [wanted, text] = [pattern.toLowerCase(), action.toLowerCase()];
  let places = new Set<number>();
  arrive(wanted, places, 0);
  for (const character of text) {
    const next = new Set<number>();
    for (const at of places) {
      if (wanted[at] === character) arrive(wanted, next, at + 1);
      if (wanted[at] !== "*") continue;
      next.add(at);
      arrive(wanted, next, at + 1);
    }
    places = next;
  }
  return places.has(wanted.length);
}

/** Adds a place of a pattern, and those that are reached from it without a character. */
function arrive(pattern: string, places: Set<number>, at: number): void {
  for (let place = at; ; ) {
    places.add(place);
    if (pattern[place] !== "*") return;
    places.add(place + 1);
    // What came before is a slash, and so the star may take the next one with it.
    place += pattern[place - 1] === "/" && pattern[place + 1] === "/" ? 2 : 1;
  }
}
