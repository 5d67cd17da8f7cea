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
import { isNameOf } from "./cisco-text.ts";
import { countOf, suiteOf, wholeOf } from "./text.ts";

/** One key of a port and the state of its MKA session. */
export interface Page {
  /** As it is printed, shortened or not. */
  readonly interfaceName: string;
  /** The CKN of the key. */
  readonly ckn: Ckn;
  /** The state of the session, which proves nothing by itself. */
  readonly status: "secured" | "active" | "pending";
  /** Peers that answer. */
  readonly livePeers: number;
  /** Live peers that have the SAK. */
  readonly respondedPeers: number;
  /** Peers that are heard, and do not answer yet. */
  readonly potentialPeers: number;
  /** The router makes the SAKs. */
  readonly isKeyServer: boolean;
  /** undefined = not reported. */
  readonly keyServerPriority: number | undefined;
  /** The suite in use; undefined = none. */
  readonly suite: CipherSuite | undefined;
  /** undefined = there is none. */
  readonly latestSak: Sak | undefined;
  /** undefined = there is none. */
  readonly oldSak: Sak | undefined;
}

const pageStart = /^MKA Detailed Status for MKA Session$/m;
/** Longer than any line with a label or a counter. */
const rowMax = 200;

/**
 * Reads the pages; undefined = one of them is not understood, or a key of a port has two pages. The
 * text without pages must say that there are none: an empty reply may have lost them.
 */
export function readSessions(text: string): readonly Page[] | undefined {
  const [head = "", ...pages] = text.split(pageStart);
  if (pages.length === 0) return isNothing(text) ? [] : undefined;
  // Only the name of a node precedes the first page.
  if (fieldsOf(head).has("Status")) return undefined;
  const read = pages.map(readPage);
  const understood = read.filter((one) => one !== undefined);
  const isWhole = understood.length === read.length && !hasTwoOfOne(understood);
  return isWhole ? understood : undefined;
}

/** Returns whether a key of a port has two pages; the name of the port may be shortened in one. */
function hasTwoOfOne(pages: readonly Page[]): boolean {
  const isOne = (one: Page, other: Page): boolean =>
    one.ckn === other.ckn &&
    (isNameOf(one.interfaceName, other.interfaceName) ||
      isNameOf(other.interfaceName, one.interfaceName));
  return pages.some((one, index) => pages.slice(index + 1).some((other) => isOne(one, other)));
}

/** Returns true for a reply that says that there are none. */
const isNothing = (text: string): boolean =>
  /^(?:% ?)?(?:There (?:is|are) )?no \w/i.test(text.trim());

/** Returns labels and values with dots or a colon between them; the first one counts. */
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

/**
 * Returns the same without the labels that occur more than once: their values belong to two tables,
 * of which one has lost its heading. A row of digits is the rest of the number above it.
 */
export function countersOf(text: string): ReadonlyMap<string, string> {
  const counters = new Map<string, string>();
  const repeated = new Set<string>();
  let last = "";
  for (const row of text.split("\n")) {
    if (/^ *\d+ *$/.test(row)) repeated.add(last);
    for (const [label, value] of fieldsOf(row)) {
      if (counters.has(label)) repeated.add(label);
      counters.set(label, value);
      last = label;
    }
  }
  for (const label of repeated) counters.delete(label);
  return counters;
}

/** Returns the counter with this label; undefined = it is missing or not a number. */
export function counterIn(fields: ReadonlyMap<string, string>, label: string): bigint | undefined {
  return countOf(fields.get(label));
}

/** Returns the sum of a counter over several pages; undefined = one of them does not have it. */
export function sumOf(
  parts: readonly ReadonlyMap<string, string>[],
  label: string,
): bigint | undefined {
  const found = parts.flatMap((one) => counterIn(one, label) ?? []);
  if (found.length === 0 || found.length < parts.length) return undefined;
  return found.reduce((all, one) => all + one, 0n);
}

/** Returns the sum of two counters; undefined = one of them is unknown. */
export function plus(one: bigint | undefined, other: bigint | undefined): bigint | undefined {
  return one === undefined || other === undefined ? undefined : one + other;
}

/** In older releases of IOS XR it begins what is known about the fallback key, on the same page. */
const fallbackStart = /^ {0,8}Fallback Data: *$/m;

/** A page without one of these lines, or with two of one, is not a page of one session. */
const onceEach = [
  ...["Status", "Interface Name", "CAK Name (CKN)", "Key Server"],
  ...["Latest SAK Status", "Latest SAK AN", "Latest SAK KI (KN)"],
  "# of MACsec Capable Live Peers",
];

/**
 * Reads a page. A page that ends before its second list of peers, that has fewer peers than it
 * counts, or that has a line of another page, is not understood.
 */
function readPage(whole: string): Page | undefined {
  const [text = ""] = whole.split(fallbackStart);
  const fields = fieldsOf(text);
  const labels = labelsIn(text);
  if (!onceEach.every((label) => labels.get(label) === 1) || !isHead(text)) return undefined;
  const interfaceName = fields.get("Interface Name") ?? "";
  const ckn = parseCkn(fields.get("CAK Name (CKN)") ?? "");
  const status = statusOf(fields.get("Status") ?? "");
  const isServer = /^(?:(yes)|no)$/i.exec(fields.get("Key Server") ?? "");
  const counted = wholeOf(fields.get("# of MACsec Capable Live Peers"));
  const peers = peersOf(text);
  if (ckn === undefined || status === undefined || isServer === null) return undefined;
  if (interfaceName === "" || counted === undefined || peers === undefined) return undefined;
  if (peers.live < counted || !hasSakLines(fields)) return undefined;
  return {
    interfaceName,
    ckn,
    status,
    livePeers: counted,
    respondedPeers: wholeOf(fields.get("# of MACsec Capable Live Peers Responded")) ?? 0,
    potentialPeers: peers.potential,
    isKeyServer: isServer[1] !== undefined,
    keyServerPriority: wholeOf(fields.get("Key Server Priority")),
    suite: suiteOf(/\(([\w-]+)\)/.exec(fields.get("SAK Cipher Suite") ?? "")?.[1]),
    latestSak: sakOf(fields, "Latest"),
    oldSak: sakOf(fields, "Old"),
  };
}

/** Reads the state of a session; undefined = it is not understood. */
export function statusOf(text: string): Page["status"] | undefined {
  const [word = ""] = text.toLowerCase().split(/[ ,-]/);
  // "Secured, no peer" occurs as well.
  if (word === "secured") return /no peer/i.test(text) ? "pending" : "secured";
  if (word === "active") return "active";
  return ["pending", "init", "initializing", "suspended"].includes(word) ? "pending" : undefined;
}

/**
 * Returns whether each row before the lists of peers has a label: a row without one is the rest of
 * the row above, whose value is not whole.
 */
function isHead(text: string): boolean {
  const [head = ""] = text.split(/^ {0,8}Live Peers? List:/m);
  return head.split("\n").every((row) => /^[ =]*$/.test(row) || fieldsOf(row).size > 0);
}

/** Returns how often each label occurs in rows that are not equal. */
function labelsIn(text: string): ReadonlyMap<string, number> {
  const labels = new Map<string, number>();
  for (const row of new Set(text.split("\n"))) {
    for (const label of fieldsOf(row).keys()) labels.set(label, (labels.get(label) ?? 0) + 1);
  }
  return labels;
}

/**
 * Counts the peers of both lists; the member identifier begins each row. undefined = a list is
 * missing.
 */
function peersOf(text: string): { readonly live: number; readonly potential: number } | undefined {
  const members = { live: new Set<string>(), potential: new Set<string>() };
  const lists = new Set<string>();
  let list: keyof typeof members | undefined;
  for (const row of text.split("\n")) {
    const [, heading] = /^ {0,8}(Live|Potential) Peers? List: *$/.exec(row) ?? [];
    const member = /^ *([0-9A-Fa-f]{24}) /.exec(row)?.[1];
    if (heading !== undefined) {
      list = heading === "Live" ? "live" : "potential";
      lists.add(list);
    } else if (/^ {0,8}\w[^:]*:/.test(row)) list = undefined;
    else if (list !== undefined && member !== undefined) members[list].add(member);
  }
  if (lists.size < 2) return undefined;
  return { live: members.live.size, potential: members.potential.size };
}

/** `No Rx, No Tx`, `Rx, No Tx`, `No Rx, Tx`, `Rx & Tx`, and what a first SAK has instead. */
const statusPattern = /^(?:(No )?Rx(?:, | & )(No )?Tx|FIRST-SAK(?:-\w{1,20})?|RETIRED)$/;

/** A key identifier with its number, or what is printed where there is no SAK. */
const identifierPattern =
  /^(?:([0-9A-Fa-f]{24})[0-9A-Fa-f]{0,8}|[A-Z][A-Z-]{1,40}) \((\d{1,10})\)$/;

const hasSakLines = (fields: ReadonlyMap<string, string>): boolean =>
  statusPattern.test(fields.get("Latest SAK Status") ?? "") &&
  identifierPattern.test(fields.get("Latest SAK KI (KN)") ?? "") &&
  /^[0-3]$/.test(fields.get("Latest SAK AN") ?? "");

/** undefined = there is no such SAK. */
function sakOf(fields: ReadonlyMap<string, string>, which: "Latest" | "Old"): Sak | undefined {
  const an = wholeOf(fields.get(`${which} SAK AN`));
  const status = statusPattern.exec(fields.get(`${which} SAK Status`) ?? "");
  const found = identifierPattern.exec(fields.get(`${which} SAK KI (KN)`) ?? "");
  if (an === undefined || an > 3 || found === null || status === null) return undefined;
  const [, mi, number = ""] = found;
  if (mi === undefined) return undefined;
  const keyId = `${mi.toLowerCase()}/${number}`;
  const [both, noRx, noTx] = status;
  const isUsed = both.endsWith("Tx");
  return {
    an,
    keyId,
    receive: isUsed && noRx === undefined,
    transmit: isUsed && noTx === undefined,
  };
}

const headings = [
  /^MACsec Statistics for (\S{1,64})$/gm,
  /^MKA Statistics for Session on interface \((\S{1,64})\)$/gm,
];

/**
 * Returns whether a page of counters is that of the port, by the heading that begins it in some
 * layouts; `port` undefined = of any port.
 */
export function isPageOf(port: PortName | undefined, text: string): boolean {
  const names = headings.flatMap((one) => [...text.matchAll(one)].map(([, name = ""]) => name));
  return port === undefined || names.every((name) => isNameOf(name, port));
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

/** Digits of the longest key name. */
const nameDigits = 64;

/**
 * Returns the pages with the names that the port's keys have in the configuration: some releases of
 * IOS XE fill a short name with zeros. A name that two keys could have stays as it is printed.
 */
export function asConfigured(
  pages: readonly Page[],
  keys: readonly { readonly ckn: Ckn }[],
): readonly Page[] {
  return pages.map((page) => {
    if (keys.some(({ ckn }) => ckn === page.ckn)) return page;
    const [own, ...others] = keys.filter(({ ckn }) => ckn.padEnd(nameDigits, "0") === page.ckn);
    return own === undefined || others.length > 0 ? page : { ...page, ckn: own.ckn };
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
