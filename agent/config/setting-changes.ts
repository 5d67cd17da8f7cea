// Compares two configs setting by setting, with the paths and values of the files.

import { authorityOf } from "./authority.ts";
import { readDocument } from "./document.ts";
import type { Config } from "./schema.ts";
import { shape } from "./shape.ts";

/** A setting that two configs have with different values. Defaults count as written. */
export interface SettingChange {
  /** Path of the setting; elements of a list by their name: `groups[erd-demo].rotate.on`. */
  readonly path: string;
  /** Its value before; null = absent. */
  readonly old: string | null;
  /** Its value after; null = absent. */
  readonly new: string | null;
  /** What the agent may do by itself from then on; null = the change concerns no authority. */
  readonly authority: string | null;
}

/**
 * Lists the settings that differ, changes of authority first; undefined = a text is not a valid
 * config. `before` of undefined means that no config is in force: each setting is new. Comments,
 * layout and the order of named elements are no settings; the order of links is `order`.
 */
export function settingChanges(
  before: string | undefined,
  after: string,
): readonly SettingChange[] | undefined {
  const old = before === undefined ? undefined : configOf(before);
  const wanted = configOf(after);
  if (wanted === undefined || (before !== undefined && old === undefined)) return undefined;
  const [was, is] = [settingsOf(old), settingsOf(wanted)];
  const paths = [...is.keys(), ...[...was.keys()].filter((path) => !is.has(path))];
  const changes = paths
    .map((path) => ({ path, old: was.get(path) ?? null, new: is.get(path) ?? null }))
    .filter((change) => change.old !== change.new)
    .map((change) => ({ ...change, old: shown(change.old), new: shown(change.new) }))
    .map((change) => ({ ...change, authority: authorityOf(change, { old, new: wanted }) ?? null }));
  return [
    ...changes.filter(({ authority }) => authority !== null),
    ...changes.filter(({ authority }) => authority === null),
  ];
}

function configOf(text: string): Config | undefined {
  const read = readDocument(text);
  if (read.kind === "refused") return undefined;
  const shaped = shape(read.root);
  return shaped.kind === "ok" ? shaped.config : undefined;
}

function settingsOf(config: Config | undefined): ReadonlyMap<string, string> {
  const settings = new Map<string, string>();
  if (config === undefined) return settings;
  // Without `order`, the links are taken as they are listed.
  const groups = config.groups.map((group) => ({
    ...group,
    order: group.order ?? group.links.map(({ name }) => name),
  }));
  collect({ ...config, groups }, "", settings);
  return settings;
}

/** The members by which the elements of a list are known, in the order in which they are tried. */
const idMembers = ["name", "risk"] as const;

function collect(value: unknown, path: string, into: Map<string, string>): void {
  if (value === undefined) return;
  if (Array.isArray(value)) {
    collectList(value, path, into);
    return;
  }
  if (typeof value !== "object" || value === null) {
    into.set(path, textOf(value));
    return;
  }
  for (const [key, inner] of Object.entries(value)) {
    if (path.endsWith("]") && idMembers.some((member) => member === key)) continue;
    collect(inner, path === "" ? key : `${path}.${key}`, into);
  }
}

/** An empty list is as good as none. */
function collectList(items: readonly unknown[], path: string, into: Map<string, string>): void {
  const ids = items.map(idOf);
  if (ids.includes(undefined)) {
    into.set(path, items.map(textOf).join(", "));
    return;
  }
  for (const [at, item] of items.entries()) collect(item, `${path}[${ids[at]}]`, into);
}

function idOf(item: unknown): string | undefined {
  if (typeof item !== "object" || item === null) return undefined;
  const member = idMembers.find((name) => Object.hasOwn(item, name));
  const id = member === undefined ? undefined : (item as Record<string, unknown>)[member];
  return typeof id === "string" ? id : undefined;
}

/** As many hexadecimal digits as the shortest CAK has may be a key (P5). */
const perhapsKey = /[0-9a-f]{32}/i;

function shown(text: string | null): string | null {
  return text !== null && perhapsKey.test(text) ? `a text of ${text.length} characters` : text;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
