// Rules for the keys at both ends of a group's links and their versions in the vault. Pure.

import { type Ckn, strongValue } from "#hal/model.ts";
import type { SecretVersion } from "#hal/vault.ts";
import type { WallTime } from "#hal/world.ts";
import { farEnd, router, type TwoEnds } from "../../compare/rules.ts";
import { shortCkn } from "../../model/ckn-text.ts";
import { type DesiredLink, linkId } from "../../model/desired.ts";
import type { Finding, FindingCode } from "../../model/finding.ts";
import { severityOf } from "../../model/severity.ts";
import type { KeyCheck } from "../../runtime/polling/key-check.ts";
import { generationOf, isUsable, pairedCkn } from "../../runtime/polling/vault.ts";
import type { Binding } from "../../store/journal/memory.ts";

/** The keys of one link, as far as they could be read. */
export interface KeyFacts extends TwoEnds {
  readonly binding: Binding | undefined;
  readonly check: KeyCheck;
  /** undefined = the vault did not answer. */
  readonly versions:
    | { readonly cak: readonly SecretVersion[]; readonly ckn: readonly SecretVersion[] }
    | undefined;
  /** The CKN in the version that the far end points at; undefined = not read, or none. */
  readonly farCkn: Ckn | undefined;
  readonly now: WallTime;
}

const docs = "docs/keys.md";
const promise = "docs/promises.md, P6";
const validity = "Azure Key Vault: About secrets, exp and nbf do not block reads";

/** Returns the findings about the keys of one group's links. */
export function keyFindings(group: readonly KeyFacts[]): readonly Finding[] {
  const swapped = swappedWith(group);
  return [
    ...shared(group),
    ...group.flatMap((facts) => [
      ...vaultFindings(facts),
      ...versionFindings(facts),
      ...(swapped.has(linkId(facts.link)) ? [] : cknFindings(facts)),
    ]),
    ...group.flatMap(({ link }) => swapFindings(link, swapped.get(linkId(link)))),
  ];
}

function finding(
  code: FindingCode | "ckn-mismatch",
  { link }: Pick<TwoEnds, "link">,
  seen: { readonly here: string; readonly there: string | null },
  details: Pick<Finding, "rule" | "source" | "next">,
): Finding {
  return { code, severity: severityOf(code), about: linkId(link), ...seen, ...details };
}

/** The finding about the newest pair of the vault, as `keys check` reports it. */
function vaultFindings({ link, check }: KeyFacts): readonly Finding[] {
  const { finding: found } = check;
  if (found === undefined) return [];
  const { code, text, next } = found;
  const severity = severityOf(code);
  const rule = "The newest pair of each link in the vault can be used";
  const here = `vault ${link.key.cak}: ${text}`;
  return [{ code, severity, about: linkId(link), here, there: null, rule, source: docs, next }];
}

interface Pointed {
  readonly id: string;
  readonly version: SecretVersion | undefined;
}

/** Returns the versions that the far end points at, if they are in the config's vault. */
function pointed({ peer, versions, link, vaultBase }: KeyFacts): readonly Pointed[] {
  const ids = peer?.pointsAt;
  if (ids === undefined || versions === undefined || vaultBase === undefined) return [];
  const pairs = [
    [ids.cakSecretId, link.key.cak, versions.cak],
    [ids.cknSecretId, link.key.ckn, versions.ckn],
  ] as const;
  return pairs
    .filter(([id, name]) => id.startsWith(`${vaultBase}/secrets/${name}/`))
    .map(([id, , list]) => ({ id, version: list.find((version) => version.id === id) }));
}

function versionFindings(facts: KeyFacts): readonly Finding[] {
  const { link, now } = facts;
  const found: Finding[] = [];
  for (const { id, version } of pointed(facts)) {
    const there = `${farEnd(link)} points at ${named(id)}`;
    if (version === undefined) {
      const rule = "The version that the far end points at is in the vault";
      const details = { rule, source: docs, next: `linkseal rotate ${link.group}` };
      found.push(finding("version-missing", facts, { here: "the vault has none", there }, details));
    } else if (!isUsable(version, now)) {
      const rule = "A version in use is enabled and inside its dates";
      const next = "enable it, or rotate to a newer pair";
      const here = `the vault has it ${version.enabled ? "outside its dates" : "disabled"}`;
      const details = { rule, source: validity, next };
      found.push(finding("version-unusable", facts, { here, there }, details));
    }
  }
  return [...found, ...changed(facts), ...rolledBack(facts), ...mixed(facts)];
}

function changed(facts: KeyFacts): readonly Finding[] {
  const { link, binding, peer } = facts;
  const at = peer?.pointsAt?.cakSecretId;
  if (binding === undefined || at === undefined || at === "") return [];
  if (at === binding.key.cakSecretId) return [];
  const here = `the link runs on ${named(binding.key.cakSecretId)}`;
  const there = `${farEnd(link)} points at ${named(at)}`;
  const rule = "The far end points at the version that this link was accepted with";
  const rotate = `linkseal rotate ${link.group}`;
  const next = `linkseal plan --accepted, which says what to set, or ${rotate}`;
  return [finding("key-version", facts, { here, there }, { rule, source: docs, next })];
}

function rolledBack(facts: KeyFacts): readonly Finding[] {
  const { link, binding, versions } = facts;
  const [cak] = pointed(facts);
  const at = cak?.version === undefined ? undefined : generationOf(cak.version);
  const known = [
    binding?.generation ?? 0,
    ...(versions?.cak ?? [])
      .filter(({ id, enabled }) => enabled && id === binding?.key.cakSecretId)
      .map((version) => generationOf(version) ?? 0),
  ];
  const highest = Math.max(...known);
  if (cak === undefined || at === undefined || at >= highest) return [];
  const here = `the link has run on generation ${highest}`;
  const there = `${farEnd(link)} points at ${named(cak.id)}, of generation ${at}`;
  const rule = "The generation of a link's key only rises: a lower one is an old key put back";
  const next = `linkseal keys generate ${linkId(link)}, then linkseal rotate ${link.group}`;
  return [finding("generation-rollback", facts, { here, there }, { rule, source: docs, next })];
}

/** Finds a far end whose CAK is tagged with another CKN than the CKN that it uses. */
function mixed(facts: KeyFacts): readonly Finding[] {
  const { link, farCkn } = facts;
  const [cak, ckn] = pointed(facts);
  const tagged = cak?.version === undefined ? undefined : pairedCkn(cak.version);
  if (tagged === undefined || farCkn === undefined || tagged === farCkn) return [];
  const here = `${named(cak?.id ?? "")} is paired with the CKN ${shortCkn(tagged)}`;
  const there = `${farEnd(link)} takes ${named(ckn?.id ?? "")}, the CKN ${shortCkn(farCkn)}`;
  const rule = "CAK and CKN at the far end are of one pair";
  const next = `linkseal ends ${linkId(link)}`;
  return [finding("pair-mixed", facts, { here, there }, { rule, source: promise, next })];
}

/** Returns the CKNs on the router's port; undefined = not readable. */
function onRouter({ port }: TwoEnds): readonly Ckn[] | undefined {
  const keys = port === undefined ? undefined : strongValue(port.keys);
  return keys?.map(({ ckn }) => ckn);
}

function cknFindings(facts: KeyFacts): readonly Finding[] {
  const { link, farCkn } = facts;
  const held = onRouter(facts);
  if (held === undefined || held.length === 0 || farCkn === undefined) return [];
  if (held.includes(farCkn)) return [];
  const here = `${router(link)} has ${held.map(shortCkn).join(", ")}`;
  const there = `${farEnd(link)} uses ${shortCkn(farCkn)}`;
  const rule = "The router has the CKN that the far end points at";
  const source = "IEEE 802.1X-2020 9.3.1: MKA runs between holders of one CKN and CAK";
  const next = `linkseal ends ${linkId(link)}`;
  return [finding("ckn-mismatch", facts, { here, there }, { rule, source, next })];
}

/**
 * Returns, by link, the sibling whose key its router has, if that is so the other way round too.
 */
function swappedWith(group: readonly KeyFacts[]): ReadonlyMap<string, DesiredLink> {
  const crossed = (one: KeyFacts, other: KeyFacts): boolean =>
    one.farCkn !== undefined &&
    other.farCkn !== one.farCkn &&
    onRouter(other)?.includes(one.farCkn) === true &&
    onRouter(one)?.includes(one.farCkn) === false;
  const found = new Map<string, DesiredLink>();
  for (const one of group) {
    const other = group.find((each) => each !== one && crossed(one, each) && crossed(each, one));
    if (other !== undefined) found.set(linkId(one.link), other.link);
  }
  return found;
}

function swapFindings(link: DesiredLink, other: DesiredLink | undefined): readonly Finding[] {
  if (other === undefined) return [];
  const here = `${router(link)} has the key of ${farEnd(other)}`;
  const there = `${farEnd(link)} has the key of ${router(other)}`;
  const rule = "The azureLink of a link is the one that this router's fibre ends at";
  const source = "the letter of authorization of the port: patch panel and port of each link";
  const next = "swap azureLink of the two links in the config, or the fibres: both are dark so";
  return [finding("links-swapped", { link }, { here, there }, { rule, source, next })];
}

function shared(group: readonly KeyFacts[]): readonly Finding[] {
  return group.flatMap((one, index) =>
    group.slice(index + 1).flatMap((other) => {
      const same = sameKey(one, other);
      if (same === undefined) return [];
      const here = `${farEnd(one.link)} points at ${same}`;
      const there = `${farEnd(other.link)} points at the same`;
      const rule = "Two links never share a key: a thief of one would have both";
      const { group: name } = one.link;
      const next = `linkseal keys generate ${name}, then linkseal rotate ${name}`;
      const details = { rule, source: promise, next };
      return [finding("links-share-key", one, { here, there }, details)];
    }),
  );
}

function sameKey(one: KeyFacts, other: KeyFacts): string | undefined {
  const [a, b] = [one.peer?.pointsAt, other.peer?.pointsAt];
  if (a === undefined || b === undefined) return undefined;
  if (a.cakSecretId !== "" && a.cakSecretId === b.cakSecretId) return named(a.cakSecretId);
  if (one.farCkn !== undefined && one.farCkn === other.farCkn) return `CKN ${shortCkn(one.farCkn)}`;
  return undefined;
}

/** Returns `NAME/VERSION` of a vault id. */
function named(id: string): string {
  return id.split("/").slice(-2).join("/");
}
