// A rule between keys and what it finds.

import type { RiskName } from "../model/desired.ts";
import type { Fault, Path } from "./complaint.ts";
import type { Config } from "./schema.ts";

export type Finding = Omit<Fault, "at">;

export interface Rule {
  readonly says: string;
  find(config: Config): Iterable<Finding>;
}

/** Whether the file accepts a risk; its date is a gate's business at run time, not the parser's. */
export function accepts(config: Config, risk: RiskName): boolean {
  return config.acceptRisks.some((accepted) => accepted.risk === risk);
}

export function finding(path: Path, what: string, why: string, write: string): Finding {
  return { path, what, why, write };
}
