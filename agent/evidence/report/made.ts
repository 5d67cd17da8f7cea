// Makes a report on request: for the requested period, from the records on the disk.

import { LinksealError } from "#hal/error.ts";
import type { AgentView } from "../../runtime/agent-view.ts";
import { reportOf } from "./document.ts";
import { signReport } from "./sign.ts";
import type { SignedReport } from "./statement.ts";
import { momentOf } from "./time.ts";
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
  const period = periodOf(asked, recordedSince(trail), confirmedUntil(trail));
  const site = agent.intent?.desired.site ?? "none";
  return signReport(reportOf({ site, host, trail, period }), signer);
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
