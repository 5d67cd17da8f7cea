// MACsec as IOS XR tells it: pages of fields, one for each key of a port. Undefined = there is an
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

/** One key of a port and what MKA makes of it. */
export interface Page {
  /** As it is printed: shortened or not. */
  readonly interfaceName: string;
  readonly ckn: Ckn;
  readonly status: "secured" | "active" | "pending";
  readonly role: "primary" | "fallback";
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
  // Before the first page only the name of a node stands.
  if (fieldsOf(head).has("Status")) return undefined;
  const read = pages.map(readPage);
  const understood = read.filter((one) => one !== undefined);
  return understood.length === read.length ? understood : undefined;
}

/** An answer without a word in it, or one that says so. */
function isNothing(text: string): boolean {
  const said = text.trim();
  return said === "" || /^(?:%|There (?:is|are)) ?no /i.test(said);
}

function fieldsOf(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const row of text.split("\n")) {
    const at = row.indexOf(":");
    if (at < 0 || row.length > rowMax) continue;
    const label = row.slice(0, at).trim();
    if (!fields.has(label)) fields.set(label, row.slice(at + 1).trim());
  }
  return fields;
}

function readPage(text: string): Page | undefined {
  const fields = fieldsOf(text);
  const interfaceName = fields.get("Interface Name");
  const ckn = parseCkn(fields.get("CAK Name (CKN)") ?? "");
  const status = statusOf(fields.get("Status") ?? "");
  if (interfaceName === undefined || ckn === undefined || status === undefined) return undefined;
  const peers = peersOf(text);
  const livePeers = wholeOf(fields.get("# of MACsec Capable Live Peers"));
  const mode = fields.get("CA Authentication Mode") ?? "PRIMARY-PSK";
  return {
    interfaceName,
    ckn,
    status,
    role: /fallback/i.test(mode) ? "fallback" : "primary",
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
  const [word = ""] = text.toLowerCase().split(/[ -]/);
  if (word === "secured") return "secured";
  if (word === "active") return "active";
  return ["pending", "init", "initializing", "suspended"].includes(word) ? "pending" : undefined;
}

/** Rows of both lists: the member identifier begins each. */
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

/** `Hu0/0/0/0` means `HundredGigE0/0/0/0`. */
function isSamePort(printed: string, port: PortName): boolean {
  const split = (name: string): readonly string[] => /^(\D+)(.*)$/.exec(name)?.slice(1) ?? [];
  const [letters = "", place] = split(printed);
  const [kind = "", where] = split(port);
  if (letters === "" || place !== where) return false;
  return kind.startsWith(letters) || kind.replaceAll(/[a-z]/g, "").startsWith(letters);
}

/** The pages of one port; a page that could be of two ports is nobody's. */
export function pagesOf(
  pages: readonly Page[],
  port: PortName,
  ports: readonly PortName[],
): readonly Page[] {
  return pages.filter(({ interfaceName }) => {
    if (!isSamePort(interfaceName, port)) return false;
    return (
      interfaceName === port || ports.filter((one) => isSamePort(interfaceName, one)).length === 1
    );
  });
}

export function sessionOf(
  pages: readonly Page[],
  settings: MacsecSettings | undefined,
): MkaSession {
  const closed = settings?.policy === "mustSecure" ? "blocked" : "unprotected";
  // The word alone is no proof: it is printed without a live peer as well.
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

function counterOf(text: string | undefined): bigint | undefined {
  return text !== undefined && /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
}

/** Labels and numbers with dots or a colon between them, by the label; the first one counts. */
function countersOf(text: string): ReadonlyMap<string, bigint> {
  const counters = new Map<string, bigint>();
  for (const row of text.split("\n")) {
    const found = row.length > rowMax ? null : /(?:\.{2,}|:) *(\d{1,20})$/.exec(row);
    const value = counterOf(found?.[1]);
    if (found === null || value === undefined) continue;
    const label = row.slice(0, found.index).trim();
    if (!counters.has(label)) counters.set(label, value);
  }
  return counters;
}

export function readMkpdus(text: string): MkpduCounters | undefined {
  const counters = countersOf(text);
  const sent = counters.get("MKPDUs Transmitted");
  const received = counters.get("MKPDUs Validated & Rx");
  if (sent === undefined || received === undefined) return undefined;
  return {
    sent,
    received,
    icvFailed:
      counters.get("MKPDU Rx Validation (ICV)") ?? counters.get("MKPDU Rx ICV Verification"),
    unknownCkn: counters.get("MKPDUs Rx Invalid CKN"),
    replayed: counters.get("MKPDU Rx Bad Peer MN"),
  };
}

/** Of the SecY and its channels; what stands below a channel repeats it for each association. */
export function readFrames(
  text: string,
  mkpdus: MkpduCounters | undefined,
): MacsecFrames | undefined {
  const parts = sectionsOf(text);
  const secy = countersOf(parts.secy);
  const transmit = countersOf(parts.transmit);
  const sum = (name: string): bigint | undefined => {
    const found = parts.receive.flatMap((one) => countersOf(one).get(name) ?? []);
    return found.length === 0 ? undefined : found.reduce((all, one) => all + one, 0n);
  };
  const encrypted = transmit.get("OutPktsEncrypted");
  if (encrypted === undefined) return undefined;
  const invalid = sum("InPktsInvalid");
  const notValid = sum("InPktsNotValid");
  return {
    txProtected: encrypted + (transmit.get("OutPktsProtected") ?? 0n),
    txClear: undefined,
    txTooLong: secy.get("OutPktsTooLong"),
    rxOk: sum("InPktsOK") ?? 0n,
    rxClear: clearOf(secy.get("InPktsUntagged"), mkpdus),
    rxBadTag: secy.get("InPktsBadTag"),
    rxNotValid: notValid === undefined ? invalid : notValid + (invalid ?? 0n),
    rxLate: sum("InPktsLate"),
    rxNoSci: secy.get("InPktsNoSCI"),
    rxUnknownSci: secy.get("InPktsUnknownSCI"),
    rxNotUsingSa: sum("InPktsNotUsingSA"),
    rxUnusedSa: sum("InPktsUnusedSA"),
    nextPn: countersOf(parts.transmitSa).get("NextPN"),
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

interface Sections {
  readonly secy: string;
  readonly transmit: string;
  readonly transmitSa: string;
  readonly receive: readonly string[];
}

function sectionsOf(text: string): Sections {
  const [head = "", channels = ""] = text.split(/^ *SC Stats *$/m);
  const [tx = "", rx = ""] = channels.split(/^ *RxSC Stats *$/m);
  const [transmit = "", transmitSa = ""] = tx.split(/^ *TxSA Stats *$/m);
  const receive = rx
    .split(/^ *RxSC \d{1,6}: *[0-9a-fA-F]{0,16} *$/m)
    .slice(1)
    .map((one) => one.split(/^ *RxSA Stats *$/m)[0] ?? "");
  return { secy: head, transmit, transmitSa, receive };
}
