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

/** Reads secrets: get and list, never set. An abort leaves nothing behind. */
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

/** Tag on a CAK version that names its CKN, in upper-case hex. */
export const pairTag = "linkseal-ckn";
/** Tag on a CAK version: a number that only rises for a link. */
export const generationTag = "linkseal-generation";

/** The store with the operator's own right to write; the agent never has it. */
export interface KeyStore extends KeyVault {
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
  /**
   * Replaces the tags of a version. After an abort they may have been replaced.
   * @throws LinksealError `vault.*`, with effect "unknown" if the reply was lost.
   */
  tag(id: string, tags: SecretVersion["tags"], signal: AbortSignal): Promise<void>;
}
