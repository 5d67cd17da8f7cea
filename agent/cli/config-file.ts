// Reads the config file that an operator wants to check, plan or apply.

import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { LinksealError } from "#hal/error.ts";
import { type Complaint, formatComplaint } from "../config/complaint.ts";
import { errnoOf } from "../host/folder.ts";
import { agentPlaces } from "../host/places.ts";
import { shellWord } from "../model/text.ts";
import { usage } from "./failure.ts";

const bytesMax = 1_500_000;

export interface ConfigFile {
  readonly file: string;
  readonly text: string;
}

/** Returns the path that `plan` and `apply` read when no file is given. */
export function defaultConfig(): string {
  const { kind, config } = agentPlaces();
  return join(kind === "home" ? config : "/etc/linkseal", "linkseal.yaml");
}

/** Reads the file that `plan` and `apply` read when no file is given; undefined = there is none. */
export async function readDefaultConfig(): Promise<ConfigFile | undefined> {
  const file = defaultConfig();
  return (await isAbsent(file)) ? undefined : await readConfig(file);
}

async function isAbsent(file: string): Promise<boolean> {
  try {
    await access(file);
    return false;
  } catch (error) {
    return errnoOf(error) === "ENOENT";
  }
}

/**
 * Reads a config file of at most 1.5 MB.
 * @throws LinksealError with `usage` if it cannot be read as UTF-8 text
 */
export async function readConfig(file = defaultConfig()): Promise<ConfigFile> {
  const octets = await readFile(file).catch((error: unknown) => {
    throw unusable(file, `cannot be read (${errnoOf(error)})`);
  });
  if (octets.length > bytesMax) throw unusable(file, `has more than ${bytesMax} bytes`);
  try {
    return { file, text: new TextDecoder("utf-8", { fatal: true }).decode(octets) };
  } catch {
    throw unusable(file, "is not UTF-8 text");
  }
}

function unusable(file: string, text: string): LinksealError {
  return usage(`${file} ${text}`, "name another file, or linkseal init, which writes a first one");
}

/**
 * Makes the error for a config that is refused; scripts get each complaint separately. `next`: what
 * to correct, and the command that finds all of these complaints.
 */
export function invalidConfig(
  complaints: readonly Complaint[],
  where: string,
  next: string,
): LinksealError {
  const text = complaints.map(formatComplaint).join("\n");
  return new LinksealError("config.invalid", text, {
    ...{ effect: "none", where, next },
    cause: complaints,
  });
}

/** Returns the next step after complaints that the text alone decides. */
export function thenValidate(file: string): string {
  return `correct the file, then linkseal validate ${shellWord(file)}`;
}

/** Returns the next step after complaints that only the agent finds: it knows keys and tunnels. */
export function thenPlan(file: string): string {
  return `correct the file, then linkseal plan ${shellWord(file)}`;
}

/** The next step after complaints about a config that was accepted before. */
export const thenPlanCopy =
  "linkseal config show > FILE, correct that file, then linkseal plan FILE";
