// One severity a code, wherever it appears.

import { describe, expect, it } from "vitest";
import { explanations } from "#agent/explain/explain.ts";
import { severityOf } from "#agent/model/severity.ts";
import { warningRows } from "#agent/model/warning-rows.ts";
import { errorRows } from "#hal/error.ts";
import { alertRules, codeOf } from "../../../docs/alerts.ts";

describe("the severity of a code", () => {
  it("explain, warnings and alerts have the same severity for each code", () => {
    const levels = { error: "critical", warning: "warning", info: "info" } as const;
    for (const [code, { severity }] of Object.entries(warningRows)) {
      expect([code, severityOf(code), explanations.get(code)?.severity]).toEqual([
        ...[code, severity, severity],
      ]);
    }
    for (const rule of alertRules) {
      const code = codeOf(rule);
      if (code === undefined) continue;
      expect([code, rule.labels.severity]).toEqual([code, levels[severityOf(code)]]);
    }
  });

  it("a link in the clear is an error", () => {
    const clear = ["macsec-not-configured", "controlled-port-open", "frames-untagged"];
    expect(clear.map(severityOf)).toEqual(["error", "error", "error"]);
  });

  it("every error and finding has one, and a risk or state has none", () => {
    for (const code of Object.keys(errorRows)) expect(severityOf(code)).toBe("error");
    for (const { code, kind, severity } of explanations.values()) {
      expect([code, severity]).toEqual([
        code,
        kind === "risk" || kind === "state" ? null : severityOf(code),
      ]);
    }
    expect(severityOf("constructor")).toBe("info");
  });
});
