// The state that Cisco routers report about themselves alike. Undefined = nothing in the reply is
// understood.

import type { BgpSession, PortName, PortRate } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { momentOf, wholeOf } from "./cisco-text.ts";
import { type SessionPlace, sessionTo } from "./router-observation.ts";

const clockPattern =
  /^[*.]?(\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?) (\w{2,5}) \w{3} (\w{3}) +(\d{1,2}) (\d{4})$/m;

/** Returns the router's time; undefined also for a zone other than UTC. */
export function readClock(text: string): WallTime | undefined {
  const found = clockPattern.exec(text);
  if (found === null) return undefined;
  const [, time, zone = "", month, day, year] = found;
  return /^(?:UTC|GMT|Z)$/.test(zone) ? momentOf(`${time} ${month} ${day} ${year}`) : undefined;
}

export interface Physical {
  readonly linkUp: boolean;
  readonly rate: PortRate | undefined;
}

const headPattern =
  /^(\S{1,64}) is ([\w ]{1,40}), line protocol is [\w ]{1,40}(?: \(.{1,40}\))?$/gm;

/** Reads the interfaces that are ports on the platform. */
export function readInterfaces(
  text: string,
  isPort: (name: string) => boolean,
): ReadonlyMap<PortName, Physical> | undefined {
  const heads = [...text.matchAll(headPattern)];
  if (heads.length === 0) return undefined;
  const ports = new Map<PortName, Physical>();
  for (const [index, head] of heads.entries()) {
    const [, name = "", state = ""] = head;
    if (!isPort(name)) continue;
    const page = text.slice(head.index, heads[index + 1]?.index ?? text.length);
    ports.set(name, { linkUp: state === "up", rate: rateOf(page) });
  }
  return ports;
}

function rateOf(page: string): PortRate | undefined {
  const way = (name: string): readonly [number, number] => {
    const pattern = new RegExp(
      `^ {0,8}\\d{1,4} \\w{1,8} ${name} rate (\\d{1,15}) bits/sec, (\\d{1,15}) packets/sec$`,
      "m",
    );
    const found = pattern.exec(page);
    return found === null ? [Number.NaN, Number.NaN] : [Number(found[1]), Number(found[2])];
  };
  const [rxBps, rxPps] = way("input");
  const [txBps, txPps] = way("output");
  const kbit = wholeOf(/\bBW (\d{1,12}) Kbit\b/.exec(page)?.[1]);
  const rate = { rxPps, txPps, rxBps, txBps, lineBps: (kbit ?? Number.NaN) * 1000 };
  return Object.values(rate).every(Number.isFinite) ? rate : undefined;
}

/** A BGP neighbour as the router reports it. */
export interface Peer {
  /** Its address. */
  readonly address: string;
  /** Its VRF; undefined = the global table. */
  readonly vrf: string | undefined;
  /** State of the session, such as `Established`. */
  readonly state: string;
  /** Why the last session ended; undefined = not reported. */
  readonly lastError: string | undefined;
}

/**
 * Reads one page for each neighbour, or for each address family of a neighbour; none = the reply
 * has no page. undefined = a page has no address or no state, or two pages of one neighbour have
 * different states.
 */
export function readPeerPages(text: string): readonly Peer[] | undefined {
  const parts = text.split(/^BGP neighbor is /m).slice(1);
  const states = new Map<string, string>();
  const pages: Peer[] = [];
  for (const part of parts) {
    // A star marks a neighbour without an address of its own in the configuration.
    const [, address, vrf] =
      /^\*?([0-9a-fA-F.:]{2,45})(?:, {1,4}vrf ([^\s,]{1,64}))?/.exec(part) ?? [];
    const state = /^ {0,8}BGP state = (\w{1,20})/m.exec(part)?.[1];
    if (address === undefined || state === undefined) return undefined;
    const name = `${vrf ?? ""} ${address}`;
    if ((states.get(name) ?? state) !== state) return undefined;
    states.set(name, state);
    const lastError = /^ {0,8}Last reset .{0,80}?, due to (.{1,200})$/m.exec(part)?.[1];
    pages.push({ address, vrf, state, lastError });
  }
  return pages;
}

/** Makes the BGP session of a port from what the router reports about the neighbour. */
export const bgpSession = (place: SessionPlace, found: Peer | undefined): BgpSession =>
  sessionTo(place, found?.state, "the last session ended with", found?.lastError);

/** The key of a neighbour: one address may be in several routing instances. */
export const peerKey = (vrf: string | undefined, address: string): string =>
  `${vrf ?? ""} ${address}`;

/**
 * Reads how many packets of a ping were sent and answered; undefined = the reply is not understood.
 */
export function readPing(text: string): { sent: number; answered: number } | undefined {
  const found = /^Success rate is \d{1,3} percent \((\d{1,12})\/(\d{1,12})\)/m.exec(text);
  if (found === null) return undefined;
  const [answered, sent] = [Number(found[1]), Number(found[2])];
  return answered > sent ? undefined : { sent, answered };
}
