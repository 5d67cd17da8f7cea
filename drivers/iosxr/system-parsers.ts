// The state that IOS XR reports about itself: boot, commits, BGP, routes. Undefined = nothing in
// the reply is understood.

import { type Peer, readPeerPages } from "../platform/cisco-system.ts";
import type { Commit } from "../platform/define-dialect.ts";

/** Returns the newest boot of the history, as the router writes it. */
export function readBoot(text: string): string | undefined {
  const pattern = /^ {0,8}0{0,4}1 {1,8}(\w{3} \w{3} {1,4}\d{1,2} \d{2}:\d{2}:\d{2} \d{4}) /m;
  return pattern.exec(text)?.[1]?.replaceAll(/ +/g, " ");
}

interface Entry {
  readonly id: string;
  readonly line: string;
  readonly note: string;
}

/**
 * Returns the commits, the newest first. An unconfirmed commit ends with the session that made it:
 * it waits as long as the line that committed last still has the configuration locked.
 */
export function readCommits(list: string, editors: string): readonly Commit[] | undefined {
  const entries = entriesOf(list);
  const holders = holdersOf(editors);
  if (entries === undefined || holders === undefined) return undefined;
  return entries.map(({ id, line, note }, index) => ({
    id: `${id} ${note}`,
    note,
    isPending: index === 0 && holders.some((holder) => line.split(":")[0] === holder),
  }));
}

/**
 * Returns the label of a commit with a note of ours: one word that begins with a letter, and no
 * longer than any that was observed to be accepted. No two commits have the same label, because a
 * token belongs to one commit.
 */
export const labelOf = (note: string): string => note.replace(" ", "-");

/** Returns the note of a label; other labels stay as they are. */
const noteOf = (label: string): string => label.replace(/^linkseal-/, "linkseal ");

function entriesOf(list: string): readonly Entry[] | undefined {
  const parts = list.split(/^ {0,8}\d{1,4}\) CommitId:/m);
  if (parts.length < 2) return undefined;
  const read = parts.slice(1).map((part): Entry | undefined => {
    const id = /^ {0,8}(\d{1,12})\b/.exec(part)?.[1];
    const line = /\bLine: {1,8}(\S{1,64})/.exec(part)?.[1];
    const label = /\bLabel: {1,8}(\S{1,64})/.exec(part)?.[1] ?? "";
    return id === undefined ? undefined : { id, line: line ?? "", note: noteOf(label) };
  });
  const entries = read.filter((one) => one !== undefined);
  return entries.length === read.length ? entries : undefined;
}

/** Returns the lines that have the configuration locked; a star in the last column marks them. */
export function holdersOf(text: string): readonly string[] | undefined {
  const rows = text
    .split("\n")
    .filter((row) => /^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{8}){2}\s/.test(row));
  const isTable = /^Current Configuration Session\b/m.test(text);
  if (rows.length === 0 && !isTable && !/no (?:active )?configuration sessions/i.test(text)) {
    return text.trim() === "" ? [] : undefined;
  }
  return rows.flatMap((row) => {
    const words = row.trim().split(/\s+/);
    return words.at(-1) === "*" ? [words[1]?.split(":")[0] ?? ""] : [];
  });
}

/** Returns the peers by address of the neighbour. */
export function readPeers(text: string): ReadonlyMap<string, Peer> | undefined {
  const pages = readPeerPages(text);
  if (pages === undefined || (pages.length === 0 && text.trim() !== "")) return undefined;
  return new Map(pages.map((one) => [one.address, one]));
}

/** Returns the interface of the route in use, without its unit; undefined = none is known. */
export function readRouteTo(text: string): string | undefined {
  const hop = /^ {1,16}(?:[0-9a-fA-F.:]{2,45}|directly connected),(.{1,200})$/m.exec(text)?.[1];
  return /\bvia ([\w./-]{1,64})/.exec(hop ?? "")?.[1]?.replace(/\.\d+$/, "");
}

export interface Software {
  readonly platform: string;
  readonly version: string;
}

export function readSoftware(text: string): Software | undefined {
  const version = /^Cisco IOS XR Software, Version (\d{1,3}\.\d{1,3}\.\d{1,3})/m.exec(text)?.[1];
  if (version === undefined) return undefined;
  const platform = /^cisco (\S{1,40})/im.exec(text.replace(/^Cisco IOS XR.*$/gm, ""))?.[1] ?? "";
  return { platform: platform.toLowerCase(), version };
}

/** Returns whether every command is sent to an accounting server, with the keys in it. */
export function isAccounted(text: string): boolean {
  return /^ {0,8}aaa accounting commands\b/m.test(text);
}
