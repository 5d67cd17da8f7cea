// Why a reading is healthier than another; undefined = it is not. A reading that is not known is
// never healthier.

import type { MkaSession, PortRate } from "#hal/model.ts";

/** Compares the ports of the whole answer; a port that is not in it cannot be asked for. */
export function healthierPorts<T>(
  dirty: ReadonlyMap<string, T | undefined>,
  whole: ReadonlyMap<string, T | undefined>,
  judge: (dirty: T, whole: T) => string | undefined,
): string | undefined {
  for (const [port, own] of whole) {
    const one = dirty.get(port);
    const why = one === undefined || own === undefined ? undefined : judge(one, own);
    if (why !== undefined) return `${port}: ${why}`;
  }
  return undefined;
}

export function healthierSessions(
  dirty: ReadonlyMap<string, MkaSession | undefined>,
  whole: ReadonlyMap<string, MkaSession | undefined>,
): string | undefined {
  return healthierPorts(dirty, whole, (one, own) => {
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

export function linkGained(
  linkUp: boolean | undefined,
  own: boolean | undefined,
): string | undefined {
  return linkUp === true && own !== true ? "its link is up" : undefined;
}

/** A port with less traffic counts as drained. */
export function lessTraffic(
  rate: PortRate | undefined,
  own: PortRate | undefined,
): string | undefined {
  if (rate === undefined || own === undefined) return undefined;
  const ways = ["rxPps", "txPps", "rxBps", "txBps"] as const;
  return ways.some((way) => rate[way] < own[way]) ? "it has less traffic" : undefined;
}
