// The key store of a simulated site: versions, values, and the ways in which a vault fails.

import { LinksealError } from "#hal/error.ts";
import { type CipherSuite, type KeyRef, parseCkn } from "#hal/model.ts";
import { generationTag, pairTag, type SecretVersion, type VersionMarks } from "#hal/vault.ts";
import type { WallTime } from "#hal/world.ts";
import type { SimClock } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";

/**
 * A fault of the vault. All but `down` concern only the agent's reads; the far end reads with an
 * identity of its own.
 */
export type VaultFault =
  | "down"
  | "denied"
  | "throttled"
  | "serveDisabled"
  | "servePrevious"
  /** Its reader may not mark versions. */
  | "unmarkable";

export interface VaultOptions {
  readonly clock: SimClock;
  readonly prng: Prng;
  /** The base URL, such as `https://demo.vault.sim`; ids are `BASE/secrets/NAME/VERSION`. */
  readonly base: string;
}

export interface PutOptions {
  readonly tags?: Readonly<Record<string, string>>;
  readonly enabled?: boolean;
  readonly notBefore?: WallTime;
  readonly expires?: WallTime;
  /** Set for a CKN, which is public: the canary search leaves it out. */
  readonly holds?: "ckn";
  readonly contentType?: string;
}

/** The changeable attributes of an existing version; its value is not among them. */
export type Attributes = Partial<
  Pick<SecretVersion, "enabled" | "notBefore" | "expires" | "tags"> & {
    readonly contentType: string;
  }
>;

/** A version with the properties that only its own protocol returns. */
export interface VersionDetail {
  /** The version as the agent reads it. */
  readonly version: SecretVersion;
  /** The wall time of its last change, in Unix ms. */
  readonly updated: WallTime;
  /** The content type; undefined if none is set. */
  readonly contentType: string | undefined;
}

interface Stored {
  version: SecretVersion;
  updated: WallTime;
  contentType: string | undefined;
  readonly value: string;
}

/** A deleted secret, which can be recovered. */
interface Deleted {
  /** The wall time of the deletion, in Unix ms. */
  readonly at: WallTime;
  readonly versions: Stored[];
}

const cakOctets: Readonly<Record<CipherSuite, 16 | 32>> = {
  "gcm-aes-128": 16,
  "gcm-aes-256": 32,
  "gcm-aes-xpn-128": 16,
  "gcm-aes-xpn-256": 32,
};

/** One simulated vault. */
export class SimVault {
  readonly base: string;
  /** The number of values returned so far. */
  reads = 0;
  /** The versions whose value was returned under another id: they do not prove who mixed keys. */
  readonly misserved = new Set<string>();
  readonly #clock: SimClock;
  readonly #prng: Prng;
  readonly #secrets = new Map<string, Stored[]>();
  readonly #deleted = new Map<string, Deleted>();
  readonly #faults = new Set<VaultFault>();
  /**
   * The key values in the order in which they were put, so that a reader can continue where it
   * stopped.
   */
  readonly #keys: { readonly id: string; readonly bytes: Uint8Array }[] = [];

  constructor(options: VaultOptions) {
    this.base = options.base;
    this.#clock = options.clock;
    this.#prng = options.prng;
  }

  /** Adds a version and returns its id; later versions of a name are always created later. */
  put(name: string, value: string, options: PutOptions = {}): string {
    const list = this.#secrets.get(name) ?? [];
    const previous = list.at(-1)?.version.created ?? 0;
    const id = `${this.base}/secrets/${name}/${this.#prng.hex(16)}`;
    const version: SecretVersion = {
      id,
      enabled: options.enabled ?? true,
      created: Math.max(this.#clock.wall(), previous + 1) as WallTime,
      notBefore: options.notBefore,
      expires: options.expires,
      tags: options.tags ?? {},
    };
    const { contentType } = options;
    const stored = { version, updated: version.created, contentType, value };
    this.#secrets.set(name, [...list, stored]);
    if (options.holds !== "ckn") this.#keys.push({ id, bytes: octetsOf(value) });
    return id;
  }

  /**
   * Adds a fresh pair in the form that `keys generate` writes; `link` gives the names of its two
   * secrets.
   */
  generatePair(link: { readonly cak: string; readonly ckn: string }, suite: CipherSuite): KeyRef {
    const cknText = this.#prng.hex(32).toUpperCase();
    const ckn = parseCkn(cknText);
    if (ckn === undefined) throw new RangeError("a generated CKN must parse");
    const generations = this.#list(link.cak).map(({ version }) => version.tags[generationTag]);
    const generation = 1 + Math.max(0, ...generations.map((tag) => Number(tag ?? 0)));
    const cknSecretId = this.put(link.ckn, cknText, { holds: "ckn" });
    const cakSecretId = this.put(link.cak, this.#prng.hex(cakOctets[suite]).toUpperCase(), {
      tags: { [pairTag]: cknText, [generationTag]: String(generation) },
    });
    return { ckn, cakSecretId, cknSecretId };
  }

  /**
   * Returns all pairs under these names, oldest first, including disabled and manually written
   * ones: a CAK with a tag that names the CKN of one of the other versions.
   */
  pairs(link: { readonly cak: string; readonly ckn: string }): readonly KeyRef[] {
    const ckns = this.#list(link.ckn);
    return this.#list(link.cak).flatMap(({ version: cak }) => {
      const ckn = parseCkn(cak.tags[pairTag] ?? "");
      const found = ckns.find(({ value }) => ckn !== undefined && parseCkn(value) === ckn);
      if (ckn === undefined || found === undefined) return [];
      return [{ ckn, cakSecretId: cak.id, cknSecretId: found.version.id }];
    });
  }

  /**
   * Enables or disables a version.
   * @throws RangeError for an id that was never put
   */
  setEnabled(id: string, on: boolean): void {
    this.update(id, { enabled: on });
  }

  /**
   * Changes attributes of a version.
   * @throws RangeError for an id that was never put
   */
  update(id: string, { contentType, ...attributes }: Attributes): void {
    const stored = this.#find(id);
    if (stored === undefined) throw new RangeError(`no secret ${id}`);
    stored.version = { ...stored.version, ...attributes };
    stored.contentType = contentType ?? stored.contentType;
    stored.updated = Math.max(this.#clock.wall(), stored.version.created) as WallTime;
  }

  /**
   * Marks a version for a client of the site.
   * @throws LinksealError `vault.*`
   */
  mark(id: string, marks: VersionMarks): void {
    this.#refuse(id);
    if (this.#faults.has("unmarkable")) {
      throw refusal("vault.denied", id, "this identity may not mark it (403 ForbiddenByRbac)");
    }
    if (this.#find(id) === undefined) throw missing(id);
    this.update(id, marks);
  }

  /** Returns a version regardless of faults; undefined if there is no such version. */
  detail(id: string): VersionDetail | undefined {
    return this.#find(id);
  }

  /** Returns the names of secrets, in the order of their creation. */
  names(): readonly string[] {
    return [...this.#secrets.keys()];
  }

  /**
   * Deletes a secret with all its versions, so that it can be recovered; returns false if there is
   * none.
   */
  delete(name: string): boolean {
    const versions = this.#secrets.get(name);
    if (versions === undefined) return false;
    this.#secrets.delete(name);
    this.#deleted.set(name, { at: this.#clock.wall(), versions });
    return true;
  }

  /** Recovers a deleted secret; returns false if no such secret is deleted. */
  recover(name: string): boolean {
    const deleted = this.#deleted.get(name);
    if (deleted === undefined) return false;
    this.#deleted.delete(name);
    this.#secrets.set(name, deleted.versions);
    return true;
  }

  /** Returns the deleted secrets by name: the newest version, and when it was deleted. */
  deleted(): ReadonlyMap<string, { readonly at: WallTime; readonly newest: VersionDetail }> {
    const all = [...this.#deleted].flatMap(([name, { at, versions }]) => {
      const newest = versions.at(-1);
      return newest === undefined ? [] : [[name, { at, newest }] as const];
    });
    return new Map(all);
  }

  /** Returns the present faults. */
  faults(): ReadonlySet<VaultFault> {
    return this.#faults;
  }

  /** Sets or clears a fault. */
  setFault(fault: VaultFault, on: boolean): void {
    if (on) this.#faults.add(fault);
    else this.#faults.delete(fault);
  }

  /**
   * Returns the versions, oldest first; empty for an unknown name.
   * @throws LinksealError `vault.*` while a fault is set
   */
  versions(name: string): readonly SecretVersion[] {
    this.#refuse(name);
    return this.#list(name).map(({ version }) => version);
  }

  /**
   * Returns the value that the agent gets for a versioned id.
   * @throws LinksealError `vault.*`
   */
  value(id: string): string {
    this.#refuse(id);
    const stored = this.#served(id);
    if (!stored.version.enabled && !this.#faults.has("serveDisabled")) throw disabled(id);
    this.reads += 1;
    return stored.value;
  }

  /**
   * Returns the value that the far end gets with its own identity; the newest if no version is
   * named.
   * @throws LinksealError `vault.*`
   */
  valueForFarEnd(id: string): string {
    if (this.#faults.has("down")) throw unreachable(id, "the vault does not answer");
    const named = /^\/secrets\/([^/]+)$/.exec(id.replace(this.base, ""))?.[1];
    const stored = named === undefined ? this.#find(id) : this.#list(named).at(-1);
    if (stored === undefined) throw missing(id);
    if (!stored.version.enabled) throw disabled(id);
    return stored.value;
  }

  /**
   * Returns the octets of every key value ever put, without CKNs: they must never appear in any
   * output.
   */
  secretsForOracle(): readonly { readonly id: string; readonly bytes: Uint8Array }[] {
    return this.#keys;
  }

  #list(name: string): readonly Stored[] {
    return this.#secrets.get(name) ?? [];
  }

  #find(id: string): Stored | undefined {
    const [name] = id.slice(`${this.base}/secrets/`.length).split("/");
    return this.#list(name ?? "").find(({ version }) => version.id === id);
  }

  #served(id: string): Stored {
    const stored = this.#find(id);
    if (stored === undefined) throw missing(id);
    if (!this.#faults.has("servePrevious")) return stored;
    const list = [...this.#secrets.values()].find((versions) => versions.includes(stored)) ?? [];
    const previous = list[list.indexOf(stored) - 1];
    if (previous !== undefined) this.misserved.add(previous.version.id);
    return previous ?? stored;
  }

  #refuse(where: string): void {
    if (this.#faults.has("down")) throw unreachable(where, "the vault does not answer");
    if (this.#faults.has("throttled")) throw unreachable(where, "the vault is throttling (429)");
    if (this.#faults.has("denied")) {
      throw refusal("vault.denied", where, "the vault refuses this identity (403 ForbiddenByRbac)");
    }
  }
}

// A value that is not a whole CAK, such as a PSK, is searched for as text.
function octetsOf(value: string): Uint8Array {
  const isHex = /^(?:[0-9a-f]{32}|[0-9a-f]{64})$/i.test(value);
  return isHex ? Uint8Array.from(Buffer.from(value, "hex")) : new TextEncoder().encode(value);
}

function unreachable(where: string, text: string): LinksealError {
  return refusal("vault.unreachable", where, text);
}

function disabled(id: string): LinksealError {
  return refusal("vault.denied", id, "this version is disabled (403 SecretDisabled)");
}

function missing(id: string): LinksealError {
  return refusal("vault.malformedKey", id, "there is no such version (404 SecretNotFound)");
}

function refusal(
  code: "vault.unreachable" | "vault.denied" | "vault.malformedKey",
  where: string,
  text: string,
): LinksealError {
  return new LinksealError(code, text, { effect: "none", where, next: "linkseal keys check" });
}
