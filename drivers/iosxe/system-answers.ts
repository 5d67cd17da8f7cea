// What IOS XE tells of itself: boot, commits, BGP, routes. Undefined = the
// answer holds nothing that is understood.

import { type Peer, readPeerPages } from "../platform/cisco-system.ts";
import type { CommitRecord } from "../platform/define-dialect.ts";
import { markName, portOfUnit } from "./names.ts";

export interface Software {
  readonly platform: string;
  readonly version: string;
  /** When it last began, in its own words; undefined = it had no clock then. */
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

/** An archive has a place for what is to be taken back. */
export function hasArchive(text: string): boolean {
  return /^The maximum archive configurations allowed is \d/m.test(text);
}

export function isLocked(text: string): boolean {
  return /^ *State *: *LOCKED\b/im.test(text) || /^ *Config Session Lock\b/m.test(text);
}

/** Who armed the timer that takes a change back; "none" = it does not run. */
export function readTimer(text: string): "running" | "none" | undefined {
  if (/^% ?No Rollback Confirmed Change pending/im.test(text)) return "none";
  return /^Timer value: \d{1,4} min/m.test(text) ? "running" : undefined;
}

export interface Mark {
  /** Of our last commit. */
  readonly token: string;
  /** It waits for nothing: a timer that runs is somebody else's. */
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

/** The newest first. */
export function commitsOf(timer: "running" | "none", mark: Mark | undefined): CommitRecord[] {
  if (timer === "running") {
    const isOurs = mark?.isSettled === false;
    return [{ note: isOurs ? `linkseal ${mark.token}` : "somebody", isPending: true }];
  }
  if (mark === undefined) return [];
  return ["linkseal confirms", "linkseal"].map((verb) => {
    return { note: `${verb} ${mark.token}`, isPending: false };
  });
}

export const peerKey = (vrf: string | undefined, address: string): string =>
  `${vrf ?? ""} ${address}`;

/** By the VRF and the address of the neighbour. */
export function readPeers(text: string): ReadonlyMap<string, Peer> | undefined {
  const pages = readPeerPages(text);
  if (pages === undefined) return undefined;
  const isNothing = text.trim() === "" || /^% ?BGP not active/m.test(text);
  if (pages.length === 0 && !isNothing && !/^For address family: /m.test(text)) return undefined;
  return new Map(pages.map((one) => [peerKey(one.vrf, one.address), one]));
}

/** The interface of the way in use, without its unit; undefined = none is known. */
export function readRouteTo(text: string): string | undefined {
  const [, out = ""] =
    /^ {1,8}(?:nexthop [0-9a-fA-F.:]{2,45}|attached to) {1,4}([\w./-]{1,64})(?: .{0,60})?$/m.exec(
      text,
    ) ?? [];
  return out === "" ? undefined : (portOfUnit(out) ?? out);
}

/** Commands are written down somewhere with the keys in them. */
export function isAccounted(text: string): boolean {
  if (/^aaa accounting commands\b/m.test(text)) return true;
  // A log of changes hides keys unless it is told not to.
  return /^ {2}logging enable\b/m.test(text) && /^ {2}no hidekeys\b/m.test(text);
}
