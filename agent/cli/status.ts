// `linkseal status`: the quick path. Every `status` has to load what this module imports, so it
// imports little.

import { jsonText, readable } from "../model/text.ts";
import type { Status } from "../runtime/health/status.ts";
import { ask } from "./client.ts";
import { fitted, terminalColumns } from "./fit.ts";
import { paintFor } from "./paint.ts";
import { statusText, verdictLine } from "./status-text.ts";

export interface StatusOptions {
  readonly json: boolean;
  /** One line, for monitoring. */
  readonly check: boolean;
  readonly socket?: string | undefined;
}

/** Prints the health of the site; resolves to 0, or to 4 if not everything is protected. */
export async function showStatus({ json, check, socket }: StatusOptions): Promise<number> {
  const answer = await ask({ role: "view", method: "GET", path: "/v1/status", socket });
  // The agent has the version of this program; a newer agent only adds members.
  const status = answer as Status;
  const paint = paintFor(process.stdout);
  const text = json
    ? jsonText(status)
    : fitted((check ? verdictLine : statusText)(readable(status), paint), terminalColumns());
  process.stdout.write(`${text}\n`);
  return verdictExit(status.verdict);
}

/** Returns the exit status for a verdict. */
export function verdictExit(verdict: Status["verdict"]): 0 | 4 {
  return verdict === "protected" ? 0 : 4;
}
