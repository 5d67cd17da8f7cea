// The tunnels of an EOS configuration, without the keys in it. A tunnel has the name of its
// profile; it is ours, and may be written, if its policies bear that name too.

import { isIPv4 } from "node:net";
import {
  isPrefix,
  pskOfRemark,
  type TunnelLimits,
  type TunnelPlan,
  type TunnelWords,
  wordFor,
} from "../platform/tunnel-change.ts";
import { begins, type Statement, wholeOf } from "./statements.ts";

export interface EosTunnels {
  readonly standing: ReadonlyMap<string, EosTunnel>;
  /** Interfaces of the default VRF by the addresses that they have. */
  readonly homes: ReadonlyMap<string, string>;
  /** Numbers of tunnel interfaces. */
  readonly numbers: ReadonlySet<number>;
  /** Where static routes of the default VRF lead, by their prefixes. */
  readonly routes: ReadonlyMap<string, readonly string[]>;
  /** Of policies and profiles of `ip security`. */
  readonly names: ReadonlySet<string>;
}

export interface EosTunnel {
  readonly name: string;
  readonly interface: string;
  readonly localAddress: string | undefined;
  readonly remoteAddress: string | undefined;
  /** As its policy of SAs says: EOS does not print what an SA uses. */
  readonly transforms: TunnelPlan["transforms"] | undefined;
  /** undefined = not ours, or not understood. */
  readonly plan: TunnelPlan | undefined;
}

const digests = { sha384: "sha384", sha256: "sha256", sha1: "sha1" };
const groups = {
  "ecp-384": "20",
  "modp-2048": "14",
  "modp-2048-256": "24",
  "modp-1024": "2",
};
const cbcs = { "aes-256-cbc": "aes256", "aes-128-cbc": "aes128" };

export const words: TunnelWords = {
  // Its IKE knows no GCM, and no elliptic curve of 256 bits.
  ikeEncryption: { ...cbcs, "3des-cbc": "3des" },
  ikeIntegrity: digests,
  // The PRF is the digest of its integrity, and nobody chooses another.
  prf: digests,
  dhGroup: groups,
  espEncryption: { ...cbcs, "aes-256-gcm": "aes256gcm128", "aes-128-gcm": "aes128gcm128" },
  espIntegrity: { none: "null", sha256: "sha256", sha1: "sha1" },
  pfsGroup: { none: "", ...groups },
};

export const limits: TunnelLimits = {
  words,
  nameMax: 63,
  pskOctetsMax: 128,
  lifeSeconds: { min: 60, max: 86_400 },
  lifeKilobytes: { min: 1_024, max: 6_000_000_000 },
  mtu: { min: 68, max: 9_214 },
};

/** Lives are counted in minutes and in megabytes. */
export const minute = 60;
export const megabyte = 1_024;

function under(all: readonly Statement[], words: string): readonly Statement[] {
  return all.find((one) => one.words.join(" ") === words)?.children ?? [];
}

function restOf(children: readonly Statement[], beginning: string): readonly string[] | undefined {
  const found = children.find((one) => begins(one.words, beginning));
  return found?.words.slice(beginning.split(" ").length);
}

export function tunnelsOf(all: readonly Statement[]): EosTunnels {
  const interfaces = all.filter((one) => one.words[0] === "interface");
  const security = under(all, "ip security");
  const routes = routesIn(all);
  return {
    standing: standingIn(interfaces, security, routes),
    homes: homesIn(interfaces),
    numbers: new Set(
      interfaces.flatMap(
        (one) => wholeOf(/^Tunnel(\d{1,5})$/.exec(one.words[1] ?? "")?.[1] ?? "") ?? [],
      ),
    ),
    routes,
    names: new Set(security.map((one) => one.words.at(-1) ?? "")),
  };
}

function homesIn(interfaces: readonly Statement[]): EosTunnels["homes"] {
  const homes = new Map<string, string>();
  for (const {
    words: [, name = ""],
    children,
  } of interfaces) {
    if (restOf(children, "vrf") !== undefined) continue;
    const [address = ""] = restOf(children, "ip address")?.[0]?.split("/") ?? [];
    if (isIPv4(address)) homes.set(address, name);
  }
  return homes;
}

function routesIn(all: readonly Statement[]): EosTunnels["routes"] {
  const routes = new Map<string, string[]>();
  for (const { words: said } of all) {
    const [, , prefix = "", hop] = said;
    if (!begins(said, "ip route") || !isPrefix(prefix) || hop === undefined) continue;
    routes.set(prefix, [...(routes.get(prefix) ?? []), hop]);
  }
  return routes;
}

function standingIn(
  interfaces: readonly Statement[],
  security: readonly Statement[],
  routes: EosTunnels["routes"],
): EosTunnels["standing"] {
  const bound = interfaces.flatMap(({ words: [, at = ""], children }) => {
    const profile = restOf(children, "tunnel ipsec profile")?.[0];
    return profile === undefined ? [] : [{ at, children, profile }];
  });
  return new Map(
    bound.map(({ at, children, profile }) => {
      const isAlone = bound.filter((one) => one.profile === profile).length === 1;
      // A profile that several share names none of them.
      const name = isAlone ? profile : at;
      const own = under(security, `profile ${profile}`);
      const policy = under(security, `sa policy ${restOf(own, "sa-policy")?.[0] ?? ""}`);
      const esp = espOf(policy);
      const ends = {
        localAddress: restOf(children, "tunnel source")?.[0],
        remoteAddress: restOf(children, "tunnel destination")?.[0],
      };
      const plan = isAlone ? planOf(profile, { at, children, security, routes }) : undefined;
      const standing = { name, interface: at, ...ends, transforms: esp?.transforms, plan };
      return [name, standing] as const;
    }),
  );
}

interface Around {
  readonly at: string;
  readonly children: readonly Statement[];
  readonly security: readonly Statement[];
  readonly routes: EosTunnels["routes"];
}

function planOf(name: string, { at, children, security, routes }: Around): TunnelPlan | undefined {
  const profile = under(security, `profile ${name}`);
  const localAddress = restOf(children, "tunnel source")?.[0] ?? "";
  const remoteAddress = restOf(children, "tunnel destination")?.[0] ?? "";
  const mtu = wholeOf(restOf(children, "mtu")?.[0] ?? "");
  const isOurs =
    restOf(children, "tunnel mode")?.[0] === "ipsec" &&
    restOf(profile, "ike-policy")?.[0] === name &&
    restOf(profile, "sa-policy")?.[0] === name &&
    restOf(profile, "connection")?.[0] === "start" &&
    restOf(profile, "shared-key") !== undefined;
  const ike = ikeOf(under(security, `ike policy ${name}`), localAddress);
  const esp = espOf(under(security, `sa policy ${name}`));
  if (!isOurs || ike === undefined || esp?.life === undefined || mtu === undefined) {
    return undefined;
  }
  if (![localAddress, remoteAddress].every(isIPv4)) return undefined;
  const remotePrefixes = [...routes]
    .flatMap(([prefix, hops]) => (hops.includes(at) ? [prefix] : []))
    .toSorted();
  const psk = pskOfRemark(restOf(children, "description")?.join(" "));
  const { transforms, life } = esp;
  return { name, localAddress, remoteAddress, remotePrefixes, ike, transforms, life, mtu, psk };
}

function ikeOf(policy: readonly Statement[], local: string): TunnelPlan["ike"] | undefined {
  const encryption = wordFor(words.ikeEncryption, restOf(policy, "encryption")?.[0]);
  const integrity = wordFor(words.ikeIntegrity, restOf(policy, "integrity")?.[0]);
  const dhGroup = wordFor(words.dhGroup, restOf(policy, "dh-group")?.[0]);
  if (restOf(policy, "local-id")?.[0] !== local) return undefined;
  if (encryption === undefined || integrity === undefined || dhGroup === undefined) {
    return undefined;
  }
  return { encryption, integrity, prf: integrity, dhGroup };
}

interface Esp {
  readonly transforms: TunnelPlan["transforms"];
  /** undefined = it has none of ours. */
  readonly life: TunnelPlan["life"] | undefined;
}

function espOf(policy: readonly Statement[]): Esp | undefined {
  // Releases differ in what they call the same cipher.
  const cipher = restOf(policy, "esp encryption")?.[0]?.replace("aes256gcm256", "aes256gcm128");
  const encryption = wordFor(words.espEncryption, cipher);
  const integrity = wordFor(words.espIntegrity, restOf(policy, "esp integrity")?.[0]);
  const dhGroup = wordFor(words.pfsGroup, restOf(policy, "pfs dh-group")?.[0] ?? "");
  if (encryption === undefined || integrity === undefined || dhGroup === undefined) {
    return undefined;
  }
  const lifeIn = (unit: string, factor: number): number | undefined => {
    const found = policy.find(
      (one) => begins(one.words, "sa lifetime") && one.words[3]?.startsWith(unit),
    );
    const count = wholeOf(found?.words[2] ?? "");
    return count === undefined ? undefined : count * factor;
  };
  const seconds = lifeIn("minute", minute) ?? lifeIn("hour", 60 * minute);
  const kilobytes = lifeIn("megabyte", megabyte) ?? lifeIn("gigabyte", 1_024 * megabyte);
  const life =
    seconds === undefined || kilobytes === undefined ? undefined : { seconds, kilobytes };
  return { transforms: { encryption, integrity, dhGroup }, life };
}
