// Finds the config of the night card: a file, the one that a running agent acts on, or the accepted
// one in the state folder, which needs no agent.

import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import { LinksealError } from "#hal/error.ts";
import type { WallTime } from "#hal/world.ts";
import { type NightCard, nightCard } from "../explain/night.ts";
import { linkScenes } from "../explain/scene.ts";
import { errnoOf } from "../host/folder.ts";
import { stateFolders } from "../host/places.ts";
import type { Desired } from "../model/desired.ts";
import { acceptedIn, type Intent } from "../store/intent/intent.ts";
import { invalidConfig, readConfig, thenValidate } from "./config-file.ts";
import { usage } from "./failure.ts";
import { type Common, Session } from "./session.ts";

interface NightSource extends Common {
  readonly config?: string;
}

/**
 * Returns the card for all groups of the config, or for one of them.
 * @throws LinksealError with `usage` or `config.invalid` if there is no config or no such group
 */
export async function nightOf(
  group: string | undefined,
  options: NightSource,
): Promise<{ readonly card: NightCard; readonly from: string }> {
  const { desired, from } = await configOf(options);
  const links = linkScenes(desired).filter((link) => group === undefined || link.group === group);
  if (links.length === 0) {
    const what = group === undefined ? "no link" : `no group ${JSON.stringify(group)}`;
    throw usage(`${from} names ${what}`, "linkseal night");
  }
  return { card: nightCard(desired.site, links), from };
}

interface Found {
  readonly desired: Desired;
  readonly from: string;
}

async function configOf(options: NightSource): Promise<Found> {
  const { config } = options;
  if (config !== undefined) {
    const { text } = await readConfig(config);
    return { desired: await parsed(text, config, thenValidate(config)), from: config };
  }
  const served = await new Session(options)
    .view<Pick<Intent, "number" | "text">>("/v1/config", patienceMs)
    .catch(withoutAgent);
  if (served !== undefined) {
    const from = `config ${served.number} of the agent`;
    return { desired: await parsed(served.text, from, fromFile), from };
  }
  return await accepted();
}

/** An agent that hangs is as good as dead to the person who waits for the card. */
const patienceMs = 3_000;
const fromFile = "linkseal night --config FILE";

/**
 * An agent that is dead, hangs or is busy is the case that this verb is for; every other answer
 * counts.
 */
function withoutAgent(error: unknown): undefined {
  const code = error instanceof LinksealError ? error.code : undefined;
  if (code === "agent.unreachable" || code === "agent.forbidden" || code === "agent.busy") {
    return undefined;
  }
  throw error;
}

async function parsed(text: string, file: string, next: string): Promise<Desired> {
  const { parseConfig } = await import("../config/index.ts");
  const found = parseConfig(text, file, Date.now() as WallTime);
  if (found.kind === "ok") return found.desired;
  throw invalidConfig(found.complaints, file, next);
}

async function accepted(): Promise<Found> {
  const folders = stateFolders();
  for (const folder of folders) {
    const intent = await acceptedIn({ read: (name) => readIn(folder, name) });
    if (intent === undefined) continue;
    const from = `config ${intent.number} in ${folder}`;
    return { desired: intent.desired, from };
  }
  const text = `no agent answers, and no config was accepted in ${folders.join(", ")}`;
  throw usage(text, fromFile);
}

/** The longest config that is accepted, and some more. */
const bytesMax = 2_000_000;

/** Reads a file of a state folder, whose owner is another user where root asks. */
async function readIn(folder: string, name: string): Promise<Uint8Array | undefined> {
  const path = join(folder, name);
  try {
    const stat = await lstat(path);
    if (!stat.isFile() || stat.size > bytesMax) {
      throw usage(`${path} is not the file of an accepted config`, fromFile);
    }
    return await readFile(path);
  } catch (error) {
    if (error instanceof LinksealError) throw error;
    const code = errnoOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    const next = `sudo linkseal night, or ${fromFile}`;
    throw usage(`${path} cannot be read (${code})`, next);
  }
}
