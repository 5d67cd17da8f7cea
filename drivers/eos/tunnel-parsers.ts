// The SAs that EOS reports. Undefined = nothing in the reply is understood.

import type { IpsecSa, IpsecTunnel, Route } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { listIn, parse, recordIn, recordOf, rowsIn, textIn } from "../platform/json.ts";
import type { QueryResult } from "../platform/query-result.ts";
import { statesOf } from "../platform/tunnel-states.ts";
import { isPrefix } from "./system-parsers.ts";
import type { EosTunnel, EosTunnels } from "./tunnel-config.ts";

export interface Connection {
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly isEstablished: boolean;
  /** undefined = one of them is not understood. */
  readonly sas: readonly ReportedSa[] | undefined;
}

interface ReportedSa extends Pick<IpsecSa, "direction" | "spi" | "packets"> {
  /** When it was made; it tells which of several is the newest. */
  readonly madeAt: number;
}

const noneText = /^(?:% )?No (?:IPsec )?connections?\b/im;

/** Returns the connections by interface, one for each pair of selectors. */
export function readConnections(
  text: string,
): ReadonlyMap<string, readonly Connection[]> | undefined {
  const isNothing = text.trim() === "" || noneText.test(text);
  if (!isNothing && !/^ {2}Source address: /m.test(text)) return undefined;
  const found = new Map<string, Connection[]>();
  let at: string | undefined;
  let page: string[] = [];
  let isUnread = false;
  const end = (): void => {
    const one = at === undefined ? "none" : connectionOf(page);
    if (one === undefined) isUnread = true;
    else if (at !== undefined && one !== "none") {
      const before = found.get(at) ?? [];
      before.push(one);
      found.set(at, before);
    }
    page = [];
  };
  for (const row of text.split("\n")) {
    const name = /^([\w./-]{1,64}):$/.exec(row.trimEnd())?.[1];
    if (name !== undefined) {
      end();
      at = name;
    } else page.push(row.trim());
  }
  end();
  return isUnread ? undefined : found;
}

/**
 * Returns "none" for the policy of a connection or a heading; undefined = an incomplete connection,
 * or several.
 */
function connectionOf(rows: readonly string[]): Connection | "none" | undefined {
  const [state, ...states] = rows.filter((row) => row.startsWith("State:"));
  const [ends, ...others] = rows.filter((row) => row.startsWith("Source address:"));
  const [, localAddress, remoteAddress] =
    /^Source address: ([\d.]{7,15}), Destination address: ([\d.]{7,15})$/.exec(ends ?? "") ?? [];
  if (state === "State: policyBasedTunnel" || (state ?? ends) === undefined) return "none";
  if (localAddress === undefined || remoteAddress === undefined) return undefined;
  if (states.length > 0 || others.length > 0) return undefined;
  const sas: (ReportedSa | undefined)[] = [];
  let start = -1;
  rows.forEach((row, index) => {
    if (!/^(?:Inbound|Outbound) SPI: /.test(row)) return;
    if (start >= 0) sas.push(saOf(rows.slice(start, index)));
    start = index;
  });
  if (start >= 0) sas.push(saOf(rows.slice(start)));
  const understood = sas.filter((one) => one !== undefined);
  return {
    ...{ localAddress, remoteAddress },
    isEstablished: state === "State: established",
    sas: understood.length === sas.length ? understood : undefined,
  };
}

/** undefined = a row is missing, or there twice: one of them is that of another SA. */
function saOf(rows: readonly string[]): ReportedSa | undefined {
  const all = (pattern: RegExp): readonly string[] =>
    rows.flatMap((row) => pattern.exec(row)?.[1] ?? []);
  const [way] = all(/^(Inbound|Outbound) SPI: /);
  const [spi] = all(/^\w+ SPI: 0x([0-9a-fA-F]{1,8}):$/);
  const [packets, ...others] = all(/^Current packets: (\d{1,20})$/);
  const [made, ...otherTimes] = all(/^SA add time: ([\w: ]{8,40})$/);
  if (way === undefined || spi === undefined || packets === undefined) return undefined;
  if (others.length > 0 || otherTimes.length > 0) return undefined;
  return {
    direction: way === "Inbound" ? "in" : "out",
    spi: Number.parseInt(spi, 16),
    packets: BigInt(packets),
    madeAt: Date.parse(made ?? "") || 0,
  };
}

/** Returns those static routes in use that lead into a tunnel. */
export function readTunnelRoutes(
  text: string,
  names: ReadonlyMap<string, string>,
): readonly Route[] | undefined {
  const rows = rowsIn(recordIn(recordIn(parse(text), "vrfs"), "default"), "routes");
  if (rows === undefined) return undefined;
  const routes: Route[] = [];
  for (const [prefix, route] of rows) {
    const vias = listIn(route, "vias");
    if (vias === undefined || !isPrefix(prefix)) return undefined;
    for (const via of vias) {
      const name = names.get(textIn(recordOf(via), "interface") ?? "");
      if (name !== undefined) routes.push({ prefix, via: { kind: "tunnel", name }, best: true });
    }
  }
  return routes;
}

type Connections = ReadonlyMap<string, readonly Connection[]>;

export function tunnelStates(
  config: EosTunnels,
  connections: QueryResult<Connections>,
  at: Instant,
): readonly IpsecTunnel[] {
  const isUp = (tunnel: EosTunnel, all: Connections): readonly boolean[] =>
    ownOf(tunnel, all).map(({ isEstablished }) => isEstablished);
  return statesOf(config, { ike: connections, isUp, sas: connections, sasOf }, at);
}

function ownOf(
  { interface: at, localAddress, remoteAddress }: EosTunnel,
  all: Connections,
): readonly Connection[] {
  return (all.get(at) ?? []).filter(
    (one) => one.localAddress === localAddress && one.remoteAddress === remoteAddress,
  );
}

/** EOS installs only SAs with its policy's transforms, because it proposes no others. */
function sasOf(tunnel: EosTunnel, all: Connections): readonly IpsecSa[] | undefined {
  const { transforms } = tunnel;
  const own = ownOf(tunnel, all);
  const isWhole = own.every(({ sas }) => sas !== undefined);
  const sas = own.flatMap((one) => one.sas ?? []);
  if (!isWhole || (sas.length > 0 && transforms === undefined)) return undefined;
  const newest = { in: 0, out: 0 };
  for (const { direction, madeAt } of sas) newest[direction] = Math.max(newest[direction], madeAt);
  return sas.flatMap(({ madeAt, ...sa }): readonly IpsecSa[] => {
    const phase = madeAt === newest[sa.direction] ? "installed" : "rekeyed";
    return transforms === undefined ? [] : [{ ...sa, phase, transforms, sequence: undefined }];
  });
}
