// What linkseal-net does of a change of tunnels, whoever makes their SAs.

import type { PrefixBlock, Transaction, TransactionToken } from "#hal/device.ts";
import { encodeJson } from "#hal/json.ts";
import type { PortName, TunnelSpec } from "#hal/model.ts";
import { type LocalSession, readPrepared } from "../../local/device.ts";
import { hostPrefix, type TunnelPart } from "../net/tunnel-part.ts";

export type NetVerb = "apply" | "confirm" | "rollback";

export function prepareNet(
  session: LocalSession,
  change: readonly TunnelPart[],
  signal: AbortSignal,
) {
  return session.ask("prepare", [encodeJson({ change })], readPrepared, signal);
}

export function tellNet(
  session: LocalSession,
  token: TransactionToken,
  verb: NetVerb,
  body: object,
  signal: AbortSignal,
): Promise<void> {
  return session.tell(`transactions/${encodeURIComponent(token)}/${verb}`, body, signal);
}

/** What may leave by its interface. */
export function carriedPrefixes({ remotePrefixes, bgp }: TunnelSpec): readonly string[] {
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

/** Blocks alone, which need neither charon nor a key. */
export async function prepareBlocks(
  session: LocalSession,
  blocks: readonly PrefixBlock[],
  signal: AbortSignal,
): Promise<Transaction> {
  const { token, preview } = await prepareNet(session, partsOfBlock(blocks), signal);
  return {
    token,
    preview,
    apply: (within, bounded) => tellNet(session, token, "apply", { within }, bounded),
    confirm: (bounded) => tellNet(session, token, "confirm", {}, bounded),
    rollback: (bounded) => tellNet(session, token, "rollback", {}, bounded),
  };
}
