// Parses the text of a config into the desired state, or into all complaints about it.

import type { WallTime } from "#hal/world.ts";
import type { Desired } from "../model/desired.ts";
import { type Complaint, complaintOf, type Fault } from "./complaint.ts";
import { readDocument } from "./document.ts";
import { resolve } from "./resolve.ts";
import type { Finding, Rule } from "./rule.ts";
import { rules, warningsOf } from "./rules.ts";
import type { Config } from "./schema.ts";
import { offsetOf, shape } from "./shape.ts";

export { needsPerson } from "./authority.ts";
export { type Complaint, formatComplaint } from "./complaint.ts";
export type { Finding } from "./rule.ts";
export type { Config } from "./schema.ts";
export { type SettingChange, settingChanges } from "./setting-changes.ts";

/** The desired state with its warnings, or why the text is refused. */
export type ParsedConfig =
  | { readonly kind: "ok"; readonly desired: Desired; readonly warnings: readonly Complaint[] }
  | { readonly kind: "refused"; readonly complaints: readonly Complaint[] };

const complaintsMax = 50;

/**
 * Parses a config. It is pure and accepts any text, in bounded time; `file` is only quoted.
 * Complaints come in the order of the file and never repeat what could be a key. A risk whose date
 * has passed at `now` is a warning, so that an accepted intent does not become invalid overnight;
 * campaigns check the date again.
 */
export function parseConfig(text: string, file: string, now?: WallTime): ParsedConfig {
  return parsed({ text, file, now }, rules);
}

/** Parses a config that is in force: rules that bind only a new one do not make it invalid. */
export function parseInForce(text: string, file: string): ParsedConfig {
  const standing = rules.filter(({ binds }) => binds === undefined);
  return parsed({ text, file, now: undefined }, standing);
}

interface Unparsed {
  readonly text: string;
  readonly file: string;
  readonly now: WallTime | undefined;
}

function parsed({ text, file, now }: Unparsed, binding: readonly Rule[]): ParsedConfig {
  const read = readDocument(text);
  if (read.kind === "refused") return refused(read.faults, text, file);
  const shaped = shape(read.root);
  if (shaped.kind === "refused") return refused(shaped.faults, text, file);
  const { config } = shaped;
  const placed = (found: Finding): Fault => ({ ...found, at: offsetOf(read.root, found.path) });
  const broken = binding.flatMap((rule) => [...rule.find(config)]).map(placed);
  if (broken.length > 0) return refused(broken, text, file);
  const warnings = [...warningsOf(config, now)].map((w) => complaintOf(placed(w), text, file));
  return { kind: "ok", desired: resolve(config), warnings };
}

/**
 * Returns what a rule that needs more than the text finds in a valid config, each with its place;
 * none for a text that is not valid.
 */
export function complaintsOf(
  find: (config: Config) => Iterable<Finding>,
  text: string,
  file: string,
): readonly Complaint[] {
  const read = readDocument(text);
  if (read.kind === "refused") return [];
  const shaped = shape(read.root);
  if (shaped.kind === "refused") return [];
  return [...find(shaped.config)].map((found) =>
    complaintOf({ ...found, at: offsetOf(read.root, found.path) }, text, file),
  );
}

function refused(faults: readonly Fault[], text: string, file: string): ParsedConfig {
  const sorted = faults.toSorted((a, b) => a.at - b.at);
  const complaints = sorted.slice(0, complaintsMax).map((fault) => complaintOf(fault, text, file));
  const next = sorted[complaintsMax];
  if (next !== undefined) {
    const what = `${sorted.length - complaintsMax} more complaints from here on`;
    const rest = { ...next, what, why: `only ${complaintsMax} are shown`, write: "correct these" };
    complaints.push(complaintOf(rest, text, file));
  }
  return { kind: "refused", complaints };
}
