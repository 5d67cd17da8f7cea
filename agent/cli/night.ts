// Finds the config of the night card: a file, the one that a running agent acts on, or the accepted
// one in the state folder, which needs no agent.

import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import { LinksealError } from "#hal/error.ts";
import type { WallTime } from "#hal/world.ts";
import { type NightCard, nightCard } from "../explain/night.ts";
import { linkScenes, tunnelScenes } from "../explain/scene.ts";
import { errnoOf } from "../host/folder.ts";
import { stateFolders } from "../host/places.ts";
import type { Desired } from "../model/desired.ts";
import { withAnyHostKey } from "../operate/init/config-text.ts";
import { acceptedIn, type Intent } from "../store/intent/intent.ts";
import { invalidConfig, readConfig, thenValidate } from "./config-file.ts";
import { usage } from "./failure.ts";
import { type Common, Session } from "./session.ts";

interface NightSource extends Common {
  readonly config?: string;
}

/**
 * Returns the card for all of the config, or for a group, a link or a tunnel of it.
 * @throws LinksealError with `usage` or `config.invalid` if there is no config or no such name
 */
export async function nightOf(
  name: string | undefined,
  options: NightSource,
): Promise<{ readonly card: NightCard; readonly from: string }> {
  const { desired, from } = await configOf(options);
  const links = linkScenes(desired).filter(({ group, id }) =>
    [undefined, group, id].includes(name),
  );
  const tunnels = tunnelScenes(desired).filter((tunnel) => [undefined, tunnel.name].includes(name));
  if (links.length + tunnels.length === 0) {
    const named = `no group, link or tunnel ${JSON.stringify(name)}`;
    throw usage(`${from} names ${name === undefined ? "no link" : named}`, "linkseal night");
  }
  return { card: nightCard(desired.site, { links, tunnels }), from };
}

/** A config and its place, in words. */
export interface Found {
  readonly desired: Desired;
  readonly from: string;
}

async function configOf(options: NightSource): Promise<Found> {
  const { config } = options;
  if (config !== undefined) {
    const { text } = await readConfig(config);
    // The card logs in to no device, so a host key that is not confirmed yet does not matter.
    const desired = await parsed(withAnyHostKey(text), config, thenValidate(config));
    return { desired, from: config };
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
export const patienceMs = 3_000;
const fromFile = "linkseal night --config FILE";

/**
 * An agent that is dead, hangs or is busy is the case that this verb is for; every other answer
 * counts.
 */
export function withoutAgent(error: unknown): undefined {
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

/**
 * Returns the accepted config in the state folder.
 * @throws LinksealError with `usage` if there is none that this user can read
 */
export async function accepted(folders: readonly string[] = stateFolders()): Promise<Found> {
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
