// What a change of tunnels comes to, and what is refused before anything is sent, for all vendors.

import { isIPv4 } from "node:net";
import type { DeviceChange, PortChange } from "#hal/device.ts";
import type { IkeTransforms, SaLife, Transforms, TunnelSpec } from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import type { Work } from "./define-dialect.ts";
import { type OnPort, refused, rejected } from "./port-change.ts";

type OnTunnel = Exclude<PortChange, OnPort | { readonly kind: "ipsec.block" }>;

/** A tunnel as it is configured, or as it is to be. */
export interface TunnelPlan {
  readonly name: string;
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** In the order of their text. */
  readonly remotePrefixes: readonly string[];
  readonly ike: IkeTransforms;
  readonly transforms: Transforms;
  readonly life: SaLife;
  readonly mtu: number;
  /** Name and version of its PSK in the vault; undefined = it does not say. */
  readonly psk: string | undefined;
}

export interface ChangedTunnel {
  readonly name: string;
  readonly before: TunnelPlan | undefined;
  /** undefined = it goes. */
  readonly after: (TunnelPlan & { readonly secret: Secret }) | undefined;
}

/** A platform's words for the model's; what has none there is refused. */
export type Words = Readonly<Record<string, string>>;

export interface TunnelWords {
  readonly ikeEncryption: Words;
  readonly ikeIntegrity: Words;
  readonly prf: Words;
  readonly dhGroup: Words;
  readonly espEncryption: Words;
  readonly espIntegrity: Words;
  readonly pfsGroup: Words;
}

interface Range {
  readonly min: number;
  readonly max: number;
}

/** What a platform takes of a tunnel. */
export interface TunnelLimits {
  readonly words: TunnelWords;
  readonly nameMax: number;
  readonly pskOctetsMax: number;
  readonly lifeSeconds: Range;
  readonly lifeKilobytes: Range;
  readonly mtu: Range;
}

interface Planning {
  readonly work: Work;
  readonly limits: TunnelLimits;
  /** By their names; undefined = there, and not understood. */
  readonly standing: ReadonlyMap<string, TunnelPlan | undefined>;
}

/** Azure renews its IKE SA after this long, and knows no other time. */
export const ikeSeconds = 28_800;
/** How long a silent gateway is asked until it counts as gone: three times, as Azure's 45 s. */
export const deadPeer = { seconds: 15, tries: 3 } as const;
/** IPv4 and TCP without options. */
const headerOctets = 40;

/** The largest TCP segment that fits. */
export function segmentMax({ mtu }: Pick<TunnelPlan, "mtu">): number {
  return mtu - headerOctets;
}

export function portsOf(change: DeviceChange): readonly OnPort[] {
  return change.filter((part) => "port" in part);
}

/** Each tunnel of the change that is to differ. Throws `device.*` with effect "none". */
export function planTunnels(change: DeviceChange, planning: Planning): readonly ChangedTunnel[] {
  const changed = new Map<string, ChangedTunnel>();
  for (const part of change) {
    if ("port" in part) continue;
    if (part.kind === "ipsec.block") {
      const why = "block policies around tunnels are not offered";
      throw refused(planning, "device.unsupported", part.kind, why);
    }
    const name = part.kind === "ipsec.putTunnel" ? part.tunnel.name : part.name;
    const before = planning.standing.get(name);
    if (planning.standing.has(name) && before === undefined) {
      throw rejected(planning, name, "what is configured there is not ours, or not understood");
    }
    changed.set(name, { name, before, after: planPart(part, planning) });
  }
  return [...changed.values()].filter(
    ({ before, after }) => shownOf(before) !== shownOf(after) || before?.psk !== after?.psk,
  );
}

function planPart(part: OnTunnel, planning: Planning): ChangedTunnel["after"] {
  switch (part.kind) {
    case "ipsec.putTunnel":
      return putTunnel(part.tunnel, planning);
    case "ipsec.removeTunnel":
      return undefined;
    case "ipsec.rekey":
      throw refused(planning, "device.unsupported", part.name, `${part.kind} is not offered`);
  }
}

function putTunnel(spec: TunnelSpec, planning: Planning): ChangedTunnel["after"] {
  refuseForm(spec, planning);
  refuseWords(spec, planning);
  refuseNumbers(spec, planning);
  const { name, localAddress, remoteAddress, ike, transforms, life, mtu } = spec;
  for (const [other, plan] of planning.standing) {
    if (other === name || plan === undefined) continue;
    if (plan.localAddress !== localAddress || plan.remoteAddress !== remoteAddress) continue;
    throw rejected(planning, name, `${other} joins the same two addresses`);
  }
  return {
    ...{ name, localAddress, remoteAddress, ike, transforms, life, mtu },
    remotePrefixes: [...new Set(spec.remotePrefixes)].toSorted(),
    ...pskFor(spec, planning),
  };
}

function refuseForm(spec: TunnelSpec, planning: Planning): void {
  const { name, auth, localAddress, remoteAddress, localPrefixes, remotePrefixes } = spec;
  const { nameMax } = planning.limits;
  if (name.length > nameMax) {
    throw rejected(planning, name, `a name there has at most ${nameMax} characters`);
  }
  if (auth.kind !== "psk") {
    const why = "other keys than pre-shared ones are offered on Linux alone";
    throw refused(planning, "device.unsupported", name, why);
  }
  const isIPv4Alone =
    [localAddress, remoteAddress].every(isIPv4) &&
    [...localPrefixes, ...remotePrefixes].every(isPrefix);
  if (!isIPv4Alone) {
    throw refused(planning, "device.unsupported", name, "it is not of IPv4 alone");
  }
  const loose = remotePrefixes.find((prefix) => networkOf(prefix) !== prefix);
  if (loose === undefined) return;
  throw rejected(
    planning,
    name,
    `${loose} has bits behind its length, which routers cut or refuse`,
  );
}

export function isPrefix(text: string): boolean {
  const [, address = "", length] = /^([\d.]{7,15})\/(\d{1,2})$/.exec(text) ?? [];
  return isIPv4(address) && Number(length) <= 32;
}

function networkOf(prefix: string): string {
  const [address = "", length = "0"] = prefix.split("/");
  const octets = address.split(".").map((octet, index) => {
    const bits = Math.min(8, Math.max(0, Number(length) - 8 * index));
    return Number(octet) & (0xff00 >> bits) & 0xff;
  });
  return `${octets.join(".")}/${length}`;
}

function refuseWords({ name, ike, transforms }: TunnelSpec, planning: Planning): void {
  const { words } = planning.limits;
  const wanted: readonly (readonly [string, string, Words])[] = [
    ["the cipher of IKE", ike.encryption, words.ikeEncryption],
    ["the integrity of IKE", ike.integrity, words.ikeIntegrity],
    ["the PRF of IKE", ike.prf, words.prf],
    ["the group of IKE", ike.dhGroup, words.dhGroup],
    ["the cipher of ESP", transforms.encryption, words.espEncryption],
    ["the integrity of ESP", transforms.integrity, words.espIntegrity],
    ["the group of ESP", transforms.dhGroup, words.pfsGroup],
  ];
  for (const [what, word, known] of wanted) {
    if (Object.hasOwn(known, word)) continue;
    const why = `it does not offer ${word} as ${what}`;
    throw refused(planning, "device.unsupported", name, why);
  }
}

function refuseNumbers({ name, life, mtu }: TunnelSpec, planning: Planning): void {
  const { lifeSeconds, lifeKilobytes, mtu: mtus } = planning.limits;
  const wanted = [
    ["s is the life of an IPsec SA", life.seconds, lifeSeconds],
    ["kB is what an IPsec SA protects", life.kilobytes, lifeKilobytes],
    ["octets is the MTU of a tunnel", mtu, mtus],
  ] as const;
  for (const [what, value, { min, max }] of wanted) {
    if (value >= min && value <= max) continue;
    throw rejected(planning, name, `${min} to ${max} ${what} there, and not ${value}`);
  }
}

function pskFor(
  { name, auth: { secretId } }: TunnelSpec,
  planning: Planning,
): { readonly psk: string; readonly secret: Secret } {
  const secret = planning.work.secrets.get(secretId);
  if (secret === undefined) throw rejected(planning, name, "the change brings no PSK");
  const { pskOctetsMax } = planning.limits;
  if (secret.byteLength === 0 || secret.byteLength > pskOctetsMax) {
    const why = `a PSK there has 1 to ${pskOctetsMax} octets, this one has ${secret.byteLength}`;
    throw refused(planning, "vault.malformedKey", name, why);
  }
  const psk = /\/([A-Za-z0-9-]{1,127}\/[A-Za-z0-9]{1,64})$/.exec(secretId)?.[1];
  if (psk !== undefined) return { psk, secret };
  throw rejected(planning, name, "the id of its PSK names no version");
}

/** Of the characters that a terminal takes for nothing but themselves. */
export function isPlainPsk(psk: Secret): boolean {
  return psk.use((octets) => octets.every((octet) => plainOctets.has(octet)));
}

const plainOctets: ReadonlySet<number> = new Set(
  Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:/@+,="),
);

/** Says a version of a PSK among the words of a description. */
export const pskRemark = (psk: string): string => `psk ${psk}`;

export function pskOfRemark(text: string | undefined): string | undefined {
  return /^"?psk ([A-Za-z0-9-]{1,127}\/[A-Za-z0-9]{1,64})"?$/.exec(text ?? "")?.[1];
}

/** The model's word for a platform's; undefined = it has none. */
export function wordFor(words: Words, theirs: string | undefined): string | undefined {
  return Object.entries(words).find(([, word]) => word === theirs)?.[0];
}

/** Lines with `+` and `-`; a secret is only ever its label. */
export function tunnelLines(changed: readonly ChangedTunnel[]): readonly string[] {
  return changed.flatMap(({ before, after }) => [
    ...(before === undefined ? [] : [`- ${shownOf(before)}, psk ${before.psk ?? "of somebody"}`]),
    ...(after === undefined
      ? []
      : [`+ ${shownOf(after)}, psk ${after.psk} ${after.secret.toJSON()}`]),
  ]);
}

function shownOf(plan: TunnelPlan | undefined): string {
  if (plan === undefined) return "";
  const { name, localAddress, remoteAddress, remotePrefixes, ike, transforms, life, mtu } = plan;
  return (
    `tunnel ${name} ${localAddress} to ${remoteAddress} protects ${remotePrefixes.join(",")} ` +
    `with ${transforms.encryption}/${transforms.integrity}/${transforms.dhGroup} ` +
    `for ${life.seconds}s or ${life.kilobytes}kB, ` +
    `IKE ${ike.encryption}/${ike.integrity}/${ike.prf}/${ike.dhGroup}, mtu ${mtu}`
  );
}
