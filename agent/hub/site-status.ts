// The status that a site has published, as a hub reads it: hostile until it is parsed here, because
// its writer may be a site that was broken into.

import { type Verdict, verdictOrder, worstOf } from "../model/health.ts";
import type { SiteStatus } from "../telemetry/fleet/status-document.ts";
import { documentIn, type Fields } from "./fields.ts";

/** As long as an agent's longest status: each of its lists has 50 entries at most. */
const limits = { octets: 64 * 1024, values: 3_000 } as const;
const entriesMax = 50;
const codesMax = 8;

/** What a hub keeps of a status. */
export type ReadStatus = Omit<SiteStatus, "schema">;

/**
 * Returns what a status says; undefined = it is none. Its verdict is the worst that any part of it
 * names, so that a status which contradicts itself is not believed where it is good.
 */
export function parseSiteStatus(octets: Uint8Array): ReadStatus | undefined {
  return documentIn("linkseal.siteStatus/1", octets, limits, statusOf);
}

function statusOf(fields: Fields): ReadStatus {
  const verdicts = countsOf(fields.object("verdicts"));
  const wrong = cutOf(fields.object("wrong"), (entry) => ({
    about: entry.text("about"),
    verdict: entry.word("verdict", verdictOrder),
    codes: entry.texts("codes", codesMax),
  }));
  const named = verdictOrder.filter((verdict) => (verdicts[verdict] ?? 0) > 0);
  const told = fields.word("verdict", verdictOrder);
  return {
    site: fields.text("site", 63),
    host: fields.text("host", 64),
    at: fields.time("at"),
    version: fields.text("version", 64),
    config: fields.isNull("config") ? null : configOf(fields.object("config")),
    verdict: worstOf([told, ...named, ...wrong.first.map(({ verdict }) => verdict)]),
    verdicts,
    wrong,
    campaigns: cutOf(fields.object("campaigns"), (entry) => ({
      group: entry.text("group"),
      kind: entry.text("kind", 32),
      state: entry.text("state", 32),
      since: entry.time("since"),
    })),
    keys: cutOf(fields.object("keys"), (entry) => ({
      about: entry.text("about"),
      ckn: entry.text("ckn", 64),
      ageDays: entry.count("ageDays"),
    })),
    warnings: cutOf(fields.object("warnings"), (entry) => ({
      code: entry.text("code", 64),
      about: entry.text("about"),
      severity: entry.text("severity", 16),
    })),
    audit: auditOf(fields.object("audit")),
  };
}

function countsOf(fields: Fields): ReadStatus["verdicts"] {
  const counts: Partial<Record<Verdict, number>> = {};
  for (const verdict of verdictOrder) {
    if (fields.has(verdict)) counts[verdict] = fields.count(verdict);
  }
  return counts;
}

function configOf(fields: Fields): NonNullable<ReadStatus["config"]> {
  return { number: fields.count("number"), sha256: fields.text("sha256", 64) };
}

function auditOf(fields: Fields): ReadStatus["audit"] {
  const [newest, published] = [fields.count("newest"), fields.count("published")];
  return { newest, published, lost: fields.count("lost") };
}

interface Cut<T> {
  readonly all: number;
  readonly first: readonly T[];
}

function cutOf<T>(fields: Fields, read: (entry: Fields) => T): Cut<T> {
  const first = fields.list("first", entriesMax, read);
  return { all: Math.max(fields.count("all"), first.length), first };
}
