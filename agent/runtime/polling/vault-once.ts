// A cache of the vault for one check: each list of versions and each value is read once.

import type { Secret } from "#hal/secret.ts";
import type { KeyVault, SecretVersion } from "#hal/vault.ts";

export class VaultOnce implements KeyVault {
  readonly #vault: KeyVault;
  readonly #lists = new Map<string, Promise<readonly SecretVersion[]>>();
  readonly #values = new Map<string, Promise<Secret>>();

  constructor(vault: KeyVault) {
    this.#vault = vault;
  }

  versions(name: string, signal: AbortSignal): Promise<readonly SecretVersion[]> {
    return once(this.#lists, name, () => this.#vault.versions(name, signal));
  }

  /** Returns a copy, which the caller must wipe. */
  async read(id: string, signal: AbortSignal): Promise<Secret> {
    return (await once(this.#values, id, () => this.#vault.read(id, signal))).copy();
  }

  /** Wipes every value of a secret that was read; a later read queries the vault again. */
  async wipe(name: string): Promise<void> {
    for (const [id, value] of this.#values) {
      if (id.split("/").at(-2) !== name) continue;
      this.#values.delete(id);
      await value.then(
        (secret) => secret[Symbol.dispose](),
        // A failed read left no value to wipe.
        () => undefined,
      );
    }
  }
}

/** Caches an answer; a failed one is not cached. */
function once<T>(known: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  const found = known.get(key);
  if (found !== undefined) return found;
  const asked = ask();
  known.set(key, asked);
  asked.catch(() => known.delete(key));
  return asked;
}
