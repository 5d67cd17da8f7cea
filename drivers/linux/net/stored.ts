// The files in which linkseal-net stores what it must know over a crash or a boot: JSON that is
// checked as if it were foreign.

import { type Decoder, Malformed } from "#hal/decoder.ts";
import { parseJson } from "#hal/json.ts";
import type { Disk, Log } from "#hal/world.ts";

/**
 * Reads a file; undefined = it does not exist, or is unreadable. If unreadable, the loss is logged,
 * named by `unknown`.
 */
export async function readStored<T>(
  disk: Disk,
  file: string,
  decode: Decoder<T>,
  log: Log,
  unknown: string,
): Promise<T | undefined> {
  return decodeStored(await disk.read(file), file, decode, log, unknown);
}

export function decodeStored<T>(
  octets: Uint8Array | undefined,
  file: string,
  decode: Decoder<T>,
  log: Log,
  unknown: string,
): T | undefined {
  if (octets === undefined) return undefined;
  try {
    return decode(parseJson(new TextDecoder().decode(octets)), file);
  } catch (error) {
    if (!(error instanceof Malformed) && !(error instanceof SyntaxError)) throw error;
    log.write("error", "state-unreadable", `${unknown} is not known any more`);
    return undefined;
  }
}

export async function writeStored(disk: Disk, file: string, value: object): Promise<void> {
  await disk.replace(file, new TextEncoder().encode(JSON.stringify(value)));
}
