// Plans a change of tunnels, and refuses what must not be sent, for all vendors.

import { isIPv4 } from "node:net";
import type { DeviceChange, PortChange } from "#hal/device.ts";
import type { Transforms } from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import type { IkeTransforms, SaLife, TunnelSpec } from "#hal/tunnel-spec.ts";
import type { Work } from "./define-dialect.ts";
import { type OnPort, refused, rejected } from "./port-change.ts";

type OnTunnel = Exclude<PortChange, OnPort | { readonly kind: "ipsec.block" }>;

/** Lifetime of an SA as a platform configures it. */
export interface PlannedLife extends Pick<SaLife, "seconds"> {
  /** In kilobytes of traffic; "unlimited" where only time is configured. */
  readonly kilobytes: SaLife["kilobytes"] | "unlimited";
}

/** A tunnel as it is configured, or as it is to be. */
export interface TunnelPlan {
  /** The tunnel's name in the config. */
  readonly name: string;
  /** Our outer address. */
  readonly localAddress: string;
  /** The gateway's outer address. */
  readonly remoteAddress: string;
  /** Prefixes behind the gateway, sorted as text. */
  readonly remotePrefixes: readonly string[];
  /** Algorithms of IKE. */
  readonly ike: IkeTransforms;
  /** Algorithms of ESP. */
  readonly transforms: Transforms;
  /** Lifetime of its IPsec SAs. */
  readonly life: PlannedLife;
  /** MTU of the inner packets, in octets. */
  readonly mtu: number;
  /** Name and version of its PSK in the vault; undefined = the configuration does not name them. */
  readonly psk: string | undefined;
}

/** A tunnel before and after a change. */
export interface ChangedTunnel {
  /** The tunnel's name in the config. */
  readonly name: string;
  /** undefined = it does not exist yet. */
  readonly before: TunnelPlan | undefined;
  /** undefined = it is removed. */
  readonly after: (TunnelPlan & { readonly secret: Secret }) | undefined;
}

/** Words of the model and the platform's word for each; a word that is missing here is refused. */
export type Words = Readonly<Record<string, string>>;

/** A platform's words for algorithms. */
export interface TunnelWords {
  /** Ciphers of IKE. */
  readonly ikeEncryption: Words;
  /** Integrity algorithms of IKE. */
  readonly ikeIntegrity: Words;
  /** Pseudo-random functions of IKE. */
  readonly prf: Words;
  /** Diffie-Hellman groups of IKE. */
  readonly dhGroup: Words;
  /** Ciphers of ESP. */
  readonly espEncryption: Words;
  /** Integrity algorithms of ESP. */
  readonly espIntegrity: Words;
  /** Diffie-Hellman groups of ESP, for perfect forward secrecy. */
  readonly pfsGroup: Words;
}

interface Range {
  readonly min: number;
  readonly max: number;
}

/** The limits of a platform for tunnels. */
export interface TunnelLimits {
  /** Its words for algorithms. */
  readonly words: TunnelWords;
  /** Characters of the longest name. */
  readonly nameMax: number;
  /** Octets of the longest pre-shared key. */
  readonly pskOctetsMax: number;
  /** Range of the lifetime, in seconds. */
  readonly lifeSeconds: Range;
  /**
   * Range of the lifetime, in kilobytes; "unlimited" = the platform is given none. Each end of an
   * SA has limits of its own (RFC 7296, 2.8), and those of the gateway hold as before.
   */
  readonly lifeKilobytes: Range | "unlimited";
  /** Range of the MTU, in octets. */
  readonly mtu: Range;
}

interface Planning {
  readonly work: Work;
  readonly limits: TunnelLimits;
  /** Configured tunnels by name; undefined = one that is not understood. */
  readonly standing: ReadonlyMap<string, TunnelPlan | undefined>;
}

/** Azure renews its IKE SA after this many seconds; the value cannot be changed. */
export const ikeSeconds = 28_800;
/**
 * How often a silent gateway is probed before it counts as gone: three times, as long as Azure's 45
 * s.
 */
export const deadPeer = { seconds: 15, tries: 3 } as const;
/** Headers of IPv4 and TCP without options. */
const headerOctets = 40;

/** Returns the largest TCP segment that fits. */
export function segmentMax({ mtu }: Pick<TunnelPlan, "mtu">): number {
  return mtu - headerOctets;
}

/** Returns the operations on ports. */
export function portsOf(change: DeviceChange): readonly OnPort[] {
  return change.filter((operation) => "port" in operation);
}

/**
 * Returns each tunnel of the change that is to differ.
 * @throws LinksealError `device.*`, with effect "none".
 */
export function planTunnels(change: DeviceChange, planning: Planning): readonly ChangedTunnel[] {
  const changed = new Map<string, ChangedTunnel>();
  for (const operation of change) {
    if ("port" in operation) continue;
    if (operation.kind === "ipsec.block") {
      const why = "block policies around tunnels are not offered";
      throw refused(planning, "device.unsupported", operation.kind, why);
    }
    const name = operation.kind === "ipsec.putTunnel" ? operation.tunnel.name : operation.name;
    const before = planning.standing.get(name);
    if (planning.standing.has(name) && before === undefined) {
      throw rejected(planning, name, "what is configured there is not ours, or not understood");
    }
    changed.set(name, { name, before, after: planOperation(operation, planning) });
  }
  return [...changed.values()].filter(
    ({ before, after }) => shownOf(before) !== shownOf(after) || before?.psk !== after?.psk,
  );
}

function planOperation(operation: OnTunnel, planning: Planning): ChangedTunnel["after"] {
  switch (operation.kind) {
    case "ipsec.putTunnel":
      return putTunnel(operation.tunnel, planning);
    case "ipsec.removeTunnel":
      return undefined;
    case "ipsec.rekey":
      throw refused(
        planning,
        "device.unsupported",
        operation.name,
        `${operation.kind} is not offered`,
      );
  }
}

function putTunnel(spec: TunnelSpec, planning: Planning): ChangedTunnel["after"] {
  refuseForm(spec, planning);
  refuseWords(spec, planning);
  refuseNumbers(spec, planning);
  const { name, localAddress, remoteAddress, ike, transforms, mtu } = spec;
  const { lifeKilobytes } = planning.limits;
  const kilobytes = lifeKilobytes === "unlimited" ? lifeKilobytes : spec.life.kilobytes;
  const life = { seconds: spec.life.seconds, kilobytes };
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
    const why = "only Linux offers other keys than pre-shared ones";
    throw refused(planning, "device.unsupported", name, why);
  }
  const only = linuxOnly(spec);
  if (only !== undefined) {
    const why = `only Linux offers ${only}`;
    throw refused(planning, "device.unsupported", name, why);
  }
  const isIPv4Alone =
    [localAddress, remoteAddress].every(isIPv4) &&
    [...localPrefixes, ...remotePrefixes].every(isPrefix);
  if (!isIPv4Alone) {
    throw refused(planning, "device.unsupported", name, "it is not only IPv4");
  }
  const loose = remotePrefixes.find((prefix) => networkOf(prefix) !== prefix);
  if (loose === undefined) return;
  throw rejected(
    planning,
    name,
    `${loose} has bits behind its length, which routers cut or refuse`,
  );
}

/** Returns the first part of a tunnel that no vendor's driver renders; undefined = none. */
function linuxOnly({ auth, ikeVersion, localId, remoteId, dpdSeconds }: TunnelSpec) {
  if (auth.ppk !== undefined) return "postquantum preshared keys";
  if (ikeVersion !== undefined) return "IKEv1";
  if (localId !== undefined || remoteId !== undefined) return "identities other than addresses";
  return dpdSeconds === undefined ? undefined : "another interval of dead peer detection";
}

/** Returns whether the text is an IPv4 prefix in CIDR notation. */
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
  for (const [what, value, range] of wanted) {
    if (range === "unlimited" || (value >= range.min && value <= range.max)) continue;
    const { min, max } = range;
    throw rejected(planning, name, `${min} to ${max} ${what} there, and not ${value}`);
  }
}

function pskFor(
  { name, auth: { secretId } }: TunnelSpec,
  planning: Planning,
): { readonly psk: string; readonly secret: Secret } {
  const secret = planning.work.secrets.get(secretId);
  if (secret === undefined) throw rejected(planning, name, "the change contains no PSK");
  const { pskOctetsMax } = planning.limits;
  if (secret.byteLength === 0 || secret.byteLength > pskOctetsMax) {
    const why = `a PSK there has 1 to ${pskOctetsMax} octets, this one has ${secret.byteLength}`;
    throw refused(planning, "vault.malformedKey", name, why);
  }
  const psk = /\/([A-Za-z0-9-]{1,127}\/[A-Za-z0-9]{1,64})$/.exec(secretId)?.[1];
  if (psk !== undefined) return { psk, secret };
  throw rejected(planning, name, "the id of its PSK names no version");
}

/** Returns whether the PSK has only characters that a terminal does not interpret. */
export function isPlainPsk(psk: Secret): boolean {
  return psk.use((octets) => octets.every((octet) => plainOctets.has(octet)));
}

const plainOctets: ReadonlySet<number> = new Set(
  Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:/@+,="),
);

/** Returns a description that names a version of a PSK. */
export const pskRemark = (psk: string): string => `psk ${psk}`;

/** Returns the version that a remark names; undefined = it is no remark of ours. */
export function pskOfRemark(text: string | undefined): string | undefined {
  return /^"?psk ([A-Za-z0-9-]{1,127}\/[A-Za-z0-9]{1,64})"?$/.exec(text ?? "")?.[1];
}

/** Returns the model's word for a platform's; undefined = it has none. */
export function wordFor(words: Words, theirs: string | undefined): string | undefined {
  return Object.entries(words).find(([, word]) => word === theirs)?.[0];
}

/** Returns lines with `+` and `-`; a secret is shown only by its label. */
export function tunnelLines(changed: readonly ChangedTunnel[]): readonly string[] {
  return changed.flatMap(({ before, after }) => [
    ...(before === undefined ? [] : [`- ${shownOf(before)}, psk ${before.psk ?? "unknown"}`]),
    ...(after === undefined
      ? []
      : [`+ ${shownOf(after)}, psk ${after.psk} ${after.secret.toJSON()}`]),
  ]);
}

function shownOf(plan: TunnelPlan | undefined): string {
  if (plan === undefined) return "";
  const { name, localAddress, remoteAddress, remotePrefixes, ike, transforms, life, mtu } = plan;
  const { seconds, kilobytes } = life;
  const limit = kilobytes === "unlimited" ? `${seconds}s` : `${seconds}s or ${kilobytes}kB`;
  return (
    `tunnel ${name} ${localAddress} to ${remoteAddress} protects ${remotePrefixes.join(",")} ` +
    `with ${transforms.encryption}/${transforms.integrity}/${transforms.dhGroup} ` +
    `for ${limit}, ` +
    `IKE ${ike.encryption}/${ike.integrity}/${ike.prf}/${ike.dhGroup}, mtu ${mtu}`
  );
}
