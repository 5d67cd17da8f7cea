// The key store as the agent sees it: versions without values, and one value as a Secret.

import type { Secret } from "./secret.ts";
import type { WallTime } from "./world.ts";

export interface SecretVersion {
  /** Versioned id: base, `/secrets/`, name, version. */
  readonly id: string;
  readonly enabled: boolean;
  readonly created: WallTime;
  readonly notBefore: WallTime | undefined;
  readonly expires: WallTime | undefined;
  readonly tags: Readonly<Record<string, string>>;
}

/** Get and list, never set. Errors are `vault.*` and always have effect "none". */
export interface KeyVault {
  versions(name: string, signal: AbortSignal): Promise<readonly SecretVersion[]>;
  /** Octets of the value as stored (hexadecimal text for CAKs and CKNs); the caller wipes it. */
  read(id: string, signal: AbortSignal): Promise<Secret>;
}

/** Tag on a CAK version that names the CKN it belongs to, in upper-case hex. */
export const pairTag = "linkseal-ckn";
/** Tag on a CAK version: a number that only rises for a link. */
export const generationTag = "linkseal-generation";

/** The store with the operator's own right to write; the agent never has it. */
export interface KeyStore extends KeyVault {
  /**
   * A new version whose value is the octets in upper-case hexadecimal; resolves to its id. Errors
   * are `vault.*`, with effect "unknown" where the answer was lost.
   */
  put(
    name: string,
    octets: Secret,
    tags: SecretVersion["tags"],
    signal: AbortSignal,
  ): Promise<string>;
  /** Replaces the tags of a version; the same errors. */
  tag(id: string, tags: SecretVersion["tags"], signal: AbortSignal): Promise<void>;
}
