// Why a reading is healthier than another; undefined = it is not. A reading that is not known is
// never healthier.

import type { MkaSession } from "#hal/model.ts";

/** Compares the entries of the whole answer; an entry that is not in it cannot be asked for. */
export function healthierOf<T>(
  dirty: ReadonlyMap<string, T | undefined>,
  whole: ReadonlyMap<string, T | undefined>,
  judge: (dirty: T, whole: T) => string | undefined,
): string | undefined {
  for (const [name, own] of whole) {
    const one = dirty.get(name);
    const why = one === undefined || own === undefined ? undefined : judge(one, own);
    if (why !== undefined) return `${name}: ${why}`;
  }
  return undefined;
}

type Sessions = ReadonlyMap<string, MkaSession | undefined>;

export function healthierMka(dirty: Sessions, whole: Sessions): string | undefined {
  return healthierOf(dirty, whole, (one, own) => {
    if (one.livePeers > own.livePeers) return `${one.livePeers} live peers`;
    if (one.controlledPort !== "secured") return undefined;
    if (own.controlledPort !== "secured") return "it is secured";
    // Another key of the port would be taken for one that both ends use.
    const others = own.participants.filter(({ ckn }) => ckn !== own.principalCkn);
    const isOther = others.some(({ ckn }) => ckn === one.principalCkn);
    return isOther ? "another key is in use" : undefined;
  });
}

/** Frames that passed prove that a link carries. */
export function grown(
  one: bigint | undefined,
  own: bigint | undefined,
  what: string,
): string | undefined {
  return one !== undefined && one > (own ?? 0n) ? `more ${what}` : undefined;
}

export function fewerErrors(
  errors: readonly (bigint | undefined)[],
  own: readonly (bigint | undefined)[],
): string | undefined {
  const isLess = errors.some((one, index) => one !== undefined && one < (own[index] ?? 0n));
  return isLess ? "fewer errors" : undefined;
}

/** A session that is up carries traffic, and one that is down proves a drain. */
export function otherState(one: string, own: string): string | undefined {
  return one === own ? undefined : `it is ${one}`;
}
