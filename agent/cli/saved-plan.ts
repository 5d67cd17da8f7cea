// Writes a plan into a file, and reads one that may be anything.

import { constants, type FileHandle, open, writeFile } from "node:fs/promises";
import { LinksealError } from "#hal/error.ts";
import { parseJson } from "#hal/json.ts";
import type { SitePlan } from "../compare/site-plan.ts";
import { errnoOf } from "../host/folder.ts";
import type { ConfigFile } from "./config-file.ts";
import { usage } from "./failure.ts";

const schema = "linkseal.saved-plan/1";
/** A plan of two thousand links, with the lines of each step. */
const bytesMax = 16 * 1024 * 1024;
/** A step has some twenty values beside its lines. */
const valuesMax = 1_000_000;
const textLengthMax = 1_000_000;
const fileLengthMax = 4_096;

/** A plan that was saved, as far as `apply` needs it. */
export interface SavedPlan extends ConfigFile {
  /** What the operator agreed to; the agent compares it, whatever it is. */
  readonly agreed: unknown;
}

/**
 * Writes a plan with the config's text, for its owner alone. An existing file is never overwritten.
 * @throws LinksealError with `usage`
 */
export async function writeSavedPlan(
  path: string,
  { file, text }: ConfigFile,
  plan: SitePlan,
): Promise<void> {
  const document = `${JSON.stringify({ schema, file, text, plan }, null, 1)}\n`;
  try {
    await writeFile(path, document, { flag: "wx", mode: 0o600 });
  } catch (error) {
    const why = errnoOf(error) === "EEXIST" ? "exists already" : `(${errnoOf(error)})`;
    throw usage(`${path} cannot be written: it ${why}`, "name another file with --out");
  }
}

/**
 * Reads a saved plan of at most 16 MiB.
 * @throws LinksealError with `usage` if it cannot be read, or is no saved plan of this version
 */
export async function readSavedPlan(path: string): Promise<SavedPlan> {
  const value = parsed(await octetsOf(path), path);
  if (typeof value !== "object" || value === null) throw notSaved(path);
  const { schema: found, file, text, plan } = value as Partial<Record<string, unknown>>;
  const isPlan = typeof plan === "object" && plan !== null && "agreed" in plan;
  if (found !== schema || !isPlan) throw notSaved(path);
  if (typeof file !== "string" || file === "" || file.length > fileLengthMax) throw notSaved(path);
  if (typeof text !== "string" || text.length > textLengthMax) throw notSaved(path);
  return { file, text, agreed: plan.agreed };
}

async function octetsOf(path: string): Promise<Uint8Array> {
  let handle: FileHandle | undefined;
  try {
    // A pipe without a writer would block the open.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await handle.stat();
    if (!stats.isFile() || stats.size > bytesMax) throw notSaved(path);
    return await handle.readFile();
  } catch (error) {
    if (error instanceof LinksealError) throw error;
    throw usage(`${path} cannot be read (${errnoOf(error)})`, next);
  } finally {
    await handle?.close();
  }
}

function parsed(octets: Uint8Array, path: string): unknown {
  try {
    return parseJson(new TextDecoder("utf-8", { fatal: true }).decode(octets), {
      characters: bytesMax,
      values: valuesMax,
    });
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) throw notSaved(path);
    throw error;
  }
}

const next = "linkseal plan FILE --out PLAN";

function notSaved(path: string): LinksealError {
  return usage(`${path} is not a plan that this version of linkseal has saved`, next);
}
