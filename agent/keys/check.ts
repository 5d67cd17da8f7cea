// Could the newest pair of every link be used? Asked of a vault by whoever may read it: the agent,
// or an operator with their own right.

import { LinksealError } from "#hal/error.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { WallTime } from "#hal/world.ts";
import { type DesiredLink, linkId } from "../desired.ts";
import { isoTime } from "../health/status-time.ts";
import type { Binding } from "../journal/memory.ts";
import { assertDistinct, type ChosenKey, chooseKey, isLowerCase } from "../vault.ts";

export interface KeyFinding {
  readonly code: string;
  readonly severity: "error" | "warning";
  readonly text: string;
  readonly next: string;
}

export interface KeyCheck {
  readonly link: DesiredLink;
  /** undefined = no pair could be used. */
  readonly newest: ChosenKey | undefined;
  /** The worst thing that is to be said; undefined = nothing. */
  readonly finding: KeyFinding | undefined;
}

/** A version that ends sooner is told, as Key Vault itself does by its events. */
export const endsSoonMs = 30 * 86_400_000;

export interface CheckParts {
  readonly vault: KeyVault;
  /** What the link runs on; undefined = nothing is known of that. */
  readonly bound: (link: DesiredLink) => Binding | undefined;
  readonly now: WallTime;
}

/** Changes nothing anywhere; what the vault refuses is a finding. */
export async function checkKeys(
  parts: CheckParts,
  links: readonly DesiredLink[],
  signal: AbortSignal,
): Promise<readonly KeyCheck[]> {
  const checks: KeyCheck[] = [];
  for (const link of links) checks.push(await checkOne(parts, link, signal));
  return await Promise.all(checks.map((check) => againstOthers(parts, check, checks, signal)));
}

async function checkOne(
  parts: CheckParts,
  link: DesiredLink,
  signal: AbortSignal,
): Promise<KeyCheck> {
  try {
    const { vault, now, bound } = parts;
    const newest = await chooseKey(vault, link, now, signal, bound(link)?.key);
    const finding =
      rolledBack(link, newest, parts.bound(link)) ??
      (await expiring(parts, link, newest, signal)) ??
      (await lowerCase(parts, link, newest, signal));
    return { link, newest, finding };
  } catch (error) {
    return { link, newest: undefined, finding: findingOf(error, link) };
  }
}

/** The same CAK or CKN on two links is told at both. */
async function againstOthers(
  { vault }: CheckParts,
  check: KeyCheck,
  all: readonly KeyCheck[],
  signal: AbortSignal,
): Promise<KeyCheck> {
  if (check.newest === undefined) return check;
  for (const other of all) {
    if (other === check || other.newest === undefined) continue;
    try {
      await assertDistinct(vault, [check.newest.key, other.newest.key], signal);
    } catch (error) {
      return { ...check, newest: undefined, finding: findingOf(error, check.link) };
    }
  }
  return check;
}

function findingOf(error: unknown, link: DesiredLink): KeyFinding {
  if (!(error instanceof LinksealError)) throw error;
  const { code, message } = error;
  // This very command is no next step of itself.
  const next = error.next === "linkseal keys check" ? nextFor(code, link) : error.next;
  return { code, severity: "error", text: message, next };
}

function nextFor(code: string, link: DesiredLink): string {
  const id = linkId(link);
  switch (code) {
    case "vault.unpaired":
      return `linkseal keys generate ${id}, or linkseal keys pair ${id}`;
    case "vault.malformedKey":
    case "vault.reusedCkn":
      return `linkseal keys generate ${id}`;
    default:
      return `linkseal explain ${code}`;
  }
}

function rolledBack(
  link: DesiredLink,
  { generation }: ChosenKey,
  binding: Binding | undefined,
): KeyFinding | undefined {
  if (generation === undefined || binding?.generation === undefined) return undefined;
  if (generation >= binding.generation) return undefined;
  const text =
    `the newest pair is of generation ${generation}, ` +
    `and the link has run on ${binding.generation}: an older key was put back`;
  const next = `linkseal keys generate ${linkId(link)}`;
  return { code: "vault.unpaired", severity: "error", text, next };
}

async function expiring(
  { vault, now }: CheckParts,
  link: DesiredLink,
  { key }: ChosenKey,
  signal: AbortSignal,
): Promise<KeyFinding | undefined> {
  const versions = [
    ...(await vault.versions(link.key.cak, signal)),
    ...(await vault.versions(link.key.ckn, signal)),
  ];
  const soon = versions.find(
    ({ id, expires }) =>
      (id === key.cakSecretId || id === key.cknSecretId) &&
      expires !== undefined &&
      expires - now < endsSoonMs,
  );
  if (soon?.expires === undefined) return undefined;
  const name = soon.id.split("/").at(-2) ?? "";
  const text = `${name} expires at ${isoTime(soon.expires)}, and is not used any more from then on`;
  const next = `linkseal keys generate ${linkId(link)}`;
  return { code: "key-expiring", severity: "warning", text, next };
}

async function lowerCase(
  { vault }: CheckParts,
  link: DesiredLink,
  { key }: ChosenKey,
  signal: AbortSignal,
): Promise<KeyFinding | undefined> {
  const ids = [key.cakSecretId, key.cknSecretId];
  const lower = await Promise.all(ids.map((id) => isLowerCase(vault, id, signal)));
  if (!lower.includes(true)) return undefined;
  const text = "it is written in lower case, and Azure documents upper-case hexadecimal alone";
  const next = `linkseal keys generate ${linkId(link)}`;
  return { code: "key-lower-case", severity: "warning", text, next };
}
