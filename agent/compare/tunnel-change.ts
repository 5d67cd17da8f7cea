// How a tunnel of the intent differs from what was last applied, setting by setting. Pure.

import type { PrefixBlock } from "#hal/device.ts";
import type { IkeTransforms, PortName, Transforms } from "#hal/model.ts";
import type { Complaint } from "../config/index.ts";
import type { Desired, DesiredTunnel } from "../model/desired.ts";

export interface TunnelDifference {
  /** The setting's path as the config spells it. */
  readonly setting: string;
  readonly made: string;
  readonly wanted: string;
}

/** Looks up a tunnel as it was last applied; undefined = no accepted config contains it. */
export type MadeTunnel = (name: string) => DesiredTunnel | undefined;

type Leaf = readonly [setting: string, textOf: (tunnel: DesiredTunnel) => string];

/**
 * Newer versions of a secret are not a difference: `psk proceed` and the agent itself adopt them.
 */
const leaves: readonly Leaf[] = [
  ["device", ({ device }) => device],
  ["local.address", ({ localAddress }) => localAddress],
  ["remote.address", ({ remoteAddress }) => remoteAddress],
  ["protects.remote", ({ remotePrefixes }) => remotePrefixes.toSorted().join(", ")],
  ["policy of IKE", ({ ike }) => ikeText(ike)],
  ["policy of ESP", ({ transforms }) => espText(transforms)],
  ["life of the SAs", ({ life }) => `${life.seconds} s or ${life.kilobytes} kB`],
  ["mtu", ({ mtu }) => `${mtu}`],
  ["ifId", ({ ifId }) => `${ifId}`],
  ["bgp", ({ bgp }) => (bgp === undefined ? "none" : `${bgp.local} to ${bgp.peer}`)],
  ["backs", (tunnel) => portsBacked(tunnel).join(", ") || "none"],
  ["auth", ({ auth }) => (auth.kind === "certificate" ? `certificate of ${auth.peer}` : auth.kind)],
  ["auth.ppk", ({ auth: { ppk } }) => (ppk === undefined ? "none" : ppkText(ppk))],
  ["ike", ({ ikeVersion }) => ikeVersion ?? "v2"],
  // The selectors of IKEv2 are any-to-any, so only IKEv1 is set up again for another local prefix.
  ["protects.local", (tunnel) => (tunnel.ikeVersion === undefined ? "" : localText(tunnel))],
  ["local.id", ({ localId }) => localId ?? "default"],
  ["remote.id", ({ remoteId }) => remoteId ?? "default"],
  ["dpd", ({ dpdSeconds }) => (dpdSeconds === undefined ? "default" : `${dpdSeconds} s`)],
];

function ppkText({ secret, id, use }: NonNullable<DesiredTunnel["auth"]["ppk"]>): string {
  return `${secret} as ${id}, ${use}`;
}

function localText({ localPrefixes }: DesiredTunnel): string {
  return localPrefixes.toSorted().join(", ");
}

function ikeText({ encryption, integrity, prf, dhGroup }: IkeTransforms): string {
  return [encryption, integrity, prf, dhGroup].join("/");
}

function espText({ encryption, integrity, dhGroup }: Transforms): string {
  return [encryption, integrity, dhGroup].join("/");
}

function portsBacked({ backs }: DesiredTunnel): readonly PortName[] {
  return (backs?.links ?? []).map(({ port }) => port).toSorted();
}

/** Lists the settings in which the wanted tunnel differs from the one that was last applied. */
export function tunnelDifferences(
  made: DesiredTunnel,
  wanted: DesiredTunnel,
): readonly TunnelDifference[] {
  return leaves.flatMap(([setting, textOf]) => {
    const [before, after] = [textOf(made), textOf(wanted)];
    return before === after ? [] : [{ setting, made: before, wanted: after }];
  });
}

/** The limits of a tunnel's IKE that an operator must know before it is used. */
export function ikeNotes({ name: about, ikeVersion }: DesiredTunnel): readonly {
  readonly about: string;
  readonly text: string;
  readonly next: string;
}[] {
  if (ikeVersion === undefined) return [];
  const text =
    "IKEv1 protects one pair of prefixes, and cannot try a new pre-shared key beside the one in " +
    "use: if the gateway refuses it, the tunnel is down until the old one is back";
  return [{ about, text, next: "set ike: v2 if the gateway has it" }];
}

/** Why the existing tunnel cannot become the wanted one in place; undefined = it can. */
export function unmakeable(made: DesiredTunnel, wanted: DesiredTunnel): string | undefined {
  const { name } = wanted;
  const first = `take ${name} out of the config, then linkseal retire tunnel ${name}`;
  if (made.device !== wanted.device) {
    return `${name} is on ${made.device}, and a tunnel does not move to another device: ${first}`;
  }
  if (made.ifId !== wanted.ifId) {
    return `the interface of ${name} has the number ${made.ifId} while it exists: ${first}`;
  }
  return undefined;
}

/**
 * Complaints about tunnels that cannot become what the config asks, so that the config is refused
 * instead of accepted without effect.
 */
export function tunnelComplaints(
  { tunnels }: Pick<Desired, "tunnels">,
  made: (name: string) => DesiredTunnel | undefined,
  { text, file }: { readonly text: string; readonly file: string },
): readonly Complaint[] {
  return tunnels.flatMap((wanted) => {
    const before = made(wanted.name);
    const why = before === undefined ? undefined : unmakeable(before, wanted);
    if (why === undefined) return [];
    const lines = text.split("\n");
    const at = lines.findIndex((line) => nameIn(line) === wanted.name);
    const path = `tunnels ${wanted.name}`;
    const write = "leave it as it is, or give the other tunnel another name";
    return [{ file, line: at + 1, column: 1, path, what: "cannot become this", why, write }];
  });
}

/** The tunnel that a config line names, in block style or first in a flow map; undefined = none. */
function nameIn(line: string): string | undefined {
  return /^\s*(?:-\s*)?(?:\{\s*)?name:\s*["']?([^\s"',}#]+)/.exec(line)?.[1];
}

/** The prefixes that must not leave in the clear once the tunnel is in the accepted intent. */
export function blocksOf(tunnel: DesiredTunnel): readonly PrefixBlock[] {
  const { remotePrefixes, bgp } = tunnel;
  const ports = portsBacked(tunnel);
  const blocks = remotePrefixes.map((prefix): PrefixBlock => ({ prefix, ports }));
  if (bgp === undefined) return blocks;
  // The neighbour inside is reached through the tunnel alone.
  const neighbour = `${bgp.peer}/${bgp.peer.includes(":") ? 128 : 32}`;
  return remotePrefixes.includes(neighbour)
    ? blocks
    : [...blocks, { prefix: neighbour, ports: [] }];
}
