// Reads a folder of exported documents of Azure for the scorecard. A file that cannot be used is
// named, and the others are read.

import { constants, type FileHandle, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import {
  documentCharactersMax,
  type ParsedDocument,
  parseDocument,
  refusedDocument,
} from "../evidence/scorecard/documents.ts";
import { errnoOf } from "../host/folder.ts";
import { usage } from "./failure.ts";

const filesMax = 2_000;
/** A character has at most three bytes in UTF-8 for each UTF-16 unit. */
const bytesMax = documentCharactersMax * 3;
const allBytesMax = 512 * 1024 * 1024;

/**
 * Reads each `*.json` of a folder, without the folders in it, in the order of their names.
 * @throws LinksealError with `usage` if the folder cannot be read, or has no such file or too many
 */
export async function readDocuments(folder: string): Promise<readonly ParsedDocument[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw usage(`${folder} cannot be read (${errnoOf(error)})`, help);
  });
  const files = names.filter((name) => /\.json$/i.test(name)).toSorted();
  if (files.length === 0) throw usage(`${folder} contains no file named *.json`, help);
  if (files.length > filesMax) {
    throw usage(`${folder} contains more than ${filesMax} files named *.json`, help);
  }
  const documents: ParsedDocument[] = [];
  let left = allBytesMax;
  for (const file of files) {
    const read = await readText(join(folder, file), Math.min(bytesMax, left));
    left -= read.bytes;
    documents.push(
      read.kind === "text" ? parseDocument(file, read.text) : refusedDocument(file, read.why),
    );
  }
  return documents;
}

const help = "linkseal scorecard --help";

type Read =
  | { readonly kind: "text"; readonly text: string; readonly bytes: number }
  | { readonly kind: "refused"; readonly why: string; readonly bytes: 0 };

const refused = (why: string): Read => ({ kind: "refused", why, bytes: 0 });

async function readText(path: string, atMost: number): Promise<Read> {
  let handle: FileHandle | undefined;
  try {
    // A pipe without a writer would block the open.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await handle.stat();
    if (!stats.isFile()) return refused("it is not a file");
    if (stats.size > atMost) return refused("it is longer than is read");
    const octets = await handle.readFile();
    return { kind: "text", text: decoded(octets), bytes: octets.length };
  } catch (error) {
    if (error instanceof TypeError) return refused("it is not text in UTF-8 or UTF-16");
    return refused(`it cannot be read (${errnoOf(error)})`);
  } finally {
    await handle?.close();
  }
}

/** PowerShell of Windows writes UTF-16 with a byte order mark. Throws TypeError. */
function decoded(octets: Uint8Array): string {
  const isWide = octets[0] === 0xff && octets[1] === 0xfe;
  return new TextDecoder(isWide ? "utf-16le" : "utf-8", { fatal: true }).decode(octets);
}
