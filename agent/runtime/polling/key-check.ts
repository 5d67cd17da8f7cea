// Checks whether the newest key pair of every link is usable. It runs with the rights of its
// caller: the agent, or an operator.

import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { Entropy, WallTime } from "#hal/world.ts";
import { keySizeGap } from "../../compare/key-size.ts";
import { type DesiredLink, linkId } from "../../model/desired.ts";
import { isoTime } from "../../model/iso-time.ts";
import { severityOf } from "../../model/severity.ts";
import type { Severity } from "../../model/warning-rows.ts";
import { forNextKey } from "../../rotation/change.ts";
import type { Binding } from "../../store/journal/memory.ts";
import { type ChosenKey, cakDigest, chooseKey, isLowerCase } from "./vault.ts";
import { VaultOnce } from "./vault-once.ts";

/** A fault of a link's newest key pair. */
export interface KeyFinding {
  /** A vault error code, `key-expiring` or `key-lower-case`. */
  readonly code: string;
  /** An error means that the pair cannot be used. */
  readonly severity: Severity;
  /** The sentence that operators read. */
  readonly text: string;
  /** The next command. */
  readonly next: string;
}

/** The result for one link. */
export interface KeyCheck {
  /** The link whose secrets were checked. */
  readonly link: DesiredLink;
  /** The newest usable pair; undefined = no pair is usable. */
  readonly newest: ChosenKey | undefined;
  /** The worst fault; undefined = none. */
  readonly finding: KeyFinding | undefined;
}

/**
 * A version that expires sooner than this many milliseconds is reported, as by Key Vault's own
 * events.
 */
export const endsSoonMs = 30 * 86_400_000;

export interface CheckParts {
  readonly vault: KeyVault;
  readonly entropy: Entropy;
  /** The accepted key of a link; undefined = not known. */
  readonly bound: (link: DesiredLink) => Binding | undefined;
  readonly now: WallTime;
}

/** One check of the keys of many links. */
export interface KeySurvey {
  /** When the check began. */
  readonly at: WallTime;
  /** One result for each link. */
  readonly checks: readonly KeyCheck[];
  /**
   * The vault with the answers of this check cached: they are not queried again. CAKs are not kept.
   */
  readonly vault: KeyVault;
}

/**
 * Checks the newest pair of each link and changes nothing; a refusal of the vault becomes a
 * finding. Each list of versions and each value is read once, and a CAK is wiped as soon as its
 * link is checked. An abort wipes the CAK too.
 */
export async function surveyKeys(
  parts: CheckParts,
  links: readonly DesiredLink[],
  signal: AbortSignal,
): Promise<KeySurvey> {
  const vault = new VaultOnce(parts.vault);
  // Random for this check and wiped with it, so that a digest cannot be compared with one of
  // another check.
  using digestKey = Secret.take("digest key", parts.entropy.bytes(32));
  const judged: Judged[] = [];
  for (const link of links) {
    try {
      judged.push(await judgeOne({ ...parts, vault }, link, digestKey, signal));
    } finally {
      await vault.wipe(link.key.cak);
    }
  }
  return { at: parts.now, checks: toldApart(judged), vault };
}

interface Judged {
  readonly check: KeyCheck;
  /** The digest of the CAK of `newest`, under this check's key; undefined = there is none. */
  readonly digest: string | undefined;
}

async function judgeOne(
  parts: CheckParts,
  link: DesiredLink,
  digestKey: Secret,
  signal: AbortSignal,
): Promise<Judged> {
  try {
    const { vault, now, bound } = parts;
    const binding = bound(link);
    const newest = await chooseKey(vault, forNextKey(link, binding), now, signal, binding?.key);
    const finding =
      rolledBack(link, newest, binding) ??
      (await expiring(parts, link, newest, signal)) ??
      (await lowerCase(parts, link, newest, signal));
    const digest = await cakDigest(vault, newest.key.cakSecretId, digestKey, signal);
    return { check: { link, newest, finding }, digest };
  } catch (error) {
    const finding = findingOf(error, link, parts.bound(link));
    return { check: { link, newest: undefined, finding }, digest: undefined };
  }
}

/** Reports a CAK or CKN that two links share at both of them. */
function toldApart(judged: readonly Judged[]): readonly KeyCheck[] {
  const uses = new Map<string, number>();
  const namesOf = ({ check, digest }: Judged): readonly string[] =>
    check.newest === undefined ? [] : [`CKN ${check.newest.key.ckn}`, `CAK ${digest}`];
  for (const name of judged.flatMap(namesOf)) uses.set(name, (uses.get(name) ?? 0) + 1);
  return judged.map((each) => {
    const { check } = each;
    if (namesOf(each).every((name) => uses.get(name) === 1)) return check;
    return { ...check, newest: undefined, finding: findingOf(sharedKey(check.link), check.link) };
  });
}

function sharedKey(link: DesiredLink): LinksealError {
  const text = "two links have the same CKN or the same CAK";
  const details = { effect: "none", where: linkId(link), next: "linkseal keys check" } as const;
  return new LinksealError("vault.reusedCkn", text, details);
}

function findingOf(error: unknown, link: DesiredLink, binding?: Binding): KeyFinding {
  if (!(error instanceof LinksealError)) throw error;
  const { code, message } = error;
  // By a suite of another size, `keys generate` makes a pair that does not fit either.
  const gap = binding === undefined ? undefined : keySizeGap(link, binding.settings.suite);
  if (code === "vault.malformedKey" && gap !== undefined) return coded(code, message, gap.next);
  // The command that runs this check cannot be its next step.
  const next = error.next === "linkseal keys check" ? nextFor(code, link) : error.next;
  return coded(code, message, next);
}

function coded(code: string, text: string, next: string): KeyFinding {
  return { code, severity: severityOf(code), text, next };
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
  return coded("vault.unpaired", text, next);
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
  return coded("key-expiring", text, next);
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
  return coded("key-lower-case", text, next);
}
