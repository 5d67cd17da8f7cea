// Findings about the rights of the agent's identity in Azure.

import type { Desired } from "../../model/desired.ts";
import type { Finding } from "../../model/finding.ts";
import { nextForRight } from "../../model/reason-text.ts";
import { severityOf } from "../../model/severity.ts";
import type { RightsOf, RightsReader } from "../../runtime/polling/rights-reader.ts";

const rule = "The agent's identity has every right that a change of the far end needs";
const source = "Azure RBAC: Microsoft.Authorization/permissions of the scope";

/** What reads the rights, and says when a report may ask for them. */
interface Reading {
  readonly rights: Pick<RightsReader, "refresh" | "report" | "scopesOf">;
  readonly mayRead: (requests: number, signal: AbortSignal) => Promise<void>;
}

/** Reads all rights anew; returns what is missing and what is not known, with its scope. */
export async function rightFindings(
  reading: Reading,
  { groups, tunnels }: Pick<Desired, "groups" | "tunnels">,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const changes: readonly RightsOf[] = [
    ...groups.map(({ name }) => ({ kind: "campaign", group: name }) as const),
    ...tunnels.map(({ name }) => ({ kind: "preSharedKey", tunnel: name }) as const),
  ];
  const found: Finding[] = [];
  const { rights } = reading;
  for (const of of changes) {
    await reading.mayRead(rights.scopesOf(of).length, signal);
    await rights.refresh(of, 0, signal);
    found.push(...findingsOf(rights, of));
  }
  return found;
}

function findingsOf(rights: Pick<RightsReader, "report">, of: RightsOf): readonly Finding[] {
  const about = of.kind === "campaign" ? of.group : of.tunnel;
  const { missing = [], unknown = [] } = rights.report(of) ?? {};
  return [
    ...missing.map(
      (right): Finding => ({
        ...{ code: "gate.rightsMissing", severity: severityOf("gate.rightsMissing"), about },
        here: `the agent's identity does not have ${right.action} at ${right.scope}`,
        ...{ there: null, rule, source },
        next: nextForRight(right),
      }),
    ),
    ...unknown.map(
      ({ scope, why, next }): Finding => ({
        ...{ code: "rights-unknown", severity: severityOf("rights-unknown"), about },
        here: `the rights of the agent's identity at ${scope} are not known: ${why}`,
        ...{ there: null, rule, source, next },
      }),
    ),
  ];
}
