// The SAs that Junos reports. Undefined = nothing in the reply is understood.

import type { IpsecSa, IpsecTunnel, Route } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { type QueryResult, together } from "../platform/query-result.ts";
import { countOf, wholeOf } from "../platform/text.ts";
import { wordFor } from "../platform/tunnel-change.ts";
import { statesOf } from "../platform/tunnel-states.ts";
import { childOf, childrenOf, everyOf, textOf, type XmlElement } from "../transport/xml.ts";
import { isActive, prefixOf } from "./system-parsers.ts";
import { type JunosTunnels, type Vpn, words } from "./tunnel-config.ts";

export interface IkeSa {
  readonly remoteAddress: string;
  /** The gateway of the configuration; undefined = the release does not name it. */
  readonly gateway: string | undefined;
  readonly isUp: boolean;
}

/**
 * Returns the IKE SAs. undefined = there is no reply, or the nodes of a cluster disagree about the
 * SA with an address.
 */
export function readIkeSas(reply: XmlElement): readonly IkeSa[] | undefined {
  const nodes = everyOf(reply, "ike-security-associations-information").map(ikeSasIn);
  const all = nodes.flat();
  const isUpIn = (sas: readonly IkeSa[], { remoteAddress }: IkeSa): boolean | undefined => {
    const own = sas.filter((one) => one.remoteAddress === remoteAddress);
    return own.length === 0 ? undefined : own.some(({ isUp }) => isUp);
  };
  const isAgreed = all.every((sa) => {
    const states = nodes.map((sas) => isUpIn(sas, sa)).filter((one) => one !== undefined);
    return new Set(states).size === 1;
  });
  return nodes.length > 0 && isAgreed ? all : undefined;
}

function ikeSasIn(node: XmlElement): readonly IkeSa[] {
  return everyOf(node, "ike-security-associations-block").flatMap((block) => {
    const inner = childrenOf(block, "ike-security-associations");
    return (inner.length === 0 ? [block] : inner).map((one) => ({
      remoteAddress:
        textOf(one, "ike-sa-remote-address") ?? textOf(block, "ike-sa-remote-address") ?? "",
      gateway: textOf(block, "ike-gw-name") ?? textOf(one, "ike-gw-name"),
      isUp: /^(?:up|matured?)$/i.test(textOf(one, "ike-sa-state") ?? ""),
    }));
  });
}

/** SAs by VPN; undefined = one of them is not understood. */
export type ReportedSas = ReadonlyMap<string, readonly ReportedSa[] | undefined>;
type ReportedSa = Omit<IpsecSa, "packets" | "sequence">;

/**
 * Returns the SAs by VPN. Both nodes of a cluster may report those of one VPN; they are read if
 * they are the same. undefined = a node's reply is not understood, or has fewer tunnels than it
 * counts.
 */
export function readIpsecSas(reply: XmlElement): ReportedSas | undefined {
  const nodes = everyOf(reply, "ipsec-security-associations-information").map(ipsecSasIn);
  const [first, ...others] = nodes;
  if (first === undefined) return undefined;
  const reported = new Map(first);
  for (const node of others) {
    if (node === undefined) return undefined;
    for (const [vpn, sas] of node) {
      const isTrue = !reported.has(vpn) || isSameSas(reported.get(vpn), sas);
      reported.set(vpn, isTrue ? sas : undefined);
    }
  }
  return reported;
}

type ReadSas = readonly ReportedSa[] | undefined;

function isSameSas(one: ReadSas, other: ReadSas): boolean {
  return one !== undefined && other !== undefined && namesOf(one).join() === namesOf(other).join();
}

const namesOf = (sas: readonly ReportedSa[]): readonly string[] =>
  sas.map(({ direction, spi }) => `${direction} ${spi}`).toSorted();

/** Returns undefined if one SA is listed twice. */
const distinct = (sas: ReadSas): ReadSas =>
  sas !== undefined && new Set(namesOf(sas)).size === sas.length ? sas : undefined;

function ipsecSasIn(node: XmlElement): ReportedSas | undefined {
  const reported = new Map<string, ReportedSa[] | undefined>();
  const blocks = everyOf(node, "ipsec-security-associations-block");
  const total = wholeOf(textOf(node, "total-active-tunnels") ?? "0");
  if (total === undefined || blocks.length < total) return undefined;
  for (const block of blocks) {
    const vpn = textOf(block, "sa-vpn-name");
    if (vpn === undefined || vpn === "") return undefined;
    const group = groupOf(textOf(block, "sa-pfs-group"));
    const read = childrenOf(block, "ipsec-security-associations").map((one) => saOf(one, group));
    const known = read.filter((one) => one !== undefined);
    const before = reported.has(vpn) ? reported.get(vpn) : [];
    if (known.length === read.length) before?.push(...known);
    reported.set(vpn, known.length === read.length ? before : undefined);
  }
  return new Map([...reported].map(([vpn, sas]) => [vpn, distinct(sas)]));
}

/** Reads `DH-group-20`, or that there is none. */
function groupOf(text: string | undefined): string {
  if (text === undefined) return "unknown";
  const number = /^DH-group-(\d{1,2})$/i.exec(text)?.[1];
  if (number === undefined) return /^(?:N\/A|none)$/i.test(text) ? "none" : "unknown";
  return wordFor(words.dhGroup, `group${number}`) ?? `group-${number}`;
}

function saOf(one: XmlElement, dhGroup: string): ReportedSa | undefined {
  const direction = directionOf(textOf(one, "sa-direction"));
  const digits = /^(?:0x)?([0-9a-f]{1,8})$/i.exec(textOf(one, "sa-spi") ?? "")?.[1];
  const encryption = cipherOf(textOf(one, "sa-encryption-algorithm") ?? "");
  if (direction === undefined || digits === undefined || encryption === undefined) {
    return undefined;
  }
  const hash = (textOf(one, "sa-authentication-algorithm") ?? "").toLowerCase();
  const integrity = encryption.endsWith("-gcm") ? "none" : hashOf(hash);
  // A newer SA takes over when the soft lifetime ends, and the old one is deleted at its hard
  // lifetime.
  const isOld = /^expired/i.test(textOf(one, "sa-soft-lifetime") ?? "");
  return {
    spi: Number.parseInt(digits, 16),
    direction,
    phase: isOld ? "rekeyed" : "installed",
    transforms: { encryption, integrity, dhGroup },
    ...endOf(textOf(one, "sa-hard-lifetime")),
    ...(direction === "in" ? antiReplayOf(textOf(one, "sa-anti-replay-service")) : {}),
  };
}

/** Reads `Expires in 26000 seconds`. */
function endOf(text = ""): Pick<IpsecSa, "endsInMs"> {
  const seconds = /^expires in (\d{1,9}) seconds?$/i.exec(text)?.[1];
  return seconds === undefined ? {} : { endsInMs: Number(seconds) * 1_000 };
}

/** Reads `counter-based enabled` or `disabled`. */
function antiReplayOf(text = ""): Pick<IpsecSa, "antiReplay"> {
  if (/\benabled$/i.test(text)) return { antiReplay: "on" };
  return /^disabled$/i.test(text) ? { antiReplay: "off" } : {};
}

function directionOf(text = ""): IpsecSa["direction"] | undefined {
  if (text === "inbound" || text === "<") return "in";
  return text === "outbound" || text === ">" ? "out" : undefined;
}

/** Reads `aes-gcm (256 bits)`, `aes-cbc (256 bits)`, `3des-cbc`. */
function cipherOf(text: string): string | undefined {
  const [, mode, bits] = /^aes-(gcm|cbc) \((\d{3}) bits\)$/i.exec(text) ?? [];
  if (mode !== undefined) return `aes-${bits}-${mode.toLowerCase()}`;
  return /^[0-9a-z-]{2,32}$/i.test(text) ? text.toLowerCase() : undefined;
}

function hashOf(text: string): string {
  const short = text.replace(/^hmac-/, "").replace(/-\d{2,3}$/, "");
  return /^[0-9a-z-]{1,32}$/.test(short) ? short.replace(/^sha-?(\d)/, "sha$1") : "unknown";
}

export interface Passed {
  readonly received: bigint;
  readonly sent: bigint;
}

/** Returns the packets that passed each unit of `st0`, that is, into a tunnel and out of it. */
export function readPassed(reply: XmlElement): ReadonlyMap<number, Passed> | undefined {
  if (everyOf(reply, "interface-information").length === 0) return undefined;
  const passed = new Map<number, Passed>();
  for (const one of everyOf(reply, "logical-interface")) {
    const unit = wholeOf(/^st0\.(\d{1,5})$/.exec(textOf(one, "name") ?? "")?.[1]);
    const traffic = childOf(one, "traffic-statistics");
    const received = countOf(textOf(traffic, "input-packets"));
    const sent = countOf(textOf(traffic, "output-packets"));
    if (unit === undefined || received === undefined || sent === undefined) continue;
    passed.set(unit, { received, sent });
  }
  return passed;
}

/** Returns the routes of a table that lead into a unit of `st0`. */
export function readTunnelRoutes(
  reply: XmlElement,
  names: ReadonlyMap<string, string>,
): readonly Route[] | undefined {
  if (everyOf(reply, "route-information").length === 0) return undefined;
  const routes: Route[] = [];
  for (const one of everyOf(reply, "rt")) {
    for (const entry of childrenOf(one, "rt-entry")) {
      for (const hop of childrenOf(entry, "nh")) {
        const [via, ...others] = childrenOf(hop, "via").map(({ text }) => text);
        if (others.length > 0 || !/^[\w./:-]*$/.test(via ?? "")) return undefined;
        const name = names.get(via ?? "");
        if (name === undefined) continue;
        const prefix = prefixOf(one);
        const best = isActive(entry);
        if (prefix === undefined || best === undefined) return undefined;
        routes.push({ prefix, via: { kind: "tunnel", name }, best });
      }
    }
  }
  return routes;
}

export interface TunnelResults {
  readonly ikeSas: QueryResult<readonly IkeSa[]>;
  readonly ipsecSas: QueryResult<ReportedSas>;
  readonly passed: QueryResult<ReadonlyMap<number, Passed>>;
}

export function tunnelStates(
  config: JunosTunnels,
  { ikeSas, ...results }: TunnelResults,
  at: Instant,
): readonly IpsecTunnel[] {
  const isUp = (vpn: Vpn, sas: readonly IkeSa[]): readonly boolean[] =>
    sas
      .filter(({ gateway, remoteAddress }) =>
        gateway === undefined ? remoteAddress === vpn.remoteAddress : gateway === vpn.gateway,
      )
      .map((one) => one.isUp);
  return statesOf(config, { ike: ikeSas, isUp, sas: together(results), sasOf }, at);
}

interface ReportedTraffic {
  readonly ipsecSas: ReportedSas;
  readonly passed: ReadonlyMap<number, Passed>;
}

function sasOf({ name, unit }: Vpn, { ipsecSas, passed }: ReportedTraffic) {
  const reported = ipsecSas.has(name) ? ipsecSas.get(name) : [];
  if (reported === undefined) return undefined;
  if (reported.length === 0) return [];
  const counts = unit === undefined ? undefined : passed.get(unit);
  // Packets are counted by interface, and the SAs of a direction follow each other on it.
  return (
    counts &&
    reported.map((sa) => ({
      ...sa,
      packets: sa.direction === "in" ? counts.received : counts.sent,
      sequence: undefined,
    }))
  );
}
