// The vault as one round of questions asks it: each list of versions and each value once.

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

  /** A copy, which the caller wipes. */
  async read(id: string, signal: AbortSignal): Promise<Secret> {
    return (await once(this.#values, id, () => this.#vault.read(id, signal))).copy();
  }

  /** Wipes every value of a secret that was read; one that is asked for later is read again. */
  async wipe(name: string): Promise<void> {
    for (const [id, value] of this.#values) {
      if (id.split("/").at(-2) !== name) continue;
      this.#values.delete(id);
      await value.then(
        (secret) => secret[Symbol.dispose](),
        // What could not be read left nothing to wipe.
        () => undefined,
      );
    }
  }
}

/** What failed is no answer: it is asked for again. */
function once<T>(known: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  const found = known.get(key);
  if (found !== undefined) return found;
  const asked = ask();
  known.set(key, asked);
  asked.catch(() => known.delete(key));
  return asked;
}
