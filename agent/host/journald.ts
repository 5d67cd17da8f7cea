// Entries of systemd's journal in its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL), which
// has fields where standard output has only text. They are datagrams, which Node cannot send to a
// local socket.

import { createHash } from "node:crypto";
import type { findAddon } from "./addon.ts";

/** The part of the addon that sends a datagram; undefined = there is no addon. */
export type DatagramSender = Pick<NonNullable<ReturnType<typeof findAddon>>, "notify"> | undefined;

/** Where journald listens. */
export const journalSocket = "/run/systemd/journal/socket";

/**
 * Returns the MESSAGE_ID of a code: 32 hexadecimal digits that are the same on every host and in
 * every version, by which `journalctl -x` finds the text about the code in the catalogue.
 */
export function messageIdOf(code: string): string {
  return createHash("sha256").update(`linkseal ${code}`).digest("hex").slice(0, 32);
}

/** The fields of one entry, without line feeds; undefined = the entry lacks it. */
export type Entry = Readonly<Record<string, string | undefined>> & {
  readonly MESSAGE: string;
  /** The number of syslog, 0 to 7. */
  readonly PRIORITY: string;
  readonly MESSAGE_ID: string;
};

/** Returns an entry as journald reads it. */
export function entryText(entry: Entry): string {
  const fields = Object.entries({ ...entry, SYSLOG_IDENTIFIER: "linkseal" });
  return fields.map(([name, value]) => (value === undefined ? "" : `${name}=${value}\n`)).join("");
}
