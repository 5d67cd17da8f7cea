// The state that IOS XE reports about itself: boot, commits, BGP, routes. Undefined = nothing in
// the reply is understood.

import type { BootTimes } from "../platform/cisco-boot.ts";
import { type Peer, peerKey, readPeerPages } from "../platform/cisco-system.ts";
import type { CommitRecord } from "../platform/define-dialect.ts";
import { filteredLines } from "./config.ts";
import { markName } from "./names.ts";

export interface Software extends BootTimes {
  readonly platform: string;
  /** `17.9.4`; a build that is no release has 0 as its last number. */
  readonly version: string;
  /** The licence of a Catalyst 9000; undefined = it prints none that is known here. */
  readonly licence: "advantage" | "essentials" | undefined;
}

const softwareLine = /^Cisco IOS XE Software, Version (\S{1,120})(?: .{0,60})?$/m;
const releasePattern = /^0?(\d{1,3}\.\d{1,3}\.\d{1,3})(?![\d.])/;
/** The second line has a release as a number also where the first one has a name of a build. */
const builtLine =
  /^Cisco IOS Software\b.{0,200}?, (Experimental )?Version (\d{1,3}\.\d{1,3})\.(\d{1,14})/m;

/** Returns undefined for a reply of another system, and for one without a release. */
export function readSoftware(text: string): Software | undefined {
  const name = softwareLine.exec(text)?.[1];
  if (name === undefined) return undefined;
  const [, experimental, train, last = ""] = builtLine.exec(text) ?? [];
  const built = train && `${train}.${experimental === undefined ? last : "0"}`;
  const version = releasePattern.exec(name)?.[1] ?? built;
  if (version === undefined) return undefined;
  const platform = /^cisco (\S{1,40}) \(/im.exec(text)?.[1] ?? "";
  return {
    platform: platform.toLowerCase(),
    version: version.split(".").map(Number).join("."),
    restartedAt: /^System restarted at (\S.{1,60})$/m.exec(text)?.[1],
    uptimeMs: uptimeIn(text),
    licence: licenceIn(text),
  };
}

/** Reads `network-advantage   Smart License   network-advantage`: the first word is in force. */
function licenceIn(text: string): Software["licence"] {
  const [, word] = /^network-(advantage|essentials)\s{1,30}\S/m.exec(text) ?? [];
  return word === "advantage" || word === "essentials" ? word : undefined;
}

const minuteMs = 60_000;
const unitMinutes: Readonly<Record<string, number>> = {
  ...{ year: 365 * 24 * 60, week: 7 * 24 * 60, day: 24 * 60, hour: 60, minute: 1 },
};

function uptimeIn(text: string): number | undefined {
  const [, parts] =
    /^\S{1,64} uptime is ((?:\d{1,5} (?:year|week|day|hour|minute)s?(?:, |$)){1,5})/m.exec(text) ??
    [];
  if (parts === undefined) return undefined;
  const minutes = parts.split(", ").map((part) => {
    const [count, unit = ""] = part.split(" ");
    return Number(count) * (unitMinutes[unit.replace(/s$/, "")] ?? Number.NaN);
  });
  const sum = minutes.reduce((all, one) => all + one, 0);
  return Number.isFinite(sum) ? sum * minuteMs : undefined;
}

const diskPattern = /^(?:bootflash|stby-bootflash|flash(?:-?\d{1,2})?|harddisk|disk\d|usb\d):/;
const serverPattern = /^(?:ftp|https?|rcp|scp|sftp|tftp):/;

/**
 * Returns whether the archive has a place on a disk of the router for the copy that is needed to
 * revert, which a server may not give back; undefined = the reply is not understood, or does not
 * name the next file.
 */
export function readArchive(text: string): boolean | undefined {
  if (/^ ?Archive feature not enabled$/m.test(text)) return false;
  const next = /^ ?The next archive file will be named (\S{1,200}) *$/m.exec(text)?.[1] ?? "";
  if (serverPattern.test(next)) return false;
  return diskPattern.test(next) ? true : undefined;
}

/** Returns whether a session has locked the configuration; undefined = not understood. */
export function readLock(text: string): boolean | undefined {
  if (/^ *State *: *LOCKED *$/m.test(text) || /^ *Config Session Lock *$/m.test(text)) return true;
  return /^ *State *: *FREE *$/m.test(text) ? false : undefined;
}

/** Reads whether a timer that reverts a change runs. */
export function readTimer(text: string): "running" | "none" | undefined {
  if (/^% ?No Rollback Confirmed Change pending/im.test(text)) return "none";
  return /^Timer value: \d{1,4} min/m.test(text) ? "running" : undefined;
}

export interface Mark {
  /** Token of our last commit. */
  readonly token: string;
  /** It waits for nothing: a timer that runs is another session's. */
  readonly isSettled: boolean;
}

const markPattern = new RegExp(
  `^event manager environment ${markName} (\\w{1,64})(\\.settled)?$`,
  "m",
);

export function readMark(text: string): Mark | undefined {
  const [, token, settled] = markPattern.exec(text) ?? [];
  return token === undefined ? undefined : { token, isSettled: settled !== undefined };
}

/**
 * Returns the commits, the newest first. A timer that runs no longer may be taking the change back:
 * only the mark that follows the router's answer tells that it was confirmed.
 */
export function commitsOf(timer: "running" | "none", mark: Mark | undefined): CommitRecord[] {
  if (timer === "running") {
    const isOurs = mark?.isSettled === false;
    return [{ note: isOurs ? `linkseal ${mark.token}` : "unknown", isPending: true }];
  }
  if (mark === undefined) return [];
  const verbs = mark.isSettled ? ["linkseal confirms", "linkseal"] : ["linkseal"];
  return verbs.map((verb) => ({ note: `${verb} ${mark.token}`, isPending: false }));
}

/** Returns the peers by VRF and address of the neighbour; each page has its last reset. */
export function readPeers(text: string): ReadonlyMap<string, Peer> | undefined {
  const pages = readPeerPages(text);
  const texts = text.split(/^BGP neighbor is /m).slice(1);
  // A head without its AS has lost its end, and with it perhaps its VRF.
  const isCut = texts.some(
    (page) => !/^ {0,8}Last reset \S/m.test(page) || !/^[^\n]*, {1,4}remote AS \d/.test(page),
  );
  if (pages === undefined || isCut) return undefined;
  const isNothing = text.trim() === "" || /^% ?BGP not active/m.test(text);
  if (pages.length === 0 && !isNothing && !/^For address family: /m.test(text)) return undefined;
  return new Map(pages.map((one) => [peerKey(one.vrf, one.address), one]));
}

const hopRow =
  /^ {1,16}(?:nexthop [0-9a-fA-F.:]{2,45}|attached to) {1,4}([A-Za-z][\w./-]{1,63})(,? .{0,160})?$/;
const noHopRow = /^ {1,8}(?:no route|unresolved|discard|drop|receive|attached to Null0)\b/;
/** The prefix, a line without a next hop, and a path that is used once another one is lost. */
const otherRow = /^(?:[0-9a-fA-F.:]{2,45}\/\d{1,3}\b.*| {1,24}repair: .*| *)$/;

/**
 * Returns the interfaces of all next hops; none = the router sends nothing there. undefined = a row
 * of the reply is not understood.
 */
export function readRouteTo(text: string): readonly string[] | undefined {
  const out: string[] = [];
  let isAnswer = false;
  for (const row of text.split("\n")) {
    const [, name, rest = ""] = noHopRow.test(row) ? [] : (hopRow.exec(row) ?? []);
    if (name !== undefined && !/^, repair\b/.test(rest)) out.push(name);
    isAnswer ||= name !== undefined || noHopRow.test(row);
    if (name === undefined && !noHopRow.test(row) && !otherRow.test(row)) return undefined;
  }
  return isAnswer ? out : undefined;
}

/**
 * Returns whether commands are recorded somewhere with the keys in them; undefined = the reply is
 * cut off, or has a line that was not asked for.
 */
export function readAccounting(text: string): boolean | undefined {
  const rows = filteredLines(text)
    ?.split("\n")
    .filter((row) => row !== "");
  const asked = /^(?:(aaa accounting commands) |(?: {2}(logging enable|no hidekeys))$)/;
  const read = rows?.map((row) => asked.exec(row.trimEnd()));
  if (read === undefined || read.some((one) => one === null)) return undefined;
  const has = (words: string): boolean =>
    read.some((one) => one?.[1] === words || one?.[2] === words);
  // A log of changes hides keys unless it is configured not to.
  return has("aaa accounting commands") || (has("logging enable") && has("no hidekeys"));
}
