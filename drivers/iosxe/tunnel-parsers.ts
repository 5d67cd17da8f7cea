// The SAs that IOS XE reports. Undefined = nothing in the reply is understood.

import { isIP, isIPv4 } from "node:net";
import type { IpsecSa, IpsecTunnel, Route } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import type { QueryResult } from "../platform/query-result.ts";
import { wordFor } from "../platform/tunnel-change.ts";
import type { StandingTunnel } from "../platform/tunnel-config.ts";
import { statesOf } from "../platform/tunnel-states.ts";
import { espOf, words, type XeTunnels } from "./tunnel-config.ts";

export interface IkeSa {
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly isReady: boolean;
}

const rowMax = 200;
const ikeStates = ["READY", "IN-NEG", "DELETE"];
/** An address with a port, of IPv4 or IPv6. */
const endPattern = /^([0-9a-fA-F.:]{2,45})\/\d{1,5}$/;

/**
 * Reads a row for each SA, and for one of IPv6 the two rows below it; other rows below an SA are
 * not needed.
 */
export function readIkeSas(text: string): readonly IkeSa[] | undefined {
  const rows = text.split("\n");
  // The heading of IPv6 follows the SAs of IPv4: without it, some of them may be cut off.
  const headings = rows.flatMap(
    (row) => /^ *(IPv[46]) Crypto IKEv2 {1,4}SA *$/.exec(row)?.[1] ?? [],
  );
  if (headings.join() !== "IPv4,IPv6") return undefined;
  const isNothing = rows.every((row) => /^(?: *IPv[46] Crypto IKEv2 {1,4}SA)? *$/.test(row));
  if (!isNothing && !/^ *Tunnel-id {1,20}(?:Local|fvrf)\b/m.test(text)) return undefined;
  const sas: IkeSa[] = [];
  for (const [index, row] of rows.entries()) {
    if (!/^ *\d{1,10} /.test(row)) continue;
    const [, ...words] = row.length > rowMax ? [] : row.trim().split(/ +/);
    const below = rows.slice(index + 1, index + 3);
    const sa = words.length === 2 ? ikeSaOf([...endsIn(below), ...words]) : ikeSaOf(words);
    if (sa === undefined) return undefined;
    sas.push(sa);
  }
  return sas;
}

/** Returns the two ends of an SA of IPv6, which have a row each. */
const endsIn = (rows: readonly string[]): readonly string[] =>
  ["Local", "Remote"].map((name, index) => {
    const [label, end = ""] = rows[index]?.trim().split(/ +/) ?? [];
    return label === name ? end : "";
  });

/** `words`: both ends, the VRFs, the state. */
function ikeSaOf(words: readonly string[]): IkeSa | undefined {
  const [local = "", remote = ""] = words.map((end) => endPattern.exec(end)?.[1] ?? "");
  const status = words[3] ?? "";
  if (isIP(local) === 0 || isIP(remote) === 0) return undefined;
  if (words.length !== 4 || !ikeStates.includes(status)) return undefined;
  return { localAddress: local, remoteAddress: remote, isReady: status === "READY" };
}

/** What is reported of one interface. */
export interface Flow {
  readonly sent: bigint;
  readonly received: bigint;
  /** undefined = one of them is not understood. */
  readonly sas: readonly PhasedSa[] | undefined;
}

type PhasedSa = Omit<IpsecSa, "packets" | "sequence">;

interface ReportedSa extends Omit<PhasedSa, "phase"> {
  readonly isActive: boolean;
}

/** Returns the SAs by interface, with the sums of its flows. */
export function readIpsecSas(text: string): ReadonlyMap<string, Flow> | undefined {
  const rows = text.split("\n").map((row) => row.trim());
  const isNothing =
    rows.some((row) => row !== "") &&
    rows.every((row) => row === "" || /^No SAs found$/i.test(row));
  if (!isNothing && !rows.some((row) => /^interface: \S/.test(row))) return undefined;
  const flows = new Map<string, Flow>();
  let at: string | undefined;
  let page: string[] = [];
  let maps = 0;
  const end = (): void => {
    // The head of the next interface was lost.
    const isMixed = maps > 1;
    // An interface is listed for its flows: one without a flow is cut off.
    const isFlow = page.some(isOfFlow) || (at !== undefined && !flows.has(at));
    if (at !== undefined && isFlow) flows.set(at, joined(flows.get(at), readFlow(page), isMixed));
    page = [];
  };
  for (const row of rows) {
    const name = /^interface: (\S{1,64})$/.exec(row)?.[1];
    if (name === undefined && row.startsWith("interface:")) return undefined;
    // Several flows of one interface follow each other.
    if (name !== undefined || row.startsWith("protected vrf:")) {
      if (name !== undefined || page.some(isOfFlow)) end();
      page = [];
      if (name !== undefined) {
        at = name;
        maps = 0;
      }
    }
    if (row.startsWith("Crypto map tag:")) maps += 1;
    page.push(row);
  }
  end();
  return flows;
}

/** A flow without its counters is not understood, rather than left out. */
const isOfFlow = (row: string): boolean =>
  /^(?:protected vrf:|#pkts|spi: |local {1,4}ident)/.test(row);

function joined(before: Flow | undefined, next: Flow, isMixed: boolean): Flow {
  const sas = before === undefined ? [] : before.sas;
  const all = sas === undefined || next.sas === undefined ? undefined : [...sas, ...next.sas];
  // A flow that comes twice was not printed for one question.
  const names = new Set(all?.map(({ spi, direction }) => `${direction} ${spi}`));
  return {
    sent: (before?.sent ?? 0n) + next.sent,
    received: (before?.received ?? 0n) + next.received,
    sas: isMixed || names.size !== all?.length ? undefined : all,
  };
}

/** The last of these lists shows that a flow is not cut off. */
const lists = ["inbound esp sas:", "outbound esp sas:", "outbound ah sas:"];

function readFlow(rows: readonly string[]): Flow {
  const [sent, received] = [countIn(rows, "encaps"), countIn(rows, "decaps")];
  const first = (pattern: RegExp): string | undefined =>
    rows.map((row) => pattern.exec(row)?.[1]).find((one) => one !== undefined);
  // What a second key exchange adds stands behind the group.
  const group = first(/^PFS \(Y\/N\): [YN], DH group: ([^\s,]{1,20})(?:, .{1,80})?$/);
  const spi = first(/^current outbound spi: 0x([0-9A-Fa-f]{1,8})\(\d{1,10}\)$/);
  const reported = sasIn(rows, groupOf(group));
  const sas = reported.filter((one) => one !== undefined);
  const isWhole =
    sas.length === reported.length &&
    sent !== undefined &&
    received !== undefined &&
    lists.every((list) => rows.filter((row) => row === list).length === 1);
  const current = spi === undefined ? undefined : Number.parseInt(spi, 16);
  return {
    sent: sent ?? 0n,
    received: received ?? 0n,
    sas: isWhole ? phased(sas, current) : undefined,
  };
}

/** Returns a counter of packets; undefined = it is missing, or occurs with two values. */
function countIn(rows: readonly string[], what: string): bigint | undefined {
  const pattern = new RegExp(`^#pkts ${what}: (\\d{1,20}),`);
  const [digits, ...others] = new Set(rows.flatMap((row) => pattern.exec(row)?.[1] ?? []));
  return digits === undefined || others.length > 0 ? undefined : BigInt(digits);
}

function groupOf(text: string | undefined): string {
  if (text === undefined) return "unknown";
  if (text === "none") return "none";
  return wordFor(words.dhGroup, text.replace(/^group/, "")) ?? text;
}

/**
 * Returns the SAs with their phases; undefined = of two that are active in one direction, it is not
 * known which one is the newer.
 */
function phased(
  sas: readonly ReportedSa[],
  current: number | undefined,
): readonly PhasedSa[] | undefined {
  const newest = new Map<IpsecSa["direction"], ReportedSa>();
  for (const direction of ["in", "out"] as const) {
    const active = sas.filter((sa) => sa.isActive && sa.direction === direction);
    const used = direction === "out" ? active.find(({ spi }) => spi === current) : undefined;
    const found = used ?? lastToEnd(active);
    if (found !== undefined) newest.set(direction, found);
    else if (active.length > 0) return undefined;
  }
  return sas.map(({ isActive, ...sa }): PhasedSa => {
    const isNewest = newest.get(sa.direction)?.spi === sa.spi;
    return { ...sa, phase: isActive ? (isNewest ? "installed" : "rekeyed") : "deleting" };
  });
}

/** Returns the SA that ends last; undefined = there is none, or it is not known which one. */
function lastToEnd(active: readonly ReportedSa[]): ReportedSa | undefined {
  const [last, ...others] = active.toSorted((a, b) => (b.endsInMs ?? 0) - (a.endsInMs ?? 0));
  const isLast = others.every(({ endsInMs }) => (endsInMs ?? 0) < (last?.endsInMs ?? 0));
  const isKnown = others.length === 0 || active.every(({ endsInMs }) => endsInMs !== undefined);
  return isLast && isKnown ? last : undefined;
}

function sasIn(rows: readonly string[], dhGroup: string): readonly (ReportedSa | undefined)[] {
  const found: (ReportedSa | undefined)[] = [];
  let direction: IpsecSa["direction"] | undefined;
  let page: string[] = [];
  const end = (): void => {
    // An SA of AH, or one that no list precedes, is not understood.
    if (page.length > 0) found.push(direction && saOf(page, direction, dhGroup));
    page = [];
  };
  for (const row of rows) {
    const [, way, kind] = /^(inbound|outbound) (esp|ah|pcp) sas:$/.exec(row) ?? [];
    if (way !== undefined) {
      end();
      direction = kind === "esp" ? (way === "inbound" ? "in" : "out") : undefined;
    } else if (row.startsWith("spi: ")) {
      end();
      page = [row];
    } else if (page.length > 0) page.push(row);
  }
  end();
  return found;
}

function saOf(
  rows: readonly string[],
  direction: IpsecSa["direction"],
  dhGroup: string,
): ReportedSa | undefined {
  const only = (pattern: RegExp): string | undefined => {
    const found = rows.flatMap((row) => pattern.exec(row)?.[1] ?? []);
    return found.length === 1 ? found[0] : undefined;
  };
  const spi = spiOf(rows[0] ?? "");
  const transforms = espOf(only(/^transform: ([\w -]{2,80}?) ?,$/), "");
  const life = lifeOf(only(/^sa timing: remaining key lifetime (.{1,60})$/) ?? "");
  const status = only(/^Status: ([A-Z]+)\b/);
  const replay = only(/^replay detection support: ([YN])\b/);
  if (spi === undefined || transforms === undefined || life === undefined) return undefined;
  if (status === undefined) return undefined;
  return {
    spi,
    direction,
    transforms: { ...transforms, dhGroup },
    ...(direction === "out" || replay === undefined
      ? {}
      : { antiReplay: replay === "Y" ? "on" : "off" }),
    isActive: status === "ACTIVE",
    ...life,
  };
}

/** Reads `spi: 0xA2(162)`; both numbers must be equal. */
function spiOf(row: string): number | undefined {
  const [, hex = "", decimal] = /^spi: 0x([0-9A-Fa-f]{1,8})\((\d{1,10})\)$/.exec(row) ?? [];
  const spi = Number.parseInt(hex, 16);
  return spi === Number(decimal) ? spi : undefined;
}

/** Reads how long an SA still lives, in one of the forms that releases print. */
function lifeOf(text: string): Pick<IpsecSa, "endsInMs"> | undefined {
  if (text === "is not applicable") return {};
  const [, beside, alone] =
    /^(?:\(k\/sec\): \(\d{1,12}\/(\d{1,10})\)|\(sec\): (\d{1,10}))$/.exec(text) ?? [];
  const seconds = beside ?? alone;
  if (seconds !== undefined) return { endsInMs: Number(seconds) * 1_000 };
  const [, hours = "0", minutes] = /^(?:(\d{1,6}) hours?, )?(\d{1,2}) mins?$/.exec(text) ?? [];
  if (minutes === undefined) return undefined;
  return { endsInMs: (Number(hours) * 60 + Number(minutes)) * 60_000 };
}

const way = String.raw`is directly connected, \S{1,64}|\[\d{1,3}/\d{1,10}\] via \S.{0,80}`;
const network = String.raw`S[* ][ %+]{1,12}([\d.]{7,15})(?:/(\d{1,2}))?`;
const routeRow = new RegExp(`^${network}(?: (?:${way}))?$`);
/** Another path of the route above, or the rest of its row. */
const pathRow = new RegExp(`^ {2,60}(?:${way})$`);

/** Returns those static routes in use that lead into a tunnel. */
export function readTunnelRoutes(
  text: string,
  names: ReadonlyMap<string, string>,
): readonly Route[] | undefined {
  // It follows the legend of the codes: without it, the routes are cut off.
  if (!/^Gateway of last resort is \S/m.test(text)) return undefined;
  let length: string | undefined;
  let prefix: string | undefined;
  const routes: Route[] = [];
  let isHeading = false;
  const rows = text.split("\n");
  const begin = rows.findIndex(
    (row) => /^(?:S[* ][ %+]|Gateway of last resort )/.test(row) || pathRow.test(row),
  );
  for (const row of begin < 0 ? [] : rows.slice(begin)) {
    if (/^ *$|^Gateway of last resort /.test(row)) continue;
    // For networks of one length, the line above them has the length.
    const [, one, variably] =
      /^ {1,8}[\d.]{7,15}(?:\/(\d{1,2}))? is (variably )?subnetted, /.exec(row) ?? [];
    if (one !== undefined || variably !== undefined) {
      length = variably === undefined ? one : undefined;
      isHeading = true;
      continue;
    }
    isHeading = false;
    const [isRoute, address = "", own] = routeRow.exec(row) ?? [];
    if (isRoute !== undefined) {
      const bits = own ?? length;
      if (!isIPv4(address)) return undefined;
      prefix = bits === undefined ? undefined : `${address}/${bits}`;
    } else if (!pathRow.test(row)) return undefined;
    const out = /\bis directly connected, (Tunnel\d{1,10})$/.exec(row)?.[1];
    const name = names.get(out ?? "");
    if (name === undefined) continue;
    if (prefix === undefined) return undefined;
    routes.push({ prefix, via: { kind: "tunnel", name }, best: true });
  }
  // A network is listed for its routes: one without a route is cut off.
  return isHeading ? undefined : routes;
}

export interface TunnelResults {
  readonly ikeSas: QueryResult<readonly IkeSa[]>;
  readonly ipsecSas: QueryResult<ReadonlyMap<string, Flow>>;
}

export function tunnelStates(
  config: XeTunnels,
  { ikeSas, ipsecSas }: TunnelResults,
  at: Instant,
): readonly IpsecTunnel[] {
  const isUp = ({ localAddress, remoteAddress }: StandingTunnel, sas: readonly IkeSa[]) =>
    sas
      .filter((sa) => sa.localAddress === localAddress && sa.remoteAddress === remoteAddress)
      .map(({ isReady }) => isReady);
  return statesOf(config, { ike: ikeSas, isUp, sas: ipsecSas, sasOf }, at);
}

function sasOf({ interface: at }: StandingTunnel, flows: ReadonlyMap<string, Flow>) {
  const flow = flows.get(at);
  if (flow === undefined) return [];
  // Packets are counted by flow, and the SAs of a direction follow each other in it.
  return flow.sas?.map((sa): IpsecSa => {
    const packets = sa.direction === "in" ? flow.received : flow.sent;
    return { ...sa, packets, sequence: undefined };
  });
}
