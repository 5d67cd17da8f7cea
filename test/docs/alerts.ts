// The alert rules that are shipped: one for each row of the warnings, and those about the agent.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { explanations } from "#agent/explain/explain.ts";
import {
  isWarningCode,
  type WarningCode,
  type WarningRow,
  warningRows,
} from "#agent/model/warning-rows.ts";

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

/** The rules that no warning code has: about the agent itself, and about verdicts. */
const agentRules = readFileSync(join(import.meta.dirname, "agent-alerts.yaml"), "utf8");
const levels = { error: "critical", warning: "warning", info: "info" } as const;

/** docs/linkseal-alerts.yaml: the rules about the agent, then those of the warnings. */
export const alertsText = agentRules + Object.entries(warningRows).map(ruleText).join("");

function ruleText([code, { severity, title, impactsTraffic }]: [string, WarningRow]): string {
  const name = code.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const meaning = `${explanations.get(code)?.meaning} Run: linkseal explain ${code}`;
  const traffic = impactsTraffic ? "          traffic: impacted\n" : "";
  return `      - alert: Linkseal${name}
        expr: 'linkseal_warning_open{code="${code}"} == 1'
        labels:
          severity: ${levels[severity]}
${traffic}        annotations:
          summary: ${JSON.stringify(`{{ $labels.site }}: {{ $labels.about }}: ${title}`)}
          description: ${JSON.stringify(meaning)}
`;
}

export const alertRules: readonly AlertRule[] = (parse(alertsText) as RulesFile).groups.flatMap(
  ({ rules }) => rules,
);

/** The warning that opens it; undefined = the rule has no warning of its own. */
export function codeOf({ expr }: AlertRule): WarningCode | undefined {
  const [, code = ""] = /^linkseal_warning_open\{code="([^"]+)"\} == 1$/.exec(expr) ?? [];
  return isWarningCode(code) ? code : undefined;
}
