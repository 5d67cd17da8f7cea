// Tunnels that carry traffic for each other: which they are, whether one carries, and how traffic
// spreads.

import { type DeviceState, type IpsecTunnel, strongValue } from "#hal/model.ts";
import { gapOf, judge, type Sight, seenIf, sightOf, unseenFor } from "../model/claims.ts";
import type { DesiredTunnel } from "../model/desired.ts";
import { drainOf, isKeyed, isStrong } from "../model/link-snapshot.ts";
import type { TunnelCause } from "../model/reason.ts";
import { sameAddress } from "./prefix.ts";

/**
 * The tunnels of the same device to the same prefixes with BGP, including this one; empty = it is
 * alone, or its routes do not come from BGP.
 */
export function bundleOf(
  tunnels: readonly DesiredTunnel[],
  one: DesiredTunnel,
): readonly DesiredTunnel[] {
  if (one.bgp === undefined) return [];
  const found = tunnels.filter((each) => each.bgp !== undefined && whereTo(each) === whereTo(one));
  return found.length > 1 ? found : [];
}

function whereTo({ device, remotePrefixes }: DesiredTunnel): string {
  return [device, ...remotePrefixes.toSorted()].join(" ");
}

/** The other tunnels to one of its prefixes, on any device, that must carry while it cannot. */
export function siblingsOf(
  tunnels: readonly DesiredTunnel[],
  { name, remotePrefixes }: DesiredTunnel,
): readonly DesiredTunnel[] {
  return tunnels.filter(
    (each) =>
      each.name !== name && each.remotePrefixes.some((prefix) => remotePrefixes.includes(prefix)),
  );
}

/** Why traffic must not be led onto the tunnel now; undefined = it carries. */
export function whyNot({ name, bgp }: DesiredTunnel, state: DeviceState): TunnelCause | undefined {
  const tunnel = name;
  const observed = state.ipsec.find((each) => each.name === name);
  if (observed === undefined) return { code: "tunnel.absent", tunnel };
  const cut = observed.gaps?.find(({ kind }) => kind === "outer");
  const isRouted = bgp === undefined || sessionOf({ name, bgp }, state)?.up === true;
  const isUnread = bgp !== undefined && !isStrong(state.routing);
  const overBgp = (holds: boolean, why: TunnelCause): Sight<TunnelCause> =>
    isUnread ? unseenFor({ code: "tunnel.bgpUnread", tunnel }) : seenIf(holds, why);
  return gapOf<"tunnel-carries", TunnelCause>("tunnel-carries", {
    ike: () => seenIf(isKeyed(observed), { code: "tunnel.ikeDown", tunnel }),
    sas: () => seenIf(hasBothSas(observed), { code: "tunnel.noSas", tunnel }),
    answers: () =>
      cut === undefined
        ? seenIf(observed.isSilent !== true, { code: "tunnel.silent", tunnel })
        : seenIf(false, { code: "tunnel.noWayOut", tunnel, text: cut.text }),
    routed: () => overBgp(isRouted, { code: "tunnel.bgpDown", tunnel }),
    undrained: () => overBgp(drainOf(state, name) === "off", { code: "tunnel.drained", tunnel }),
  });
}

/** Returns true if SAs of both directions are there and not about to go. */
export function hasBothSas({ sas }: IpsecTunnel): boolean {
  const known = strongValue(sas) ?? [];
  return (["in", "out"] as const).every((way) =>
    known.some(({ direction, phase }) => direction === way && phase !== "deleting"),
  );
}

/** Returns true if IKE and the SAs of both directions stand, as far as this end shows it. */
export function isOpenTunnel(name: string, { ipsec }: DeviceState): boolean {
  const observed = ipsec.find((tunnel) => tunnel.name === name);
  if (observed === undefined) return false;
  const { kind } = judge("tunnel-up", {
    ike: () => sightOf(isKeyed(observed)),
    sas: () => sightOf(hasBothSas(observed)),
  });
  return kind === "holds";
}

/** The BGP session inside the tunnel; undefined = none is wanted, or the device reports none. */
export function sessionOf(
  { name, bgp }: { readonly name: string; readonly bgp?: DesiredTunnel["bgp"] | undefined },
  { routing }: DeviceState,
) {
  return strongValue(routing)?.tunnelSessions?.find(
    ({ tunnel, peer }) => tunnel === name && bgp !== undefined && sameAddress(peer, bgp.peer),
  );
}

/**
 * Counts the packets of one direction over these observations; undefined = fewer than two of them
 * report SAs.
 */
export function carriedOver(
  observations: readonly IpsecTunnel[],
  way: "in" | "out",
): bigint | undefined {
  // An observation between two may lack an SA: its counter goes on.
  let before: Map<number, bigint> | undefined;
  let carried: bigint | undefined;
  for (const { sas } of observations) {
    const reported = strongValue(sas);
    if (reported === undefined) continue;
    const counted = reported.filter(({ direction }) => direction === way);
    for (const { spi, packets } of before === undefined ? [] : counted) {
      const rise = packets - (before?.get(spi) ?? 0n);
      carried = (carried ?? 0n) + (rise > 0n ? rise : 0n);
    }
    if (before !== undefined) carried ??= 0n;
    before ??= new Map();
    for (const { spi, packets } of counted) before.set(spi, packets);
  }
  return carried;
}

/** A tunnel's share of the packets that its bundle sent. */
export interface Share {
  /** The tunnel's name. */
  readonly tunnel: string;
  /** Packets sent. */
  readonly sent: bigint;
  /** Its share of all that the bundle sent, in percent. */
  readonly percent: number;
}

/** Computes the shares; empty while a tunnel reports no counters, or nothing was sent. */
export function sharesOf(
  bundle: readonly { readonly name: string }[],
  looksOf: (tunnel: string) => readonly IpsecTunnel[],
): readonly Share[] {
  const counted = bundle.map(({ name }) => ({
    tunnel: name,
    sent: carriedOver(looksOf(name), "out"),
  }));
  const known = counted.flatMap(({ tunnel, sent }) => (sent === undefined ? [] : { tunnel, sent }));
  const total = known.reduce((sum, { sent }) => sum + sent, 0n);
  if (known.length < counted.length || total === 0n) return [];
  return known.map((one) => ({ ...one, percent: Number((one.sent * 1_000n) / total) / 10 }));
}

/** The fewest packets from which their distribution can be judged. */
const packetsMin = 1_000n;
/**
 * A hash spreads flows and not packets, so only a tunnel with less than a quarter of its even share
 * is named.
 */
const leastPart = 4;

/** Names the tunnel that carries far too little; `drained` tunnels are meant to carry nothing. */
export function imbalanceOf(
  shares: readonly Share[],
  drained: ReadonlySet<string>,
): { readonly tunnel: string; readonly text: string } | undefined {
  const open = shares.filter(({ tunnel }) => !drained.has(tunnel));
  const sent = open.reduce((sum, one) => sum + one.sent, 0n);
  const [first, ...rest] = open;
  if (first === undefined || rest.length === 0 || sent < packetsMin) return undefined;
  const least = rest.reduce((low, one) => (one.sent < low.sent ? one : low), first);
  if (least.sent * BigInt(leastPart * open.length) >= sent) return undefined;
  const even = Math.round(1_000 / open.length) / 10;
  const others = open.map(({ tunnel, percent }) => `${tunnel} ${percent} %`).join(", ");
  const text = `it sends ${least.percent} % where ${even} % would be even: ${others}`;
  return { tunnel: least.tunnel, text };
}
