// The state that Cisco routers report about themselves alike. Undefined = nothing in the reply is
// understood.

import { isIP } from "node:net";
import type { BgpSession, PortName, PortRate } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { momentOf } from "./cisco-text.ts";
import { type Detection, holdMsOf, withDetection } from "./detection.ts";
import { type SessionPlace, sessionTo } from "./router-observation.ts";
import { wholeOf } from "./text.ts";

const clockPattern =
  /^([*.]?)(\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?) ([\w:+-]{2,10}) \w{3} (\w{3}) +(\d{1,2}) (\d{4})$/gm;

/**
 * Returns the router's time; undefined for a zone other than UTC, and for a time with a star before
 * it, which is not authoritative. A period before it means that NTP is not synchronised: the time
 * is authoritative, and the agent compares it with its own.
 */
export function readClock(text: string): WallTime | undefined {
  const [, mark, time, zone = "", month, day, year] = onlyMatch(text, clockPattern) ?? [];
  if (mark === "*" || !/^(?:UTC|GMT|Z)$/.test(zone)) return undefined;
  return momentOf(`${time} ${month} ${day} ${year}`);
}

/** Returns the match of a global pattern; undefined = there is none, or two that differ. */
function onlyMatch(text: string, pattern: RegExp): RegExpExecArray | undefined {
  const [first, ...others] = text.matchAll(pattern);
  return others.every(([row]) => row === first?.[0]) ? first : undefined;
}

/** A port as the router reports it; undefined = that part of its page is not understood. */
export interface Physical {
  /** Whether both the link and its line protocol are up. */
  readonly linkUp: boolean | undefined;
  /** Its rates; undefined = one of them is not understood. */
  readonly rate: PortRate | undefined;
}

const headPattern = /^(\S{1,64}) is ([^,\n]{1,60}), line protocol is (\S.{0,80})$/gm;
/** A state, and the reason that switches print behind it. */
const statePattern = /^(up|down|administratively down|deleted|reset)(?: \(([\w -]{1,40})\))?$/;

/** Reads the interfaces that are ports on the platform; undefined = the reply has no page. */
export function readInterfaces(
  text: string,
  isPort: (name: string) => boolean,
): ReadonlyMap<PortName, Physical> | undefined {
  const heads = [...text.matchAll(headPattern)];
  if (heads.length === 0) return undefined;
  const ports = new Map<PortName, Physical>();
  for (const [index, head] of heads.entries()) {
    const [row, name = "", link = "", protocol = ""] = head;
    if (!isPort(name)) continue;
    const page = text.slice(head.index + row.length, heads[index + 1]?.index ?? text.length);
    const linkUp = isUp(link, protocol);
    // Two pages of one port were not printed for one question.
    ports.set(name, ports.has(name) ? unread : { linkUp, rate: rateOf(page) });
  }
  return ports;
}

const unread: Physical = { linkUp: undefined, rate: undefined };

/** Returns undefined for a word or a reason that is not known, such as that of a loop. */
function isUp(...states: readonly string[]): boolean | undefined {
  let isEachUp = true;
  for (const state of states) {
    const [, word, reason = "connected"] = statePattern.exec(state.trim()) ?? [];
    if (word === undefined || (word === "up" && reason !== "connected")) return undefined;
    isEachUp &&= word === "up";
  }
  return isEachUp;
}

function rateOf(page: string): PortRate | undefined {
  // The head of the next port was lost.
  if ([...page.matchAll(/^ {1,8}Hardware is /gm)].length > 1) return undefined;
  const way = (name: string): readonly [number, number] => {
    const pattern = new RegExp(
      `^ {0,8}\\d{1,4} \\w{1,8} ${name} rate (\\d{1,15}) bits/sec, (\\S{1,15}) packets/sec$`,
      "gm",
    );
    const [, bits, packets] = onlyMatch(page, pattern) ?? [];
    return [wholeOf(bits) ?? Number.NaN, wholeOf(packets) ?? Number.NaN];
  };
  const [rxBps, rxPps] = way("input");
  const [txBps, txPps] = way("output");
  const kbit = wholeOf(onlyMatch(page, /\bBW (\d{1,12}) Kbit\b/g)?.[1]);
  const rate = { rxPps, txPps, rxBps, txBps, lineBps: (kbit ?? Number.NaN) * 1000 };
  return Object.values(rate).every(Number.isFinite) ? rate : undefined;
}

/** A BGP neighbour as the router reports it. */
export interface Peer extends Detection {
  /** Its address. */
  readonly address: string;
  /** Its VRF; undefined = the global table. */
  readonly vrf: string | undefined;
  /** State of the session, such as `Established`. */
  readonly state: string;
  /** Why the last session ended; undefined = not reported. */
  readonly lastError: string | undefined;
}

const bgpState =
  /^ {0,8}BGP state = (Idle|Connect|Active|OpenSent|OpenConfirm|Established|Closing)\b/gm;

/**
 * A star marks a neighbour without an address of its own in the configuration. A row that ends
 * before its VRF would name the neighbour of another instance.
 */
const peerHead =
  /^\*?([0-9a-fA-F.:]{2,45})(?:, {1,4}vrf ([^\s,]{1,64}))?(?= *(?:\n|$)|, {1,4}remote AS )/;

/**
 * Reads one page for each neighbour, or for each address family of a neighbour; none = the reply
 * has no page. undefined = a page has no address or not one state, or two pages of one neighbour
 * have different states.
 */
export function readPeerPages(text: string): readonly Peer[] | undefined {
  const parts = text.split(/^BGP neighbor is /m).slice(1);
  const states = new Map<string, string>();
  const pages: Peer[] = [];
  for (const part of parts) {
    const [, address, vrf] = peerHead.exec(part) ?? [];
    const state = onlyMatch(part, bgpState)?.[1];
    if (isIP(address ?? "") === 0 || address === undefined || state === undefined) return undefined;
    const name = `${vrf ?? ""} ${address}`;
    if ((states.get(name) ?? state) !== state) return undefined;
    states.set(name, state);
    const lastError = /^ {0,8}Last reset .{0,80}?, due to (.{1,200})$/m.exec(part)?.[1];
    pages.push({ address, vrf, state, lastError, ...detectionIn(part) });
  }
  return pages;
}

/** IOS XE prints the first form and IOS XR the second, only for a neighbour with BFD. */
const bfdRow =
  /^ {0,8}BFD (?:is configured\. BFD peer is ([\w ]{1,24})\.|enabled \(session ([\w ]{1,24})\))/gm;
const holdRow = /\bhold time is (\d{1,5}), keepalive interval is /gi;

/** A page that names BFD in other words says nothing about it. */
function detectionIn(page: string): Detection {
  const found = onlyMatch(page, bfdRow);
  const state = found?.[1] ?? found?.[2];
  const none = /\bBFD\b/.test(page) ? undefined : "off";
  const bfd = state === undefined ? none : state.toLowerCase() === "up" ? "up" : "down";
  return { bfd, holdMs: holdMsOf(onlyMatch(page, holdRow)?.[1]) };
}

/**
 * Makes the BGP session of a port from what the router reports about the neighbour; undefined = it
 * reports nothing, although each neighbour that is configured has a page.
 */
export const bgpSession = (place: SessionPlace, found: Peer | undefined): BgpSession | undefined =>
  found &&
  withDetection(
    sessionTo(place, found.state, "the last session ended with", found.lastError),
    found,
  );

/** The key of a neighbour: one address may be in several routing instances. */
export const peerKey = (vrf: string | undefined, address: string): string =>
  `${vrf ?? ""} ${address}`;

/** A ping; a count that is undefined, and an address that is none, may be any. */
interface AskedPing {
  readonly address: string | undefined;
  readonly count: number | undefined;
}

/**
 * Reads how many packets of a ping were sent and answered; undefined = the reply is not understood,
 * answers another ping, or has marks of single packets that do not agree with its sums.
 */
export function readPing(
  text: string,
  asked: AskedPing = { address: undefined, count: undefined },
): { sent: number; answered: number } | undefined {
  const pattern = /^Success rate is (\d{1,3}) percent \((\d{1,12})\/(\d{1,12})\)(?:,.*)?$/gm;
  const found = onlyMatch(text, pattern);
  if (found === undefined) return undefined;
  const [percent = 0, answered = 0, sent = 0] = found.slice(1).map(Number);
  if (answered > sent || (sent > 0 && percent !== Math.floor((answered * 100) / sent))) {
    return undefined;
  }
  const marks = text.match(/^[!.UQM?&C]+$/gm)?.join("");
  const hasMarks = marks === undefined || marks.length === sent;
  const isAgreed = marks === undefined || marks.replaceAll(/[^!]/g, "").length === answered;
  const isAsked = asked.count === undefined || asked.count === sent;
  return hasMarks && isAgreed && isAsked && isPingOf(text, asked, sent)
    ? { sent, answered }
    : undefined;
}

/** Returns whether each head of a ping, if there is one, names what was asked and was sent. */
const isPingOf = (text: string, { address }: AskedPing, sent: number): boolean =>
  [...text.matchAll(/^Sending (\d{1,12}), .{1,40} to ([^\s,]{1,64}), /gm)].every(
    ([, count, to = ""]) =>
      Number(count) === sent && (isIP(address ?? "") === 0 || addressOf(to) === addressOf(address)),
  );

/** Writes an address in one form: that of IPv6 has several. */
const addressOf = (text = ""): string =>
  isIP(text) === 6 && !text.includes("%") ? new URL(`http://[${text}]/`).hostname : text;
