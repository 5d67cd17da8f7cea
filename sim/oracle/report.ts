// P7: the agent never reports more than it knows, nor a better state than the true one, on any of
// its surfaces; and in the end it reports what is well.

import type { Ckn } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import type { LinkTruth, TunnelTruth } from "../base/truth.ts";
import { type Finding, shortCkn } from "./moment.ts";
import { type Claim, type Verdict, verdicts } from "./surfaces.ts";

/** The part of `linkseal.status/1` that can be compared with the truth. */
export interface ReportedStatus {
  readonly verdict: Verdict;
  readonly groups: readonly {
    readonly name: string;
    readonly verdict: Verdict;
    readonly links: readonly {
      readonly name: string;
      readonly verdict: Verdict;
      /** CKN of the key that MKA uses; null or absent = not known. */
      readonly keyInUse?: string | null;
    }[];
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
  /** The readable frames under MACsec so far, and when the last of them was seen. */
  readable: { readonly frames: bigint; readonly at: Instant | undefined } | undefined;
  /** The keys that were MKA's principal at the router, each with the last time. */
  readonly principals: Map<Ckn | undefined, Instant>;
  /** The times in which it was not protected, the oldest first; `to` undefined = it lasts. */
  readonly losses: { readonly from: Instant; to: Instant | undefined }[];
}

/** A time for which a report says that a link or tunnel was protected. */
export interface ProtectedSpan {
  /** `group/link`, or the tunnel's name. */
  readonly about: string;
  readonly from: Instant;
  readonly to: Instant;
}

/** A link on which a readable frame passed is readable for this long: slow flows have gaps. */
const readableMs = 10_000;

/** The newest losses of each link and tunnel that reports of the past are compared with. */
const lossesMax = 1_000;

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
      memory.principals.set(link.session.principalCkn, at);
      const before = memory.readable;
      const rose = before !== undefined && link.readableFrames > before.frames;
      memory.readable = { frames: link.readableFrames, at: rose ? at : before?.at };
      const readableAt = memory.readable.at;
      const isReadable = readableAt !== undefined && at - readableAt <= readableMs;
      follow(memory, isReadable ? "unprotected" : truthOf(link), at);
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
        const { verdict, keyInUse } = link;
        const claim = { kind: "link", about: id, facts: { verdict, keyInUse } } as const;
        findings.push(...this.#judgeOne("status", claim, at));
        if (this.#tooLate(link.verdict, memory, at)) late.push(`${id} ${link.verdict}`);
      }
    }
    for (const { name, verdict } of status.tunnels) {
      const memory = this.#tunnels.get(name);
      if (memory === undefined) continue;
      const facts = { verdict };
      findings.push(...this.#judgeOne("status", { kind: "tunnel", about: name, facts }, at));
      if (this.#tooLate(verdict, { ...memory, knownAt: at }, at)) late.push(`${name} ${verdict}`);
    }
    return { findings, late };
  }

  /** Compares what a surface says of links and tunnels with the truth. */
  judgeClaims(surface: string, claims: readonly Claim[], at: Instant): readonly Finding[] {
    return claims.flatMap((claim) => [...this.#judgeOne(surface, claim, at)]);
  }

  /** Compares the times that a report calls protected with the losses that it must show. */
  judgePast(spans: readonly ProtectedSpan[]): readonly Finding[] {
    return spans.flatMap(({ about, from, to }): Finding[] => {
      const memory = this.#links.get(about) ?? this.#tunnels.get(about);
      const hidden = (memory?.losses ?? []).map((loss) => {
        const end = Math.min(to, loss.to ?? to);
        return end - Math.max(from, loss.from);
      });
      const mostMs = Math.max(0, ...hidden);
      if (mostMs <= this.#bounds.controlMs) return [];
      const text = `${about} is reported protected for ${mostMs} ms in which it was not`;
      return [{ promise: "P7", event: `report says ${about} protected`, text }];
    });
  }

  *#judgeOne(surface: string, { kind, about, facts }: Claim, at: Instant): Iterable<Finding> {
    const memory = (kind === "tunnel" ? this.#tunnels : this.#links).get(about);
    if (memory === undefined || kind === "site" || kind === "group") return;
    const event = `${surface} says ${about} ${facts.verdict}`;
    if (kind === "link") yield* this.#stale(event, facts.verdict, memory, at);
    yield* tooGood(event, about, facts.verdict, memory, at, this.#bounds);
    const { keyInUse } = facts;
    if (typeof keyInUse !== "string") return;
    const last = memory.principals.get(keyInUse as Ckn);
    if (last !== undefined && at - last <= this.#bounds.staleMs) return;
    const when = last === undefined ? "it never was" : `it was last so ${at - last} ms ago`;
    const text = `${about} is reported to use key ${shortCkn(keyInUse as Ckn)}: ${when}`;
    yield { promise: "P7", event, text };
  }

  *#stale(event: string, verdict: Verdict, memory: Memory, at: Instant): Iterable<Finding> {
    if (verdict === "unknown") return;
    const age = memory.knownAt === undefined ? undefined : at - memory.knownAt;
    if (age !== undefined && age <= this.#bounds.staleMs) return;
    const observed = age === undefined ? "it was never read" : `its last reading is ${age} ms old`;
    const what = verdict === "protected" ? "stale read as protected" : `unknown read as ${verdict}`;
    yield { promise: "P7", event, text: `${what}: ${observed}` };
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
    readable: undefined,
    principals: new Map(),
    losses: [],
  };
  memories.set(name, memory);
  return memory;
}

function follow(memory: Memory, truth: "protected" | Badness, at: Instant): void {
  memory.wellSince = truth === "protected" ? (memory.wellSince ?? at) : undefined;
  const loss = memory.losses.at(-1);
  const isLasting = loss !== undefined && loss.to === undefined;
  if (truth === "protected" && isLasting) loss.to = at;
  else if (truth !== "protected" && !isLasting) memory.losses.push({ from: at, to: undefined });
  if (memory.losses.length > lossesMax) memory.losses.shift();
  for (const level of levels) {
    if (rank(truth) < rank(level)) memory.atLeast.delete(level);
    else if (!memory.atLeast.has(level)) memory.atLeast.set(level, at);
  }
}

function rank(verdict: Verdict): number {
  return verdicts.indexOf(verdict);
}

function* tooGood(
  event: string,
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
