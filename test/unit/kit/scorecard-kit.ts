// A scorecard on a site with one link and a resource group of given documents, and on the same
// documents as files.

import { parseDocument } from "#agent/evidence/scorecard/documents.ts";
import type { Resource } from "#agent/evidence/scorecard/estate.ts";
import {
  judgeDocuments,
  makeScorecard,
  type Scorecard,
} from "#agent/evidence/scorecard/scorecard.ts";
import type { Desired } from "#agent/model/desired.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import { LinksealError } from "#hal/error.ts";
import { never } from "./site-bench.ts";
import { desired, link } from "./snapshot-kit.ts";

export const subscription = "/subscriptions/00000000-0000-0000-0000-000000000000";
export const scope = `${subscription}/resourceGroups/rg1`;
export const port = `${scope}/providers/Microsoft.Network/expressRoutePorts/erd`;
export const vault = "https://kv-1.vault.azure.net";
export const vaultId = `${scope}/providers/Microsoft.KeyVault/vaults/kv-1`;

/** Returns a document of ARM; `type` may have several parts, then `name` has one less. */
export function resource(
  type: string,
  name: string,
  properties: unknown,
  rest: object = {},
): Resource {
  const [provider = "", ...kinds] = type.split("/");
  const names = name.split("/");
  const path = kinds.map((kind, index) => `${kind}/${names[index]}`).join("/");
  const id = `${scope}/providers/${provider}/${path}`;
  const own = { id, name: names.at(-1), type, location: "westus", etag: 'W/"0"' };
  return { ...own, ...rest, properties };
}

/** Returns the port's document with this identity, and links without MACsec. */
export function portDocument(identity?: object, links: readonly unknown[] = []): Resource {
  return resource(
    "Microsoft.Network/expressRoutePorts",
    "erd",
    { provisioningState: "Succeeded", bandwidthInGbps: 100, links },
    identity === undefined ? {} : { identity },
  );
}

interface Site {
  readonly status?: () => unknown;
  readonly read?: ((path: string, query: Record<string, string>) => Promise<unknown>) | undefined;
  readonly azure?: object;
  readonly tunnels?: readonly object[];
}

const quiet = (): unknown => ({ groups: [], tunnels: [], at: "2026-11-28T00:00:00Z" });

/** Makes the scorecard of an agent with one link. */
export async function cardOn(site: Site): Promise<Scorecard> {
  const azure = { ...desired.azure, cloud: "public", vault, scopes: [scope], ...site.azure };
  const group = { name: link.group, expressRoutePort: port, links: [link] };
  const wanted = { ...desired, azure, groups: [group], tunnels: site.tunnels ?? [] };
  const agent = {
    intent: { desired: wanted as unknown as Desired },
    supervisor: { deviceCache: { peer: () => undefined } },
    memory: emptyMemory,
    status: site.status ?? quiet,
    azureReader: () => site.read,
  } as unknown as Agent;
  return await makeScorecard(agent, never);
}

interface RowShown {
  readonly verdict: string;
  readonly evidence: string;
  readonly next: string | null;
}

export function rowIn({ rows }: Scorecard, row: string): RowShown {
  const found = rows.find(({ id }) => id === row);
  if (found === undefined) throw new RangeError(`no row ${row}`);
  return { verdict: found.verdict, evidence: found.evidence.join("; "), next: found.next };
}

export async function rowOn(row: string, site: Site): Promise<RowShown> {
  return rowIn(await cardOn(site), row);
}

/** A path that this ends with is refused, as for a caller without Reader. */
export interface Refusing {
  readonly refused?: RegExp;
  readonly tunnels?: readonly object[];
}

/** Reads these documents: one by its id, or a list by the path above. */
export function readerOf(documents: readonly Resource[], { refused }: Refusing = {}) {
  const asked: string[] = [];
  const read = async (path: string, query: Record<string, string>): Promise<unknown> => {
    asked.push([path, query["$filter"]].filter((part) => part !== undefined).join("?"));
    const lower = path.toLowerCase();
    if (refused?.test(path) === true) {
      const terms = { effect: "none", where: "Azure", next: "linkseal doctor" } as const;
      throw new LinksealError("peer.denied", "no right here", terms);
    }
    const idOf = ({ id }: Resource): string => String(id).toLowerCase();
    const one = documents.find((each) => idOf(each) === lower);
    if (one !== undefined) return one;
    if (lower === port.toLowerCase()) return portDocument();
    const value = documents.filter((each) => idOf(each).replace(/\/[^/]+$/, "") === lower);
    return { value };
  };
  return { read, asked };
}

/** Returns the row of a site that was never observed and a group with these documents. */
export async function rowOf(row: string, ...documents: readonly Resource[]): Promise<RowShown> {
  return await rowOn(row, readerOf(documents));
}

/** Returns the row of the same documents in one exported file. */
export function rowOfFiles(row: string, ...documents: readonly unknown[]): RowShown {
  const parsed = parseDocument("all.json", JSON.stringify(documents));
  return rowIn(judgeDocuments([parsed], "2026-11-28T00:00:00Z"), row);
}
