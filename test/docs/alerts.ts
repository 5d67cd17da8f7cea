// The alert rules that are shipped, as their file defines them.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { isWarningCode, type WarningCode } from "#agent/model/warning-rows.ts";

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  /** How long the condition must last; absent = the agent has let it settle already. */
  readonly for?: string;
  readonly labels: {
    readonly severity: "critical" | "warning" | "info";
    readonly traffic?: "impacted";
  };
  readonly annotations: { readonly summary: string; readonly description: string };
}

interface RulesFile {
  readonly groups: readonly { readonly rules: readonly AlertRule[] }[];
}

const file = join(import.meta.dirname, "../../docs/linkseal-alerts.yaml");

export const alertsText = readFileSync(file, "utf8");

export const alertRules: readonly AlertRule[] = (parse(alertsText) as RulesFile).groups.flatMap(
  ({ rules }) => rules,
);

/** The warning that opens it; undefined = the rule has no warning of its own. */
export function codeOf({ expr }: AlertRule): WarningCode | undefined {
  const [, code = ""] = /^linkseal_warning_open\{code="([^"]+)"\} == 1$/.exec(expr) ?? [];
  return isWarningCode(code) ? code : undefined;
}
