// MACsec as IOS XE tells it: pages of fields, one for each key of a port. Undefined = there is an
// answer, and it is not understood.

import {
  type CipherSuite,
  type Ckn,
  type MacsecFrames,
  type MacsecSettings,
  type MkaParticipant,
  type MkaSession,
  type MkpduCounters,
  type PortName,
  parseCkn,
  type Sak,
} from "#hal/model.ts";
import { suiteOf, wholeOf } from "./config.ts";
import { isNameOf } from "./names.ts";

/** One key of a port and what MKA makes of it. */
export interface Page {
  /** As it is printed. */
  readonly interfaceName: string;
  readonly ckn: Ckn;
  readonly isSecured: boolean;
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
/** No label or counter of theirs makes a longer line. */
const rowMax = 200;

/** undefined = a page in it is not understood. */
export function readSessions(text: string): readonly Page[] | undefined {
  const [head = "", ...pages] = text.split(pageStart);
  if (pages.length === 0) return isNothing(text) ? [] : undefined;
  if (/^Status:/m.test(head)) return undefined;
  const read = pages.map(readPage);
  const understood = read.filter((one) => one !== undefined);
  return understood.length === read.length ? understood : undefined;
}

/** An answer without a word in it, or one that says so. */
function isNothing(text: string): boolean {
  const said = text.trim();
  return said === "" || /^(?:%? ?There (?:is|are) )?no \w/i.test(said);
}

/** Labels and values with dots or a colon between them; the first one counts. */
function fieldsOf(text: string): ReadonlyMap<string, string> {
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

function readPage(text: string): Page | undefined {
  const fields = fieldsOf(text);
  const interfaceName = fields.get("Interface Name");
  const ckn = parseCkn(fields.get("CAK Name (CKN)") ?? "");
  const status = fields.get("Status");
  if (interfaceName === undefined || ckn === undefined || status === undefined) return undefined;
  const peers = peersOf(text);
  const livePeers = wholeOf(fields.get("# of MACsec Capable Live Peers"));
  return {
    interfaceName,
    ckn,
    // There is "Secured, no peer" as well.
    isSecured: /^secured - /i.test(status),
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

/** Rows of the lists: the member identifier begins each. */
function peersOf(text: string): { readonly live: number; readonly potential: number } {
  const counted = { live: 0, potential: 0 };
  let list: keyof typeof counted | undefined;
  for (const row of text.split("\n")) {
    if (row.startsWith("Live Peers List:")) list = "live";
    else if (row.startsWith("Potential Peers List:")) list = "potential";
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

/** The pages of one port; a page that could be of two ports is nobody's. */
export function pagesOf(
  pages: readonly Page[],
  port: PortName,
  ports: readonly PortName[],
): readonly Page[] {
  return pages.filter(({ interfaceName: name }) => {
    if (name === port) return true;
    return isNameOf(name, port) && ports.filter((one) => isNameOf(name, one)).length === 1;
  });
}

export function sessionOf(
  pages: readonly Page[],
  settings: MacsecSettings | undefined,
): MkaSession {
  const closed = settings?.policy === "mustSecure" ? "blocked" : "unprotected";
  // The word alone is no proof: it is printed without a live peer as well.
  const used = pages.find(
    ({ isSecured, livePeers, latestSak }) => isSecured && livePeers > 0 && latestSak !== undefined,
  );
  const open = used?.latestSak?.receive === true && used.latestSak.transmit;
  const live = used ?? pages.find(({ livePeers }) => livePeers > 0);
  return {
    controlledPort: open ? "secured" : closed,
    principalCkn: used?.ckn,
    participants: pages.map((page): MkaParticipant => {
      const { ckn, livePeers, potentialPeers } = page;
      const talks = potentialPeers > 0 ? "active" : "none";
      return { ckn, state: livePeers > 0 ? "live" : talks, livePeers, potentialPeers };
    }),
    livePeers: live?.livePeers ?? 0,
    respondedPeers: live === undefined ? 0 : Math.min(live.respondedPeers, live.livePeers),
    keyServer: live === undefined ? "none" : live.isKeyServer ? "self" : "peer",
    keyServerPriority: (live ?? pages[0])?.keyServerPriority,
    latestSak: used?.latestSak,
    oldSak: used?.oldSak,
  };
}

function counterOf(fields: ReadonlyMap<string, string>, label: string): bigint | undefined {
  const text = fields.get(label);
  return text !== undefined && /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
}

function sumOf(parts: readonly ReadonlyMap<string, string>[], label: string): bigint | undefined {
  const found = parts.flatMap((one) => counterOf(one, label) ?? []);
  return found.length === 0 ? undefined : found.reduce((all, one) => all + one, 0n);
}

/** Of the port: one page for each key, summed. Why an MKPDU failed is told for the router alone. */
export function readMkpdus(text: string): MkpduCounters | undefined {
  const pages = text
    .split(/^MKPDU Statistics$/m)
    .slice(1)
    .map(fieldsOf);
  const sent = sumOf(pages, "MKPDUs Transmitted");
  const received = sumOf(pages, "MKPDUs Validated & Rx");
  if (sent === undefined || received === undefined) return undefined;
  return { sent, received, icvFailed: undefined, unknownCkn: undefined, replayed: undefined };
}

/** Of the SecY and its channels. */
export function readFrames(
  text: string,
  nextPn: bigint | undefined,
  mkpdus: MkpduCounters | undefined,
): MacsecFrames | undefined {
  const [secyText = "", ...others] = text.split(/^ ?(?=Controlled Port|Transmit SC|Receive SA)/m);
  const secy = fieldsOf(secyText);
  const parts = (head: string): readonly ReadonlyMap<string, string>[] =>
    others.filter((one) => one.startsWith(head)).map(fieldsOf);
  const transmit = parts("Transmit SC");
  const receive = parts("Receive SA");
  const encrypted = sumOf(transmit, "Out Pkts Encrypted");
  if (encrypted === undefined) return undefined;
  const invalid = sumOf(receive, "In Pkts Invalid");
  const notValid = sumOf(receive, "In Pkts Not Valid");
  return {
    txProtected: encrypted + (sumOf(transmit, "Out Pkts Protected") ?? 0n),
    txClear: undefined,
    txTooLong: counterOf(secy, "Egress Too Long Pkts"),
    rxOk: sumOf(receive, "In Pkts OK") ?? 0n,
    rxClear: clearOf(counterOf(secy, "Ingress Untag Pkts"), mkpdus),
    rxBadTag: counterOf(secy, "Ingress Bad Tag Pkts"),
    rxNotValid: notValid === undefined ? invalid : notValid + (invalid ?? 0n),
    rxLate: sumOf(receive, "In Pkts Late"),
    rxNoSci: counterOf(secy, "Ingress No SCI Pkts"),
    rxUnknownSci: counterOf(secy, "Ingress Unknown SCI Pkts"),
    rxNotUsingSa: sumOf(receive, "In Pkts Not using SA"),
    rxUnusedSa: sumOf(receive, "In Pkts Unused SA"),
    nextPn,
  };
}

/**
 * MKPDUs are untagged as well, and no document says whether they count: only where fewer frames
 * were counted than MKPDUs came, the counter is one of data.
 */
function clearOf(
  untagged: bigint | undefined,
  mkpdus: MkpduCounters | undefined,
): bigint | undefined {
  if (untagged === undefined || mkpdus === undefined) return undefined;
  return untagged < mkpdus.received ? untagged : undefined;
}

/** Of the SA that transmits; absent while there is none. */
export function readNextPn(text: string): { readonly nextPn: bigint | undefined } | undefined {
  if (!/^ {0,4}Capabilities:/m.test(text)) return undefined;
  const transmit = text.split(/^ ?Transmit SA:/m)[1]?.split(/^ ?Receive SC:/m)[0] ?? "";
  return { nextPn: counterOf(fieldsOf(transmit), "Next PN") };
}
