// The tunnels of an EOS configuration, without the keys in it. A tunnel has the name of its
// profile; it is ours, and may be written, if its policies have that name too.

import { wholeOf } from "../platform/text.ts";
import {
  isPrefix,
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
  type StandingTunnel,
  type TunnelConfig,
  tunnelsBy,
  wordsFor,
} from "../platform/tunnel-config.ts";
import { begins, type Statement } from "./statements.ts";

export interface EosTunnel extends StandingTunnel {
  /** Transforms of its SA policy: EOS does not print what an SA uses. */
  readonly transforms: TunnelPlan["transforms"] | undefined;
}

export type EosTunnels = TunnelConfig<EosTunnel>;

const cbcs = { "aes-256-cbc": "aes256", "aes-128-cbc": "aes128" };

export const words: TunnelWords = {
  // The IKE of EOS has no GCM.
  ikeEncryption: { ...cbcs, "3des-cbc": "3des" },
  ikeIntegrity: digests,
  // The PRF is the digest of the integrity algorithm; it cannot be chosen.
  prf: digests,
  dhGroup: groupNumbers,
  espEncryption: { ...cbcs, "aes-256-gcm": "aes256gcm128", "aes-128-gcm": "aes128gcm128" },
  espIntegrity: { none: "null", sha256: "sha256", sha1: "sha1" },
  pfsGroup: { none: "", ...groupNumbers },
};

export const limits: TunnelLimits = {
  words,
  nameMax: 63,
  pskOctetsMax: 128,
  lifeSeconds: { min: 60, max: 86_400 },
  // A policy may have a limit by time or one by traffic; whether it may have both is not known.
  lifeKilobytes: "unlimited",
  mtu: { min: 68, max: 9_214 },
};

/** Lifetimes are configured in hours, and in newer releases in minutes too. */
export const minute = 60;
export const hour = 60 * minute;

function under(all: readonly Statement[], words: string): readonly Statement[] {
  return all.find((one) => one.words.join(" ") === words)?.children ?? [];
}

function restOf(children: readonly Statement[], beginning: string): readonly string[] | undefined {
  const found = children.find((one) => begins(one.words, beginning));
  return found?.words.slice(beginning.split(" ").length);
}

export function tunnelsOf(all: readonly Statement[]): EosTunnels {
  const interfaces = all
    .filter((one) => one.words[0] === "interface")
    .map(({ words: [, name = ""], children }) => ({ interface: name, children }));
  const security = under(all, "ip security");
  const routes = routesOf(all.flatMap(routeIn));
  const bound = interfaces.flatMap((one) => {
    const profile = restOf(one.children, "tunnel ipsec profile")?.[0];
    return profile === undefined ? [] : [{ ...one, profile }];
  });
  return {
    tunnels: tunnelsBy(
      bound,
      ({ children, profile }) => {
        const own = under(security, `profile ${profile}`);
        const policy = under(security, `sa policy ${restOf(own, "sa-policy")?.[0] ?? ""}`);
        return { ...endsOf(children), transforms: espOf(policy) };
      },
      (one) => planFrom(readTunnel(one, security), routes),
    ),
    homes: homesOf(
      interfaces.map(({ interface: name, children }) => {
        const isElsewhere = restOf(children, "vrf") !== undefined;
        const [address = ""] = restOf(children, "ip address")?.[0]?.split("/") ?? [];
        return [isElsewhere ? "" : address, name];
      }),
    ),
    numbers: numbersIn(
      interfaces.map((one) => one.interface),
      /^Tunnel(\d{1,5})$/,
    ),
    routes,
    names: new Set(security.map((one) => one.words.at(-1) ?? "")),
  };
}

function routeIn({ words: statementWords }: Statement): readonly (readonly [string, string])[] {
  const [, , prefix = "", hop] = statementWords;
  if (!begins(statementWords, "ip route") || !isPrefix(prefix) || hop === undefined) return [];
  return [[prefix, hop]];
}

const endsOf = (children: readonly Statement[]) => ({
  localAddress: restOf(children, "tunnel source")?.[0],
  remoteAddress: restOf(children, "tunnel destination")?.[0],
});

interface Bound {
  readonly interface: string;
  readonly children: readonly Statement[];
  readonly profile: string;
}

function readTunnel(
  { interface: at, children, profile: name }: Bound,
  security: readonly Statement[],
) {
  const profile = under(security, `profile ${name}`);
  const policy = under(security, `sa policy ${name}`);
  const ends = endsOf(children);
  const life = (unit: string, factor: number): number | undefined => {
    const found = policy.find(
      (one) => begins(one.words, "sa lifetime") && one.words[3]?.startsWith(unit),
    );
    const count = wholeOf(found?.words[2]);
    return count === undefined ? undefined : count * factor;
  };
  return {
    ...{ name, interface: at, ...ends },
    isOurs:
      restOf(children, "tunnel mode")?.[0] === "ipsec" &&
      restOf(profile, "ike-policy")?.[0] === name &&
      restOf(profile, "sa-policy")?.[0] === name &&
      restOf(profile, "connection")?.[0] === "start" &&
      restOf(profile, "shared-key") !== undefined,
    ike: ikeOf(under(security, `ike policy ${name}`), ends.localAddress ?? ""),
    transforms: espOf(policy),
    seconds: life("minute", minute) ?? life("hour", hour),
    kilobytes: "unlimited" as const,
    mtu: wholeOf(restOf(children, "mtu")?.[0]),
    remark: restOf(children, "description")?.join(" "),
  };
}

function ikeOf(policy: readonly Statement[], local: string): TunnelPlan["ike"] | undefined {
  if (restOf(policy, "local-id")?.[0] !== local) return undefined;
  const found = wordsFor(words, {
    ikeEncryption: restOf(policy, "encryption")?.[0],
    ikeIntegrity: restOf(policy, "integrity")?.[0],
    dhGroup: restOf(policy, "dh-group")?.[0],
  });
  if (found === undefined) return undefined;
  const { ikeEncryption: encryption, ikeIntegrity: integrity, dhGroup } = found;
  return { encryption, integrity, prf: integrity, dhGroup };
}

function espOf(policy: readonly Statement[]): TunnelPlan["transforms"] | undefined {
  return espFor(words, {
    // Releases have different names for the same cipher.
    espEncryption: restOf(policy, "esp encryption")?.[0]?.replace("aes256gcm256", "aes256gcm128"),
    espIntegrity: restOf(policy, "esp integrity")?.[0],
    pfsGroup: restOf(policy, "pfs dh-group")?.[0] ?? "",
  });
}
