// The SAs that IOS XE reports. Undefined = nothing in the reply is understood.

import { isIPv4 } from "node:net";
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

/** Reads a row for each SA; the lines below a row are not needed. */
export function readIkeSas(text: string): readonly IkeSa[] | undefined {
  const isNothing = /^(?: *IPv[46] Crypto IKEv2 {1,4}SA *|\s*)$/.test(text.trim());
  if (!isNothing && !/^ *Tunnel-id {1,20}Local\b/m.test(text)) return undefined;
  const sas: IkeSa[] = [];
  for (const row of text.split("\n")) {
    if (!/^ *\d{1,10} +\d{1,3}(?:\.\d{1,3}){3}\//.test(row)) continue;
    const [, ...ends] = row.length > rowMax ? [] : row.trim().split(/ +/);
    const [local = "", remote = ""] = ends.map((end) => /^([\d.]+)\/\d+$/.exec(end)?.[1] ?? "");
    const status = ends[3];
    if (!isIPv4(local) || !isIPv4(remote) || ends.length !== 4) return undefined;
    sas.push({ localAddress: local, remoteAddress: remote, isReady: status === "READY" });
  }
  return sas;
}

export interface Flow {
  readonly sent: bigint;
  readonly received: bigint;
  /** undefined = one of them is not understood. */
  readonly sas: readonly ReportedSa[] | undefined;
}

interface ReportedSa extends Omit<IpsecSa, "packets" | "sequence" | "phase"> {
  readonly isActive: boolean;
  /** Seconds until it ends. */
  readonly left: number;
}

/** Returns the SAs by interface, with the sums of its flows. */
export function readIpsecSas(text: string): ReadonlyMap<string, Flow> | undefined {
  const rows = text.split("\n").map((row) => row.trim());
  const isNothing = rows.every((row) => row === "" || /^No SAs found$/i.test(row));
  if (!isNothing && !rows.some((row) => /^interface: \S/.test(row))) return undefined;
  const flows = new Map<string, Flow>();
  let at: string | undefined;
  let page: string[] = [];
  const end = (): void => {
    if (at !== undefined) flows.set(at, joined(flows.get(at), readFlow(page)));
    page = [];
  };
  for (const row of rows) {
    const name = /^interface: (\S{1,64})$/.exec(row)?.[1];
    // Several flows of one interface follow each other.
    if (name !== undefined || row.startsWith("protected vrf:")) {
      if (page.some(isOfFlow)) end();
      page = [];
      if (name !== undefined) at = name;
    }
    page.push(row);
  }
  if (page.some(isOfFlow)) end();
  return flows;
}

/** A flow without its counters is not understood, rather than left out. */
const isOfFlow = (row: string): boolean => /^(?:#pkts|spi: |local {1,4}ident)/.test(row);

function joined(before: Flow | undefined, next: Flow): Flow {
  if (before === undefined) return next;
  const isWhole = before.sas !== undefined && next.sas !== undefined;
  return {
    sent: before.sent + next.sent,
    received: before.received + next.received,
    sas: isWhole ? [...(before.sas ?? []), ...(next.sas ?? [])] : undefined,
  };
}

function readFlow(rows: readonly string[]): Flow {
  const count = (what: string): bigint | undefined => {
    const digits = rows
      .map((row) => new RegExp(`^#pkts ${what}: (\\d{1,20}),`).exec(row)?.[1])
      .find((one) => one !== undefined);
    return digits === undefined ? undefined : BigInt(digits);
  };
  const group = rows
    .map((row) => /^PFS \(Y\/N\): [YN], DH group: (\S{1,20})$/.exec(row)?.[1])
    .find((one) => one !== undefined);
  const reported = sasIn(rows, groupOf(group));
  const understood = reported.filter((one) => one !== undefined);
  const [sent, received] = [count("encaps"), count("decaps")];
  const isWhole =
    understood.length === reported.length && sent !== undefined && received !== undefined;
  return { sent: sent ?? 0n, received: received ?? 0n, sas: isWhole ? understood : undefined };
}

function groupOf(text: string | undefined): string {
  if (text === undefined) return "unknown";
  if (text === "none") return "none";
  return wordFor(words.dhGroup, text.replace(/^group/, "")) ?? text;
}

function sasIn(rows: readonly string[], dhGroup: string): readonly (ReportedSa | undefined)[] {
  const found: (ReportedSa | undefined)[] = [];
  let direction: IpsecSa["direction"] | undefined;
  let page: string[] = [];
  const end = (): void => {
    if (direction !== undefined && page.length > 0) found.push(saOf(page, direction, dhGroup));
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
  const first = (pattern: RegExp): string | undefined =>
    rows.map((row) => pattern.exec(row)?.[1]).find((one) => one !== undefined);
  const digits = first(/^spi: 0x([0-9A-Fa-f]{1,8})\(\d{1,10}\)$/);
  const transforms = espOf(first(/^transform: ([\w -]{2,80}?) ?,$/), "");
  const left = first(/remaining key lifetime \(k?\/?sec\): \(?(?:\d{1,12}\/)?(\d{1,10})\)?$/);
  const status = first(/^Status: ([A-Z]+)/);
  const replay = first(/^replay detection support: ([YN])\b/);
  if (digits === undefined || transforms === undefined || status === undefined) return undefined;
  return {
    spi: Number.parseInt(digits, 16),
    direction,
    transforms: { ...transforms, dhGroup },
    ...(direction === "out" || replay === undefined
      ? {}
      : { antiReplay: replay === "Y" ? "on" : "off" }),
    isActive: status === "ACTIVE",
    left: Number(left ?? 0),
    ...(left === undefined ? {} : { endsInMs: Number(left) * 1_000 }),
  };
}

/** Returns those static routes in use that lead into a tunnel. */
export function readTunnelRoutes(
  text: string,
  names: ReadonlyMap<string, string>,
): readonly Route[] | undefined {
  if (!/^(?:Codes: |S[* ]|Gateway of last resort )/m.test(text) && text.trim() !== "") {
    return undefined;
  }
  let length: string | undefined;
  let prefix: string | undefined;
  const routes: Route[] = [];
  for (const row of text.split("\n")) {
    // For networks of one length, the line above them has the length.
    const head = /^ {1,8}[\d.]{7,15}\/(\d{1,2}) is subnetted, /.exec(row)?.[1];
    if (head !== undefined) length = head;
    if (/ is variably subnetted, /.test(row)) length = undefined;
    if (/^S\W/.test(row)) {
      const [, address = "", own] =
        /^S[* ][ %+]{1,12}([\d.]{7,15})(?:\/(\d{1,2}))?(?: |$)/.exec(row) ?? [];
      const bits = own ?? length;
      if (!isIPv4(address)) return undefined;
      prefix = bits === undefined ? undefined : `${address}/${bits}`;
    }
    const out = / is directly connected, (Tunnel\d{1,10})$/.exec(row)?.[1];
    const name = names.get(out ?? "");
    if (name === undefined) continue;
    if (prefix === undefined) return undefined;
    routes.push({ prefix, via: { kind: "tunnel", name }, best: true });
  }
  return routes;
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
  const { sas, sent, received } = flow;
  const longest = { in: 0, out: 0 };
  for (const { direction, left } of sas ?? []) {
    longest[direction] = Math.max(longest[direction], left);
  }
  // Packets are counted by flow, and the SAs of a direction follow each other in it.
  return sas?.map(({ isActive, left, ...sa }): IpsecSa => {
    const isNewest = left === longest[sa.direction];
    const phase = isActive ? (isNewest ? "installed" : "rekeyed") : "deleting";
    const packets = sa.direction === "in" ? received : sent;
    return { ...sa, phase, packets, sequence: undefined };
  });
}
