// The keys of every link: which versions, how old, and who uses them; never a value.

import { LinksealError } from "#hal/error.ts";
import { strongValue } from "#hal/model.ts";
import { generationTag } from "#hal/vault.ts";
import type { WallTime } from "#hal/world.ts";
import type { Agent } from "../agent.ts";
import { type DesiredLink, linkId } from "../desired.ts";
import { isoTime } from "../health/status-time.ts";
import { portOf } from "../link-view.ts";
import { chooseKey } from "../vault.ts";

interface KeyRow {
  readonly link: string;
  readonly ckn: string | null;
  readonly cakVersion: string | null;
  readonly generation: number | null;
  readonly ageDays: number | null;
  readonly enabled: boolean | null;
  readonly notAfter: string | null;
  readonly usedBy: readonly ("router" | "farEnd")[];
  /** What is wrong with the newest pair in the vault; null = it could be used. */
  readonly finding: { readonly code: string; readonly text: string } | null;
}

export interface KeyReport {
  readonly schema: "linkseal.keys/1";
  readonly keys: readonly KeyRow[];
}

const dayMs = 86_400_000;

/**
 * Asks the vault for versions and judges the newest pair of each link; changes nothing anywhere.
 */
export async function keyReport(
  agent: Agent,
  now: WallTime,
  signal: AbortSignal,
): Promise<KeyReport> {
  const links = agent.intent?.desired.groups.flatMap((group) => group.links) ?? [];
  const keys = await Promise.all(links.map((link) => rowOf(agent, link, now, signal)));
  return { schema: "linkseal.keys/1", keys };
}

async function rowOf(
  agent: Agent,
  link: DesiredLink,
  now: WallTime,
  signal: AbortSignal,
): Promise<KeyRow> {
  const binding = agent.memory.bindings[linkId(link)];
  const { crew } = agent;
  const view = crew?.lookout.view(link);
  const port = portOf(view?.state, link.port);
  const onRouter = port === undefined ? undefined : strongValue(port.keys);
  const usedBy: ("router" | "farEnd")[] = [];
  if (onRouter?.some((slot) => slot.ckn === binding?.key.ckn) === true) usedBy.push("router");
  const pointsAt = view?.peer?.pointsAt?.cakSecretId;
  if (pointsAt !== undefined && pointsAt === binding?.key.cakSecretId) usedBy.push("farEnd");
  const row: KeyRow = {
    link: linkId(link),
    ckn: binding?.key.ckn ?? null,
    cakVersion: binding?.key.cakSecretId.split("/").at(-1) ?? null,
    generation: null,
    ageDays: binding === undefined ? null : Math.floor((now - binding.created) / dayMs),
    enabled: null,
    notAfter: null,
    usedBy,
    finding: null,
  };
  if (crew === undefined) return row;
  try {
    const { vault } = crew.beginParts();
    const versions = await vault.versions(link.key.cak, signal);
    const own = versions.find((version) => version.id === binding?.key.cakSecretId);
    await chooseKey(vault, link, now, signal);
    return {
      ...row,
      generation: own === undefined ? null : Number(own.tags[generationTag] ?? Number.NaN) || null,
      enabled: own?.enabled ?? null,
      notAfter: own?.expires === undefined ? null : isoTime(own.expires),
    };
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    return { ...row, finding: { code: error.code, text: error.message } };
  }
}
