// What a site's key in the bucket of statuses says: verdicts, codes and names, and no text of a
// device. It is as long for 2,000 links as for 50.

import type { WallTime } from "#hal/world.ts";
import type { Verdict } from "../../model/health.ts";
import { isoTime } from "../../model/iso-time.ts";
import { version } from "../../model/version.ts";
import type { AgentView } from "../../runtime/agent-view.ts";

/** Entries of each list; the number of all is beside it. */
const entriesMax = 50;

/** How far a site's audit records have got. */
export interface Progress {
  /** Number of the newest record that the engine has; 0 = none, or not known. */
  readonly published: number;
  /** Records that were overwritten before they could be published, since the start. */
  readonly lost: number;
}

/** A list that is cut, and how many there are. */
interface Cut<T> {
  readonly all: number;
  readonly first: readonly T[];
}

/** The status of a site, linkseal.siteStatus/1. */
export interface SiteStatus {
  /** Name and version of this shape. */
  readonly schema: "linkseal.siteStatus/1";
  /** Name of the site in its config; empty = it has none. */
  readonly site: string;
  /** Id of the agent's host, as its audit log names it. */
  readonly host: string;
  /** When it was made, by the site's clock, in UTC. */
  readonly at: string;
  /** Version of the agent. */
  readonly version: string;
  /** The accepted config; null = none is in force. */
  readonly config: { readonly number: number; readonly sha256: string } | null;
  /** The worst verdict of all links and tunnels. */
  readonly verdict: Verdict;
  /** How many links and tunnels have each verdict; absent = none. */
  readonly verdicts: Readonly<Partial<Record<Verdict, number>>>;
  /** Links and tunnels that are not protected, the worst first. */
  readonly wrong: Cut<{
    readonly about: string;
    readonly verdict: Verdict;
    readonly codes: readonly string[];
  }>;
  /** Campaigns that have not ended. */
  readonly campaigns: Cut<{
    readonly group: string;
    readonly kind: string;
    readonly state: string;
    readonly since: string;
  }>;
  /** The oldest keys; a CKN is a name and not a key. */
  readonly keys: Cut<{ readonly about: string; readonly ckn: string; readonly ageDays: number }>;
  /** Open warnings. */
  readonly warnings: Cut<{
    readonly code: string;
    readonly about: string;
    readonly severity: string;
  }>;
  /** Number of the newest audit record, and how many of them the engine has. */
  readonly audit: Progress & { readonly newest: number };
}

const order: readonly Verdict[] = ["unprotected", "down", "unknown", "degraded", "protected"];

/** Returns the status of a site, as octets of JSON. */
export function statusOctets(
  agent: Pick<AgentView, "status" | "memory" | "intent" | "evidence">,
  wall: WallTime,
  progress: Progress,
): Uint8Array {
  const status = agent.status();
  const links = status.groups.flatMap(({ name, links: all }) =>
    all.map((link) => ({ ...link, about: `${name}/${link.name}` })),
  );
  const tunnels = status.tunnels.map((tunnel) => ({ ...tunnel, about: tunnel.name }));
  const parts = [...links, ...tunnels];
  const wrong = parts
    .filter(({ verdict }) => verdict !== "protected")
    .toSorted((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict))
    .map(({ about, verdict, reasons }) => ({
      ...{ about, verdict, codes: reasons.slice(0, 8).map(({ code }) => code) },
    }));
  const keys = links
    .flatMap(({ about, ckn, keyAgeDays }) =>
      ckn === null || keyAgeDays === null ? [] : [{ about, ckn, ageDays: keyAgeDays }],
    )
    .toSorted((a, b) => b.ageDays - a.ageDays);
  const campaigns = Object.values(agent.memory.campaigns)
    .filter(({ state }) => state !== "done")
    .map(({ group, kind, state, since }) => ({ group, kind, state, since: isoTime(since) }));
  const document: SiteStatus = {
    schema: "linkseal.siteStatus/1",
    site: agent.intent?.desired.site ?? "",
    host: agent.evidence.host,
    at: isoTime(wall),
    version,
    config: configOf(agent),
    verdict: status.verdict,
    verdicts: countsOf(parts),
    wrong: cut(wrong),
    campaigns: cut(campaigns),
    keys: cut(keys),
    warnings: cut(status.warnings.map(({ code, about, severity }) => ({ code, about, severity }))),
    audit: { newest: agent.evidence.audit.newestSeq, ...progress },
  };
  return new TextEncoder().encode(JSON.stringify(document));
}

function configOf({ intent }: Pick<AgentView, "intent">): SiteStatus["config"] {
  return intent === undefined ? null : { number: intent.number, sha256: intent.sha256 };
}

function countsOf(parts: readonly { readonly verdict: Verdict }[]): SiteStatus["verdicts"] {
  const counts: Partial<Record<Verdict, number>> = {};
  for (const { verdict } of parts) counts[verdict] = (counts[verdict] ?? 0) + 1;
  return counts;
}

const cut = <T>(list: readonly T[]): Cut<T> => ({
  all: list.length,
  first: list.slice(0, entriesMax),
});
