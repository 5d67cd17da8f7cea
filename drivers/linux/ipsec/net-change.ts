// What linkseal-net does of a change of tunnels, whoever makes their SAs.

import type { TransactionToken } from "#hal/device.ts";
import { encodeJson } from "#hal/json.ts";
import type { TunnelSpec } from "#hal/model.ts";
import type { LocalSession } from "../../local/device.ts";
import { name as nameIn, page, recordOf } from "../../local/shape.ts";
import { hostPrefix, type TunnelPart } from "../net/tunnel-part.ts";

export type NetVerb = "apply" | "confirm" | "rollback";

export async function prepareNet(
  session: LocalSession,
  change: readonly TunnelPart[],
  signal: AbortSignal,
): Promise<{ readonly token: TransactionToken; readonly preview: string }> {
  const read = (value: unknown) => {
    const reply = recordOf(value, "reply");
    return {
      token: nameIn(reply, "token") as TransactionToken,
      preview: page(reply, "preview"),
    };
  };
  return await session.ask("prepare", [encodeJson({ change })], read, signal);
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
  const { name, ifId, mtu, bgp, backs: ports = [] } = tunnel;
  const prefixes = carriedPrefixes(tunnel);
  const ends = bgp === undefined ? {} : { ends: { local: bgp.local, peer: bgp.peer } };
  const backings = tunnel.remotePrefixes.map((prefix) => ({ prefix, ports }));
  return [
    // First, so that what rides under MACsec now is not blocked for a moment.
    { kind: "ipsec.back", backings },
    { kind: "ipsec.block", prefixes },
    { kind: "ipsec.carry", link: { name, ifId, mtu, prefixes, ...ends } },
  ];
}
