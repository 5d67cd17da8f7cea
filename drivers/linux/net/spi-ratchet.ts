// SPIs that static keys were ever installed under, over every boot: under one of them a sequence
// number would begin anew with a key that has carried before (RFC 8221, 3).

import { LinksealError } from "#hal/error.ts";
import { parseJson } from "#hal/json.ts";
import type { Disk } from "#hal/world.ts";
import { list, Malformed, name, property } from "../../local/shape.ts";
import { writeStored } from "./stored.ts";

/** An SA as the other end names it too. */
export interface SaName {
  readonly source: string;
  readonly destination: string;
  readonly spi: number;
}

const ratchetName = "static-spis";
const spisMax = 4_096;

/** Throws `device.rejected` where it cannot be read: nobody knows then what was used. */
export async function readRatchet(disk: Disk): Promise<ReadonlySet<string>> {
  const octets = await disk.read(ratchetName);
  if (octets === undefined) return new Set();
  try {
    const kept = parseJson(new TextDecoder().decode(octets));
    return new Set(property("used", list(name, spisMax))(kept, ratchetName));
  } catch (error) {
    if (!(error instanceof Malformed) && !(error instanceof SyntaxError)) throw error;
    const text = "which SPIs had static keys before is not known any more";
    const next = `give both ends SPIs that they never had, then remove ${ratchetName}`;
    throw refused(text, "linkseal-net", next);
  }
}

/** Throws `device.rejected` for one that was installed before. */
export function refuseUsed(
  used: ReadonlySet<string>,
  sas: readonly SaName[],
  tunnel: string,
): void {
  const again = sas.find((sa) => used.has(textOf(sa)));
  if (again === undefined) return;
  const text = `SPI ${again.spi} of ${tunnel} had these keys before, and never gets them again`;
  throw refused(text, tunnel, newSpis);
}

/** Durable once it resolves: only then may the kernel hear of them. */
export async function markUsed(disk: Disk, sas: readonly SaName[]): Promise<void> {
  const used = new Set([...(await readRatchet(disk)), ...sas.map(textOf)]);
  if (used.size > spisMax) {
    throw refused(`more than ${spisMax} SPIs had static keys here`, "linkseal-net", "use IKE");
  }
  await writeStored(disk, ratchetName, { used: [...used].toSorted() });
}

export const newSpis = "put a version with new SPIs and new keys into the vault, at both ends";

const textOf = ({ source, destination, spi }: SaName): string => `${source} ${destination} ${spi}`;

function refused(text: string, where: string, next: string): LinksealError {
  return new LinksealError("device.rejected", `${text}; nothing was changed`, {
    effect: "none",
    where,
    next,
  });
}
