// How a tunnel of the intent differs from what was last applied, setting by setting. Pure.

import type { Capabilities, PrefixBlock } from "#hal/device.ts";
import type { PortName, Transforms } from "#hal/model.ts";
import type { IkeTransforms } from "#hal/tunnel-spec.ts";
import type { Complaint } from "../config/index.ts";
import { contains, parsePrefix } from "../health/prefix.ts";
import type { Desired, DesiredTunnel } from "../model/desired.ts";
import { type Memory, named } from "../store/journal/memory.ts";

/**
 * The part of a tunnel that a setting belongs to: `sas` = they are negotiated anew; `paths` = the
 * interface, its routes and blocks, which no SA depends on; `nothing` = no device has it, and only
 * the verdicts depend on it.
 */
type Touched = "sas" | "paths" | "nothing";

/** A setting in which a tunnel differs from what was last applied. */
export interface TunnelDifference {
  /** The setting's path as the config spells it. */
  readonly setting: string;
  /** Its value as it was last applied, as text. */
  readonly made: string;
  /** Its value in the config, as text. */
  readonly wanted: string;
  /** The part of the tunnel that changes. */
  readonly touches: Touched;
}

/** Looks up a tunnel as it was last applied; undefined = no accepted config contains it. */
export type MadeTunnel = (name: string) => DesiredTunnel | undefined;

type Leaf = readonly [setting: string, touches: Touched, textOf: (tunnel: DesiredTunnel) => string];

/**
 * Newer versions of a secret are not a difference: `psk proceed` and the agent itself adopt them.
 */
const leaves: readonly Leaf[] = [
  ["device", "sas", ({ device }) => device],
  ["local.address", "sas", ({ localAddress }) => localAddress],
  ["local.id", "sas", ({ localId }) => localId ?? "default"],
  ["remote.address", "sas", ({ remoteAddress }) => remoteAddress],
  ["remote.id", "sas", ({ remoteId }) => remoteId ?? "default"],
  ["protects.local", "nothing", ({ localPrefixes }) => localPrefixes.toSorted().join(", ")],
  ["protects.remote", "paths", ({ remotePrefixes }) => remotePrefixes.toSorted().join(", ")],
  ["ike", "sas", ({ ikeVersion }) => ikeVersion ?? "v2"],
  ["policy of IKE", "sas", ({ ike }) => ikeText(ike)],
  ["policy of ESP", "sas", ({ transforms }) => espText(transforms)],
  ["life of the SAs", "sas", ({ life }) => `${life.seconds} s or ${life.kilobytes} kB`],
  ["dpd", "sas", ({ dpdSeconds }) => (dpdSeconds === undefined ? "default" : `${dpdSeconds} s`)],
  ["mtu", "paths", ({ mtu }) => `${mtu}`],
  ["ifId", "sas", ({ ifId }) => `${ifId}`],
  ["bgp", "paths", ({ bgp }) => (bgp === undefined ? "none" : `${bgp.local} to ${bgp.peer}`)],
  ["backs", "paths", (tunnel) => portsBacked(tunnel).join(", ") || "none"],
  ["auth", "sas", ({ auth }) => authText(auth)],
  ["auth.ppk", "sas", ({ auth: { ppk } }) => (ppk === undefined ? "none" : ppkText(ppk))],
];

/** The selectors of IKEv2 are any-to-any; those of IKEv1 are the prefixes. */
const selectors: readonly string[] = ["protects.local", "protects.remote"];

function authText(auth: DesiredTunnel["auth"]): string {
  return auth.kind === "certificate" ? `certificate of ${auth.peer}` : auth.kind;
}

function ppkText({ secret, id, use }: NonNullable<DesiredTunnel["auth"]["ppk"]>): string {
  return `${secret} as ${id}, ${use}`;
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
  return leaves.flatMap(([setting, touches, textOf]) => {
    const [before, after] = [textOf(made), textOf(wanted)];
    if (before === after) return [];
    const isSelector = wanted.ikeVersion !== undefined && selectors.includes(setting);
    const difference = { setting, made: before, wanted: after };
    return [{ ...difference, touches: isSelector ? "sas" : touches }];
  });
}

/**
 * How a device makes the differences: `paths` = without touching an SA; `beside` = new SAs are made
 * beside those that carry; `dark` = the tunnel is down until the new SAs are up; `nothing` = no
 * device is changed.
 */
export type ChangeWay = "nothing" | "paths" | "beside" | "dark";

/** Returns the way of the difference that disturbs the tunnel the most. */
export function changeWay(
  differences: readonly TunnelDifference[],
  capabilities: Pick<Capabilities, "ipsec"> | undefined,
): ChangeWay {
  const touched = new Set(differences.map(({ touches }) => touches));
  if (!touched.has("sas") && !touched.has("paths")) return "nothing";
  // A device that renews on demand makes the new SAs beside those that carry.
  if (capabilities?.ipsec?.rekeys.includes("reauthenticate") !== true) return "dark";
  return touched.has("sas") ? "beside" : "paths";
}

/** Where a tunnel ends that no config names any more, and what becomes of it. */
export type Leaving =
  /** The agent removes it from this device. */
  | { readonly kind: "removed"; readonly name: string; readonly device: string }
  /** It goes on until an operator retires it. */
  | { readonly kind: "stays"; readonly name: string; readonly why: string; readonly risk: boolean };

interface LeavingInput {
  readonly desired: Pick<Desired, "devices" | "tunnels">;
  readonly memory: Pick<Memory, "tunnels" | "auths">;
  readonly made: MadeTunnel;
  readonly capabilities: (device: string) => Pick<Capabilities, "ipsec"> | undefined;
  /** True if the config accepts the risk `clearAfterRetire` now. */
  readonly acceptsClear: boolean;
}

/**
 * Returns the tunnels that the journal has and the config does not name. Only one that linkseal set
 * up itself is removed, and without blocks only at an accepted risk: what it protects could leave
 * in the clear.
 */
export function leavingTunnels(input: LeavingInput): readonly Leaving[] {
  const { desired, memory } = input;
  return Object.keys(memory.tunnels)
    .filter((name) => !desired.tunnels.some((tunnel) => tunnel.name === name))
    .map((name) => leavingTunnel(input, name));
}

function leavingTunnel(
  { desired, memory, made, capabilities, acceptsClear }: LeavingInput,
  name: string,
): Leaving {
  const stays = (why: string, risk = false): Leaving => ({ kind: "stays", name, why, risk });
  if (named(memory.auths, name) === undefined) return stays("linkseal did not set it up");
  const device = made(name)?.device;
  if (device === undefined) return stays("the config that it was made from is not stored any more");
  if (!desired.devices.some((one) => one.name === device)) {
    return stays(`its device ${device} is in no config any more`);
  }
  const isOpen = capabilities(device)?.ipsec?.blocks !== true;
  if (isOpen && !acceptsClear) {
    return stays(`${device} blocks nothing: what ${name} protects may leave in the clear`, true);
  }
  return { kind: "removed", name, device };
}

/**
 * Returns those of the prefixes that a device blocks which none of these tunnels protects there,
 * whether or not a tunnel ever carried them: they stay blocked until a person releases them.
 */
export function leftBlocked(
  device: string,
  blocked: readonly string[],
  tunnels: readonly DesiredTunnel[],
): readonly string[] {
  const needed = tunnels
    .filter((tunnel) => tunnel.device === device)
    .flatMap((tunnel) => blocksOf(tunnel).flatMap(({ prefix }) => parsePrefix(prefix) ?? []));
  return blocked.filter((text) => {
    const prefix = parsePrefix(text);
    return prefix !== undefined && !needed.some((outer) => contains(outer, prefix));
  });
}

/** The command that opens a blocked prefix; root runs it on the device. */
export const releaseCommand = (prefix: string): string => `linkseal guard --release ${prefix}`;

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
  const retire = `linkseal retire tunnel ${name}`;
  const first = `apply a config without ${name}; if it then goes on, ${retire}`;
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
