// The state that IOS XE reports about itself: boot, commits, BGP, routes. Undefined = nothing in
// the reply is understood.

import { type Peer, peerKey, readPeerPages } from "../platform/cisco-system.ts";
import type { CommitRecord } from "../platform/define-dialect.ts";
import { markName } from "./names.ts";

export interface Software {
  readonly platform: string;
  readonly version: string;
  /** When it last booted, as the router prints it; undefined = it had no clock then. */
  readonly boot: string | undefined;
}

export function readSoftware(text: string): Software | undefined {
  const version = /^Cisco IOS XE Software, Version 0?(\d{1,3}\.\d{1,3}\.\d{1,3})/m.exec(text)?.[1];
  if (version === undefined) return undefined;
  const platform = /^cisco (\S{1,40}) \(/im.exec(text)?.[1] ?? "";
  const boot = /^System restarted at (\S.{1,60})$/m.exec(text)?.[1];
  const parts = version.split(".").map(Number);
  return { platform: platform.toLowerCase(), version: parts.join("."), boot };
}

/** Returns whether the archive has a place for the copy that is needed to revert. */
export function hasArchive(text: string): boolean {
  return /^The maximum archive configurations allowed is \d/m.test(text);
}

export function isLocked(text: string): boolean {
  return /^ *State *: *LOCKED\b/im.test(text) || /^ *Config Session Lock\b/m.test(text);
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

/** Returns the commits, the newest first. */
export function commitsOf(timer: "running" | "none", mark: Mark | undefined): CommitRecord[] {
  if (timer === "running") {
    const isOurs = mark?.isSettled === false;
    return [{ note: isOurs ? `linkseal ${mark.token}` : "unknown", isPending: true }];
  }
  if (mark === undefined) return [];
  return ["linkseal confirms", "linkseal"].map((verb) => {
    return { note: `${verb} ${mark.token}`, isPending: false };
  });
}

/** Returns the peers by VRF and address of the neighbour. */
export function readPeers(text: string): ReadonlyMap<string, Peer> | undefined {
  const pages = readPeerPages(text);
  if (pages === undefined) return undefined;
  const isNothing = text.trim() === "" || /^% ?BGP not active/m.test(text);
  if (pages.length === 0 && !isNothing && !/^For address family: /m.test(text)) return undefined;
  return new Map(pages.map((one) => [peerKey(one.vrf, one.address), one]));
}

const hopPattern =
  /^ {1,8}(?:nexthop [0-9a-fA-F.:]{2,45}|attached to) {1,4}([\w./-]{1,64})(?: .{0,60})?$/gm;

/**
 * Returns the interfaces of all next hops; none = the router sends nothing there. undefined = the
 * reply is not understood.
 */
export function readRouteTo(text: string): readonly string[] | undefined {
  const hops = [...text.matchAll(hopPattern)].map(([, out = ""]) => out);
  const isNone = /^ {1,8}(?:no route|unresolved|discard|drop|receive|attached to Null0)\b/m;
  return hops.length > 0 || isNone.test(text) ? hops : undefined;
}

/** Returns whether commands are recorded somewhere with the keys in them. */
export function isAccounted(text: string): boolean {
  if (/^aaa accounting commands\b/m.test(text)) return true;
  // A log of changes hides keys unless it is configured not to.
  return /^ {2}logging enable\b/m.test(text) && /^ {2}no hidekeys\b/m.test(text);
}
