// Microsoft's Zero Trust recommendations on encrypting network communication, each checked against
// what was read: proven, failed, or not verifiable with the reason.

import { fromOutside } from "#hal/outside.ts";
import { type Desired, linkId } from "../../model/desired.ts";
import type { Agent } from "../../runtime/agent.ts";
import type { AgentView } from "../../runtime/agent-view.ts";
import type { Status } from "../../runtime/health/status.ts";
import { named } from "../../store/journal/memory.ts";
import { estateOfDocuments, type ParsedDocument, type Refused } from "./documents.ts";
import { blindEstate, type Estate } from "./estate.ts";
import { readEstate } from "./estate-reader.ts";
import { linksOf, type ScorecardFacts, vaultsNamed } from "./facts.ts";
import { type Outcome, textAt, unverifiable } from "./outcome.ts";
import { type ScorecardRow, scorecardRows } from "./scorecard-rows.ts";

/** What the scorecard of exported documents is made of. */
interface Documents {
  /** How many files were read. */
  readonly files: number;
  /** How many resources in them a row judges. */
  readonly resources: number;
  /** How many resources in them no row judges. */
  readonly others: number;
  /** Files, or resources in them, that could not be judged. */
  readonly refused: readonly Refused[];
}

/** The Zero Trust scorecard (`linkseal scorecard --json`). */
export interface Scorecard {
  /** The JSON schema's name and version. */
  readonly schema: "linkseal.scorecard/1";
  /** The site's name in the config; null = no config has been accepted, or there is no agent. */
  readonly site: string | null;
  /** When it was made, in ISO 8601. */
  readonly at: string;
  /** The document that makes the recommendations. */
  readonly source: string;
  /** The resource groups that were read; empty = nothing of Azure was read. */
  readonly scopes: readonly string[];
  /** The documents that it was made of; null = an agent made it. */
  readonly documents: Documents | null;
  /** How many rows have each verdict. */
  readonly counts: Readonly<Record<Outcome["verdict"], number>>;
  /** One row for each recommendation. */
  readonly rows: readonly (Omit<ScorecardRow, "check"> & Outcome)[];
}

const source =
  "Microsoft: Apply Zero Trust principles to encrypting Azure-based network communication (2024)";

/** An agent that can also read documents of Azure. */
type ScoredAgent = AgentView & Pick<Agent, "azureReader">;

/**
 * Makes the scorecard from the agent's last observations and a fresh read of Azure. It changes
 * nothing anywhere, so an abort leaves nothing behind.
 */
export async function makeScorecard(agent: ScoredAgent, signal: AbortSignal): Promise<Scorecard> {
  const estate = await estateOf(agent, signal);
  // The status is read last: reading Azure takes time, and observations age meanwhile.
  const status = agent.status();
  const facts = { ...edgeOf(agent, status), estate };
  const site = agent.intent?.desired.site ?? null;
  return { ...judged(facts), site, at: status.at, documents: null };
}

/**
 * Makes the scorecard of exported documents, without an agent. What they do not contain is not
 * verifiable, and so is all that only the edge shows. `at` is the time in ISO 8601.
 */
export function judgeDocuments(documents: readonly ParsedDocument[], at: string): Scorecard {
  const estate = estateOfDocuments(documents);
  const { ports } = estate.lists;
  const items = ports.kind === "read" ? ports.items : [];
  const links = items.flatMap(linksOf);
  const facts: ScorecardFacts = {
    links,
    tunnels: [],
    vaults: { kind: "named", addresses: vaultsNamed(links) },
    ports: items.flatMap((port) => textAt(port, "id") ?? []),
    connections: [],
    estate,
  };
  const found = documents.flatMap((each) => each.found);
  const counted = {
    files: documents.length,
    resources: found.filter(({ resource }) => typeof resource !== "string").length,
    others: documents.reduce((sum, each) => sum + each.others, 0),
    refused: documents.flatMap((each) => each.refused),
  };
  return { ...judged(facts), site: null, at, documents: counted };
}

function judged(
  facts: ScorecardFacts,
): Pick<Scorecard, "schema" | "source" | "scopes" | "counts" | "rows"> {
  const rows = scorecardRows.map(({ check, ...row }) => ({
    ...row,
    ...fromOutside(() => check(facts), unreadable),
  }));
  const count = (verdict: Outcome["verdict"]): number =>
    rows.filter((row) => row.verdict === verdict).length;
  return {
    schema: "linkseal.scorecard/1",
    source,
    scopes: facts.estate.scopes,
    counts: {
      proven: count("proven"),
      failed: count("failed"),
      notVerifiable: count("notVerifiable"),
    },
    rows,
  };
}

/** An answer of Azure that a check cannot read leaves the other rows as they are. */
function unreadable(): Outcome {
  return unverifiable("what Azure answers here is not understood", "linkseal doctor --bundle");
}

async function estateOf(agent: ScoredAgent, signal: AbortSignal): Promise<Estate> {
  const desired = agent.intent?.desired;
  if (agent.supervisor === undefined || desired === undefined) {
    return blindEstate("no config has been accepted yet", "linkseal apply");
  }
  const read = agent.azureReader(desired);
  if (read === undefined) {
    const why = "the simulated cloud of this config has no management API";
    return blindEstate(why, "linkseal sim azure, or linkseal scorecard --documents FOLDER");
  }
  const ports = portsOf(desired);
  const { vault } = desired.azure;
  const scopes = scopesOf(desired.azure.scopes, [...ports, ...connectionsOf(desired)]);
  return await readEstate({ read, scopes, ports, vault }, signal);
}

const portsOf = ({ groups }: Desired): readonly string[] =>
  groups.map(({ expressRoutePort }) => expressRoutePort);

const connectionsOf = ({ tunnels }: Desired): readonly string[] =>
  tunnels.flatMap(({ azureConnection }) => azureConnection ?? []);

function edgeOf(
  { supervisor, memory, intent }: AgentView,
  status: Status,
): Omit<ScorecardFacts, "estate"> {
  const desired = intent?.desired;
  if (supervisor === undefined || desired === undefined) {
    const vaults = { kind: "named", addresses: [] } as const;
    return { links: [], tunnels: [], vaults, ports: [], connections: [] };
  }
  const links = desired.groups.flatMap((group) =>
    group.links.map((link) => {
      const shown = status.groups
        .find(({ name }) => name === group.name)
        ?.links.find(({ name }) => name === link.name);
      const peer = supervisor.deviceCache.peer(link)?.state;
      const { pointsAt } = peer ?? {};
      const farEndAgeMs = shown?.ages.farEndMs;
      const isOld = peer === undefined && typeof farEndAgeMs === "number";
      const ids = pointsAt === undefined ? undefined : [pointsAt.cakSecretId, pointsAt.cknSecretId];
      return {
        name: linkId(link),
        observed: {
          verdict: shown?.verdict ?? ("unknown" as const),
          codes: shown?.reasons.map(({ code }) => code) ?? [],
          ckn: shown?.keyInUse ?? null,
          meant: named(memory.bindings, linkId(link))?.key.ckn ?? null,
          next: shown?.keyNext ?? null,
        },
        farEnd: peer === undefined ? undefined : { admin: peer.admin, ids },
        ...(isOld ? { farEndAgeMs } : {}),
      };
    }),
  );
  const tunnels = status.tunnels.map(({ name, verdict, reasons }) => ({
    ...{ name, verdict, codes: reasons.map(({ code }) => code) },
  }));
  const { cloud, vault } = desired.azure;
  const vaults: ScorecardFacts["vaults"] =
    cloud === "sim" ? { kind: "simulated" } : { kind: "named", addresses: [vault] };
  return { links, tunnels, vaults, ports: portsOf(desired), connections: connectionsOf(desired) };
}

/** The resource groups that the config names, and those of all resources in it. */
function scopesOf(named: readonly string[], resources: readonly string[]): readonly string[] {
  const found = new Map<string, string>();
  for (const id of [...named, ...resources]) {
    const [group] = /^\/subscriptions\/[^/]+\/resourceGroups\/[^/]+/i.exec(id) ?? [];
    if (group !== undefined && !found.has(group.toLowerCase()))
      found.set(group.toLowerCase(), group);
  }
  return [...found.values()];
}
