// Mutants that no test can notice, each with the reason.

import { knownOfBeginnings } from "./known-beginning.ts";
import { knownOfCampaigns } from "./known-campaign.ts";
import { knownOfHealth } from "./known-health.ts";
import { knownOfTunnels } from "./known-tunnels.ts";

export interface Known {
  readonly file: string;
  /**
   * The source line in which the mutant begins, without its indent, or the beginning of it; empty =
   * any line of the file.
   */
  readonly line: string;
  /** The text that Stryker writes instead. */
  readonly becomes: readonly string[];
  readonly why: string;
}

export const known: readonly Known[] = [
  ...knownOfBeginnings,
  ...knownOfCampaigns,
  ...knownOfHealth,
  ...knownOfTunnels,
  {
    file: "agent/compare/plan.ts",
    line: "vaultBase: vaultBaseOf(input.desired.azure, [key?.cakSecretId]),",
    becomes: ["[]"],
    why: "no drift depends on the base of the vault",
  },
  {
    file: "agent/compare/plan.ts",
    line: "if (binding === undefined || sameSettings({ link, binding })) return undefined;",
    becomes: ["false"],
    why: "a managed link has a binding: the check is for the type",
  },
  {
    file: "agent/compare/drift.ts",
    line: "if (port === undefined) return [];",
    becomes: ["false", '["Stryker was here"]'],
    why: "standingOf looks for drift only if the port is listed",
  },
  {
    file: "agent/compare/drift.ts",
    line: "const keys = strongValue(port.keys) ?? [];",
    becomes: ['["Stryker was here"]'],
    why: "standingOf looks for drift only if the keys are known",
  },
  {
    file: "agent/compare/drift.ts",
    line: "const hitless = capabilities?.macsec?.hitless ?? [];",
    becomes: ['["Stryker was here"]'],
    why: "no leaf has that name",
  },
  {
    file: "agent/compare/drift.ts",
    line: "return by === undefined ? drift :",
    becomes: ["false"],
    why: "every caller treats undefined as absent",
  },
  {
    file: "agent/health/verify.ts",
    line: "const value = backed === undefined ? [] : strongValue(backed);",
    becomes: ['["Stryker was here"]'],
    why: "no prefix equals the replacement text",
  },
];
