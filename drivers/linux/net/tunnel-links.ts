// The interfaces of tunnels as they were made last, over every boot: what they are restored to, and
// what a newer version of a tunnel removes of an older.

import { list, name, object } from "#hal/decoder.ts";
import type { Disk, Log } from "#hal/world.ts";
import { readStored, writeStored } from "./stored.ts";
import { type TunnelLink, tunnelLink } from "./tunnel-operation.ts";

const linksName = "tunnels";
const linksMax = 4_096;

export interface StoredLinks {
  /** The last boot in which all of them were there; "" = not known. */
  readonly bootId: string;
  readonly links: readonly TunnelLink[];
}

const storedLinks = object<StoredLinks>({ bootId: name, links: list(tunnelLink, linksMax) });

/** Reads the stored interfaces; an unreadable file is logged and counts as empty. */
export async function readStoredLinks(disk: Disk, log: Log): Promise<StoredLinks> {
  const stored = await readStored(disk, linksName, storedLinks, log, "how tunnels were made");
  return stored ?? { bootId: "", links: [] };
}

export async function writeStoredLinks(disk: Disk, stored: StoredLinks): Promise<void> {
  await writeStored(disk, linksName, stored);
}

/**
 * Stores the interface of a tunnel in place of the older one; undefined removes it. The boot stays
 * that of the others: those that this one has not brought back yet are still to be made.
 */
export async function storeLink(
  { disk, log, bootId }: { readonly disk: Disk; readonly log: Log; readonly bootId: string },
  tunnel: string,
  link: TunnelLink | undefined,
): Promise<void> {
  const stored = await readStoredLinks(disk, log);
  const others = stored.links.filter((one) => one.name !== tunnel);
  if (link === undefined && others.length === stored.links.length) return;
  const links = link === undefined ? others : [...others, link];
  await writeStoredLinks(disk, { bootId: others.length === 0 ? bootId : stored.bootId, links });
}
