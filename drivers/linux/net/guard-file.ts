// The prefixes that were accepted last, as a file that outlives a boot. Of a damaged one everything
// that can still be known stays blocked: a prefix too many is dark, one too few travels in the
// clear.

import { createHash } from "node:crypto";
import { name, object } from "#hal/decoder.ts";
import type { Disk, Log } from "#hal/world.ts";
import { prefixesAt } from "./guard.ts";
import { decodeStored, writeStored } from "./stored.ts";
import { readStoredLinks } from "./tunnel-links.ts";

const guardName = "guard";

/** What is blocked over every boot. */
export interface GuardFile {
  /** `damaged`: the file is not the one that was written, and may have named other prefixes. */
  readonly state: "whole" | "damaged";
  /** Of a damaged file: those that can be read in it, and those of the tunnels made last. */
  readonly prefixes: readonly string[];
}

interface Stored {
  readonly prefixes: readonly string[];
  /** A changed digit names another prefix, and would open the right one without a word. */
  readonly sha256: string;
}

const storedGuard = object<Stored>({ prefixes: prefixesAt, sha256: name });

/**
 * Reads the prefixes that were accepted last. Damage is logged.
 * @throws LinksealError of the disk; nothing is known then
 */
export async function readGuard(disk: Disk, log: Log): Promise<GuardFile> {
  const octets = await disk.read(guardName);
  if (octets === undefined) return { state: "whole", prefixes: [] };
  const unknown = "which prefixes were blocked";
  const stored = decodeStored(octets, guardName, storedGuard, log, unknown);
  const prefixes = stored?.prefixes ?? [];
  if (stored?.sha256 === digestOf(prefixes)) return { state: "whole", prefixes };
  if (stored !== undefined) log.write("error", "state-unreadable", `${unknown} was changed`);
  const { links } = await readStoredLinks(disk, log);
  const made = links.flatMap((link) => link.prefixes);
  return { state: "damaged", prefixes: [...new Set([...prefixes, ...made])].toSorted() };
}

/** Writes the prefixes in place of what the file has. */
export async function writeGuard(disk: Disk, prefixes: Iterable<string>): Promise<void> {
  const all = [...new Set(prefixes)].toSorted();
  const stored: Stored = { prefixes: all, sha256: digestOf(all) };
  await writeStored(disk, guardName, stored);
}

function digestOf(prefixes: readonly string[]): string {
  return createHash("sha256").update(prefixes.join("\n")).digest("hex");
}
