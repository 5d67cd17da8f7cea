// What makes a rotation begin by itself, and when a person has to do something about a key.

import type { KeyRef } from "#hal/model.ts";
import { type WallTime, wallAfter } from "#hal/world.ts";
import type { Freeze, RotatePolicy } from "../model/desired.ts";
import { windowAt } from "./window.ts";

export interface DatedKey {
  readonly key: KeyRef;
  /** When the vault made the CAK version. */
  readonly created: WallTime;
}

export interface RotationInput {
  readonly policy: RotatePolicy;
  readonly freezes: readonly Freeze[];
  readonly links: readonly {
    readonly name: string;
    /** The key that the link runs on; undefined before it was enrolled or adopted. */
    readonly bound: DatedKey | undefined;
    /** The newest version in the vault that may be used. */
    readonly newest: DatedKey | undefined;
  }[];
  readonly wall: WallTime;
}

export type RotationDue =
  | { readonly kind: "due"; readonly links: readonly string[] }
  | { readonly kind: "notYet"; readonly why: NotYet; readonly at: WallTime | undefined }
  /** A person makes a key, or begins. `lacking`: the links for which no newer key waits. */
  | {
      readonly kind: "overdue";
      readonly links: readonly string[];
      readonly lacking: readonly string[];
    };

/** `byHand`: a person begins; `younger`: the keys in use are younger than `maxAge`. */
type NotYet = "window" | "byHand" | "noNewerKey" | "younger";

interface BoundLink {
  readonly name: string;
  readonly bound: DatedKey;
  readonly hasNewer: boolean;
  /** When the key gets too old; undefined without a `maxAge`. */
  readonly agesAt: WallTime | undefined;
}

/** Returns the links whose rotation is due now, or why none is. */
export function rotationDue(input: RotationInput): RotationDue {
  const { policy, freezes, wall } = input;
  const links = boundLinks(input);
  const due = namesOf(links.filter((link) => isDue(policy, link, wall)));
  if (due.length > 0) {
    const window = windowAt(policy.windows, freezes, wall);
    return window.kind === "open"
      ? { kind: "due", links: due }
      : { kind: "notYet", why: "window", at: window.opensAt };
  }
  const old = links.filter((link) => isOld(link, wall));
  if (old.length === 0) return waiting(policy, links);
  const lacking = old.filter(({ hasNewer }) => !hasNewer);
  return { kind: "overdue", links: namesOf(old), lacking: namesOf(lacking) };
}

const jitterMaxMs = 600_000;

/**
 * Returns a time from 0 up to `mostMs`, drawn from the octets. The default spreads beginnings, so
 * that a new key in the vault does not start every group at once.
 */
export function jitterMs(entropy: Uint8Array, mostMs = jitterMaxMs): number {
  const fraction = entropy.reduceRight((sum, octet) => (sum + octet) / 256, 0);
  return Math.floor(fraction * mostMs);
}

function boundLinks({ policy, links }: RotationInput): readonly BoundLink[] {
  const { maxAgeMs } = policy;
  return links.flatMap(({ name, bound, newest }) => {
    if (bound === undefined) return [];
    const agesAt = maxAgeMs === undefined ? undefined : wallAfter(bound.created, maxAgeMs);
    return [{ name, bound, hasNewer: isNewer(bound, newest), agesAt }];
  });
}

// When the bound version is disabled an older one is the newest: policy never goes back by itself.
function isNewer(bound: DatedKey, newest: DatedKey | undefined): boolean {
  if (newest === undefined || newest.created < bound.created) return false;
  return (
    newest.key.cakSecretId !== bound.key.cakSecretId ||
    newest.key.cknSecretId !== bound.key.cknSecretId
  );
}

function isOld({ agesAt }: BoundLink, wall: WallTime): boolean {
  return agesAt !== undefined && wall >= agesAt;
}

function isDue({ on }: RotatePolicy, link: BoundLink, wall: WallTime): boolean {
  switch (on) {
    case "vaultVersion":
      return link.hasNewer;
    case "age":
      return link.hasNewer && isOld(link, wall);
    case "hand":
      return false;
  }
}

const namesOf = (links: readonly BoundLink[]): readonly string[] => links.map(({ name }) => name);

function waiting({ on }: RotatePolicy, links: readonly BoundLink[]): RotationDue {
  if (on === "hand") return { kind: "notYet", why: "byHand", at: undefined };
  const newer = links.filter(({ hasNewer }) => hasNewer);
  if (newer.length === 0) return { kind: "notYet", why: "noNewerKey", at: undefined };
  const at = newer.reduce<WallTime | undefined>(
    (first, { agesAt }) =>
      agesAt === undefined || (first !== undefined && first < agesAt) ? first : agesAt,
    undefined,
  );
  return { kind: "notYet", why: "younger", at };
}
