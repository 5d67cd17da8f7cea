// The tunnels of an IOS XE configuration, without the keys in it. A tunnel has the name of its
// IPsec profile; it is ours, and may be written, if all that it is made of bears that name.

import { isIPv4 } from "node:net";
import { bitsOf, wholeOf } from "../platform/cisco-text.ts";
import {
  pskOfRemark,
  type TunnelLimits,
  type TunnelPlan,
  type TunnelWords,
  wordFor,
} from "../platform/tunnel-change.ts";
import { type Block, blocksIn, named, restOf } from "./config.ts";

export interface XeTunnels {
  readonly tunnels: ReadonlyMap<string, XeTunnel>;
  /** Interfaces of the global table by the addresses that they have. */
  readonly homes: ReadonlyMap<string, string>;
  /** Numbers of tunnel interfaces. */
  readonly numbers: ReadonlySet<number>;
  /** Where static routes of the global table lead, by their prefixes. */
  readonly routes: ReadonlyMap<string, readonly string[]>;
  /** Of IKE proposals and policies. */
  readonly policies: ReadonlySet<string>;
  /** Of keyrings, profiles and transform sets. */
  readonly names: ReadonlySet<string>;
}

export interface XeTunnel {
  readonly name: string;
  readonly interface: string;
  readonly localAddress: string | undefined;
  readonly remoteAddress: string | undefined;
  /** undefined = not ours, or not understood. */
  readonly plan: TunnelPlan | undefined;
}

const digests = { sha384: "sha384", sha256: "sha256", sha1: "sha1" };
const groups = {
  "ecp-384": "20",
  "ecp-256": "19",
  "modp-2048": "14",
  "modp-2048-256": "24",
  "modp-1024": "2",
};

export const words: TunnelWords = {
  ikeEncryption: {
    "aes-256-gcm": "aes-gcm-256",
    "aes-128-gcm": "aes-gcm-128",
    "aes-256-cbc": "aes-cbc-256",
    "aes-192-cbc": "aes-cbc-192",
    "aes-128-cbc": "aes-cbc-128",
    "3des-cbc": "3des",
  },
  ikeIntegrity: { none: "", ...digests },
  prf: digests,
  dhGroup: groups,
  espEncryption: {
    "aes-256-gcm": "esp-gcm 256",
    "aes-192-gcm": "esp-gcm 192",
    "aes-128-gcm": "esp-gcm",
    "aes-256-cbc": "esp-aes 256",
    "aes-192-cbc": "esp-aes 192",
    "aes-128-cbc": "esp-aes",
    "3des-cbc": "esp-3des",
  },
  espIntegrity: { none: "", sha256: "esp-sha256-hmac", sha1: "esp-sha-hmac" },
  pfsGroup: { none: "", ...groups },
};

export const limits: TunnelLimits = {
  words,
  nameMax: 63,
  // In hexadecimal digits they still fit into a line of a router.
  pskOctetsMax: 116,
  lifeSeconds: { min: 120, max: 86_400 },
  lifeKilobytes: { min: 2_560, max: 4_294_967_295 },
  mtu: { min: 68, max: 9_192 },
};

/** What IOS XE does not print. */
const lifeDefault = { seconds: 3_600, kilobytes: 4_608_000 };

/** Of the policy of IKE and its proposal: IOS XE takes them by our address, and not by the peer. */
export function policyName(localAddress: string): string {
  return `linkseal-${localAddress}`;
}

export interface TunnelTexts {
  readonly interfaces: string;
  readonly ike: string;
  readonly ipsec: string;
}

interface Parts {
  readonly proposals: ReadonlyMap<string, Block>;
  readonly policies: ReadonlyMap<string, Block>;
  readonly keyrings: ReadonlyMap<string, Block>;
  readonly profiles: ReadonlyMap<string, Block>;
  /** Their words behind the name. */
  readonly transformSets: ReadonlyMap<string, string>;
  readonly ipsecProfiles: ReadonlyMap<string, Block>;
  readonly routes: XeTunnels["routes"];
}

/** undefined = one of the texts is no configuration. */
export function readTunnels(texts: TunnelTexts): XeTunnels | undefined {
  const ports = blocksIn(texts.interfaces, /^(?:interface|ip route) \S/);
  const ike = blocksIn(texts.ike, /^crypto ikev2 (?:proposal|policy|keyring|profile) \S/);
  const ipsec = blocksIn(texts.ipsec, /^crypto ipsec (?:transform-set|profile) \S/);
  if (ports === undefined || ike === undefined || ipsec === undefined) return undefined;
  const asIs = (block: Block): Block => block;
  const parts: Parts = {
    proposals: named(ike, /^crypto ikev2 proposal (\S+)$/, asIs),
    policies: named(ike, /^crypto ikev2 policy (\S+)$/, asIs),
    keyrings: named(ike, /^crypto ikev2 keyring (\S+)$/, asIs),
    profiles: named(ike, /^crypto ikev2 profile (\S+)$/, asIs),
    transformSets: named(ipsec, /^crypto ipsec transform-set (\S+) \S.*$/, ({ line }) =>
      line.split(" ").slice(4).join(" ").trim(),
    ),
    ipsecProfiles: named(ipsec, /^crypto ipsec profile (\S+)$/, asIs),
    routes: routesIn(ports),
  };
  const interfaces = named(ports, /^interface (\S+)$/, asIs);
  return {
    tunnels: tunnelsIn(interfaces, parts),
    homes: homesIn(interfaces),
    numbers: new Set(
      [...interfaces.keys()].flatMap((name) => wholeOf(/^Tunnel(\d{1,10})$/.exec(name)?.[1]) ?? []),
    ),
    routes: parts.routes,
    policies: new Set([...parts.proposals.keys(), ...parts.policies.keys()]),
    names: new Set([
      ...parts.keyrings.keys(),
      ...parts.profiles.keys(),
      ...parts.transformSets.keys(),
      ...parts.ipsecProfiles.keys(),
    ]),
  };
}

function homesIn(interfaces: ReadonlyMap<string, Block>): XeTunnels["homes"] {
  const homes = new Map<string, string>();
  for (const [name, block] of interfaces) {
    if (restOf(block, "vrf forwarding") !== undefined) continue;
    const [address = ""] = restOf(block, "ip address")?.split(" ") ?? [];
    if (isIPv4(address)) homes.set(address, name);
  }
  return homes;
}

function routesIn(blocks: readonly Block[]): XeTunnels["routes"] {
  const routes = new Map<string, string[]>();
  for (const { line } of blocks) {
    const [, address = "", mask = "", hop = ""] =
      /^ip route ([\d.]{7,15}) ([\d.]{7,15}) (\S{1,64})(?: |$)/.exec(line) ?? [];
    if (!isIPv4(address) || !isIPv4(mask)) continue;
    const prefix = `${address}/${bitsOf(mask)}`;
    routes.set(prefix, [...(routes.get(prefix) ?? []), hop]);
  }
  return routes;
}

function tunnelsIn(
  interfaces: ReadonlyMap<string, Block>,
  parts: Parts,
): ReadonlyMap<string, XeTunnel> {
  const bound = [...interfaces].flatMap(([name, block]) => {
    const profile = /^ipsec profile (\S+)/.exec(restOf(block, "tunnel protection") ?? "")?.[1];
    return profile === undefined ? [] : [{ name, block, profile }];
  });
  return new Map(
    bound.map(({ name, block, profile }) => {
      const isAlone = bound.filter((one) => one.profile === profile).length === 1;
      // A profile that several share names none of them.
      const called = isAlone ? profile : name;
      const [local, remote] = ["tunnel source", "tunnel destination"].map((one) =>
        restOf(block, one),
      );
      const plan = isAlone ? planOf(called, name, block, parts) : undefined;
      const ends = { localAddress: local, remoteAddress: remote };
      return [called, { name: called, interface: name, ...ends, plan }] as const;
    }),
  );
}

function planOf(name: string, at: string, block: Block, parts: Parts): TunnelPlan | undefined {
  const localAddress = restOf(block, "tunnel source") ?? "";
  const remoteAddress = restOf(block, "tunnel destination") ?? "";
  const mtu = wholeOf(restOf(block, "ip mtu"));
  const profile = parts.profiles.get(name);
  const ipsecProfile = parts.ipsecProfiles.get(name);
  const isOurs =
    restOf(block, "tunnel mode") === "ipsec ipv4" &&
    restOf(profile ?? nothing, "keyring local") === name &&
    restOf(profile ?? nothing, "match address local") === localAddress &&
    restOf(profile ?? nothing, "match identity remote address") ===
      `${remoteAddress} 255.255.255.255` &&
    restOf(ipsecProfile ?? nothing, "set transform-set") === name &&
    restOf(ipsecProfile ?? nothing, "set ikev2-profile") === name;
  const ike = ikeOf(parts, localAddress);
  const transforms = espOf(parts.transformSets.get(name), ipsecProfile);
  const life = lifeOf(ipsecProfile);
  if (!isOurs || ike === undefined || transforms === undefined || life === undefined) {
    return undefined;
  }
  if (mtu === undefined || ![localAddress, remoteAddress].every(isIPv4)) return undefined;
  const remotePrefixes = [...parts.routes]
    .flatMap(([prefix, hops]) => (hops.includes(at) ? [prefix] : []))
    .toSorted();
  const psk = pskOfRemark(peerRemark(parts.keyrings.get(name), name));
  return { name, localAddress, remoteAddress, remotePrefixes, ike, transforms, life, mtu, psk };
}

const nothing: Block = { line: "", children: [] };

function peerRemark(keyring: Block | undefined, name: string): string | undefined {
  const peer = keyring?.children.find(({ line }) => line === `peer ${name}`);
  return restOf(peer ?? nothing, "description");
}

function ikeOf({ policies, proposals }: Parts, local: string): TunnelPlan["ike"] | undefined {
  const name = policyName(local);
  const policy = policies.get(name);
  const proposal = proposals.get(name);
  if (policy === undefined || proposal === undefined) return undefined;
  if (restOf(policy, "match address local") !== local) return undefined;
  const offered = policy.children.filter(({ line }) => line.startsWith("proposal "));
  if (offered.length !== 1 || offered[0]?.line !== `proposal ${name}`) return undefined;
  const encryption = wordFor(words.ikeEncryption, restOf(proposal, "encryption"));
  const integrity = wordFor(words.ikeIntegrity, restOf(proposal, "integrity") ?? "");
  const prf = wordFor(words.prf, restOf(proposal, "prf") ?? restOf(proposal, "integrity"));
  const dhGroup = wordFor(words.dhGroup, restOf(proposal, "group"));
  if (encryption === undefined || integrity === undefined) return undefined;
  if (prf === undefined || dhGroup === undefined) return undefined;
  return { encryption, integrity, prf, dhGroup };
}

/** `esp-gcm 256`, `esp-aes 256 esp-sha256-hmac`, and `esp-256-aes …` of what is in use. */
export function readTransforms(
  text: string | undefined,
): Pick<TunnelPlan["transforms"], "encryption" | "integrity"> | undefined {
  const plain = text?.replace(/^esp-(\d{3})-aes\b/, "esp-aes $1") ?? "";
  const [, cipher, mac = ""] = /^(esp-\w+(?: \d{3})?)(?: (esp-\w+-hmac))?$/.exec(plain) ?? [];
  const encryption = wordFor(words.espEncryption, cipher?.replace(/ 128$/, ""));
  const integrity = wordFor(words.espIntegrity, mac);
  return encryption === undefined || integrity === undefined
    ? undefined
    : { encryption, integrity };
}

function espOf(set: string | undefined, profile = nothing): TunnelPlan["transforms"] | undefined {
  const transforms = readTransforms(set);
  const dhGroup = wordFor(words.pfsGroup, (restOf(profile, "set pfs") ?? "").replace("group", ""));
  return transforms === undefined || dhGroup === undefined ? undefined : { ...transforms, dhGroup };
}

function lifeOf(profile = nothing): TunnelPlan["life"] | undefined {
  const told = (unit: "seconds" | "kilobytes"): number | undefined => {
    const text = restOf(profile, `set security-association lifetime ${unit}`);
    return text === undefined ? lifeDefault[unit] : wholeOf(text);
  };
  const [seconds, kilobytes] = [told("seconds"), told("kilobytes")];
  return seconds === undefined || kilobytes === undefined ? undefined : { seconds, kilobytes };
}
