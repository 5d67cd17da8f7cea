// MACsec as Cisco routers report it: pages of labelled values, one for each key of a port.
// Undefined = there is a reply, and it is not understood.

import {
  type CipherSuite,
  type Ckn,
  type MacsecSettings,
  type MkaParticipant,
  type MkaSession,
  type MkpduCounters,
  type PortName,
  parseCkn,
  type Sak,
} from "#hal/model.ts";
import { isNameOf, wholeOf } from "./cisco-text.ts";
import { countOf, suiteOf } from "./text.ts";

/** One key of a port and the state of its MKA session. */
export interface Page {
  /** As it is printed, shortened or not. */
  readonly interfaceName: string;
  readonly ckn: Ckn;
  readonly status: "secured" | "active" | "pending";
  readonly livePeers: number;
  readonly respondedPeers: number;
  readonly potentialPeers: number;
  readonly isKeyServer: boolean;
  readonly keyServerPriority: number | undefined;
  readonly suite: CipherSuite | undefined;
  readonly latestSak: Sak | undefined;
  readonly oldSak: Sak | undefined;
}

const pageStart = /^MKA Detailed Status for MKA Session$/m;
/** Longer than any line with a label or a counter. */
const rowMax = 200;

/** Reads the pages; undefined = one of them is not understood. */
export function readSessions(text: string): readonly Page[] | undefined {
  const [head = "", ...pages] = text.split(pageStart);
  if (pages.length === 0) return isNothing(text) ? [] : undefined;
  // Only the name of a node precedes the first page.
  if (fieldsOf(head).has("Status")) return undefined;
  const read = pages.map(readPage);
  const understood = read.filter((one) => one !== undefined);
  return understood.length === read.length ? understood : undefined;
}

/** Returns true for an empty reply and for one that says that there are none. */
function isNothing(text: string): boolean {
  const trimmed = text.trim();
  return trimmed === "" || /^(?:% ?)?(?:There (?:is|are) )?no \w/i.test(trimmed);
}

/** Returns labels and values with dots or a colon between them; the first one counts. */
export function fieldsOf(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const row of text.split("\n")) {
    const found = row.length > rowMax ? null : /\.{2,}|:/.exec(row);
    if (found === null) continue;
    const label = row.slice(0, found.index).trim();
    const value = row.slice(found.index + found[0].length).trim();
    if (!fields.has(label)) fields.set(label, value);
  }
  return fields;
}

/** Returns the counter with this label; undefined = it is missing or not a number. */
export function counterIn(fields: ReadonlyMap<string, string>, label: string): bigint | undefined {
  return countOf(fields.get(label));
}

/** Returns the sum of a counter over several pages; undefined = none of them has it. */
export function sumOf(
  parts: readonly ReadonlyMap<string, string>[],
  label: string,
): bigint | undefined {
  const found = parts.flatMap((one) => counterIn(one, label) ?? []);
  return found.length === 0 ? undefined : found.reduce((all, one) => all + one, 0n);
}

function readPage(text: string): Page | undefined {
  const fields = fieldsOf(text);
  const interfaceName = fields.get("Interface Name");
  const ckn = parseCkn(fields.get("CAK Name (CKN)") ?? "");
  const status = statusOf(fields.get("Status") ?? "");
  if (interfaceName === undefined || ckn === undefined || status === undefined) return undefined;
  const peers = peersOf(text);
  const livePeers = wholeOf(fields.get("# of MACsec Capable Live Peers"));
  return {
    interfaceName,
    ckn,
    status,
    livePeers: Math.min(livePeers ?? 0, peers.live),
    respondedPeers: wholeOf(fields.get("# of MACsec Capable Live Peers Responded")) ?? 0,
    potentialPeers: peers.potential,
    isKeyServer: /^yes$/i.test(fields.get("Key Server") ?? ""),
    keyServerPriority: wholeOf(fields.get("Key Server Priority")),
    suite: suiteOf(/\(([\w-]+)\)/.exec(fields.get("SAK Cipher Suite") ?? "")?.[1]),
    latestSak: sakOf(fields, "Latest"),
    oldSak: sakOf(fields, "Old"),
  };
}

function statusOf(text: string): Page["status"] | undefined {
  const [word = ""] = text.toLowerCase().split(/[ ,-]/);
  // "Secured, no peer" occurs as well.
  if (word === "secured") return /no peer/i.test(text) ? "pending" : "secured";
  if (word === "active") return "active";
  return ["pending", "init", "initializing", "suspended"].includes(word) ? "pending" : undefined;
}

/** Counts the rows of both lists; the member identifier begins each row. */
function peersOf(text: string): { readonly live: number; readonly potential: number } {
  const counted = { live: 0, potential: 0 };
  let list: keyof typeof counted | undefined;
  for (const row of text.split("\n")) {
    if (/^Live Peers? List:/.test(row)) list = "live";
    else if (/^Potential Peers? List:/.test(row)) list = "potential";
    else if (/^\w[^:]*:/.test(row)) list = undefined;
    else if (list !== undefined && /^ *[0-9A-Fa-f]{24} /.test(row)) counted[list] += 1;
  }
  return counted;
}

function sakOf(fields: ReadonlyMap<string, string>, which: "Latest" | "Old"): Sak | undefined {
  const an = wholeOf(fields.get(`${which} SAK AN`));
  const status = fields.get(`${which} SAK Status`) ?? "";
  const found = /^([0-9A-Fa-f]{24})[0-9A-Fa-f]{0,8} \((\d{1,10})\)$/.exec(
    fields.get(`${which} SAK KI (KN)`) ?? "",
  );
  if (an === undefined || an > 3 || found === null) return undefined;
  const [, mi = "", number = ""] = found;
  const has = (way: string): boolean => new RegExp(`(?<!No )\\b${way}\\b`).test(status);
  const keyId = `${mi.toLowerCase()}/${number}`;
  return { an, keyId, receive: has("Rx"), transmit: has("Tx") };
}

/** Returns the pages of one port; a page that could belong to two ports is left out. */
export function pagesOf(
  pages: readonly Page[],
  port: PortName,
  ports: readonly PortName[],
): readonly Page[] {
  return pages.filter(({ interfaceName }) => {
    if (!isNameOf(interfaceName, port)) return false;
    return (
      interfaceName === port || ports.filter((one) => isNameOf(interfaceName, one)).length === 1
    );
  });
}

/** Makes the MKA session of a port from its pages. */
export function sessionOf(
  pages: readonly Page[],
  settings: MacsecSettings | undefined,
): MkaSession {
  const closed = settings?.policy === "mustSecure" ? "blocked" : "unprotected";
  // The word "secured" proves nothing: it is printed without a live peer as well.
  const used = pages.find(
    ({ status, livePeers, latestSak }) =>
      status === "secured" && livePeers > 0 && latestSak !== undefined,
  );
  const open = used?.latestSak?.receive === true && used.latestSak.transmit;
  const live = used ?? pages.find(({ livePeers }) => livePeers > 0);
  return {
    controlledPort: open ? "secured" : closed,
    principalCkn: used?.ckn,
    participants: pages.map((page): MkaParticipant => {
      const { ckn, livePeers, potentialPeers } = page;
      const talks = livePeers > 0 || potentialPeers > 0 || page.status === "active";
      return {
        ckn,
        state: livePeers > 0 ? "live" : talks ? "active" : "none",
        livePeers,
        potentialPeers,
      };
    }),
    livePeers: live?.livePeers ?? 0,
    respondedPeers: live === undefined ? 0 : Math.min(live.respondedPeers, live.livePeers),
    keyServer: keyServerOf(live),
    keyServerPriority: (live ?? pages[0])?.keyServerPriority,
    latestSak: used?.latestSak,
    oldSak: used?.oldSak,
  };
}

function keyServerOf(live: Page | undefined): MkaSession["keyServer"] {
  if (live === undefined) return "none";
  return live.isKeyServer ? "self" : "peer";
}

/**
 * Returns the counter of untagged frames if it counts data only. MKPDUs are untagged too, and no
 * document says whether the counter includes them: only if it is lower than the number of MKPDUs
 * received, it counts data.
 */
export function clearOf(
  untagged: bigint | undefined,
  mkpdus: MkpduCounters | undefined,
): bigint | undefined {
  if (untagged === undefined || mkpdus === undefined) return undefined;
  return untagged < mkpdus.received ? untagged : undefined;
}
