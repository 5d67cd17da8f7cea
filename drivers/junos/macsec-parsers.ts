// MACsec as Junos reports it: elements follow each other under one parent, and the name of an
// interface precedes what belongs to it.

import {
  type CipherSuite,
  type MacsecFrames,
  type MacsecSettings,
  type MkaParticipant,
  type MkaSession,
  type MkpduCounters,
  type PortName,
  parseCkn,
  type Sak,
} from "#hal/model.ts";
import { emptySession } from "../platform/router-observation.ts";
import { countOf, suiteOf, wholeOf } from "../platform/text.ts";
import { childrenOf, everyOf, textOf, type XmlElement } from "../transport/xml.ts";

/** Elements of one interface, whether they are side by side or in a parent of their own. */
export type ReportedElements = readonly XmlElement[];

/**
 * Returns the elements by interface. undefined = no element of that name is in the reply, a part of
 * it names no interface, or two parts name one, as two nodes of a cluster may: which of them is
 * true is not known.
 */
export function byInterface(
  reply: XmlElement,
  name: string,
): ReadonlyMap<PortName, ReportedElements> | undefined {
  const parents = everyOf(reply, name);
  if (parents.length === 0) return undefined;
  const reported = new Map<PortName, ReportedElements>();
  for (const { children } of parents) {
    const parts = children.length === 0 ? [] : partsOf(children);
    if (parts === undefined) return undefined;
    for (const [port, elements] of parts) {
      // The association may be bound to a unit of the interface.
      const plain = port.replace(/\.0$/, "");
      if (reported.has(plain)) return undefined;
      reported.set(plain, elements);
    }
  }
  return reported;
}

/** Divides elements by the names of interfaces before them or in them; undefined = one has none. */
function partsOf(children: ReportedElements): readonly [PortName, ReportedElements][] | undefined {
  const [first, ...more] = children.filter((one) => one.name === "interface-name");
  const isOne = first !== undefined && more.length === 0;
  if (isOne && !children.some(({ name }) => selfNamed.has(name))) return [[first.text, children]];
  const parts: [PortName, XmlElement[]][] = [];
  for (const child of children) {
    const inside = textOf(child, "interface-name");
    const port = child.name === "interface-name" ? child.text : inside;
    if (port !== undefined)
      parts.push([port, inside === undefined ? [child] : [...child.children]]);
    else if (parts.length === 0 || selfNamed.has(child.name)) return undefined;
    else parts.at(-1)?.[1].push(child);
  }
  return parts;
}

/** Elements that have the name of their interface in them. */
const selfNamed: ReadonlySet<string> = new Set([
  "macsec-interface-common-information",
  "mka-interface-statistics",
]);

/** Returns the text of the only element of that name. */
function leafOf(reported: ReportedElements, name: string): string | undefined {
  const [only, ...more] = all(reported, name);
  return more.length === 0 ? only?.text : undefined;
}

const all = (reported: ReportedElements, name: string): ReportedElements =>
  reported.filter((one) => one.name === name);

/** The channels of a SecY, from the list of its connections. */
export interface Channels {
  readonly suite: CipherSuite | undefined;
  readonly nextPn: bigint | undefined;
  /** Whether frames are encrypted; undefined = not reported. */
  readonly isEncrypted: boolean | undefined;
  /** Association numbers in use, each way. */
  readonly transmits: readonly number[];
  readonly receives: readonly number[];
}

/**
 * Returns undefined if the list has several sending channels (a SecY has one), or if its word for
 * the encryption is not known.
 */
export function readChannels(reported: ReportedElements): Channels | undefined {
  if (all(reported, "outbound-secure-channel").length > 1) return undefined;
  const encryption = leafOf(reported, "encryption")?.toLowerCase();
  if (encryption !== undefined && encryption !== "on" && encryption !== "off") return undefined;
  const suite = suiteOf(leafOf(reported, "cipher-suite"));
  const inUse = (channel: string, association: string): readonly number[] =>
    all(reported, channel).flatMap((one) =>
      childrenOf(one, association).flatMap((sa) => {
        const an = wholeOf(textOf(sa, "association-number"));
        return textOf(sa, "association-number-status") === "inuse" && an !== undefined ? [an] : [];
      }),
    );
  const [outbound] = all(reported, "outbound-secure-channel");
  const transmits = inUse("outbound-secure-channel", "outbound-secure-association");
  return {
    suite: transmits.length === 0 ? undefined : suite,
    nextPn: countOf(textOf(outbound, "outgoing-packet-number")),
    isEncrypted: encryption && encryption === "on",
    transmits,
    receives: inUse("inbound-secure-channel", "inbound-secure-association"),
  };
}

/** Returns undefined if there is a reply for the port, and it is not understood. */
export function readSession(
  reported: ReportedElements | undefined,
  settings: MacsecSettings | undefined,
  channels: Channels | undefined,
): MkaSession | undefined {
  const closed = settings?.policy === "mustSecure" ? "blocked" : "unprotected";
  if (reported === undefined) return emptySession(closed);
  const state = stateOf(leafOf(reported, "interface-state"));
  const caks = caksOf(reported);
  const [used, ...more] = inUse(reported, caks);
  const principal = used ?? leafOf(reported, "cak-name")?.toLowerCase();
  const lists = listsOf(reported);
  if (state === undefined || lists === undefined || more.length > 0) return undefined;
  if (state === "secured" && isContradicted(reported, principal)) return undefined;
  const live = liveUnder(lists, principal);
  // A reply without the peers of the CAK in use proves nothing about them.
  if (state === "secured" && live === undefined) return undefined;
  const livePeers = live ?? 0;
  const secured = state === "secured" && livePeers > 0;
  const principalCkn = livePeers === 0 ? undefined : parseCkn(principal ?? "");
  if (secured && principalCkn === undefined) return undefined;
  return {
    controlledPort: secured ? "secured" : closed,
    principalCkn,
    participants: caks.flatMap((cak) => participantOf(cak, lists)),
    livePeers,
    // A peer is live once it has answered with our own identifier in its list.
    respondedPeers: livePeers,
    keyServer: keyServerOf(leafOf(reported, "key-server"), livePeers),
    keyServerPriority: wholeOf(leafOf(reported, "key-server-priority")),
    latestSak: sakOf(reported, "latest", channels),
    oldSak: sakOf(reported, "previous", undefined),
  };
}

/**
 * Reads the state of an interface, with the type of its CAK behind it. While MKA is suspended for a
 * switchover of the routing engine no MKPDU proves anything: that state is not understood.
 */
function stateOf(text = ""): "secured" | "unsecured" | undefined {
  if (/^secured(?: - \w{1,32})?$/i.test(text)) return "secured";
  return /^(?:unsecured|not secured)\b/i.test(text) ? "unsecured" : undefined;
}

/**
 * Whether the CAK in use has another type than the state of the secured interface names, or is
 * still in progress.
 */
function isContradicted(reported: ReportedElements, principal: string | undefined): boolean {
  const [, stated] = (leafOf(reported, "interface-state") ?? "").toLowerCase().split(" - ");
  const own = reported.filter(
    (one) => ["session-live", "session-cak"].includes(one.name) && nameIn(one) === principal,
  );
  const isNamed = leafOf(reported, "cak-name")?.toLowerCase() === principal;
  const types = [
    isNamed ? leafOf(reported, "cak-type") : undefined,
    ...own.map((one) => textOf(one, "cak-type")),
  ];
  const isOther = (type: string | undefined): boolean =>
    stated !== undefined && type !== undefined && type.toLowerCase() !== stated;
  return types.some(isOther) || own.some((one) => statusIn(one) === "in-progress");
}

/** A CAK of the interface; both texts are in lower case. */
interface Cak {
  readonly name: string;
  /** `live` = in use, `active` = it sends, `in-progress`. */
  readonly status: string;
}

function caksOf(reported: ReportedElements): readonly Cak[] {
  return all(reported, "session-cak").map((one) => ({
    name: nameIn(one) ?? "",
    status: statusIn(one),
  }));
}

const statusIn = (one: XmlElement): string =>
  (textOf(one, "cak-status") ?? textOf(one, "status") ?? "").toLowerCase();

const nameIn = (one: XmlElement): string | undefined =>
  textOf(one, "cak-name")?.toLowerCase() || undefined;

/** Returns the names of the CAKs in use; there can be one. */
function inUse(reported: ReportedElements, caks: readonly Cak[]): ReadonlySet<string> {
  const named = all(reported, "session-live").map((one) => nameIn(one) ?? "");
  const live = caks.filter(({ status }) => status === "live").map(({ name }) => name);
  return new Set([...named, ...live]);
}

/** The peers of one CAK; `cak` undefined = of the one in use. */
interface PeerList {
  readonly cak: string | undefined;
  readonly peers: readonly Peer[];
}

interface Peer {
  /** Its SCI, or its member identifier if the reply has no SCI. */
  readonly name: string;
  readonly isLive: boolean;
}

/**
 * Returns the lists of peers, one for each CAK. Junos has a participant for each CAK, with a member
 * identifier and peers of its own, so the same router is listed below each of them. undefined = one
 * peer is in two states, or a CAK has no name.
 */
function listsOf(reported: ReportedElements): readonly PeerList[] | undefined {
  const isOfCak = ({ name }: XmlElement): boolean =>
    name === "session-cak" || name === "session-live";
  const named = reported.filter(isOfCak);
  if (named.some((one) => nameIn(one) === undefined)) return undefined;
  const ours = new Set(
    [reported, ...named.map(({ children }) => children)].flatMap(
      (elements) => leafOf(elements, "member-identifier")?.toLowerCase() ?? [],
    ),
  );
  const lists = new Map<string | undefined, readonly Peer[]>();
  const add = (cak: string | undefined, peers: readonly Peer[] | undefined): void => {
    if (peers !== undefined) lists.set(cak, [...(lists.get(cak) ?? []), ...peers]);
  };
  for (const one of named) add(nameIn(one), peersIn(one.children, ours));
  add(
    undefined,
    peersIn(
      reported.filter((one) => !isOfCak(one)),
      ours,
    ),
  );
  if ([...lists.values()].some(hasTwoStates)) return undefined;
  return [...lists].map(([cak, peers]) => ({ cak, peers }));
}

function hasTwoStates(peers: readonly Peer[]): boolean {
  const live = new Set(peers.filter(({ isLive }) => isLive).map(({ name }) => name));
  return peers.some(({ name, isLive }) => !isLive && live.has(name));
}

/** Counts each live peer of a CAK once; undefined = the reply has no list for this CAK. */
function liveUnder(lists: readonly PeerList[], cak: string | undefined): number | undefined {
  const isNamed = lists.some((list) => list.cak !== undefined);
  const own = isNamed ? lists.filter((list) => list.cak === cak) : lists;
  if (own.length === 0) return undefined;
  const live = own.flatMap(({ peers }) => peers.filter(({ isLive }) => isLive));
  return new Set(live.map(({ name }) => name)).size;
}

/**
 * Collects the peers: an element counts, whatever its name, if it names a member other than
 * ourselves. undefined = no element has a name of peers.
 */
function peersIn(elements: ReportedElements, ours: ReadonlySet<string>) {
  const found: Peer[] = [];
  let isListed = false;
  const collect = (among: ReportedElements): void => {
    for (const one of among) {
      const isPeers = one.name.includes("peer");
      isListed ||= isPeers;
      const mi = isPeers ? textOf(one, "member-identifier") : undefined;
      if (mi === undefined) collect(one.children);
      else if (!ours.has(identifierIn(mi))) found.push(peerOf(one, mi));
    }
  };
  collect(elements);
  return isListed ? found : undefined;
}

const peerState = /^(?:\S* ?\()?(live|potential)\)?$/i;

/** Releases print the state in an element of its own, or behind the identifier. */
function peerOf(one: XmlElement, mi: string): Peer {
  const states = one.children.flatMap(({ text }) => peerState.exec(text)?.[1]?.toLowerCase() ?? []);
  const isLive = states.length > 0 && states.every((state) => state === "live");
  return { name: textOf(one, "sci")?.toLowerCase() ?? identifierIn(mi), isLive };
}

const identifierIn = (text: string): string => text.toLowerCase().replace(/ *\(.*$/, "");

function participantOf(cak: Cak, lists: readonly PeerList[]): readonly MkaParticipant[] {
  const ckn = parseCkn(cak.name);
  if (ckn === undefined) return [];
  const isOwn = cak.status === "live" || lists.some((list) => list.cak !== undefined);
  const livePeers = isOwn ? (liveUnder(lists, cak.name) ?? 0) : 0;
  const sends = /^(?:live|active|in-progress)$/.test(cak.status);
  const state = livePeers > 0 ? "live" : sends ? "active" : "none";
  return [{ ckn, state, livePeers, potentialPeers: 0 }];
}

function keyServerOf(text: string | undefined, livePeers: number): MkaSession["keyServer"] {
  if (text?.toLowerCase() === "yes") return "self";
  return livePeers > 0 ? "peer" : "none";
}

function sakOf(
  reported: ReportedElements,
  which: "latest" | "previous",
  channels: Channels | undefined,
) {
  const an = wholeOf(leafOf(reported, `${which}-sak-an`));
  const keyId = leafOf(reported, `${which}-sak-key-identifier`)?.toLowerCase();
  if (an === undefined || an > 3 || keyId === undefined) return undefined;
  if (!/^[0-9a-f]{24}\/\d{1,10}$/.test(keyId) || /^0{24}\//.test(keyId)) return undefined;
  const receive = channels?.receives.includes(an) ?? false;
  const transmit = channels?.transmits.includes(an) ?? false;
  return { an, keyId, receive, transmit } satisfies Sak;
}

export function readMkpdus(reported: ReportedElements): MkpduCounters | undefined {
  const counter = (name: string): bigint | undefined => countOf(leafOf(reported, name));
  const sent = counter("sent-packets");
  const received = counter("received-packets");
  if (sent === undefined || received === undefined) return undefined;
  return {
    sent,
    received,
    icvFailed: counter("integrity-check-value-mismatch"),
    unknownCkn: counter("cak-error"),
    replayed: sumOf(counter("duplicate-message-number"), counter("old-message-number")),
  };
}

function sumOf(...counters: readonly (bigint | undefined)[]): bigint | undefined {
  const known = counters.filter((one) => one !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, one) => sum + one, 0n);
}

/**
 * Reads the counters of the secure channels: those of single associations stay at zero on some
 * images. undefined = not understood, or there are two channels of one direction: a link has one
 * peer.
 */
export function readFrames(
  reported: ReportedElements,
  channels: Channels | undefined,
): MacsecFrames | undefined {
  const isTwice = ["secure-channel-sent", "secure-channel-received"].some(
    (name) => all(reported, name).length > 1,
  );
  if (isTwice) return undefined;
  // One counter that is not understood makes the sum of them unknown.
  const inChannels = (channel: string, ...names: readonly string[]): bigint | undefined => {
    const [own] = all(reported, channel);
    const printed = names.filter((name) => childrenOf(own, name).length > 0);
    const counts = printed.map((name) => countOf(textOf(own, name)));
    return counts.includes(undefined) ? undefined : sumOf(...counts);
  };
  // Releases put a counter beside the channels or in them.
  const anywhere = (...names: readonly string[]): bigint | undefined =>
    sumOf(
      ...names.flatMap((name) => [
        countOf(leafOf(reported, name)),
        inChannels("secure-channel-sent", name),
        inChannels("secure-channel-received", name),
      ]),
    );
  // Frames of the counter beside it are only authenticated: their data is readable.
  const txProtected = inChannels("secure-channel-sent", "encrypted-packets");
  const rxOk = inChannels("secure-channel-received", "ok-packets");
  if (txProtected === undefined || rxOk === undefined) return undefined;
  return {
    txProtected,
    txClear: undefined,
    txTooLong: anywhere("toolong-packets"),
    rxOk,
    // The rest of it is data only if frames of protocols are counted separately.
    rxClear: anywhere("control-packets") === undefined ? undefined : anywhere("untagged-packets"),
    rxBadTag: anywhere("badtag-packets"),
    rxNotValid: anywhere("notvalid-packets", "invalid-packets"),
    rxLate: anywhere("late-packets"),
    rxNoSci: anywhere("no-sci-packets"),
    rxUnknownSci: anywhere("unknown-sci-packets"),
    rxNotUsingSa: anywhere("notusing-sa-packets"),
    rxUnusedSa: anywhere("unused-sa-packets"),
    nextPn: channels?.nextPn,
  };
}
