// Queries a real vault for the expiry of the secrets in use, one at a time and far below its rate
// limits; secret values are never read.

import { LinksealError } from "#hal/error.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { WallTime, World } from "#hal/world.ts";
import type { Cloud } from "../../model/cloud.ts";
import { type Desired, linkId } from "../../model/desired.ts";
import { type Memory, named } from "../../store/journal/memory.ts";
import { isUsable, newestFirst } from "./vault.ts";

/** A key, certificate or identity that is in use and expires. */
export interface UsedUntil {
  /** The warning's code. */
  readonly code: "key-expiring" | "identity-expiring";
  /** A link, tunnel or `site`. */
  readonly about: string;
  /** The names that contain `about`. */
  readonly within: readonly string[];
  /** What expires, as the warning names it. */
  readonly what: string;
  /** When it expires. */
  readonly at: WallTime;
}

export interface KeyPollerParts {
  readonly world: Pick<World, "clock" | "log">;
  readonly desired: Desired;
  readonly vault: KeyVault;
  readonly memory: () => Memory;
  readonly identityEnd: Cloud["identityEnd"];
}

interface Question {
  readonly about: string;
  readonly ask: (signal: AbortSignal) => Promise<readonly UsedUntil[]>;
}

const roundMs = 3_600_000;
/**
 * The pause in milliseconds between the queries of the first round, so that an early expiry is
 * reported soon.
 */
const firstRoundMs = 1_000;

/** The key poller: it collects when secrets in use expire. */
export class KeyPoller {
  readonly #parts: KeyPollerParts;
  readonly #questions: readonly Question[];
  readonly #ends = new Map<string, readonly UsedUntil[]>();
  #asked = 0;

  constructor(parts: KeyPollerParts) {
    this.#parts = parts;
    this.#questions = [...this.#ofIdentity(), ...this.#ofLinks(), ...this.#ofTunnels()];
  }

  /** Everything found so far that expires. */
  get ends(): readonly UsedUntil[] {
    return [...this.#ends.values()].flat();
  }

  /** Runs the next query; resolves to the pause after it, in milliseconds. */
  async turn(signal: AbortSignal): Promise<number> {
    const { length } = this.#questions;
    const question = this.#questions[this.#asked % length];
    if (question === undefined) return roundMs;
    this.#asked += 1;
    try {
      this.#ends.set(question.about, await question.ask(signal));
    } catch (error) {
      // Earlier answers are kept; the operations that need a key report the vault's refusal.
      if (!(error instanceof LinksealError)) throw error;
      this.#parts.world.log.write("debug", error.code, error.message, { about: question.about });
    }
    return this.#asked < length ? firstRoundMs : roundMs / length;
  }

  #ofIdentity(): Question[] {
    const { identityEnd } = this.#parts;
    if (identityEnd === undefined) return [];
    const what = "the certificate that linkseal signs in with";
    const about = "site";
    const ask = async (): Promise<readonly UsedUntil[]> => {
      const at = await identityEnd();
      return at === undefined ? [] : [{ code: "identity-expiring", about, within: [], what, at }];
    };
    return [{ about, ask }];
  }

  #ofLinks(): Question[] {
    const { desired, memory } = this.#parts;
    return desired.groups.flatMap(({ name: group, links }) =>
      links.map((link): Question => {
        const about = linkId(link);
        const ask = async (signal: AbortSignal): Promise<readonly UsedUntil[]> => {
          const key = named(memory().bindings, about)?.key;
          if (key === undefined) return [];
          const used = [key.cakSecretId, key.cknSecretId];
          const names = [link.key.cak, link.key.ckn];
          return await this.#endsOf(names, (id) => used.includes(id), about, [group], signal);
        };
        return { about, ask };
      }),
    );
  }

  #ofTunnels(): Question[] {
    return this.#parts.desired.tunnels.map(({ name: about, device, auth }): Question => {
      const own = auth.kind === "certificate" ? [auth.secret, auth.authorities] : [auth.secret];
      const names = auth.ppk === undefined ? own : [...own, auth.ppk.secret];
      const ask = (signal: AbortSignal): Promise<readonly UsedUntil[]> =>
        this.#endsOf(names, undefined, about, [device], signal);
      return { about, ask };
    });
  }

  /** If `isUsed` is undefined, the newest usable version of each name counts as the one in use. */
  async #endsOf(
    names: readonly string[],
    isUsed: ((id: string) => boolean) | undefined,
    about: string,
    within: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly UsedUntil[]> {
    const { vault, world } = this.#parts;
    const ends: UsedUntil[] = [];
    for (const name of names) {
      const versions = await vault.versions(name, signal);
      const usable = versions.filter((version) => isUsable(version, world.clock.wall()));
      const used =
        isUsed === undefined
          ? newestFirst(usable).slice(0, 1)
          : versions.filter(({ id }) => isUsed(id));
      for (const { expires } of used) {
        if (expires === undefined) continue;
        ends.push({ code: "key-expiring", about, within, what: name, at: expires });
      }
    }
    return ends.toSorted((a, b) => a.at - b.at).slice(0, 1);
  }
}
