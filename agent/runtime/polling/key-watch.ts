// Asks a real vault when the secrets in use end, one after the other and far below its limits;
// values are never asked for.

import { LinksealError } from "#hal/error.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { WallTime, World } from "#hal/world.ts";
import type { Cloud } from "../../model/cloud.ts";
import { type Desired, linkId } from "../../model/desired.ts";
import { type Memory, named } from "../../store/journal/memory.ts";
import { isUsable, newestFirst } from "./vault.ts";

/** Something that is in use and has a last day. */
export interface UsedUntil {
  readonly code: "key-expiring" | "identity-expiring";
  /** Link, tunnel or `site`. */
  readonly about: string;
  readonly within: readonly string[];
  readonly what: string;
  readonly at: WallTime;
}

export interface KeyWatchParts {
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
/** The first round is to say soon what ends soon. */
const firstRoundMs = 1_000;

export class KeyWatch {
  readonly #parts: KeyWatchParts;
  readonly #questions: readonly Question[];
  readonly #ends = new Map<string, readonly UsedUntil[]>();
  #asked = 0;

  constructor(parts: KeyWatchParts) {
    this.#parts = parts;
    this.#questions = [...this.#ofIdentity(), ...this.#ofLinks(), ...this.#ofTunnels()];
  }

  get ends(): readonly UsedUntil[] {
    return [...this.#ends.values()].flat();
  }

  /** Asks the next question; resolves to the pause after it. */
  async turn(signal: AbortSignal): Promise<number> {
    const { length } = this.#questions;
    const question = this.#questions[this.#asked % length];
    if (question === undefined) return roundMs;
    this.#asked += 1;
    try {
      this.#ends.set(question.about, await question.ask(signal));
    } catch (error) {
      // What was known stays known; that the vault says no is told by those who need a key of it.
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
      const names = auth.kind === "certificate" ? [auth.secret, auth.authorities] : [auth.secret];
      const ask = (signal: AbortSignal): Promise<readonly UsedUntil[]> =>
        this.#endsOf(names, undefined, about, [device], signal);
      return { about, ask };
    });
  }

  /** Without `isUsed` the newest usable version of each name is the one in use. */
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
