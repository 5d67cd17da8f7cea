// What linkseal-net does of a change, and what of a change of tunnels, whoever makes their SAs.

import type { PrefixBlock, Transaction, TransactionToken } from "#hal/device.ts";
import { encodeJson } from "#hal/json.ts";
import type { PortName, TunnelSpec } from "#hal/model.ts";
import { type LocalSession, readPrepared, transactionOf } from "../../local/device.ts";
import type { NetPart } from "../net/part.ts";
import { hostPrefix, type TunnelPart } from "../net/tunnel-part.ts";

/** It takes back by itself what is not confirmed in time. */
const capabilities = { commit: { kind: "armedRevert" } } as const;

export const netTransaction = (
  session: LocalSession,
  token: TransactionToken,
  preview: string,
): Transaction => transactionOf({ session, capabilities }, token, preview);

export async function prepareNet(
  session: LocalSession,
  change: readonly NetPart[],
  signal: AbortSignal,
): Promise<Transaction> {
  const body = [encodeJson({ change })];
  const { token, preview } = await session.ask("prepare", body, readPrepared, signal);
  return netTransaction(session, token, preview);
}

/** What may leave by its interface. */
function carriedPrefixes({ remotePrefixes, bgp }: TunnelSpec): readonly string[] {
  if (bgp === undefined) return remotePrefixes;
  return [...new Set([...remotePrefixes, hostPrefix(bgp.peer)])];
}

/** The block before anything could be sent into the tunnel, or past it; then its interface. */
export function partsAround(tunnel: TunnelSpec): readonly TunnelPart[] {
  const { name, ifId, mtu, bgp } = tunnel;
  const prefixes = carriedPrefixes(tunnel);
  const ends = bgp === undefined ? {} : { ends: { local: bgp.local, peer: bgp.peer } };
  return [
    ...partsOfBlock(blocksOf(tunnel)),
    { kind: "ipsec.carry", link: { name, ifId, mtu, prefixes, ...ends } },
  ];
}

function blocksOf(tunnel: TunnelSpec): readonly PrefixBlock[] {
  const { remotePrefixes, backs = [] } = tunnel;
  // The neighbour inside rides in the tunnel alone.
  const ports = (prefix: string): readonly PortName[] =>
    remotePrefixes.includes(prefix) ? backs : [];
  return carriedPrefixes(tunnel).map((prefix) => ({ prefix, ports: ports(prefix) }));
}

export function partsOfBlock(blocks: readonly PrefixBlock[]): readonly TunnelPart[] {
  return [
    // First, so that what rides under MACsec now is not blocked for a moment.
    { kind: "ipsec.back", backings: blocks },
    { kind: "ipsec.block", prefixes: blocks.map(({ prefix }) => prefix) },
  ];
}
