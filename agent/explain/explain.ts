// The one source for `linkseal explain CODE` and docs/codes.md; the texts are JSON files beside
// this module.

import type { ErrorCode } from "#hal/error.ts";
import type { CampaignState } from "../model/campaign.ts";
import { type RiskName, riskMeanings } from "../model/desired.ts";
import type { FindingCode } from "../model/finding.ts";
import { nearest } from "../model/nearest.ts";
import { severityOf } from "../model/severity.ts";
import { type Severity, type WarningCode, warningRows } from "../model/warning-rows.ts";
import errors from "./errors.json" with { type: "json" };
import findings from "./findings.json" with { type: "json" };
import links from "./links.json" with { type: "json" };
import operations from "./operations.json" with { type: "json" };
import risks from "./risks.json" with { type: "json" };
import states from "./states.json" with { type: "json" };

type CodeKind = "warning" | "finding" | "error" | "risk" | "state";

/** The text that `linkseal explain` prints about one code. */
export interface Explanation {
  /** The code, with its own upper and lower case. */
  readonly code: string;
  /** What kind of code it is, which decides where the code appears. */
  readonly kind: CodeKind;
  /** A few words, as a heading. */
  readonly title: string;
  /** What is known when this code appears, and what follows from it. */
  readonly meaning: string;
  /** How bad it is, wherever the code appears; null = a risk or state, which is no fault. */
  readonly severity: Severity | null;
  /** Steps in order, the safe ones first. */
  readonly whatToDo: readonly string[];
  /** The same steps with the names of their commands. */
  readonly steps: readonly Step[];
}

/** One step: what to do, and the names of the commands for it (`commands.ts`). */
interface Step {
  /** The sentence; GROUP/LINK, GROUP and TUNNEL stand for names. */
  readonly text: string;
  /** Names of its commands; empty = the sentence is all. */
  readonly run: readonly string[];
}

/** A step of a JSON file: a sentence alone, or one with commands. */
type StepWords = string | { readonly do: string; readonly run: readonly string[] };

export type Explained =
  | { readonly kind: "known"; readonly explanation: Explanation }
  /** `meant` = the nearest existing code. */
  | { readonly kind: "unknown"; readonly meant: string | undefined };

/** The texts of a JSON file for each code; `meaning` has one sentence per line. */
interface Words {
  readonly title: string;
  readonly meaning: readonly string[];
  readonly whatToDo: readonly StepWords[];
}

// A code without texts is a type error.
const warningWords: Readonly<Record<WarningCode, Omit<Words, "title">>> = {
  ...links,
  ...operations,
};
const findingWords: Readonly<Record<FindingCode, Words>> = findings;
const errorWords: Readonly<Record<ErrorCode, Words>> = errors;
const riskWords: Readonly<Record<RiskName, Omit<Words, "meaning">>> = risks;
const stateWords: Readonly<Record<CampaignState, Words>> = states;

/** All explanations of all sources, by code. */
export const explanations: ReadonlyMap<string, Explanation> = collect();

function collect(): Map<string, Explanation> {
  const all = new Map<string, Explanation>();
  const add = (kind: CodeKind, code: string, { title, meaning, whatToDo }: Words): void => {
    const steps = whatToDo.map(stepOf);
    const severity = kind === "risk" || kind === "state" ? null : severityOf(code);
    const texts = { title, meaning: meaning.join(" "), whatToDo: steps.map(({ text }) => text) };
    all.set(code, { code, kind, severity, ...texts, steps });
  };
  for (const [code, { title }] of rowsOf(warningRows)) {
    add("warning", code, { title, ...warningWords[code] });
  }
  for (const [code, words] of rowsOf(findingWords)) add("finding", code, words);
  for (const [code, words] of rowsOf(errorWords)) add("error", code, words);
  for (const [name, { title, whatToDo }] of rowsOf(riskWords)) {
    const meaning = [`Accepting it means: ${riskMeanings[name]}.`];
    const once = `Accept it once with \`--accept-risk=${name}\``;
    const accept = `${once}, or with a date in \`acceptRisks\`.`;
    // No verb sets up a tunnel, so none can accept its risk for once.
    const last = name === "weakTunnel" ? [] : [accept];
    add("risk", name, { title, meaning, whatToDo: [...whatToDo, ...last] });
  }
  for (const [code, words] of rowsOf(stateWords)) add("state", code, words);
  return all;
}

function stepOf(words: StepWords): Step {
  return typeof words === "string" ? { text: words, run: [] } : { text: words.do, run: words.run };
}

function rowsOf<Code extends string, Row>(table: Readonly<Record<Code, Row>>) {
  return Object.entries(table) as [Code, Row][];
}

/** Names that stand for GROUP/LINK, GROUP and TUNNEL in the commands of a sentence. */
export type StepNames = Readonly<Partial<Record<"GROUP/LINK" | "GROUP" | "TUNNEL", string>>>;

/** Puts names into the commands of a sentence; its other words stay. */
export function filledText(text: string, names: StepNames): string {
  return text.replaceAll(/`[^`]*`/g, (code) =>
    code
      .replaceAll(/\bGROUP\/LINK\b/g, names["GROUP/LINK"] ?? "GROUP/LINK")
      .replaceAll(/\bGROUP\b(?!\/LINK)/g, names.GROUP ?? "GROUP")
      .replaceAll(/\bTUNNEL\b/g, names.TUNNEL ?? "TUNNEL"),
  );
}

/**
 * Finds the explanation of a code, in upper or lower case; an unknown code gets a suggestion, and
 * never another code's explanation.
 */
export function explain(code: string): Explained {
  const wanted = code.trim().toLowerCase();
  for (const explanation of explanations.values()) {
    if (explanation.code.toLowerCase() === wanted) return { kind: "known", explanation };
  }
  return { kind: "unknown", meant: nearest(wanted, [...explanations.keys()]) };
}
