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

/** Returns the elements by interface; undefined = no element of that name is in the reply. */
export function byInterface(
  reply: XmlElement,
  name: string,
): ReadonlyMap<PortName, ReportedElements> | undefined {
  const parents = everyOf(reply, name);
  if (parents.length === 0) return undefined;
  const reported = new Map<PortName, XmlElement[]>();
  for (const parent of parents) {
    let group: XmlElement[] = [];
    for (const child of parent.children) {
      const inside = textOf(child, "interface-name");
      const port = child.name === "interface-name" ? child.text : inside;
      if (port !== undefined) {
        // The association may be bound to a unit of the interface.
        const plain = port.replace(/\.0$/, "");
        group = reported.get(plain) ?? [];
        reported.set(plain, group);
      }
      group.push(...(inside === undefined ? [child] : child.children));
    }
  }
  return reported;
}

const leafOf = (reported: ReportedElements, name: string): string | undefined =>
  reported.find((one) => one.name === name)?.text;

const all = (reported: ReportedElements, name: string): ReportedElements =>
  reported.filter((one) => one.name === name);

/** The channels of a SecY, from the list of its connections. */
export interface Channels {
  readonly suite: CipherSuite | undefined;
  readonly nextPn: bigint | undefined;
  /** Association numbers in use, each way. */
  readonly transmits: readonly number[];
  readonly receives: readonly number[];
}

export function readChannels(reported: ReportedElements): Channels | undefined {
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
  const state = leafOf(reported, "interface-state");
  const isSecured = /^secured\b/i.test(state ?? "");
  if (!isSecured && !/^unsecured\b/i.test(state ?? "")) return undefined;
  const caks = participantsOf(reported);
  const peers = peersOf(reported);
  const isLive = ({ status }: { readonly status: string }): boolean => status === "live";
  // Some releases list the keys with their state, and no peer.
  const livePeers = peers.filter(isLive).length || (caks.some(isLive) ? 1 : 0);
  if (isSecured && livePeers === 0 && peers.length === 0 && caks.length === 0) return undefined;
  const secured = isSecured && livePeers > 0;
  const [live] = all(reported, "session-live");
  const name = textOf(live, "cak-name") ?? caks.find(isLive)?.name ?? leafOf(reported, "cak-name");
  const principalCkn = livePeers === 0 ? undefined : parseCkn(name ?? "");
  if (secured && principalCkn === undefined) return undefined;
  return {
    controlledPort: secured ? "secured" : closed,
    principalCkn,
    participants: caks.flatMap(({ name: cak, status }): MkaParticipant[] => {
      const ckn = parseCkn(cak);
      if (ckn === undefined) return [];
      const talks = status === "live" || status === "active" || status === "in-progress";
      return [
        {
          ckn,
          state: status === "live" ? "live" : talks ? "active" : "none",
          livePeers: status === "live" ? livePeers : 0,
          potentialPeers: 0,
        },
      ];
    }),
    livePeers,
    // A peer is live once it has answered with our own identifier in its list.
    respondedPeers: livePeers,
    keyServer: keyServerOf(leafOf(reported, "key-server"), livePeers),
    keyServerPriority: wholeOf(leafOf(reported, "key-server-priority")),
    latestSak: sakOf(reported, "latest", channels),
    oldSak: sakOf(reported, "previous", undefined),
  };
}

interface Status {
  readonly name: string;
  readonly status: string;
}

function participantsOf(reported: ReportedElements): readonly Status[] {
  return all(reported, "session-cak").map((one) => ({
    name: textOf(one, "cak-name") ?? "",
    status: (textOf(one, "cak-status") ?? textOf(one, "status") ?? "").toLowerCase(),
  }));
}

/**
 * Collects the peers: an element counts, whatever its name, if it names a member other than
 * ourselves.
 */
function peersOf(reported: ReportedElements): readonly Status[] {
  const isPeer = (one: XmlElement): boolean =>
    one.name.includes("peer") && textOf(one, "member-identifier") !== undefined;
  const found: XmlElement[] = [];
  const collect = (elements: ReportedElements): void => {
    for (const one of elements) {
      if (isPeer(one)) found.push(one);
      else collect(one.children);
    }
  };
  collect(reported);
  return found.map((one) => {
    const words = one.children.map(({ text }) => text.toLowerCase());
    const live = words.some((word) => word === "live" || word.endsWith("(live)"));
    return { name: textOf(one, "member-identifier") ?? "", status: live ? "live" : "potential" };
  });
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
 * images.
 */
export function readFrames(
  reported: ReportedElements,
  channels: Channels | undefined,
): MacsecFrames | undefined {
  const inChannels = (channel: string, ...names: readonly string[]): bigint | undefined =>
    sumOf(
      ...all(reported, channel).flatMap((one) => names.map((name) => countOf(textOf(one, name)))),
    );
  // Releases put a counter beside the channels or in them.
  const anywhere = (...names: readonly string[]): bigint | undefined =>
    sumOf(
      ...names.flatMap((name) => [
        countOf(leafOf(reported, name)),
        inChannels("secure-channel-sent", name),
        inChannels("secure-channel-received", name),
      ]),
    );
  const txProtected = inChannels("secure-channel-sent", "encrypted-packets", "protected-packets");
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
