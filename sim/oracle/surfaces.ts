// What each surface of the agent says at one moment, and whether two of them contradict each other.

import type { Finding } from "./moment.ts";

/** The verdicts from best to worst, as `linkseal.status/1` orders them. */
export const verdicts = ["protected", "degraded", "unknown", "down", "unprotected"] as const;
/** One of `verdicts`. */
export type Verdict = (typeof verdicts)[number];

/** What a surface says of one thing; null = it says that this is not known. */
type Facts = {
  readonly verdict: Verdict;
} & Readonly<Record<string, unknown>>;

/** What one surface says of the site, a group, a link or a tunnel. */
export interface Claim {
  readonly kind: "site" | "group" | "link" | "tunnel";
  /** `site`, the group, `group/link`, or the tunnel's name. */
  readonly about: string;
  readonly facts: Facts;
}

/** The claims of each surface, all of one moment: status, links, page, metrics, ... */
export type Surfaces = Readonly<Record<string, readonly Claim[]>>;

interface Said<Value> {
  readonly surface: string;
  readonly value: Value;
}

/**
 * Returns each fact that one surface states otherwise than a surface before it, and each thing that
 * a surface leaves out although it speaks of others of that kind.
 */
export function contradictions(surfaces: Surfaces): readonly Finding[] {
  const first = new Map<string, Said<unknown>>();
  const findings: Finding[] = [];
  for (const [surface, claims] of Object.entries(surfaces)) {
    for (const { about, facts } of claims) {
      for (const [fact, value] of Object.entries(facts)) {
        const before = first.get(`${fact} of ${about}`);
        if (before === undefined) first.set(`${fact} of ${about}`, { surface, value });
        else if (before.value !== value)
          findings.push(
            differs(surface, about, fact, String(value), {
              ...before,
              value: String(before.value),
            }),
          );
      }
    }
  }
  return [...findings, ...omissions(surfaces)];
}

function differs(
  surface: string,
  about: string,
  fact: string,
  value: string,
  before: Said<string>,
): Finding {
  const event = `${surface} says ${about} ${fact} ${value}`;
  const text = `${about}: ${surface} says ${fact} ${value}, and ${before.surface} ${before.value}`;
  return { promise: "P7", event, text };
}

function* omissions(surfaces: Surfaces): Iterable<Finding> {
  const all = Object.values(surfaces).flat();
  for (const [surface, claims] of Object.entries(surfaces)) {
    for (const { kind, about } of all) {
      const isSpokenOf = claims.some((claim) => claim.kind === kind);
      if (!isSpokenOf || claims.some((claim) => claim.about === about)) continue;
      const event = `${surface} says nothing of ${about}`;
      yield { promise: "P7", event, text: `${surface} leaves out ${about}` };
    }
  }
}
