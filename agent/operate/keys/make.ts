// Makes key pairs, and declares two versions to be a pair, with the identity of an operator. The
// agent takes no part in it: it only reads what is in the vault.

import { LinksealError } from "#hal/error.ts";
import { foreignText } from "#hal/foreign-text.ts";
import { type Ckn, type KeyRef, parseCkn } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import { generationTag, type KeyStore, pairTag, type SecretVersion } from "#hal/vault.ts";
import type { Entropy, WallTime } from "#hal/world.ts";
import { cakOctets } from "../../model/cak-octets.ts";
import { type DesiredLink, linkId } from "../../model/desired.ts";
import {
  chooseKey,
  generationOf,
  isUsable,
  newestFirst,
  pairedCkn,
  readCak,
  readCkn,
} from "../../runtime/polling/vault.ts";

/** The parts that key making needs. */
export interface MakeParts {
  /** The vault, with the right to write. */
  readonly vault: KeyStore;
  /** Source of the key's octets. */
  readonly entropy: Entropy;
  /** Wall clock, which decides whether a version is within its dates. */
  readonly now: () => WallTime;
}

/** A pair that was made or declared. */
export interface MadeKey {
  /** Name of the link, as `group/link`. */
  readonly link: string;
  /** CKN and both secret ids. */
  readonly key: KeyRef;
  /** Generation of the key; it rises with every pair of the link. */
  readonly generation: number;
  /** `nothing` = the versions were a pair already. */
  readonly did: "generated" | "paired" | "nothing";
}

const cknOctets = 32;

/**
 * Writes a fresh pair as new versions. The CKN goes first, because it has no meaning alone; the CAK
 * version gets its tags when it is made, so that no reader ever sees half a pair. An abort may
 * leave a CKN without a CAK, which is never used.
 * @throws LinksealError with `vault.*`; its effect is "applied" or "unknown" once the CKN is
 * written
 */
export async function generateKey(
  parts: MakeParts,
  link: DesiredLink,
  signal: AbortSignal,
): Promise<MadeKey> {
  const { vault, entropy, now } = parts;
  const versions = await vault.versions(link.key.cak, signal);
  const generation = 1 + highestOf(versions);
  using cak = Secret.take("cak", entropy.bytes(cakOctets[link.settings.suite]));
  const drawn = entropy.bytes(cknOctets);
  const ckn = parseCkn(Buffer.from(drawn).toString("hex"));
  if (ckn === undefined) throw new Error("drawn octets make no CKN");
  if (versions.some(({ tags }) => tags[pairTag]?.toLowerCase() === ckn)) {
    const text = "the randomness of this host repeats itself: nothing was written";
    throw problem("vault.reusedCkn", link, text);
  }
  using value = Secret.take("ckn", drawn);
  const cknSecretId = await vault.put(link.key.ckn, value, {}, signal);
  const tags = { [pairTag]: ckn.toUpperCase(), [generationTag]: String(generation) };
  const cakSecretId = await vault.put(link.key.cak, cak, tags, signal).catch((error: unknown) => {
    throw halfWritten(error, link, ckn);
  });
  const key = { ckn, cakSecretId, cknSecretId };
  try {
    await proveWritten(parts, link, key, cak, signal);
    const { key: chosen } = await chooseKey(vault, link, now(), signal);
    if (chosen.cakSecretId !== cakSecretId) throw overtaken(link, chosen.ckn);
  } catch (error) {
    throw unproven(error, link, ckn);
  }
  return { link: linkId(link), key, generation, did: "generated" };
}

/** Returns the highest generation, including disabled versions, because generations only rise. */
function highestOf(versions: readonly SecretVersion[]): number {
  return Math.max(0, ...versions.map((version) => generationOf(version) ?? 0));
}

async function proveWritten(
  { vault }: MakeParts,
  link: DesiredLink,
  key: KeyRef,
  cak: Secret,
  signal: AbortSignal,
): Promise<void> {
  using back = await readCak(vault, key.cakSecretId, signal);
  const ckn = await readCkn(vault, key.cknSecretId, signal);
  if (back.equals(cak) && ckn === key.ckn) return;
  const text = "the vault reads back another value than was written: disable this version";
  throw problem("vault.malformedKey", link, text, "applied");
}

function halfWritten(error: unknown, link: DesiredLink, ckn: Ckn): unknown {
  if (!(error instanceof LinksealError)) return error;
  const text = `the CKN ${ckn} is written, its CAK is not: alone it is never used`;
  const lost = `the CKN ${ckn} is written, its CAK perhaps: both are used, or none`;
  const isLost = error.effect === "unknown";
  return new LinksealError(error.code, `${isLost ? lost : text} (${error.message})`, {
    effect: isLost ? "unknown" : "applied",
    where: linkId(link),
    next: isLost ? "linkseal keys check" : error.next,
    cause: error,
  });
}

function unproven(error: unknown, link: DesiredLink, ckn: Ckn): unknown {
  if (!(error instanceof LinksealError) || error.effect === "applied") return error;
  const text = `the pair with the CKN ${ckn} is written, but could not be verified`;
  const { code, message } = error;
  return new LinksealError(code, `${text} (${message})`, {
    effect: "applied",
    where: linkId(link),
    next: "linkseal keys check",
    cause: error,
  });
}

function overtaken(link: DesiredLink, ckn: Ckn): LinksealError {
  const text = `another operator wrote a newer pair meanwhile (CKN ${ckn}), and that one counts`;
  return problem("vault.unpaired", link, text, "applied");
}

/** Versions by the last part of their ids. */
export interface Versions {
  readonly cak: string;
  readonly ckn: string;
}

/**
 * Tags a CAK version with the CKN of a CKN version, if nothing speaks against the operator's
 * statement that they are a pair. `all` are the links whose keys must differ from this one.
 * @throws LinksealError with `vault.*` and effect "none" for versions that are not a pair
 */
export async function pairKey(
  parts: MakeParts,
  link: DesiredLink,
  named: Versions,
  all: readonly DesiredLink[],
  signal: AbortSignal,
): Promise<MadeKey> {
  const { vault, now } = parts;
  const versions = await vault.versions(link.key.cak, signal);
  const version = usableVersion(link, versions, link.key.cak, named.cak, now());
  const cknVersions = await vault.versions(link.key.ckn, signal);
  const cknVersion = usableVersion(link, cknVersions, link.key.ckn, named.ckn, now());
  const ckn = await wholeCkn(parts, link, cknVersion, signal);
  const key = { ckn, cakSecretId: version.id, cknSecretId: cknVersion.id };
  await refuseWrongCak(parts, link, key, signal);
  refuseNewer(link, versions, version, now());
  const tagged = version.tags[pairTag];
  if (tagged !== undefined && parseCkn(tagged) !== ckn) {
    throw problem(
      "vault.unpaired",
      link,
      `this CAK is paired with another CKN (${foreignText(tagged)})`,
    );
  }
  await refuseUsed(parts, { link, key, all }, signal);
  const rest = versions.filter(({ id }) => id !== version.id);
  const generation = generationOf(version) ?? 1 + highestOf(rest);
  const made = { link: linkId(link), key, generation } as const;
  if (tagged !== undefined && generationOf(version) !== undefined) {
    return { ...made, did: "nothing" };
  }
  const tags = { [pairTag]: ckn.toUpperCase(), [generationTag]: String(generation) };
  await vault.mark(version.id, { tags: { ...version.tags, ...tags } }, signal);
  const chosen = await chooseKey(vault, link, now(), signal);
  if (chosen.key.cakSecretId !== version.id) throw overtaken(link, chosen.key.ckn);
  return { ...made, did: "paired" };
}

function usableVersion(
  link: DesiredLink,
  versions: readonly SecretVersion[],
  name: string,
  wanted: string,
  now: WallTime,
): SecretVersion {
  const found = versions.find(({ id }) => id.split("/").at(-1) === wanted.toLowerCase());
  if (found === undefined) {
    // The name is not repeated: it may be a key that was pasted into the wrong place.
    throw problem("vault.malformedKey", link, `${name} has no such version`);
  }
  if (isUsable(found, now)) return found;
  throw problem("vault.malformedKey", link, `${name} ${wanted} is disabled or outside its dates`);
}

async function wholeCkn(
  { vault }: MakeParts,
  link: DesiredLink,
  version: SecretVersion,
  signal: AbortSignal,
): Promise<Ckn> {
  const ckn = await readCkn(vault, version.id, signal);
  if (ckn?.length === 2 * cknOctets) return ckn;
  const seen = ckn === undefined ? "text that is not hexadecimal" : `${ckn.length} digits`;
  const text = `${link.key.ckn} contains ${seen}, and a CKN has ${2 * cknOctets} digits`;
  throw problem("vault.malformedKey", link, text);
}

async function refuseWrongCak(
  { vault }: MakeParts,
  link: DesiredLink,
  key: KeyRef,
  signal: AbortSignal,
): Promise<void> {
  using cak = await readCak(vault, key.cakSecretId, signal);
  const wanted = cakOctets[link.settings.suite];
  if (cak.byteLength === wanted) return;
  const { suite } = link.settings;
  const text = `${link.key.cak} has ${cak.byteLength} octets where ${suite} takes ${wanted}`;
  throw problem("vault.malformedKey", link, text);
}

/**
 * Refuses an old version: only the newest one counts, and a generation on an older one would block
 * it.
 */
function refuseNewer(
  link: DesiredLink,
  versions: readonly SecretVersion[],
  version: SecretVersion,
  now: WallTime,
): void {
  const [newest] = newestFirst(versions.filter((each) => isUsable(each, now)));
  if (newest === undefined || newest.id === version.id) return;
  const text = `${link.key.cak} has a newer version that is enabled: pair that one or disable it`;
  throw problem("vault.unpaired", link, text);
}

interface Pairing {
  readonly link: DesiredLink;
  readonly key: KeyRef;
  readonly all: readonly DesiredLink[];
}

/** How many versions of a link are compared: older ones were not used recently. */
const comparedMax = 16;

/**
 * Refuses a CKN or CAK that is in use elsewhere: a CKN names one CAK for ever, and no two links
 * share either.
 */
async function refuseUsed(
  { vault }: MakeParts,
  { link, key, all }: Pairing,
  signal: AbortSignal,
): Promise<void> {
  using cak = await readCak(vault, key.cakSecretId, signal);
  for (const other of all) {
    const versions = (await vault.versions(other.key.cak, signal)).filter(
      ({ id }) => id !== key.cakSecretId,
    );
    if (versions.some((version) => pairedCkn(version) === key.ckn)) {
      const text = `the CKN ${key.ckn} names a CAK of ${linkId(other)} already`;
      throw problem("vault.reusedCkn", link, text);
    }
    const readable = newestFirst(versions.filter(({ enabled }) => enabled));
    for (const version of readable.slice(0, comparedMax)) {
      if (await holds(vault, version, cak, signal)) {
        const text = `the same CAK is in another version of ${other.key.cak}`;
        throw problem("vault.reusedCkn", link, text);
      }
    }
  }
}

async function holds(
  vault: KeyStore,
  version: SecretVersion,
  cak: Secret,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    using other = await readCak(vault, version.id, signal);
    return other.equals(cak);
  } catch (error) {
    // A value that is not a key cannot be a shared key.
    if (error instanceof LinksealError && error.code === "vault.malformedKey") return false;
    throw error;
  }
}

function problem(
  code: "vault.malformedKey" | "vault.unpaired" | "vault.reusedCkn",
  link: DesiredLink,
  text: string,
  effect: "none" | "applied" = "none",
): LinksealError {
  const id = linkId(link);
  const next = `linkseal keys generate ${id}`;
  return new LinksealError(code, text, { effect, where: id, next });
}
