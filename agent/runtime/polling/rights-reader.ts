// Asks Azure which rights the agent's identity has at the scopes that a change needs, and keeps the
// answers for a while: a right that is missing must be known before a link is drained.

import { armVersions } from "#drivers/azure/api-versions.ts";
import { withDeadline } from "#hal/deadline.ts";
import type { PeerState } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { Instant, World } from "#hal/world.ts";
import { type NeededRight, type RightGate, rightsOf } from "../../compare/azure-rights.ts";
import { grantOf, type Permission, permissionsIn } from "../../compare/permissions.ts";
import { type DocumentPage, nextPage, type ReadDocument } from "../../model/azure-document.ts";
import { type Judgement, judge, type Sight, seen, seenIf, unseenFor } from "../../model/claims.ts";
import type { Desired, DesiredLink } from "../../model/desired.ts";
import type { MissingRight, RightsReport, UnreadScope } from "../../model/rights-report.ts";

export interface RightsReaderParts {
  readonly world: Pick<World, "clock">;
  readonly desired: Desired;
  /** undefined = the cloud has no management API, and nothing is asked. */
  readonly document: ReadDocument | undefined;
  /** The far end of a link as it was last read; undefined = never read. */
  readonly peer: (link: DesiredLink) => PeerState | undefined;
}

/** The change whose rights are asked for: a campaign of a group, or the key of a tunnel. */
export type RightsOf =
  | { readonly kind: "campaign"; readonly group: string }
  | { readonly kind: "preSharedKey"; readonly tunnel: string };

type Why = Omit<UnreadScope, "scope">;

/** What is known of one scope. */
interface ScopeAnswer {
  readonly triedAt: Instant;
  /** The newest entries, and when they were read; undefined = none, or too old. */
  readonly entries: { readonly list: readonly Permission[]; readonly at: Instant } | undefined;
  /** Why the last question failed; undefined = it did not. */
  readonly failure: Why | undefined;
}

/** The age of an answer, in milliseconds, at which it is asked for again. */
export const rightsMs = {
  /** Before a link is taken, or a key given. */
  urgent: 60_000,
  atRest: 600_000,
} as const;
/** An answer outlives failed questions for this long, in milliseconds: throttling ends by then. */
const entriesMsMax = 900_000;
const readMsMax = 10_000;
const pagesMax = 20;
const { version } = armVersions.permissions;
const below = "/providers/Microsoft.Authorization/permissions";

/** Reads and keeps the rights of the agent's identity. */
export class RightsReader {
  readonly #parts: RightsReaderParts;
  /** What a change needs, by the change. */
  readonly #needed: ReadonlyMap<string, readonly NeededRight[]>;
  readonly #answers = new Map<string, ScopeAnswer>();

  constructor(parts: RightsReaderParts) {
    this.#parts = parts;
    const gated = rightsOf(parts.desired).filter(({ gate }) => gate.kind !== "nothing");
    this.#needed = Map.groupBy(gated, ({ gate }) => nameOf(gate));
  }

  /** Asks at every scope of a change whose answer is older than `everyMs`. */
  async refresh(of: RightsOf, everyMs: number, signal: AbortSignal): Promise<void> {
    const { document, world } = this.#parts;
    if (document === undefined) return;
    const due = this.scopesOf(of).filter((scope) => {
      const triedAt = this.#answers.get(scope.toLowerCase())?.triedAt;
      return triedAt === undefined || world.clock.now() - triedAt >= everyMs;
    });
    await Promise.all(due.map((scope) => this.#ask(document, scope, signal)));
  }

  /**
   * Returns what is known of the rights of a change; undefined = it needs none, or they were never
   * asked for.
   */
  report(of: RightsOf): RightsReport | undefined {
    const asked = this.scopesOf(of).filter((scope) => this.#answers.has(scope.toLowerCase()));
    if (asked.length === 0) return undefined;
    const missing: MissingRight[] = [];
    const unknown = new Map<string, UnreadScope>();
    for (const right of this.#rightsOf(of)) {
      const ids = this.#idsOf(right);
      for (const id of ids.length === 0 ? [undefined] : ids) {
        const scope = id ?? placeOf(right);
        const found = this.#judge(id, right.action);
        if (found.kind === "refuted") missing.push({ action: right.action, scope });
        if (found.kind !== "unknown" || unknown.has(scope.toLowerCase())) continue;
        unknown.set(scope.toLowerCase(), { scope, ...found.why });
      }
    }
    return { missing, unknown: [...unknown.values()] };
  }

  /** Forgets the answers for a change that Azure refused: they are asked for at the next need. */
  forget(of: RightsOf): void {
    for (const scope of this.scopesOf(of)) this.#answers.delete(scope.toLowerCase());
  }

  #rightsOf(of: RightsOf): readonly NeededRight[] {
    return this.#needed.get(nameOf(of)) ?? [];
  }

  /** Returns the scopes at which the rights of a change are asked for, one request each. */
  scopesOf(of: RightsOf): readonly string[] {
    return distinct(this.#rightsOf(of).flatMap((right) => this.#idsOf(right)));
  }

  /** Returns the ids of a scope; empty = the port's document does not name them yet. */
  #idsOf({ scope }: NeededRight): readonly string[] {
    switch (scope.kind) {
      case "resource":
      case "resourceGroup":
        return [scope.id];
      case "identityOfPort":
        return distinct(this.#detailsOf(scope.port)?.identities ?? []);
      case "circuitsOfPort":
        return this.#detailsOf(scope.port)?.circuits ?? [];
      case "vault":
        return [];
    }
  }

  #detailsOf(port: string): PeerState["details"] {
    const { desired, peer } = this.#parts;
    const links = desired.groups.filter(({ expressRoutePort }) => expressRoutePort === port);
    const states = links.flatMap((group) => group.links.map((link) => peer(link)?.details));
    return states.find((details) => details !== undefined);
  }

  #judge(scope: string | undefined, action: string): Judgement<"right-present", Why> {
    return judge<"right-present", Why>("right-present", {
      named: () => (scope === undefined ? unseenFor(unnamed) : seen),
      granted: () => this.#granted(scope ?? "", action),
    });
  }

  #granted(scope: string, action: string): Sight<Why> {
    const { entries, failure } = this.#answers.get(scope.toLowerCase()) ?? {};
    const oldest = this.#parts.world.clock.now() - entriesMsMax;
    if (entries === undefined || entries.at < oldest) return unseenFor(failure ?? notAsked);
    const grant = grantOf(entries.list, action);
    return grant === "conditional" ? unseenFor(conditional) : seenIf(grant === "held", notGranted);
  }

  async #ask(document: ReadDocument, scope: string, signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts.world;
    const key = scope.toLowerCase();
    const triedAt = clock.now();
    const before = this.#answers.get(key)?.entries;
    const kept = before !== undefined && triedAt - before.at < entriesMsMax ? before : undefined;
    // Two loops may ask: the question counts from its beginning.
    this.#answers.set(key, { triedAt, entries: kept, failure: this.#answers.get(key)?.failure });
    try {
      const limit = { ms: readMsMax, where: scope, effect: "none" } as const;
      const list = await withDeadline(clock, limit, signal, (bounded) =>
        readPermissions(document, scope, bounded),
      );
      this.#answers.set(key, { triedAt, entries: { list, at: clock.now() }, failure: undefined });
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      // A refusal is an answer; what only keeps us from asking leaves the last answer in force.
      const isRefusal = error.code === "peer.denied" || error.code === "peer.rejected";
      const failure = { why: error.message, next: error.next };
      this.#answers.set(key, { triedAt, entries: isRefusal ? undefined : kept, failure });
    }
  }
}

/** Names a change. */
function nameOf(gate: RightGate): string {
  switch (gate.kind) {
    case "campaign":
      return `campaign ${gate.group}`;
    case "preSharedKey":
      return `preSharedKey ${gate.tunnel}`;
    case "nothing":
      return "nothing";
  }
}

/** Azure writes one id in several cases. */
function distinct(ids: readonly string[]): readonly string[] {
  const lower = ids.map((id) => id.toLowerCase());
  return ids.filter((_id, index) => lower.indexOf(lower[index] ?? "") === index);
}

/** The port whose document would name a scope, or the scope itself. */
const placeOf = ({ scope }: NeededRight): string =>
  "port" in scope ? scope.port : "id" in scope ? scope.id : scope.url;

const notAsked: Why = { why: "they were not asked for in 15 minutes", next: "linkseal status" };
const unnamed: Why = { why: "no document of the port names its identity", next: "linkseal doctor" };
const notGranted: Why = { why: "no role gives it", next: "linkseal doctor" };
const conditional: Why = {
  why: "a condition of the role decides, which linkseal does not evaluate",
  next: "give a right that a campaign needs by a role without a condition",
};

/**
 * Reads all pages of the permissions at a scope. An abort leaves nothing behind.
 * @throws LinksealError `peer.*` or `vault.*` with effect "none", also for an answer that is not
 * understood in whole.
 */
export async function readPermissions(
  document: ReadDocument,
  scope: string,
  signal: AbortSignal,
): Promise<readonly Permission[]> {
  const found: Permission[] = [];
  const path = `${scope}${below}`;
  let page: DocumentPage | undefined = { path, query: { "api-version": version } };
  for (let count = 0; page !== undefined; count += 1) {
    if (count === pagesMax) throw odd(scope, "the list of rights has too many pages");
    // The last characters are those of the same list, whatever case Azure writes the rest in.
    if (!page.path.toLowerCase().endsWith(below.toLowerCase())) {
      throw odd(scope, "the list of rights goes on in another document");
    }
    const answer: unknown = await document(page.path, page.query, signal);
    const entries = permissionsIn(answer);
    if (entries === undefined) throw odd(scope, "the list of rights is not understood");
    found.push(...entries);
    page = nextPage(linkIn(answer));
  }
  return found;
}

function linkIn(answer: unknown): unknown {
  const isObject = typeof answer === "object" && answer !== null;
  return isObject && "nextLink" in answer ? answer.nextLink : undefined;
}

function odd(scope: string, text: string): LinksealError {
  const where = scope.split("/").at(-1) ?? scope;
  const next = "linkseal doctor";
  return new LinksealError("peer.rejected", text, { effect: "none", where, next });
}
