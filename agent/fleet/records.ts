// What sites and hubs write to the buckets that give or withhold: asks, permits and freezes. Each
// is JSON, at most 16 KiB, and hostile until read here.

import { parseJson } from "#hal/json.ts";
import type { WallTime } from "#hal/world.ts";

/** Octets of the longest record. */
export const recordBytesMax = 16 * 1024;
/** Links of the longest record: a group has at most as many. */
const linksMax = 16;

/** The keys of one link, before and after, by CKN; null = MACsec is off, or the key stays. */
export interface AskedKey {
  /** Name of the link in its group. */
  readonly link: string;
  /** The key before the campaign. */
  readonly old: string | null;
  /** The key after it. */
  readonly new: string | null;
}

/** What exactly is asked for; a permit counts only if all of it is equal. */
export interface Asked {
  /** 32 lowercase hexadecimal digits, drawn by the agent for one campaign, and never again. */
  readonly nonce: string;
  /** Name of the site. */
  readonly site: string;
  /** Name of the group. */
  readonly group: string;
  /** What the campaign does. */
  readonly kind: "enrol" | "change" | "rotate";
  /** The accepted config that the campaign serves. */
  readonly config: { readonly number: number; readonly sha256: string };
  /** All links of the campaign, in its order. */
  readonly keys: readonly AskedKey[];
}

/** How far the campaign of an ask is. */
export type AskState =
  /** It waits for its permit. */
  | { readonly kind: "asking" }
  /** It took its permit, and a link may be out of service. */
  | { readonly kind: "begun"; readonly at: WallTime }
  /** It takes no link any more; `reached`: every link has what was asked for. */
  | { readonly kind: "ended"; readonly at: WallTime; readonly end: "reached" | "notReached" };

/** linkseal.ask/1: key SITE.GROUP of `linkseal-asks`, written by the site. */
export interface Ask extends Asked {
  /** When the site wrote it, by its clock. */
  readonly at: WallTime;
  /** How far it is. */
  readonly state: AskState;
}

/** linkseal.permit/1: key SITE.GROUP of `linkseal-permits`, written by a hub. */
export interface Permit extends Asked {
  /** The wave that it counts in; null = a person gave it alone. */
  readonly wave: string | null;
  /**
   * It begins no campaign at or after this time, by the clock of the site; one that has begun goes
   * on to its next links as long as the permit is not taken back.
   */
  readonly notAfter: WallTime;
}

/** linkseal.freeze/1: key `fleet` or `site.SITE` of `linkseal-freeze`, written by a hub. */
export interface Freeze {
  readonly state: "frozen" | "thawed";
  readonly at: WallTime;
  /** Who wrote it, as the hub knows them. */
  readonly by: string;
  /** Why, in one sentence. */
  readonly why: string;
}

/** Returns an ask as octets of JSON. */
export const askOctets = (ask: Ask): Uint8Array => octetsOf("linkseal.ask/1", ask);

/** Returns a permit as octets of JSON. */
export const permitOctets = (permit: Permit): Uint8Array => octetsOf("linkseal.permit/1", permit);

/** Returns a freeze as octets of JSON. */
export const freezeOctets = (freeze: Freeze): Uint8Array => octetsOf("linkseal.freeze/1", freeze);

/** What a hub writes over a permit that no longer counts: readers find no permit in it. */
export const withdrawnOctets: Uint8Array = octetsOf("linkseal.permit/1", { withdrawn: true });

/** Returns what an ask says; undefined = it is none. */
export function parseAsk(octets: Uint8Array): Ask | undefined {
  const found = fieldsOf("linkseal.ask/1", octets);
  const asked = found && askedOf(found);
  const state = found && askStateOf(found.state);
  if (asked === undefined || state === undefined || !isWall(found?.at)) return undefined;
  return { ...asked, at: found.at, state };
}

/** Returns what a permit says; undefined = it is none. */
export function parsePermit(octets: Uint8Array): Permit | undefined {
  const found = fieldsOf("linkseal.permit/1", octets);
  const asked = found && askedOf(found);
  if (asked === undefined || !isWall(found?.notAfter)) return undefined;
  const { wave, notAfter } = found;
  if (wave !== null && !isName(wave)) return undefined;
  return { ...asked, wave, notAfter };
}

/** Returns what a freeze says; undefined = it is none, and a reader has to wait. */
export function parseFreeze(octets: Uint8Array): Freeze | undefined {
  const found = fieldsOf("linkseal.freeze/1", octets);
  if (found === undefined || !isWall(found.at)) return undefined;
  const { state, at, by, why } = found;
  if (state !== "frozen" && state !== "thawed") return undefined;
  if (!isText(by) || !isText(why)) return undefined;
  return { state, at, by, why };
}

/** True if a permit names exactly what is asked for. */
export function isFor(permit: Asked, asked: Asked): boolean {
  return plain(permit) === plain(asked);
}

// In the order of these fields: two records that say the same have the same text.
function plain({ nonce, site, group, kind, config, keys }: Asked): string {
  const links = keys.map((key) => [key.link, key.old, key.new]);
  return JSON.stringify([nonce, site, group, kind, config.number, config.sha256, links]);
}

/** Times are whole milliseconds there; the clock of a simulated site has fractions. */
function octetsOf(schema: string, record: object): Uint8Array {
  const text = JSON.stringify({ schema, ...record }, (_name, value: unknown) =>
    typeof value === "number" ? Math.floor(value) : value,
  );
  return new TextEncoder().encode(text);
}

/** All names that a record may have; each value is still anything. */
type Fields = Readonly<
  Partial<
    Record<
      | "schema"
      | keyof Ask
      | keyof Permit
      | keyof Freeze
      | keyof Asked["config"]
      | keyof AskedKey
      | "end",
      unknown
    >
  >
>;

const partsOf = (value: unknown): Fields | undefined => fieldsIn(value);

function fieldsOf(schema: string, octets: Uint8Array): Fields | undefined {
  const fields: Fields | undefined = jsonFields(octets, recordBytesMax, 1_000);
  return fields?.schema === schema ? fields : undefined;
}

/** Returns the fields of a JSON object from outside; undefined = it is none, or has too much. */
export function jsonFields(
  octets: Uint8Array,
  bytesMax: number,
  values: number,
): Readonly<Record<string, unknown>> | undefined {
  if (octets.length > bytesMax) return undefined;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets);
    return textFields(text, bytesMax, values);
  } catch (error) {
    // Octets that are no UTF-8.
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** The same of a text. */
export function textFields(
  text: string,
  characters: number,
  values: number,
): Readonly<Record<string, unknown>> | undefined {
  try {
    return fieldsIn(parseJson(text, { characters, values }));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Returns the fields of an object; undefined = it is none. */
export function fieldsIn(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? { ...value }
    : undefined;
}

function askedOf({ nonce, site, group, kind, config, keys }: Fields): Asked | undefined {
  if (typeof nonce !== "string" || !/^[0-9a-f]{32}$/.test(nonce)) return undefined;
  if (!isName(site) || !isName(group)) return undefined;
  if (kind !== "enrol" && kind !== "change" && kind !== "rotate") return undefined;
  const named = partsOf(config);
  if (named === undefined || !isCount(named.number)) return undefined;
  const { number, sha256 } = named;
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256)) return undefined;
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > linksMax) return undefined;
  const read = keys.map(keyOf).filter((key) => key !== undefined);
  if (read.length !== keys.length) return undefined;
  return { nonce, site, group, kind, config: { number, sha256 }, keys: read };
}

function keyOf(value: unknown): AskedKey | undefined {
  const fields = partsOf(value);
  if (fields === undefined || !isName(fields.link)) return undefined;
  const { link, old, new: after } = fields;
  if (!isCkn(old) || !isCkn(after)) return undefined;
  return { link, old, new: after };
}

function askStateOf(value: unknown): AskState | undefined {
  const fields = partsOf(value);
  if (fields?.kind === "asking") return { kind: "asking" };
  if (!isWall(fields?.at)) return undefined;
  const { kind, at, end } = fields;
  if (kind === "begun") return { kind, at };
  if (kind !== "ended" || (end !== "reached" && end !== "notReached")) return undefined;
  return { kind, at, end };
}

/** True for a whole number above 0. */
export const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) > 0;

/** True for a time in Unix milliseconds. */
export const isWall = (value: unknown): value is WallTime =>
  Number.isSafeInteger(value) && Number(value) >= 0;

/** True for a name of a site, group, link or wave. */
export const isName = (value: unknown): value is string =>
  typeof value === "string" && /^[a-z0-9][a-z0-9-]{0,62}$/.test(value);

const isCkn = (value: unknown): value is string | null =>
  value === null || (typeof value === "string" && /^(?:[0-9a-f]{2}){1,32}$/i.test(value));

/** True for one line of at most 300 characters. */
export const isText = (value: unknown): value is string =>
  typeof value === "string" && /^[^\p{C}\p{Zl}\p{Zp}]{1,300}$/u.test(value);
