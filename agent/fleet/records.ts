// What sites and hubs write to the buckets that give or withhold: asks, permits and freezes. Each
// is JSON, at most 16 KiB, and hostile until read here.

import {
  type Decoder,
  documentIn,
  list,
  matching,
  object,
  oneOf,
  orNull,
  that,
  variants,
} from "#hal/decoder.ts";
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

const limits = { octets: recordBytesMax, values: 1_000 } as const;

/** Returns what an ask says; undefined = it is none. */
export const parseAsk = (octets: Uint8Array): Ask | undefined =>
  documentIn("linkseal.ask/1", octets, limits, ask);

/** Returns what a permit says; undefined = it is none. */
export const parsePermit = (octets: Uint8Array): Permit | undefined =>
  documentIn("linkseal.permit/1", octets, limits, permit);

/** Returns what a freeze says; undefined = it is none, and a reader has to wait. */
export const parseFreeze = (octets: Uint8Array): Freeze | undefined =>
  documentIn("linkseal.freeze/1", octets, limits, freeze);

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

/** True for a whole number above 0. */
const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) > 0;

/** True for a time in Unix milliseconds. */
const isWall = (value: unknown): value is WallTime =>
  Number.isSafeInteger(value) && Number(value) >= 0;

/** True for a name of a site, group, link or wave. */
export const isName = (value: unknown): value is string =>
  typeof value === "string" && /^[a-z0-9][a-z0-9-]{0,62}$/.test(value);

const isCkn = (value: unknown): value is string | null =>
  value === null || (typeof value === "string" && /^(?:[0-9a-f]{2}){1,32}$/i.test(value));

/** True for one line of at most 300 characters. */
export const isText = (value: unknown): value is string =>
  typeof value === "string" && /^[^\p{C}\p{Zl}\p{Zp}]{1,300}$/u.test(value);

/** A time in Unix milliseconds. */
export const wall: Decoder<WallTime> = that(isWall);
/** A name of a site, group, link or wave. */
export const name: Decoder<string> = that(isName);
/** One line of 1 to 300 characters. */
export const text: Decoder<string> = that(isText);
/** A whole number above 0. */
export const positive: Decoder<number> = that(isCount);
/** What an agent draws for one campaign. */
export const nonce: Decoder<string> = matching(/^[0-9a-f]{32}$/);
/** What a campaign does. */
export const campaignKind: Decoder<Asked["kind"]> = oneOf(["enrol", "change", "rotate"]);
/** SHA-256 in lowercase hexadecimal. */
export const sha256: Decoder<string> = matching(/^[0-9a-f]{64}$/);

const askedKey = object<AskedKey>({ link: name, old: that(isCkn), new: that(isCkn) });

const asked = {
  ...{ nonce, site: name, group: name, kind: campaignKind },
  config: object<Asked["config"]>({ number: positive, sha256 }),
  keys: list(askedKey, linksMax, 1),
};

const ask = object<Ask>({
  ...asked,
  at: wall,
  state: variants<AskState>({
    asking: {},
    begun: { at: wall },
    ended: { at: wall, end: oneOf(["reached", "notReached"]) },
  }),
});
const permit = object<Permit>({ ...asked, wave: orNull(name), notAfter: wall });
const freeze = object<Freeze>({
  ...{ state: oneOf(["frozen", "thawed"]), at: wall, by: text, why: text },
});
