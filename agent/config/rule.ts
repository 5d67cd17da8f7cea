// A rule between settings, and what it finds.

import type { RiskName } from "../model/desired.ts";
import type { Fault, Path } from "./complaint.ts";
import type { Config } from "./schema.ts";

export type Finding = Omit<Fault, "at">;

export interface Rule {
  readonly says: string;
  /** Present if a config that is already in force may break it: what resolves it keeps the rule. */
  readonly binds?: "new";
  find(config: Config): Iterable<Finding>;
}

/**
 * True if the config accepts the risk. Its date is not checked here, but by the preconditions when
 * a campaign runs.
 */
export function accepts(config: Config, risk: RiskName): boolean {
  return config.acceptRisks.some((accepted) => accepted.risk === risk);
}

export function finding(path: Path, what: string, why: string, write: string): Finding {
  return { path, what, why, write };
}
