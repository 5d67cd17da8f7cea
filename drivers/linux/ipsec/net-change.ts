// The part of linkseal-net in a change, and in a change of tunnels, whichever daemon makes the SAs.

import type { PrefixBlock, Transaction, TransactionToken } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import type { PortName } from "#hal/model.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import type { Clock } from "#hal/world.ts";
import { type LocalSession, readPrepared, transactionOf } from "../../local/device.ts";
import type { NetOperation } from "../net/operation.ts";
import { hostPrefix, type TunnelOperation } from "../net/tunnel-operation.ts";

/** linkseal-net reverts by itself what is not confirmed in time. */
const capabilities = { commit: { kind: "armedRevert" } } as const;

/** Returns the transaction of linkseal-net with this token. */
export const netTransaction = (
  session: LocalSession,
  token: TransactionToken,
  preview: string,
): Transaction => transactionOf({ session, capabilities }, token, preview);

/**
 * Prepares a change at linkseal-net; nothing takes effect yet. An abort may leave a prepared change
 * there, which has no effect.
 * @throws LinksealError `device.rejected` if linkseal-net refuses the change
 */
export async function prepareNet(
  session: LocalSession,
  change: readonly NetOperation[],
  signal: AbortSignal,
): Promise<Transaction> {
  const body = [encodeJson({ change })];
  const { token, preview } = await session.ask("prepare", body, readPrepared, signal);
  return netTransaction(session, token, preview);
}

/** How long a change waits for another one to be confirmed, and how often it asks. */
const turnMs = { most: 12_000, poll: 250 } as const;

/**
 * Applies a change of linkseal-net as soon as no other one waits for its confirmation.
 * @throws LinksealError `device.locked` if that takes too long, else as `Transaction.apply`
 */
export async function applyInTurn(
  clock: Clock,
  transaction: Transaction,
  within: number | "final",
  signal: AbortSignal,
): Promise<void> {
  for (let over = 0; ; over += turnMs.poll) {
    try {
      return await transaction.apply(within, signal);
    } catch (error) {
      const isLocked = error instanceof LinksealError && error.code === "device.locked";
      if (!isLocked || over >= turnMs.most) throw error;
    }
    await clock.sleep(turnMs.poll, signal);
  }
}

/** Returns the prefixes that may leave by the tunnel's interface. */
function carriedPrefixes({ remotePrefixes, bgp }: TunnelSpec): readonly string[] {
  if (bgp === undefined) return remotePrefixes;
  return [...new Set([...remotePrefixes, hostPrefix(bgp.peer)])];
}

/** Returns the operation that makes a tunnel's interface, with its addresses and routes. */
export function operationOfLink(tunnel: TunnelSpec): TunnelOperation {
  const { name, ifId, mtu, bgp } = tunnel;
  const prefixes = carriedPrefixes(tunnel);
  const ends = bgp === undefined ? {} : { ends: { local: bgp.local, peer: bgp.peer } };
  return { kind: "ipsec.carry", link: { name, ifId, mtu, prefixes, ...ends } };
}

/** Returns the prefixes that must not leave outside of this tunnel. */
export function blocksOf(tunnel: TunnelSpec): readonly PrefixBlock[] {
  const { remotePrefixes, backs = [] } = tunnel;
  // The BGP neighbour inside the tunnel is reached through the tunnel alone.
  const ports = (prefix: string): readonly PortName[] =>
    remotePrefixes.includes(prefix) ? backs : [];
  return carriedPrefixes(tunnel).map((prefix) => ({ prefix, ports: ports(prefix) }));
}

/**
 * Returns the operations that block prefixes outside of tunnels, except under the MACsec of their
 * ports.
 */
export function operationsOfBlock(blocks: readonly PrefixBlock[]): readonly TunnelOperation[] {
  return [
    // The exemption comes first, so that traffic under MACsec is not blocked for a moment.
    { kind: "ipsec.back", backings: blocks },
    { kind: "ipsec.block", prefixes: blocks.map(({ prefix }) => prefix) },
  ];
}
