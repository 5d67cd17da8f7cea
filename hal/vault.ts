// The key store as the agent uses it: versions without values, and one value as a Secret.

import type { Secret } from "./secret.ts";
import type { WallTime } from "./world.ts";

/** A version of a secret, without its value. */
export interface SecretVersion {
  /** Versioned id: base, `/secrets/`, name, version. */
  readonly id: string;
  /** Whether it may be read. */
  readonly enabled: boolean;
  /** When it was created. */
  readonly created: WallTime;
  /** When it becomes usable; undefined = at once. */
  readonly notBefore: WallTime | undefined;
  /** When it expires; undefined = never. */
  readonly expires: WallTime | undefined;
  /** Its tags, by name. */
  readonly tags: Readonly<Record<string, string>>;
}

/** Reads secrets: get and list. An abort leaves nothing behind. */
export interface KeyVault {
  /**
   * Lists the versions of a secret.
   * @throws LinksealError `vault.*`, with effect "none".
   */
  versions(name: string, signal: AbortSignal): Promise<readonly SecretVersion[]>;
  /**
   * Returns the octets of the value as stored (hexadecimal text for CAKs and CKNs); the caller
   * wipes it.
   * @throws LinksealError `vault.*`, with effect "none".
   */
  read(id: string, signal: AbortSignal): Promise<Secret>;
}

/** The attributes of a version that may be changed; its value is not among them. */
export interface VersionMarks {
  /** Take the place of all its tags. */
  readonly tags: SecretVersion["tags"];
  /** False = its value cannot be read any more; absent = as it is. */
  readonly enabled?: false;
}

/**
 * Writes attributes of versions, with a right of its own: it can neither read nor set a value.
 */
export interface KeyMarker {
  /**
   * Marks a version. After an abort it may have been marked.
   * @throws LinksealError `vault.*`, with effect "unknown" if the reply was lost.
   */
  mark(id: string, marks: VersionMarks, signal: AbortSignal): Promise<void>;
}

/** Tag on a CAK version that names its CKN, in upper-case hex. */
export const pairTag = "linkseal-ckn";
/** Tag on a CAK version: a number that only rises for a link. */
export const generationTag = "linkseal-generation";
/** Tag on a CAK version that was declared compromised, with the time of it in ISO 8601. */
export const compromisedTag = "linkseal-compromised";

/** The store with the operator's own right to write keys; the agent never has it. */
export interface KeyStore extends KeyVault, KeyMarker {
  /**
   * Stores a new version whose value is the octets in upper-case hexadecimal; returns its id. After
   * an abort the version may exist.
   * @throws LinksealError `vault.*`, with effect "unknown" if the reply was lost.
   */
  put(
    name: string,
    octets: Secret,
    tags: SecretVersion["tags"],
    signal: AbortSignal,
  ): Promise<string>;
}
