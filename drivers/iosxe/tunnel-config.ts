// The tunnels of an IOS XE configuration, without the keys in it. A tunnel has the name of its
// IPsec profile; it is ours, and may be written, if all that it consists of has that name.

import { isIPv4 } from "node:net";
import type { Block } from "../platform/block.ts";
import { named, restOf } from "../platform/cisco-config.ts";
import { bitsOf } from "../platform/cisco-text.ts";
import { wholeOf } from "../platform/text.ts";
import {
  pskOfRemark,
  type TunnelLimits,
  type TunnelPlan,
  type TunnelWords,
} from "../platform/tunnel-change.ts";
import {
  digests,
  espFor,
  groupNumbers,
  homesOf,
  numbersIn,
  planFrom,
  routesOf,
  type TunnelConfig,
  tunnelsBy,
  wordsFor,
} from "../platform/tunnel-config.ts";
import { blocksIn } from "./config.ts";

export interface XeTunnels extends TunnelConfig {
  /** Names of IKE proposals and policies. */
  readonly policies: ReadonlySet<string>;
  /** Algorithms of our whole policies of IKE, by their names. */
  readonly whole: ReadonlyMap<string, TunnelPlan["ike"]>;
  /** Policies of ours that a change began and did not finish, with the parts that exist. */
  readonly leftovers: ReadonlyMap<string, readonly ("policy" | "proposal")[]>;
  /** Objects of tunnels that a change was cut off in, in the order in which they are removed. */
  readonly remains: ReadonlyMap<string, readonly Remain[]>;
}

/** An object, by the words of its kind and its own name. */
type Remain = readonly [kind: string, name: string];

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
  dhGroup: groupNumbers,
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
  pfsGroup: { none: "", ...groupNumbers },
};

export const limits: TunnelLimits = {
  words,
  nameMax: 63,
  // In hexadecimal digits, they still fit into a line of a router.
  pskOctetsMax: 116,
  lifeSeconds: { min: 120, max: 86_400 },
  lifeKilobytes: { min: 2_560, max: 4_294_967_295 },
  mtu: { min: 68, max: 9_192 },
};

/** Lifetimes that IOS XE does not print, because they are its defaults. */
const lifeDefault = { seconds: 3_600, kilobytes: 4_608_000 };

/**
 * Returns the name of the IKE policy and its proposal: IOS XE chooses them by our address, not by
 * the peer.
 */
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

const asIs = (block: Block): Block => block;

/** Returns undefined if one of the texts is not a configuration. */
export function readTunnels(texts: TunnelTexts): XeTunnels | undefined {
  const ports = blocksIn(texts.interfaces, /^(?:interface|ip route) \S/);
  const ike = blocksIn(texts.ike, /^crypto ikev2 (?:proposal|policy|keyring|profile) \S/);
  const ipsec = blocksIn(texts.ipsec, /^crypto ipsec (?:transform-set|profile) \S/);
  if (ports === undefined || ike === undefined || ipsec === undefined) return undefined;
  const parts: Parts = {
    proposals: named(ike, /^crypto ikev2 proposal (\S+)$/, asIs),
    policies: named(ike, /^crypto ikev2 policy (\S+)$/, asIs),
    keyrings: named(ike, /^crypto ikev2 keyring (\S+)$/, asIs),
    profiles: named(ike, /^crypto ikev2 profile (\S+)$/, asIs),
    transformSets: named(ipsec, /^crypto ipsec transform-set (\S+) \S.*$/, ({ line }) =>
      line.split(" ").slice(4).join(" ").trim(),
    ),
    ipsecProfiles: named(ipsec, /^crypto ipsec profile (\S+)$/, asIs),
    routes: routesOf(ports.flatMap(routeIn)),
  };
  const { proposals, policies, keyrings, profiles, transformSets, ipsecProfiles, routes } = parts;
  const interfaces = named(ports, /^interface (\S+)$/, asIs);
  const bound = [...interfaces].flatMap(([name, block]) => {
    const profile = /^ipsec profile (\S+)/.exec(restOf(block, "tunnel protection") ?? "")?.[1];
    return profile === undefined ? [] : [{ interface: name, block, profile }];
  });
  const makings = [keyrings, profiles, transformSets, ipsecProfiles];
  const remains = remainsIn(parts, interfaces, new Set(bound.map(({ profile }) => profile)));
  const names = makings.flatMap((made) => [...made.keys()]);
  return {
    tunnels: tunnelsBy(
      bound,
      ({ block }) => endsOf(block),
      (one) => planFrom(readTunnel(one, parts), routes),
    ),
    homes: homesOf(
      [...interfaces].map(([name, block]) => {
        const isElsewhere = restOf(block, "vrf forwarding") !== undefined;
        const [address = ""] = restOf(block, "ip address")?.split(" ") ?? [];
        return [isElsewhere ? "" : address, name];
      }),
    ),
    numbers: numbersIn(interfaces.keys(), /^Tunnel(\d{1,10})$/),
    routes,
    policies: new Set([...proposals.keys(), ...policies.keys()]),
    whole: new Map(
      [...policies.keys()].flatMap((name) => {
        const ike = ikeOf(parts, /^linkseal-([\d.]{7,15})$/.exec(name)?.[1] ?? "");
        return ike === undefined ? [] : [[name, ike] as const];
      }),
    ),
    leftovers: leftoversIn(parts),
    names: new Set(names.filter((name) => !remains.has(name))),
    remains,
  };
}

/**
 * A line is in force as it is typed, so a change that was interrupted leaves what it had typed:
 * part of the lines that we write, and no other.
 */
function leftoversIn({ policies, proposals }: Parts): XeTunnels["leftovers"] {
  const names = new Set([...policies.keys(), ...proposals.keys()]);
  return new Map(
    [...names].flatMap((name) => {
      const local = /^linkseal-([\d.]{7,15})$/.exec(name)?.[1] ?? "";
      const ours = [`match address local ${local}`, `proposal ${name}`];
      const [policy, proposal] = [policies.get(name), proposals.get(name)];
      const isOurs =
        policyName(local) === name &&
        (policy?.children ?? []).every(({ line }) => ours.includes(line)) &&
        (proposal?.children ?? []).every(({ line }) => proposalLine.test(line));
      const isWhole =
        policy?.children.length === ours.length &&
        ["encryption", "prf", "group"].every((word) => restOf(proposal, word) !== undefined);
      if (!isOurs || isWhole) return [];
      const parts = { policy, proposal };
      return [[name, typedParts.filter((part) => parts[part] !== undefined)] as const];
    }),
  );
}

/**
 * A keyring is written first and removed last, and its remark is ours. Before it has one, it is
 * empty and alone. What another object refers to is left as it is.
 */
function remainsIn(
  parts: Parts,
  interfaces: ReadonlyMap<string, Block>,
  protecting: ReadonlySet<string>,
): XeTunnels["remains"] {
  const { keyrings, profiles, transformSets, ipsecProfiles } = parts;
  return new Map(
    [...keyrings].flatMap(([name, { children }]) => {
      const own: readonly Remain[] = [
        ...halfTunnels(profiles.get(name), interfaces),
        ...(ipsecProfiles.has(name) ? [["crypto ipsec profile", name] as const] : []),
        ...(transformSets.has(name) ? [["crypto ipsec transform-set", name] as const] : []),
        ...(profiles.has(name) ? [["crypto ikev2 profile", name] as const] : []),
        ["crypto ikev2 keyring", name],
      ];
      const [peer] = children;
      const isMarked =
        children.length === 1 &&
        peer?.line === `peer ${name}` &&
        pskOfRemark(restOf(peer, "description")) !== undefined;
      const isBare = children.length === 0 && own.length === 1;
      const isUsed =
        protecting.has(name) ||
        [...profiles, ...ipsecProfiles].some(
          ([other, block]) => other !== name && block.children.some((one) => refersTo(one, name)),
        );
      return (isMarked || isBare) && !isUsed ? [[name, own] as const] : [];
    }),
  );
}

const refersTo = ({ line }: Block, name: string): boolean =>
  /^(?:keyring local|set (?:transform-set|ikev2-profile)) /.test(line) &&
  line.split(" ").includes(name);

/** Returns interfaces that join the ends of a profile, and that nothing protects yet. */
function halfTunnels(
  profile: Block | undefined,
  interfaces: ReadonlyMap<string, Block>,
): readonly Remain[] {
  const local = restOf(profile, "match address local");
  const remote = restOf(profile, "match identity remote address");
  return [...interfaces].flatMap(([name, block]) => {
    const { localAddress, remoteAddress } = endsOf(block);
    const isHalf =
      /^Tunnel\d{1,10}$/.test(name) &&
      restOf(block, "tunnel mode") === "ipsec ipv4" &&
      restOf(block, "tunnel protection") === undefined &&
      localAddress !== undefined &&
      localAddress === local &&
      `${remoteAddress ?? ""} 255.255.255.255` === remote;
    return isHalf ? [["interface", name] as const] : [];
  });
}

const proposalLine = /^(?:encryption|integrity|prf|group) \S+$/;
/** In the order in which they are removed. */
const typedParts = ["policy", "proposal"] as const;

function routeIn({ line }: Block): readonly (readonly [string, string])[] {
  const [, address = "", mask = "", hop = ""] =
    /^ip route ([\d.]{7,15}) ([\d.]{7,15}) (\S{1,64})(?: |$)/.exec(line) ?? [];
  return isIPv4(address) && isIPv4(mask) ? [[`${address}/${bitsOf(mask)}`, hop]] : [];
}

const endsOf = (block: Block) => ({
  localAddress: restOf(block, "tunnel source"),
  remoteAddress: restOf(block, "tunnel destination"),
});

interface Bound {
  readonly interface: string;
  readonly block: Block;
  readonly profile: string;
}

function readTunnel({ interface: at, block, profile: name }: Bound, parts: Parts) {
  const ends = endsOf(block);
  const profile = parts.profiles.get(name);
  const ipsecProfile = parts.ipsecProfiles.get(name);
  const life = (unit: "seconds" | "kilobytes"): number | undefined => {
    const text = restOf(ipsecProfile, `set security-association lifetime ${unit}`);
    return text === undefined ? lifeDefault[unit] : wholeOf(text);
  };
  const peer = parts.keyrings.get(name)?.children.find(({ line }) => line === `peer ${name}`);
  return {
    ...{ name, interface: at, ...ends },
    isOurs:
      restOf(block, "tunnel mode") === "ipsec ipv4" &&
      restOf(profile, "keyring local") === name &&
      restOf(profile, "match address local") === (ends.localAddress ?? "") &&
      restOf(profile, "match identity remote address") ===
        `${ends.remoteAddress ?? ""} 255.255.255.255` &&
      restOf(ipsecProfile, "set transform-set") === name &&
      restOf(ipsecProfile, "set ikev2-profile") === name,
    ike: ikeOf(parts, ends.localAddress ?? ""),
    transforms: espOf(parts.transformSets.get(name), restOf(ipsecProfile, "set pfs") ?? ""),
    seconds: life("seconds"),
    kilobytes: life("kilobytes"),
    mtu: wholeOf(restOf(block, "ip mtu")),
    remark: restOf(peer, "description"),
  };
}

function ikeOf({ policies, proposals }: Parts, local: string): TunnelPlan["ike"] | undefined {
  const name = policyName(local);
  const policy = policies.get(name);
  const proposal = proposals.get(name);
  if (restOf(policy, "match address local") !== local) return undefined;
  const offered = policy?.children.filter(({ line }) => line.startsWith("proposal "));
  if (offered?.length !== 1 || offered[0]?.line !== `proposal ${name}`) return undefined;
  const found = wordsFor(words, {
    ikeEncryption: restOf(proposal, "encryption"),
    ikeIntegrity: restOf(proposal, "integrity") ?? "",
    prf: restOf(proposal, "prf") ?? restOf(proposal, "integrity"),
    dhGroup: restOf(proposal, "group"),
  });
  if (found === undefined) return undefined;
  const { ikeEncryption: encryption, ikeIntegrity: integrity, prf, dhGroup } = found;
  return { encryption, integrity, prf, dhGroup };
}

/**
 * Reads `esp-gcm 256`, `esp-aes 256 esp-sha256-hmac`, and the form `esp-256-aes …` of an SA in use.
 */
export function espOf(
  text: string | undefined,
  group: string,
): TunnelPlan["transforms"] | undefined {
  const plain = text?.replace(/^esp-(\d{3})-aes\b/, "esp-aes $1") ?? "";
  const [, cipher, mac = ""] = /^(esp-\w+(?: \d{3})?)(?: (esp-\w+-hmac))?$/.exec(plain) ?? [];
  return espFor(words, {
    espEncryption: cipher?.replace(/ 128$/, ""),
    espIntegrity: mac,
    pfsGroup: group.replace("group", ""),
  });
}
