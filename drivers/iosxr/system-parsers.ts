// The state that IOS XR reports about itself: boot, commits, BGP, routes. Undefined = nothing in
// the reply is understood.

import { type Peer, peerKey, readPeerPages } from "../platform/cisco-system.ts";
import type { Commit } from "../platform/define-dialect.ts";

/** Returns the newest boot of the history, as the router writes it. */
export function readBoot(text: string): string | undefined {
  const pattern = /^ {0,8}0{0,4}1 {1,8}(\w{3} \w{3} {1,4}\d{1,2} \d{2}:\d{2}:\d{2} \d{4}) /m;
  return pattern.exec(text)?.[1]?.replaceAll(/ +/g, " ");
}

interface Entry {
  readonly id: string;
  readonly note: string;
  /** What made it, such as `CLI`; `Rollback` = a trial that was not confirmed has ended before. */
  readonly client: string;
}

const trialClient = "commit-confirm";

/**
 * Returns the commits, the newest first. A trial has a session of its own as long as it waits, and
 * no other commit succeeds meanwhile. undefined = not understood: a trial waits behind the entry of
 * its end, when it ended between both replies.
 */
export function readCommits(list: string, editors: string): readonly Commit[] | undefined {
  const entries = entriesOf(list);
  const clients = clientsOf(editors);
  const isWaiting = clients?.includes(trialClient) === true;
  const isOver = entries?.[0]?.client === "Rollback";
  if (entries === undefined || clients === undefined || (isWaiting && isOver)) return undefined;
  return entries.map(({ id, note }, index) => ({
    ...{ id: `${id} ${note}`, note },
    isPending: index === 0 && isWaiting,
  }));
}

/**
 * Returns the label of a commit with a note of ours: one word that begins with a letter and has at
 * most 20 characters; a longer one is refused by some releases. No two commits have the same label,
 * because a token belongs to one commit.
 */
export const labelOf = (note: string): string => note.replace(/^linkseal /, "ls-");

/** Returns the note of a label; other labels stay as they are. */
const noteOf = (label: string): string => label.replace(/^ls-(?=[0-9a-f]{16}$)/, "linkseal ");

/** undefined = there is no entry, or one is missing or not understood. */
function entriesOf(list: string): readonly Entry[] | undefined {
  const parts = list.split(/^ {0,8}(?=\d{1,4}\) CommitId:)/m).slice(1);
  const entries = parts.map((part, index): Entry | undefined => {
    const [, number, id] = /^(\d{1,4})\) CommitId: {1,8}(\d{1,12}) {1,40}Label: /.exec(part) ?? [];
    const [, label] = /\bLabel: {1,8}(\S{1,64}) *$/m.exec(part) ?? [];
    const [, client] = /\bClient: {1,8}([\w-]{1,40})(?: |$)/m.exec(part) ?? [];
    if (id === undefined || label === undefined || client === undefined) return undefined;
    return Number(number) === index + 1 ? { id, client, note: noteOf(label) } : undefined;
  });
  const understood = entries.filter((one) => one !== undefined);
  return understood.length > 0 && understood.length === entries.length ? understood : undefined;
}

/**
 * Returns what each session that edits the configuration was opened by, such as `CLI`; the router
 * prints nothing where there is none. undefined = a session is not whole, or one is missing.
 */
export function clientsOf(text: string): readonly string[] | undefined {
  if (/^(?:There are )?no (?:active )?configuration sessions\.?$/i.test(text.trim())) return [];
  const [before = "", ...parts] = text.split(/^ {0,8}(?=\d{1,4}\) Session:)/m);
  if (before.trim() !== "") return undefined;
  const clients = parts.map((part, index) => {
    const found = [...part.matchAll(/ Client: {0,8}([\w.-]{1,40}) *$/gm)];
    const client = found.length === 1 ? found[0]?.[1] : undefined;
    const isCut = client !== trialClient && trialClient.startsWith(client ?? "");
    // The row of the process is the last but one: without it the session is cut off.
    const isWhole = /^ +Process: .{1,80} PID: \d{1,10} *$/m.test(part) && !isCut;
    return isWhole && part.startsWith(`${index + 1}) `) ? client : undefined;
  });
  const known = clients.filter((one) => one !== undefined);
  return known.length === clients.length ? known : undefined;
}

/** Returns the peers by VRF and address of the neighbour. */
export function readPeers(text: string): ReadonlyMap<string, Peer> | undefined {
  const pages = readPeerPages(text);
  if (pages === undefined || (pages.length === 0 && text.trim() !== "")) return undefined;
  return new Map(pages.map((one) => [peerKey(one.vrf, one.address), one]));
}

const hopPattern = /^ {1,16}([0-9a-fA-F.:]{2,45}|directly connected)(?:,(.{1,200}))?$/gm;

/**
 * Returns the interfaces of all next hops; none = the router has no route there. A next hop without
 * an interface is reached by another route: `interfaceTo` returns the interface in whose subnet it
 * is. undefined = the reply, or the way to a next hop, is not understood.
 */
export function readRouteTo(
  text: string,
  interfaceTo: (address: string) => string | undefined,
): readonly string[] | undefined {
  // All rows but the first are indented; another one is the rest of a row.
  const isWhole = text.split("\n").every((row) => /^(?: |Routing entry for |% ?|$)/.test(row));
  if (!isWhole) return undefined;
  // A path with this word is used once the other one is lost.
  const used = [...text.matchAll(hopPattern)].filter(([row]) => !/, Backup\b/.test(row));
  const names = used.map(
    ([, hop = "", rest = ""]) =>
      /\bvia ([\w./-]{1,64})(?=[, ]|$)/.exec(rest)?.[1] ?? interfaceTo(hop),
  );
  const known = names.filter((name) => name !== undefined);
  if (known.length < names.length) return undefined;
  return known.length > 0 || /^% ?Network not in table/m.test(text) ? known : undefined;
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

const accountingRow =
  /^ {0,8}aaa accounting (?:(commands)|exec|network|system|subscriber|service|mobile|update) \S/;

/**
 * Returns whether every command is sent to an accounting server, with the keys in it; undefined =
 * a line is not understood, or there is none.
 */
export function readAccounting(text: string): boolean | undefined {
  const rows = text.split("\n").filter((row) => !/^ *!? *$/.test(row));
  if (rows.length === 0) return undefined;
  if (rows.every((row) => row.startsWith("% No such configuration item"))) return false;
  const read = rows.map((row) => (row.split("aaa ").length > 2 ? null : accountingRow.exec(row)));
  if (read.some((one) => one === null)) return undefined;
  return read.some((one) => one?.[1] !== undefined);
}
