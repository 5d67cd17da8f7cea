// Chooses Key Vault versions and reads their octets: no other module reads key values.

import { createHmac } from "node:crypto";
import { withDeadline } from "#hal/deadline.ts";
import type { KeyResolver, SecretRef } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type Ckn, type KeyRef, parseCkn } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { TunnelAuth } from "#hal/tunnel-spec.ts";
import { generationTag, type KeyVault, pairTag, type SecretVersion } from "#hal/vault.ts";
import type { Clock, WallTime } from "#hal/world.ts";
import { cakOctets } from "../../model/cak-octets.ts";
import type { DesiredAuth, DesiredLink } from "../../model/desired.ts";

/** A key pair that may be used now, and the facts of its version. */
export interface ChosenKey {
  /** The CKN and the ids of both secret versions. */
  readonly key: KeyRef;
  /** When the CAK version was made. */
  readonly created: WallTime;
  /** The generation in the CAK version's tag; undefined = it has none. */
  readonly generation: number | undefined;
}

/** The most CKN versions that are read, to bound the queries to the vault. */
const cknVersionsMax = 8;

/**
 * How far the clocks of host and vault may differ, in milliseconds: near its dates a version is not
 * used.
 */
const skewMs = 60_000;

/**
 * Returns true if a version is enabled and inside its dates, which the vault itself does not
 * enforce.
 */
export function isUsable(version: SecretVersion, now: WallTime): boolean {
  const { enabled, notBefore, expires } = version;
  if (!enabled) return false;
  if (notBefore !== undefined && notBefore > now - skewMs) return false;
  return expires === undefined || expires > now + skewMs;
}

/**
 * Sorts versions by age. The vault's clock has whole seconds, so the higher generation wins within
 * one second.
 */
export function newestFirst(versions: readonly SecretVersion[]): readonly SecretVersion[] {
  return versions.toSorted(
    (a, b) => b.created - a.created || (generationOf(b) ?? 0) - (generationOf(a) ?? 0),
  );
}

/** The generation in a version's tag; undefined = it has none. */
export function generationOf(version: SecretVersion): number | undefined {
  const text = version.tags[generationTag];
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/**
 * Chooses the newest enabled CAK version with its proven CKN version: a tag on the CAK names its
 * CKN, or the link already uses exactly these two (`bound`), which are then not read again.
 * @throws LinksealError `vault.*`, always with effect "none".
 */
export async function chooseKey(
  vault: KeyVault,
  link: DesiredLink,
  now: WallTime,
  signal: AbortSignal,
  bound?: KeyRef,
): Promise<ChosenKey> {
  const versions = await vault.versions(link.key.cak, signal);
  const candidates = versions.filter((version) => isUsable(version, now));
  const [newest] = newestFirst(candidates);
  if (newest === undefined) {
    throw refusal(
      "vault.malformedKey",
      link,
      `no enabled version of ${link.key.cak} is in its dates`,
    );
  }
  const ckn = pairedCkn(newest);
  if (newest.id === bound?.cakSecretId) {
    if (ckn !== undefined && ckn !== bound.ckn) {
      const text = `the ${link.key.cak} in use is tagged with another CKN than it is used with`;
      throw refusal("vault.unpaired", link, text);
    }
    refuseReplayed(link, newest, bound.ckn, versions, candidates);
    return { key: bound, created: newest.created, generation: generationOf(newest) };
  }
  if (ckn?.length !== 64) {
    throw refusal("vault.unpaired", link, `the newest ${link.key.cak} names no CKN of 32 octets`);
  }
  refuseReplayed(link, newest, ckn, versions, candidates);
  const cknSecretId = await findCkn(vault, link, ckn, now, signal);
  const key: KeyRef = { ckn, cakSecretId: newest.id, cknSecretId };
  using cak = await readCak(vault, key.cakSecretId, signal);
  const wanted = cakOctets[link.settings.suite];
  if (cak.byteLength !== wanted) {
    throw refusal(
      "vault.malformedKey",
      link,
      `${link.key.cak} has ${cak.byteLength} octets where ${link.settings.suite} takes ${wanted}`,
    );
  }
  return { key, created: newest.created, generation: generationOf(newest) };
}

/** The CKN that a CAK version's tag names; undefined = it has no valid tag. */
export function pairedCkn(version: SecretVersion): Ckn | undefined {
  const tag = version.tags[pairTag];
  return tag === undefined ? undefined : parseCkn(tag);
}

/**
 * Returns the pair of a link's secrets whose CAK version names this CKN; undefined = no version
 * that may be used does, or several do.
 * @throws LinksealError `vault.*`, always with effect "none".
 */
export async function pairOf(
  vault: KeyVault,
  link: DesiredLink,
  ckn: Ckn,
  now: WallTime,
  signal: AbortSignal,
): Promise<KeyRef | undefined> {
  const versions = await vault.versions(link.key.cak, signal);
  const own = versions.filter((one) => isUsable(one, now) && pairedCkn(one) === ckn);
  const [version, ...more] = own;
  if (version === undefined || more.length > 0) return undefined;
  return {
    ckn,
    cakSecretId: version.id,
    cknSecretId: await findCkn(vault, link, ckn, now, signal),
  };
}

/**
 * Refuses an old key that was put back as the newest version: its CKN is in another version, or its
 * generation is lower.
 */
function refuseReplayed(
  link: DesiredLink,
  newest: SecretVersion,
  ckn: Ckn,
  versions: readonly SecretVersion[],
  candidates: readonly SecretVersion[],
): void {
  if (versions.some((version) => version.id !== newest.id && pairedCkn(version) === ckn)) {
    throw refusal("vault.reusedCkn", link, `two versions of ${link.key.cak} name the same CKN`);
  }
  const highest = Math.max(...candidates.map((version) => generationOf(version) ?? 0));
  const generation = generationOf(newest) ?? highest;
  if (generation >= highest) return;
  const text = `the newest ${link.key.cak} is of generation ${generation}, and ${highest} exists`;
  throw refusal("vault.unpaired", link, text);
}

async function findCkn(
  vault: KeyVault,
  link: DesiredLink,
  ckn: Ckn,
  now: WallTime,
  signal: AbortSignal,
): Promise<string> {
  const versions = (await vault.versions(link.key.ckn, signal))
    .filter((version) => isUsable(version, now))
    .toSorted((a, b) => b.created - a.created)
    .slice(0, cknVersionsMax);
  for (const version of versions) {
    if ((await readCkn(vault, version.id, signal)) === ckn) return version.id;
  }
  throw refusal(
    "vault.unpaired",
    link,
    `no enabled ${link.key.ckn} holds the CKN that its CAK names`,
  );
}

/** Reads the CKN from a secret version; undefined if the value is not a CKN. */
export async function readCkn(
  vault: KeyVault,
  id: string,
  signal: AbortSignal,
): Promise<Ckn | undefined> {
  using value = await vault.read(id, signal);
  return value.use((bytes) => parseCkn(new TextDecoder().decode(bytes)));
}

/**
 * Reads the octets of a CAK. @throws LinksealError `vault.malformedKey` unless the value is
 * full-length hexadecimal.
 */
export async function readCak(vault: KeyVault, id: string, signal: AbortSignal): Promise<Secret> {
  using text = await vault.read(id, signal);
  const octets = text.use(octetsOfHex);
  if (octets === undefined) {
    throw new LinksealError(
      "vault.malformedKey",
      `the CAK is not full-length hexadecimal (${text.byteLength} characters)`,
      { effect: "none", where: id, next: "linkseal keys check" },
    );
  }
  return Secret.take("cak", octets);
}

/**
 * Computes a digest that compares CAKs without keeping one: HMAC-SHA-256 of the octets under a key
 * that the caller drew for one comparison. It stays in memory, appears in no text, and is useless
 * once the key is wiped.
 */
export async function cakDigest(
  vault: KeyVault,
  id: string,
  digestKey: Secret,
  signal: AbortSignal,
): Promise<string> {
  using cak = await readCak(vault, id, signal);
  return cak.use((octets) => digestKey.use((key) => hmac(key, octets)));
}

function hmac(key: Readonly<Uint8Array>, octets: Readonly<Uint8Array>): string {
  return createHmac("sha256", key).update(octets).digest("base64");
}

/** Returns true if the value has lower-case digits: Azure documents upper-case digits alone. */
export async function isLowerCase(
  vault: KeyVault,
  id: string,
  signal: AbortSignal,
): Promise<boolean> {
  using value = await vault.read(id, signal);
  return value.use((bytes) => bytes.some((byte) => byte >= 0x61 && byte <= 0x66));
}

function nibble(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

// Works on bytes, because a string with the key could not be wiped.
function octetsOfHex(text: Readonly<Uint8Array>): Uint8Array | undefined {
  if (text.length !== 32 && text.length !== 64) return undefined;
  const octets = new Uint8Array(text.length / 2);
  for (let i = 0; i < octets.length; i += 1) {
    const high = nibble(text[2 * i] ?? 0);
    const low = nibble(text[2 * i + 1] ?? 0);
    if (high < 0 || low < 0) {
      octets.fill(0);
      return undefined;
    }
    octets[i] = high * 16 + low;
  }
  return octets;
}

const vaultMsMax = 15_000;

/** Wraps a vault with a deadline on every call: a vault that hangs is `vault.unreachable`. */
export function boundedVault(vault: KeyVault, clock: Clock): KeyVault {
  const bounded = async <T>(
    where: string,
    signal: AbortSignal,
    f: (inner: AbortSignal) => Promise<T>,
  ): Promise<T> => {
    try {
      return await withDeadline(clock, { ms: vaultMsMax, where, effect: "none" }, signal, f);
    } catch (error) {
      if (!(error instanceof LinksealError) || !error.code.startsWith("transport.")) throw error;
      const details = { effect: "none", where, next: "linkseal keys check", cause: error } as const;
      throw new LinksealError("vault.unreachable", "the vault does not answer", details);
    }
  };
  return {
    versions: (name, signal) => bounded(name, signal, (inner) => vault.versions(name, inner)),
    read: (id, signal) => bounded(id, signal, (inner) => vault.read(id, inner)),
  };
}

/**
 * Returns the function through which drivers read keys while they prepare a change; the driver
 * wipes what it gets.
 */
export function keyResolver(vault: KeyVault, signal: AbortSignal): KeyResolver {
  return (ref: SecretRef): Promise<Secret> => {
    switch (ref.kind) {
      case "cak":
        return readCak(vault, ref.key.cakSecretId, signal);
      case "psk":
        return readText(vault, ref.secretId, pskForm, signal);
      case "ppk":
        return readText(vault, ref.secretId, ppkForm, signal);
      // The driver parses and checks these, because it must split them anyway.
      case "certificate":
      case "authorities":
        return vault.read(ref.secretId, signal);
    }
  };
}

/** The form of a secret that is text, and is given to the far end as it is. */
interface TextForm {
  /** The name of such a secret in a sentence. */
  readonly name: string;
  readonly least: number;
  readonly most: number;
  readonly isTaken: (octet: number) => boolean;
  /** What its characters are, in words. */
  readonly characters: string;
  readonly next: string;
}

const pskForm: TextForm = {
  name: "PSK",
  // The upper bound is Azure's; the lower one is ours, because recorded IKE messages can be
  // attacked offline.
  ...{ least: 16, most: 128 },
  isTaken: (octet) => octet > 0x20 && octet < 0x7e && octet !== 0x2d,
  characters: "printable ASCII without space, hyphen and tilde",
  next: "put a version into the vault that fits, at both ends",
};

const base64Octets: ReadonlySet<number> = new Set(
  Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="),
);

const ppkForm: TextForm = {
  name: "PPK",
  // 256 bits (RFC 8784, 6) are 43 characters of base64.
  ...{ least: 43, most: 256 },
  isTaken: (octet) => base64Octets.has(octet),
  characters: "letters, digits, +, / and =",
  next: "make one with openssl rand -hex 32, for the vault and the gateway",
};

/** Reads a secret that is text, such as a PSK; the far end gets the same characters. */
async function readText(
  vault: KeyVault,
  id: string,
  { name, least, most, isTaken, characters, next }: TextForm,
  signal: AbortSignal,
): Promise<Secret> {
  const secret = await vault.read(id, signal);
  const length = secret.byteLength;
  const fits = length >= least && length <= most;
  if (fits && consistsOf(secret, isTaken)) return secret;
  secret[Symbol.dispose]();
  const text = fits
    ? `the ${name} contains something other than ${characters}`
    : `the ${name} has ${length} octets, and ${least} to ${most} are taken`;
  throw new LinksealError("vault.malformedKey", text, { effect: "none", where: id, next });
}

function consistsOf(secret: Secret, isTaken: (octet: number) => boolean): boolean {
  return secret.use((bytes) => bytes.every(isTaken));
}

/**
 * Chooses a version of a secret that is not a MACsec key, such as a PSK: the one in use while it is
 * usable, else the newest.
 */
async function chooseSecret(
  vault: KeyVault,
  name: string,
  { now, inUse }: { readonly now: WallTime; readonly inUse?: string | undefined },
  signal: AbortSignal,
): Promise<string> {
  const usable = (await vault.versions(name, signal))
    .filter((version) => isUsable(version, now))
    .toSorted((a, b) => b.created - a.created);
  const chosen = usable.find(({ id }) => id === inUse) ?? usable[0];
  if (chosen !== undefined) return chosen.id;
  throw new LinksealError("vault.malformedKey", `no enabled version of ${name} is in its dates`, {
    effect: "none",
    where: name,
    next: "linkseal keys check",
  });
}

/**
 * Chooses the versions for a tunnel's authentication now. Only `psk proceed` replaces a pre-shared
 * key in use, because the gateway must change with it.
 * @throws LinksealError `vault.*`, with effect "none".
 */
export async function chooseAuth(
  vault: KeyVault,
  auth: DesiredAuth,
  { now, inUse }: { readonly now: WallTime; readonly inUse?: TunnelAuth | undefined },
  signal: AbortSignal,
): Promise<TunnelAuth> {
  const beside = await choosePpk(vault, auth, { now, inUse }, signal);
  if (auth.kind !== "certificate") {
    const at = { now, inUse: inUse?.secretId };
    const secretId = await chooseSecret(vault, auth.secret, at, signal);
    return { kind: auth.kind, secretId, ...beside };
  }
  const secretId = await chooseSecret(vault, auth.secret, { now }, signal);
  const authoritiesId = await chooseSecret(vault, auth.authorities, { now }, signal);
  return { kind: "certificate", secretId, authoritiesId, peer: auth.peer, ...beside };
}

/** A PPK in use stays, because the gateway must change with it: a new one has a new name. */
async function choosePpk(
  vault: KeyVault,
  { ppk }: DesiredAuth,
  { now, inUse }: { readonly now: WallTime; readonly inUse?: TunnelAuth | undefined },
  signal: AbortSignal,
): Promise<Pick<TunnelAuth, "ppk">> {
  if (ppk === undefined) return {};
  const { secret, id, use } = ppk;
  const at = { now, inUse: inUse?.ppk?.secretId };
  return { ppk: { secretId: await chooseSecret(vault, secret, at, signal), id, use } };
}

/**
 * Returns the authentication with the newest usable versions if one is newer than those in use;
 * else undefined.
 */
export async function newerAuth(
  vault: KeyVault,
  wanted: DesiredAuth,
  { now, inUse }: { readonly now: WallTime; readonly inUse: TunnelAuth },
  signal: AbortSignal,
): Promise<TunnelAuth | undefined> {
  if (wanted.kind !== inUse.kind) return undefined;
  const at = { now, inUse: inUse.secretId };
  const secretId = await newerVersion(vault, wanted.secret, at, signal);
  const beside = await choosePpk(vault, wanted, { now, inUse }, signal);
  if (inUse.kind !== "certificate" || wanted.kind !== "certificate") {
    return secretId === undefined ? undefined : { kind: "psk", secretId, ...beside };
  }
  const roots = { now, inUse: inUse.authoritiesId };
  const authoritiesId = await newerVersion(vault, wanted.authorities, roots, signal);
  if (secretId === undefined && authoritiesId === undefined) return undefined;
  return {
    kind: "certificate",
    secretId: secretId ?? inUse.secretId,
    authoritiesId: authoritiesId ?? inUse.authoritiesId,
    peer: wanted.peer,
    ...beside,
  };
}

async function newerVersion(
  vault: KeyVault,
  name: string,
  { now, inUse }: { readonly now: WallTime; readonly inUse: string },
  signal: AbortSignal,
): Promise<string | undefined> {
  const versions = await vault.versions(name, signal);
  const since = versions.find(({ id }) => id === inUse)?.created ?? 0;
  const [newest] = versions
    .filter((version) => isUsable(version, now) && version.created > since)
    .toSorted((a, b) => b.created - a.created);
  return newest?.id;
}

/**
 * Compares the keys of a group; the values never leave memory.
 * @throws LinksealError `vault.reusedCkn` if two have equal CAKs or the same CKN.
 */
export async function assertDistinct(
  vault: KeyVault,
  keys: readonly KeyRef[],
  signal: AbortSignal,
): Promise<void> {
  const seen: { key: KeyRef; cak: Secret }[] = [];
  try {
    for (const key of keys) {
      const cak = await readCak(vault, key.cakSecretId, signal);
      const twin = seen.find((other) => other.key.ckn === key.ckn || other.cak.equals(cak));
      seen.push({ key, cak });
      if (twin !== undefined) {
        throw new LinksealError("vault.reusedCkn", "two links have the same CKN or the same CAK", {
          effect: "none",
          where: `${twin.key.cakSecretId} and ${key.cakSecretId}`,
          next: "linkseal keys check",
        });
      }
    }
  } finally {
    for (const { cak } of seen) cak[Symbol.dispose]();
  }
}

function refusal(
  code: "vault.malformedKey" | "vault.unpaired" | "vault.reusedCkn",
  link: DesiredLink,
  text: string,
): LinksealError {
  return new LinksealError(code, text, {
    effect: "none",
    where: `${link.group}/${link.name}`,
    next: "linkseal keys check",
  });
}
