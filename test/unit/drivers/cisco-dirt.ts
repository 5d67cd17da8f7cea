// What must not be made of a dirty answer of a Cisco router, alike for its platforms; and the rows
// that may come between those of an answer.

import { type Page, pagesOf, sessionOf } from "#drivers/platform/cisco-mka.ts";
import type { Peer, Physical } from "#drivers/platform/cisco-system.ts";
import type { MacsecFrames, MacsecSettings, MkpduCounters, PortName, Route } from "#hal/model.ts";

/** Removes the rows that the driver's terminal takes for noise. */
export const quiet = (answer: string, noise: RegExp): string =>
  answer
    .split("\n")
    .map((row) => row.trimEnd())
    .filter((row) => !noise.test(row))
    .join("\n");

/** Returns why more of these ports are secured, or have more peers, than in the whole answer. */
export function healthierSessions(
  ports: readonly PortName[],
  settings: MacsecSettings | undefined,
): (dirty: readonly Page[], whole: readonly Page[]) => string | undefined {
  return (dirty, whole) => {
    for (const port of ports) {
      const [now, before] = [dirty, whole].map((pages) =>
        sessionOf(pagesOf(pages, port, ports), settings),
      );
      if (now === undefined || before === undefined) continue;
      const isSecured = now.controlledPort === "secured";
      if (isSecured && before.controlledPort !== "secured") return `${port} is secured`;
      const isOther = before.participants.some(({ ckn }) => ckn === now.principalCkn);
      if (isSecured && now.principalCkn !== before.principalCkn && isOther) {
        return `${port} uses another one of its keys`;
      }
      if (now.livePeers > before.livePeers) return `${port} has ${now.livePeers} peers`;
      if (now.respondedPeers > before.respondedPeers) return `${port} has peers that responded`;
    }
    return undefined;
  };
}

/** A drain is proven by the absence of routes in use. */
export function healthierRoutes(
  dirty: readonly Route[],
  whole: readonly Route[],
): string | undefined {
  const used = (routes: readonly Route[]): number => routes.filter(({ best }) => best).length;
  return used(dirty) < used(whole) ? `${used(dirty)} routes are in use` : undefined;
}

type Physicals = ReadonlyMap<PortName, Physical>;

/** A drain is proven by a low rate as well. */
export function healthierPorts(dirty: Physicals, whole: Physicals): string | undefined {
  for (const [port, { linkUp, rate }] of whole) {
    const now = dirty.get(port);
    if (now?.linkUp === true && linkUp !== true) return `${port} has a link`;
    if (now?.rate === undefined || rate === undefined) continue;
    if (now.rate.rxPps < rate.rxPps || now.rate.txPps < rate.txPps) return `${port} is idle`;
    if (now.rate.lineBps > rate.lineBps) return `${port} is faster`;
  }
  return undefined;
}

type Peers = ReadonlyMap<string, Peer>;

/** A session that is up carries traffic, and one that is down proves a drain. */
export function healthierPeers(dirty: Peers, whole: Peers): string | undefined {
  for (const [name, { state }] of dirty) {
    const before = whole.get(name)?.state;
    if (before !== undefined && before !== state) return `${name} is ${state}`;
  }
  return undefined;
}

/** The agent's own path must not seem to lead elsewhere. */
export function otherWays(dirty: readonly string[], whole: readonly string[]): string | undefined {
  const other = dirty.find((name) => !whole.includes(name));
  return other === undefined ? undefined : `it leads to ${other}`;
}

/** Frames that arrived in order prove a key, and those that did not accuse it. */
export function healthierFrames(dirty: MacsecFrames, whole: MacsecFrames): string | undefined {
  for (const name of ["txProtected", "rxOk"] as const) {
    if (dirty[name] > 0n && whole[name] === 0n) return `${name} is ${dirty[name]}`;
  }
  for (const name of ["rxNotValid", "rxLate", "rxNotUsingSa", "rxUnusedSa"] as const) {
    if (dirty[name] === 0n && (whole[name] ?? 0n) > 0n) return `${name} is 0`;
  }
  return undefined;
}

/** As for frames. */
export function healthierMkpdus(dirty: MkpduCounters, whole: MkpduCounters): string | undefined {
  for (const name of ["sent", "received"] as const) {
    if (dirty[name] > 0n && whole[name] === 0n) return `${name} is ${dirty[name]}`;
  }
  return dirty.icvFailed === 0n && (whole.icvFailed ?? 0n) > 0n ? "none has failed" : undefined;
}
