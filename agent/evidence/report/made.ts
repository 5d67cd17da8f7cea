// Makes a report on request: for the requested period, from the records on the disk.

import { LinksealError } from "#hal/error.ts";
import type { AgentView } from "../../runtime/agent-view.ts";
import type { AuditTrail } from "../../store/audit/log.ts";
import { type ReportInput, reportOf } from "./document.ts";
import { signReport } from "./sign.ts";
import type { SignedReport } from "./statement.ts";
import { momentOf, momentText } from "./time.ts";
import { confirmedUntil, type Period, recordedSince } from "./timeline.ts";

export interface AskedPeriod {
  /** A day or a moment in UTC; undefined = from the first record on. */
  readonly from: string | undefined;
  /** A day or a moment in UTC; undefined = until the last confirmed moment. */
  readonly to: string | undefined;
}

/**
 * Reads the records and signs the report of a period.
 * @throws LinksealError `usage` for an invalid period, or if there are no records.
 */
export async function madeReport(agent: AgentView, asked: AskedPeriod): Promise<SignedReport> {
  const { signer, host, read } = agent.evidence;
  const trail = await read();
  refuseSetBack(asked, trail);
  const period = periodOf(asked, recordedSince(trail), confirmedUntil(trail));
  const site = agent.intent?.desired.site ?? "none";
  return signReport(reportOf({ site, host, trail, period, ...limitsOf(agent) }), signer);
}

function limitsOf({ intent }: AgentView): Pick<ReportInput, "keyAgeLimitsMs"> {
  const limits = (intent?.desired.groups ?? []).flatMap(({ name, rotate: { maxAgeMs } }) =>
    maxAgeMs === undefined ? [] : [[name, maxAgeMs] as const],
  );
  return limits.length === 0 ? {} : { keyAgeLimitsMs: Object.fromEntries(limits) };
}

/** A period from the first record on cannot be made while the clock is before that record. */
function refuseSetBack(asked: AskedPeriod, trail: AuditTrail): void {
  const since = recordedSince(trail);
  const newest = trail.entries.at(-1)?.at;
  if (asked.from !== undefined || since === undefined || newest === undefined) return;
  if (newest >= since) return;
  throw usage(
    `the clock of this host was set back: the records begin at ${momentText(since)}, and the ` +
      `newest is of ${momentText(newest)}; name --from, or ask again once the clock is past them`,
  );
}

function periodOf(
  asked: AskedPeriod,
  since: number | undefined,
  until: number | undefined,
): Period {
  const from = asked.from === undefined ? since : moment("from", asked.from);
  const to = asked.to === undefined ? until : moment("to", asked.to);
  if (from === undefined || to === undefined) throw usage("there are no records yet");
  if (from < to) return { from, to };
  if (asked.to !== undefined) throw usage("the period ends before it begins");
  throw usage("nothing is confirmed yet of what began so lately: ask again in a few minutes");
}

function moment(name: string, text: string): number {
  const ms = momentOf(text);
  if (ms !== undefined) return ms;
  throw usage(`--${name} is a day or a moment in UTC, such as 2026-11-24 or 2026-11-24T10:00:00Z`);
}

function usage(text: string): LinksealError {
  const next = "linkseal report --from 2026-11-01 --to 2026-12-01";
  return new LinksealError("usage", text, { effect: "none", where: "report", next });
}
