// Verifies that a report is as it was signed, from the file and one public key, and reports what
// was changed.

import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { isObject } from "#hal/decoder.ts";
import { parseJson } from "#hal/json.ts";
import type { Report } from "./document.ts";
import { embeddedDocument, htmlOf } from "./html.ts";
import { keyIdOf, reportFile, type SignedReport, statementOf } from "./statement.ts";

/** One place in which a report is not what it says. */
export interface ReportFault {
  /** A section, the seal (its signature), a head, or a position in the file. */
  readonly where: string;
  readonly text: string;
}

/** The result of a verification: the sound report, or each changed place. */
export type Verified =
  | { readonly kind: "sound"; readonly form: "json" | "html"; readonly report: SignedReport }
  | { readonly kind: "changed"; readonly faults: readonly ReportFault[] };

/** Parses the public key of a PEM; undefined = it is not an Ed25519 public key. */
export function publicKeyOf(pem: string): KeyObject | undefined {
  // A private key contains the public half too, but that file should not be passed around.
  if (!pem.includes("-----BEGIN PUBLIC KEY-----")) return undefined;
  try {
    const key = createPublicKey(pem);
    return key.asymmetricKeyType === "ed25519" ? key : undefined;
  } catch {
    return undefined;
  }
}

/** Verifies the signature, each section's digest and the exact form of a JSON or HTML report. */
export function verifyReport(file: Uint8Array, key: KeyObject): Verified {
  const text = textOf(file);
  if (text === undefined) return changed("the file", "it is not UTF-8 text");
  const isHtml = text.startsWith("<");
  const json = isHtml ? embeddedDocument(text) : text;
  if (json === undefined) return changed("the file", "it contains no linkseal document");
  const signed = parsed(json);
  if (signed === undefined) return changed("the file", "its document is not a linkseal report");
  const unsigned = signatureFaults(signed, key);
  // An HTML page is never rendered from unsigned content, which could be anything.
  const faults = unsigned.length > 0 ? unsigned : fileFaults(text, json, isHtml, signed);
  if (faults.length > 0) return { kind: "changed", faults };
  return { kind: "sound", form: isHtml ? "html" : "json", report: signed };
}

function changed(where: string, text: string): Verified {
  return { kind: "changed", faults: [{ where, text }] };
}

function textOf(file: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(file);
  } catch {
    return undefined;
  }
}

const members = ["schema", "about", "chain", "subjects", "changes", "breaks", "seal"];

/** Checks only the shape that the checks below need: the digests cover the rest. */
function parsed(json: string): SignedReport | undefined {
  try {
    const value: unknown = parseJson(json);
    if (!isObject(value) || Object.keys(value).join() !== members.join()) return undefined;
    const { schema, about, subjects, seal } = value;
    if (schema !== "linkseal.report/1" || !isObject(about) || !isObject(seal)) return undefined;
    if (typeof about["from"] !== "string" || typeof about["to"] !== "string") return undefined;
    if (!Array.isArray(subjects) || !subjects.every(isNamed)) return undefined;
    // No digest covers the seal itself, so it must contain nothing else.
    if (Object.keys(seal).join() !== "statement,signature") return undefined;
    const { statement, signature } = seal;
    if (typeof statement !== "string" || typeof signature !== "string") return undefined;
    return value as unknown as SignedReport;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isNamed(value: unknown): boolean {
  return isObject(value) && typeof value["name"] === "string";
}

function signatureFaults(
  { seal, ...report }: SignedReport,
  key: KeyObject,
): readonly ReportFault[] {
  const { statement, signature } = seal;
  const keyId = keyIdOf(key);
  const signerId = /^key (\S+)$/m.exec(statement)?.[1] ?? "none";
  if (signerId !== keyId) {
    const text = `it was signed with ${signerId}, and the key given is ${keyId}`;
    return [{ where: "seal", text }];
  }
  const octets = Buffer.from(signature, "base64");
  if (
    octets.toString("base64") !== signature ||
    !verify(null, Buffer.from(statement), key, octets)
  ) {
    return [{ where: "seal", text: "the signature does not fit what it was made for" }];
  }
  return sectionFaults(statement, statementOf(report as Report, keyId));
}

/** Compares the signed digests (`sealed`) with those of the file's content (`found`). */
function sectionFaults(signed: string, found: string): readonly ReportFault[] {
  if (signed === found) return [];
  const names = (text: string) =>
    new Map(
      text.split("\n").map((line): readonly [string, string] => {
        const [, hash, name = line] = /^sha256 (\S+) (.*)$/.exec(line) ?? [];
        return [name ?? "seal", hash ?? line];
      }),
    );
  const [wanted, seen] = [names(signed), names(found)];
  const faults: ReportFault[] = [];
  for (const [where, hash] of wanted) {
    const is = seen.get(where);
    if (is === undefined) faults.push({ where, text: "it was taken out or renamed" });
    else if (is !== hash) faults.push({ where, text: "it is not what was signed" });
  }
  for (const where of seen.keys()) {
    if (!wanted.has(where)) faults.push({ where, text: "it was put in" });
  }
  return faults;
}

/** A file with the same meaning but other octets than the written one counts as changed. */
function fileFaults(
  text: string,
  json: string,
  isHtml: boolean,
  signed: SignedReport,
): readonly ReportFault[] {
  const written = reportFile(signed);
  if (!isHtml) return differing(text, written);
  if (`${json}\n` !== written) return differing(`${json}\n`, written);
  return differing(text, htmlOf(signed)).map(({ where }) => ({ where, text: otherPage }));
}

const otherPage =
  "the page around the signed document is not as this version of linkseal renders it";

function differing(text: string, written: string): readonly ReportFault[] {
  if (text === written) return [];
  let at = 0;
  while (at < text.length && text[at] === written[at]) at += 1;
  const line = text.slice(0, at).split("\n").length;
  const where = `character ${at + 1}, line ${line}`;
  return [{ where, text: "the file is not as linkseal writes it" }];
}
