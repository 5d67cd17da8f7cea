// P7: the agent never reports more than it knows, nor a better state than the true one; and in the
// end it reports what is well.

import type { Instant } from "#hal/world.ts";
import type { LinkTruth, TunnelTruth } from "../base/truth.ts";
import type { Finding } from "./moment.ts";

/** The verdicts from best to worst, as `linkseal.status/1` orders them. */
const verdicts = ["protected", "degraded", "unknown", "down", "unprotected"] as const;
export type Verdict = (typeof verdicts)[number];

/** The part of `linkseal.status/1` that can be compared with the truth. */
export interface ReportedStatus {
  readonly verdict: Verdict;
  readonly groups: readonly {
    readonly name: string;
    readonly verdict: Verdict;
    readonly links: readonly { readonly name: string; readonly verdict: Verdict }[];
  }[];
  readonly tunnels: readonly { readonly name: string; readonly verdict: Verdict }[];
}

export interface ReportBounds {
  /** One poll, the settle time and the time until a silent device counts as stale. */
  readonly controlMs: number;
  /** The corresponding time for faults that only counters or a probe can show. */
  readonly dataMs: number;
  /** Without an observation for this long, the only honest verdict is unknown. */
  readonly staleMs: number;
  /** A state that is well for this long must be reported so. */
  readonly eventualMs: number;
}

type Badness = "degraded" | "down" | "unprotected";
const levels: readonly Badness[] = ["degraded", "down", "unprotected"];

interface Memory {
  /** The time since which the truth has been at least this bad, without a gap. */
  readonly atLeast: Map<Badness, Instant>;
  wellSince: Instant | undefined;
  knownAt: Instant | undefined;
  /**
   * The time since which an observation shows the fault, as MKA and light do; undefined if only
   * counters show it.
   */
  shownSince: Instant | undefined;
}

/**
 * The result of a check; a too pessimistic report is a nuisance but breaks no promise, so it is
 * kept apart.
 */
export interface Judgement {
  readonly findings: readonly Finding[];
  readonly late: readonly string[];
}

export class ReportJudge {
  readonly #bounds: ReportBounds;
  readonly #links = new Map<string, Memory>();
  readonly #tunnels = new Map<string, Memory>();

  constructor(bounds: ReportBounds) {
    this.#bounds = bounds;
  }

  /** Follows the truth, so that a report can be compared with how long a state has lasted. */
  see(links: readonly LinkTruth[], at: Instant): void {
    for (const link of links) {
      const memory = memoryIn(this.#links, link.id);
      // The far end's port may be shut while the router's own session is up.
      const content = link.secured || link.session.controlledPort === "secured";
      memory.shownSince = content && link.linkUp ? undefined : (memory.shownSince ?? at);
      follow(memory, truthOf(link), at);
    }
  }

  seeTunnels(tunnels: readonly TunnelTruth[], at: Instant): void {
    for (const tunnel of tunnels) {
      const memory = memoryIn(this.#tunnels, tunnel.name);
      follow(memory, tunnel.up && !tunnel.clearPath ? "protected" : "degraded", at);
    }
  }

  /**
   * Reports that an observation of the agent could read the session and the counters of this link.
   */
  known(link: string, at: Instant): void {
    memoryIn(this.#links, link).knownAt = at;
  }

  judge(status: ReportedStatus, at: Instant): Judgement {
    const findings: Finding[] = [...aggregates(status)];
    const late: string[] = [];
    for (const group of status.groups) {
      for (const link of group.links) {
        const id = `${group.name}/${link.name}`;
        const memory = this.#links.get(id);
        if (memory === undefined) continue;
        findings.push(...this.#stale(id, link.verdict, memory, at));
        findings.push(...tooGood(id, link.verdict, memory, at, this.#bounds));
        if (this.#tooLate(link.verdict, memory, at)) late.push(`${id} ${link.verdict}`);
      }
    }
    for (const { name, verdict } of status.tunnels) {
      const memory = this.#tunnels.get(name);
      if (memory === undefined) continue;
      findings.push(...tooGood(name, verdict, memory, at, this.#bounds));
      if (this.#tooLate(verdict, { ...memory, knownAt: at }, at)) late.push(`${name} ${verdict}`);
    }
    return { findings, late };
  }

  *#stale(id: string, verdict: Verdict, memory: Memory, at: Instant): Iterable<Finding> {
    if (verdict === "unknown") return;
    const age = memory.knownAt === undefined ? undefined : at - memory.knownAt;
    if (age !== undefined && age <= this.#bounds.staleMs) return;
    const observed = age === undefined ? "it was never read" : `its last reading is ${age} ms old`;
    const what = verdict === "protected" ? "stale read as protected" : `unknown read as ${verdict}`;
    yield { promise: "P7", event: `status says ${id} ${verdict}`, text: `${what}: ${observed}` };
  }

  #tooLate(verdict: Verdict, memory: Memory, at: Instant): boolean {
    if (verdict === "protected" || memory.wellSince === undefined) return false;
    const readable = memory.knownAt !== undefined && at - memory.knownAt <= this.#bounds.staleMs;
    return readable && at - memory.wellSince > this.#bounds.eventualMs;
  }
}

/** While MKA is up and frames do not arrive, "degraded" is the best honest verdict. */
function truthOf(link: LinkTruth): "protected" | Badness {
  if (link.secured) return link.carries && link.policy === "mustSecure" ? "protected" : "degraded";
  return link.carries ? "unprotected" : "down";
}

function memoryIn(memories: Map<string, Memory>, name: string): Memory {
  const memory = memories.get(name) ?? {
    atLeast: new Map(),
    wellSince: undefined,
    knownAt: undefined,
    shownSince: undefined,
  };
  memories.set(name, memory);
  return memory;
}

function follow(memory: Memory, truth: "protected" | Badness, at: Instant): void {
  memory.wellSince = truth === "protected" ? (memory.wellSince ?? at) : undefined;
  for (const level of levels) {
    if (rank(truth) < rank(level)) memory.atLeast.delete(level);
    else if (!memory.atLeast.has(level)) memory.atLeast.set(level, at);
  }
}

function rank(verdict: Verdict): number {
  return verdicts.indexOf(verdict);
}

function* tooGood(
  name: string,
  verdict: Verdict,
  memory: Memory,
  at: Instant,
  { controlMs, dataMs }: ReportBounds,
): Iterable<Finding> {
  // "unknown" claims nothing, so it is never better than the truth.
  if (verdict === "unknown") return;
  const worse = levels.find((level) => rank(level) > rank(verdict));
  const since = worse === undefined ? undefined : memory.atLeast.get(worse);
  if (since === undefined) return;
  const { shownSince } = memory;
  const shown = shownSince !== undefined && at - Math.max(since, shownSince) > controlMs;
  if (!shown && at - since <= dataMs) return;
  const event = `status says ${name} ${verdict}`;
  const text = `${name} is reported ${verdict} and has been ${worse} or worse for ${at - since} ms`;
  yield { promise: "P7", event, text };
}

function* aggregates(status: ReportedStatus): Iterable<Finding> {
  const wholes = status.groups.map(({ name, verdict, links }) => ({ name, verdict, parts: links }));
  const everything = [...status.groups, ...status.tunnels];
  wholes.push({ name: "the site", verdict: status.verdict, parts: everything });
  for (const { name, verdict, parts } of wholes) {
    const worst = Math.max(0, ...parts.map((part) => rank(part.verdict)));
    if (rank(verdict) >= worst) continue;
    const text = `${name} is reported ${verdict}, better than its part that is ${verdicts[worst]}`;
    yield { promise: "P7", event: `status says ${name} ${verdict}`, text };
  }
}
