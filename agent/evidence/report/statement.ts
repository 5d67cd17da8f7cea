// The signed statement: a short text that names the report and the SHA-256 of each of its sections,
// so that a reader learns which section was changed and can check it without linkseal. Pure.

import { createHash, type KeyObject } from "node:crypto";
import type { Report } from "./document.ts";

/** A report with its seal, as it is written to a file. */
export interface SignedReport extends Report {
  /** The signed statement and its signature. */
  readonly seal: {
    readonly statement: string;
    /** Ed25519 over the octets of the statement, in base64. */
    readonly signature: string;
  };
}

/** Serialises a report or a section: compact JSON, members in the order of the document. */
export function canonical(value: unknown): string {
  return JSON.stringify(value);
}

/** Returns the content of a report's JSON file. */
export function reportFile(signed: SignedReport): string {
  return `${canonical(signed)}\n`;
}

export function statementOf(report: Report, keyId: string): string {
  const { schema, about, chain, subjects, changes, breaks } = report;
  const sections: readonly (readonly [string, unknown])[] = [
    ["about", about],
    ["chain", chain],
    ...subjects.map((subject, index) => [`subjects[${index}] ${subject.name}`, subject] as const),
    ["changes", changes],
    ["breaks", breaks],
  ];
  const head = [schema, `key ${keyId}`, `from ${about.from}`, `to ${about.to}`];
  const rows = sections.map(([name, section]) => `sha256 ${digest(canonical(section))} ${name}`);
  return `${[...head, ...rows].join("\n")}\n`;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/**
 * `SHA256:` and base64 of the key's SubjectPublicKeyInfo: short enough to read out on the phone.
 */
export function keyIdOf(key: KeyObject): string {
  const der = key.export({ type: "spki", format: "der" });
  return `SHA256:${createHash("sha256").update(der).digest("base64").replace(/=+$/, "")}`;
}
