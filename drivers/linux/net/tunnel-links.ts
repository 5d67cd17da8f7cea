// The interfaces of tunnels as they were made last, over every boot: what they are brought back to,
// and what of an older one is taken away by a newer.

import type { Disk, Log } from "#hal/world.ts";
import { list, name, object } from "../../local/shape.ts";
import { readStored, writeStored } from "./stored.ts";
import { type TunnelLink, tunnelLink } from "./tunnel-part.ts";

const linksName = "tunnels";
const linksMax = 4_096;

export interface KeptLinks {
  /** Of the boot in which they were made, or made again; "" = in none that is known. */
  readonly bootId: string;
  readonly links: readonly TunnelLink[];
}

const keptLinks = object<KeptLinks>({ bootId: name, links: list(tunnelLink, linksMax) });

/** A file that makes no sense is logged, and is empty. */
export async function readKeptLinks(disk: Disk, log: Log): Promise<KeptLinks> {
  const kept = await readStored(disk, linksName, keptLinks, log, "how tunnels were made");
  return kept ?? { bootId: "", links: [] };
}

export async function writeKeptLinks(disk: Disk, kept: KeptLinks): Promise<void> {
  await writeStored(disk, linksName, kept);
}

/** In the place of the one of that name; undefined = none. */
export async function keepLink(
  { disk, log, bootId }: { readonly disk: Disk; readonly log: Log; readonly bootId: string },
  tunnel: string,
  link: TunnelLink | undefined,
): Promise<void> {
  const kept = await readKeptLinks(disk, log);
  const others = kept.links.filter((one) => one.name !== tunnel);
  if (link === undefined && others.length === kept.links.length) return;
  const links = link === undefined ? others : [...others, link];
  await writeKeptLinks(disk, { bootId, links });
}
