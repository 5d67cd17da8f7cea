// Checks a document against the schema; says of each fault what it is, why, and what to write.

import type * as z from "zod";
import { realClouds, vaultUrlOf } from "#drivers/azure/azure-url.ts";
import { platformsMeant } from "#drivers/index.ts";
import { nearest } from "../model/nearest.ts";
import { type Fault, type Path, shown } from "./complaint.ts";
import type { Located } from "./document.ts";
import { elsewhere, laterSetting } from "./later.ts";
import { type Config, configSchema, type SchemaNode, schemaAt } from "./schema.ts";

export type Shaped =
  | { readonly kind: "ok"; readonly config: Config }
  | { readonly kind: "refused"; readonly faults: readonly Fault[] };

export function shape(root: Located): Shaped {
  const result = configSchema.safeParse(root.value);
  if (result.success) return { kind: "ok", config: result.data };
  const faults = new Map<string, Fault>();
  for (const fault of result.error.issues.flatMap((issue) => faultsOf(issue, root))) {
    const key = JSON.stringify(fault.path);
    if (!faults.has(key)) faults.set(key, fault);
  }
  return { kind: "refused", faults: [...faults.values()] };
}

/** Returns the offset to point at for a path: its value, or the nearest existing value above it. */
export function offsetOf(root: Located, path: Path): number {
  let node = root;
  for (const step of path) {
    const member = node.members.get(step);
    if (member === undefined) break;
    node = member.node;
  }
  return node.at;
}

function faultsOf(issue: z.core.$ZodIssue, root: Located): Fault[] {
  const path = issue.path.filter((step) => typeof step !== "symbol");
  if (issue.code !== "unrecognized_keys") return [misfit(path, root)];
  const parent = locatedAt(root, path);
  return issue.keys.map((key) => {
    const at = parent?.members.get(key)?.keyAt ?? offsetOf(root, path);
    return { path: [...path, key], at, ...unknownKey(path, key) };
  });
}

function unknownKey(path: Path, key: string): Pick<Fault, "what" | "why" | "write"> {
  const later = laterSetting([...path, key], undefined);
  if (later !== undefined) {
    return {
      what: "is not available in this version",
      why: `it waits for ${later.waitsFor}`,
      write: "remove it",
    };
  }
  const place = elsewhere([...path, key]);
  if (place !== undefined) return { what: "is not a setting of a config", ...place };
  const known = Object.keys(schemaAt(path)?.properties ?? {});
  const meant = nearest(key, known);
  return {
    what: "is not a key of this place",
    why: meant === undefined ? `the keys here are ${known.join(", ")}` : `it is close to ${meant}`,
    write: meant === undefined ? "remove it" : `${meant}:`,
  };
}

function misfit(path: Path, root: Located): Fault {
  const node = locatedAt(root, path);
  const schema = schemaAt(path) ?? {};
  const last = path.at(-1);
  const key = typeof last === "string" ? `${last}: ` : "";
  const write = `${key}${last === "hostKey" ? confirmed : example(schema)}`;
  const at = node?.at ?? offsetOf(root, path);
  if (node === undefined) {
    return { path, at, what: "is missing", why: meaning(schema), write };
  }
  const later = laterSetting(path, node.value);
  if (later !== undefined) {
    const what = `${shown(String(node.value))} is not available in this version`;
    return { path, at, what, why: `it waits for ${later.waitsFor}`, write };
  }
  if (node.value === null) {
    return { path, at, what: "has no value", why: `it must be ${ruleOf(schema)}`, write };
  }
  const unquoted = unquotedText(node, schema);
  if (unquoted !== undefined) {
    const why = `YAML reads it as a ${typeof node.value} and may change it`;
    return { path, at, what: "is not quoted", why, write: `quote this: ${key}${unquoted}` };
  }
  const meant = typeof node.value === "string" ? meantBy(node.value, path, root) : undefined;
  return {
    path,
    at,
    what: `is ${described(node, path)}`,
    why: `it must be ${ruleOf(schema)}`,
    write: meant === undefined ? write : `${key}${meant}`,
  };
}

/** No example of a host key may look like the key of this device. */
const confirmed =
  "what the device's own console shows as the SHA256 fingerprint of its SSH host key";

/** Returns the value that was probably meant; undefined = none is near. */
function meantBy(text: string, path: Path, root: Located): string | undefined {
  const words = choices(schemaAt(path) ?? {});
  if (path.join(".") === "azure.vault") {
    const cloud = locatedAt(root, ["azure", "cloud"])?.value;
    const real = realClouds.find((each) => each === cloud);
    return real === undefined ? undefined : vaultUrlOf(text, real);
  }
  const [platform, ...others] = words.includes("junos") ? platformsMeant(text) : [];
  return others.length === 0 ? (platform ?? nearest(text, words)) : undefined;
}

// Quoting only helps if the characters of the file, as they are, are a valid text for this key.
function unquotedText(node: Located, schema: SchemaNode): string | undefined {
  const scalar = typeof node.value === "number" || typeof node.value === "boolean";
  if (!scalar || schema.pattern === undefined || node.source === undefined) return undefined;
  if (!new RegExp(schema.pattern, "u").test(node.source)) return undefined;
  return node.source.length > 15 ? '"..."' : `"${node.source}"`;
}

function described(node: Located, path: Path): string {
  const { value } = node;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "a map";
  const written = typeof value === "string" ? value : (node.source ?? String(value));
  // An operator may have put the secret where its name belongs, so the value is never repeated
  // (P5).
  if (path.includes("key") || path.includes("auth")) return `${written.length} characters`;
  return typeof value === "string" || written.length > 15 ? shown(written) : written;
}

/** Returns what a value must be, in words. */
export function ruleOf(schema: SchemaNode): string {
  if (schema.title !== undefined) return schema.title;
  const words = choices(schema);
  if (words.length > 1) return `one of ${words.join(", ")}`;
  if (words[0] !== undefined) return words[0];
  if (schema.type === "boolean") return "true or false";
  if (schema.type === "array") return "a list";
  return schema.properties === undefined
    ? "a value"
    : `a map of ${Object.keys(schema.properties).join(", ")}`;
}

function choices(schema: SchemaNode): string[] {
  return (schema.enum ?? (schema.const === undefined ? [] : [schema.const])).map(String);
}

/** Returns a valid example for a key. */
export function example(schema: SchemaNode): string {
  const value = schema.examples?.[0] ?? schema.default ?? choices(schema)[0];
  if (Array.isArray(value)) return `[${value.join(", ")}]`;
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "...");
}

function meaning(schema: SchemaNode): string {
  const text = schema.description ?? "It is needed.";
  return text
    .replace(/\.$/, "")
    .replace(/^The [A-Z]|^[A-Z](?=[a-z ])/, (start) =>
      start.startsWith("The ") ? `the ${start.at(-1)}` : start.toLowerCase(),
    );
}

function locatedAt(root: Located, path: Path): Located | undefined {
  let node: Located | undefined = root;
  for (const step of path) node = node?.members.get(step)?.node;
  return node;
}
