// The MKA sessions and the counters of MACsec as NX-OS reports them. Undefined = there is a reply,
// and it is not understood.

import {
  type MacsecFrames,
  type MkpduCounters,
  type PortName,
  parseCkn,
  type Sak,
} from "#hal/model.ts";
import { clearOf, countersOf, type Page, plus, statusOf } from "../platform/cisco-mka.ts";
import { isNameOf } from "../platform/cisco-text.ts";
import type { JsonRecord } from "../platform/json.ts";
import { suiteOf, wholeOf } from "../platform/text.ts";
import { countIn, leafIn, replyIn, rowsOf, sumIn } from "./json.ts";

/** Reads the sessions, from JSON or from the pages of the same command without it. */
export function readSessions(text: string): readonly Page[] | undefined {
  // A command that has nothing to print in JSON prints nothing.
  const isJson = text.trim() === "" || text.trimStart().startsWith("{");
  const rows = isJson ? jsonRows(text) : textRows(text);
  // A port has one session, with its fallback key in it.
  const names = rows?.map((row) => leafIn(row, "ifname"));
  if (rows === undefined || new Set(names).size < rows.length) return undefined;
  const read = rows.map(pagesOf);
  return read.every((one) => one !== undefined) ? read.flat() : undefined;
}

function jsonRows(text: string): readonly JsonRecord[] | undefined {
  if (text.trim() === "") return [];
  const rows = rowsOf(replyIn(text), "mka_session_details");
  return rows?.length === 0 ? undefined : rows;
}

/** The labels of a page, and the names of the same values in JSON. */
const labels: Readonly<Record<string, string>> = {
  ...{ "Interface Name": "ifname", "Session Status": "status", "CAK Name (CKN)": "ckn" },
  ...{ "Key Server Priority": "ks_prio", "Key Server": "keyserver" },
  "SAK Cipher Suite (Operational)": "cipher_operational",
  ...{ "Latest SAK Status": "sak_status", "Latest SAK AN": "sak_an" },
  ...{ "Latest SAK KI": "sak_ki", "Latest SAK KN": "sak_kn", "CA Peer Count": "peer_count" },
};
const peerLabels: Readonly<Record<string, string>> = {
  "Peer MI": "peer_mi",
  "Peer CAK": "icv_status",
};

/** Reads pages that begin at the name of an interface; a value is behind the first colon. */
function textRows(text: string): readonly JsonRecord[] | undefined {
  const [head = "", ...pages] = text.split(/^(?=Interface Name {0,40}:)/m);
  if (pages.length === 0 || !/^Detailed Status for MKA Session$/m.test(head)) return undefined;
  return pages.map((page): JsonRecord => {
    // What is known about a fallback key has the labels of the key in use.
    const [own = "", ...parts] = page.split(/^(?=Peer Status:|Fallback )/m);
    const peers = parts.filter((one) => one.startsWith("Peer Status:"));
    const read = peers.map((one) => fieldsIn(one, peerLabels));
    const fields = fieldsIn(own, labels);
    return { ...fields, TABLE_mka_peer_status: { ROW_mka_peer_status: read } };
  });
}

/** A label that occurs twice has no value. */
function fieldsIn(text: string, names: Readonly<Record<string, string>>): JsonRecord {
  const fields = countersOf(text);
  const found = Object.entries(names).map(([label, name]) => [name, fields.get(label)] as const);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined));
}

/** Returns the page of a session, and that of its fallback key. */
function pagesOf(row: JsonRecord): readonly Page[] | undefined {
  const text = (name: string): string => leafIn(row, name) ?? "";
  const interfaceName = text("ifname");
  const ckn = parseCkn(text("ckn"));
  const status = statusOf(text("status"));
  const isServer = /^(?:(yes)|no)$/i.exec(text("keyserver"));
  const peers = peersIn(row, "mka_peer_status", ["peer_mi", "icv_status"]);
  const sak = sakOf(row);
  if (!/^[A-Za-z][\w/.-]{1,40}$/.test(interfaceName) || ckn === undefined) return undefined;
  if (status === undefined || isServer === null || sak === "unread") return undefined;
  // Both the count and the word "match" are there before a peer was heard that has the key.
  if (peers === undefined || peers.all !== wholeOf(text("peer_count"))) return undefined;
  const live = status === "secured" ? peers.matching : 0;
  const fallback = fallbackOf(row, interfaceName);
  if (fallback === "unread") return undefined;
  const page: Page = {
    ...{ interfaceName, ckn },
    status: status === "secured" && live === 0 ? "pending" : status,
    livePeers: live,
    respondedPeers: sak?.receive === true && sak.transmit ? live : 0,
    potentialPeers: peers.all - live,
    isKeyServer: isServer[1] !== undefined,
    keyServerPriority: wholeOf(text("ks_prio")),
    suite: suiteOf(text("cipher_operational")),
    ...{ latestSak: sak, oldSak: undefined },
  };
  return fallback === undefined || fallback.ckn === ckn ? [page] : [page, fallback];
}

interface Peers {
  readonly all: number;
  /** Those that have the key. */
  readonly matching: number;
}

/** undefined = a row of a peer is not understood. */
function peersIn(
  row: JsonRecord,
  table: string,
  [member, check]: readonly [string, string],
): Peers | undefined {
  const matching = new Map<string, boolean>();
  for (const one of rowsOf(row, table) ?? [{}]) {
    const mi = leafIn(one, member) ?? "";
    const word = leafIn(one, check) ?? "";
    if (!/^[0-9A-Fa-f]{24}$/.test(mi) || !/^[A-Za-z][A-Za-z ]{1,20}$/.test(word)) return undefined;
    matching.set(mi, word.toLowerCase() === "match");
  }
  return { all: matching.size, matching: [...matching.values()].filter(Boolean).length };
}

/** The identifier has the member that made the key, and the number of the key once more. */
function sakOf(row: JsonRecord): Sak | undefined | "unread" {
  const [, none] = /^(?:Rx & Tx|(No Rx-Tx))$/i.exec(leafIn(row, "sak_status") ?? "-") ?? ["", "?"];
  const an = wholeOf(leafIn(row, "sak_an"));
  const [ki = "", mi = ""] =
    /^([0-9A-Fa-f]{24})[0-9A-Fa-f]{8}$/.exec(leafIn(row, "sak_ki") ?? "") ?? [];
  const number = wholeOf(leafIn(row, "sak_kn"));
  if (none === "?" || an === undefined || an > 3 || mi === "" || number === undefined) {
    return "unread";
  }
  if (/^0+$/.test(ki)) return none === undefined ? "unread" : undefined;
  const isUsed = none === undefined;
  return { an, keyId: `${mi.toLowerCase()}/${number}`, receive: isUsed, transmit: isUsed };
}

/** The fallback key is heard, and carries nothing as long as the session has the other. */
function fallbackOf(row: JsonRecord, interfaceName: string): Page | undefined | "unread" {
  const tables = rowsOf(row, "mka_fallback");
  if (tables === undefined || tables.length > 1) return "unread";
  const [own] = tables;
  if (own === undefined) return undefined;
  const ckn = parseCkn(leafIn(own, "fallback_ckn") ?? "");
  const leaves = ["fallback_peer_mi", "fallback_icv_status"] as const;
  const peers = peersIn(own, "mka_fallback_peer", leaves);
  if (ckn === undefined || peers === undefined) return "unread";
  return {
    ...{ interfaceName, ckn, status: peers.all > 0 ? "active" : "pending" },
    ...{ livePeers: 0, respondedPeers: 0, potentialPeers: peers.all, isKeyServer: false },
    ...{ keyServerPriority: undefined, suite: undefined },
    ...{ latestSak: undefined, oldSak: undefined },
  };
}

/** Returns the only row of a table of counters, if it is that of the port. */
function rowOf(text: string, port: PortName | undefined, table: string) {
  const [row, ...others] = rowsOf(replyIn(text), table) ?? [];
  const name = leafIn(row, "ifname") ?? leafIn(row, "if_name") ?? leafIn(row, "interface");
  const isPort = port === undefined || name === undefined || isNameOf(name, port);
  return others.length === 0 && isPort ? row : undefined;
}

export function readMkpdus(text: string, port: PortName | undefined): MkpduCounters | undefined {
  const own = rowOf(text, port, "mka_intf_stats");
  const [row, ...others] = rowsOf(own, "idb_stats") ?? [];
  const sent = countIn(row, "mkpdu_stat_mkpdu_tx");
  const received = countIn(row, "mkpdu_stat_mkpdu_rx");
  if (sent === undefined || received === undefined || others.length > 0) return undefined;
  return {
    ...{ sent, received },
    icvFailed: countIn(row, "idb_stat_mkpdu_failure_rx_integrity_check_error"),
    unknownCkn: countIn(row, "idb_stat_mkpdu_rx_ca_notfound"),
    replayed: countIn(row, "idb_stat_mkpdu_failure_invalid_peer_mn_error"),
  };
}

/**
 * Reads the counters of the SecY, and the sums of its associations. A counter that the card does
 * not have is unknown; without those of valid frames the reply is not understood.
 */
export function readFrames(
  text: string,
  port: PortName | undefined,
  mkpdus: MkpduCounters | undefined,
): MacsecFrames | undefined {
  const row = rowOf(text, port, "statistics");
  const receive = rowsOf(row, "rx_sa_an");
  const transmit = rowsOf(row, "tx_sa_an");
  if (receive === undefined || transmit === undefined) return undefined;
  const txProtected = sumIn(transmit, "out_pkts_encrypted_protected");
  const rxOk = sumIn(receive, "in_pkts_ok");
  if (txProtected === undefined || rxOk === undefined) return undefined;
  return {
    txProtected,
    txClear: undefined,
    txTooLong: sumIn(transmit, "out_pkts_too_long"),
    rxOk,
    rxClear: clearOf(countIn(row, "in_pkts_untagged"), mkpdus),
    rxBadTag: countIn(row, "in_pkts_badtag"),
    rxNotValid: plus(sumIn(receive, "in_pkts_invalid"), sumIn(receive, "in_pkts_not_valid")),
    rxLate: sumIn(receive, "in_pkts_late"),
    rxNoSci: countIn(row, "in_pkts_no_sci"),
    rxUnknownSci: countIn(row, "in_pkts_unknown_sci"),
    rxNotUsingSa: sumIn(receive, "in_pkts_not_using_sa"),
    rxUnusedSa: undefined,
    nextPn: undefined,
  };
}
