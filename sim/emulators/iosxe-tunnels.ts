// Translates between the tunnels of a configuration in IOS XE's own words and those of the
// simulated router; a tunnel exists once every part of it has been entered.

import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import type { Router } from "../router/router.ts";
import type { TunnelConfig } from "../router/router-config.ts";
import { type Block, block, childOf, keepOnly, linesIn, putBlock, restOf } from "./line-tree.ts";
import {
  asTheyStand,
  type Bound,
  followTunnels as follow,
  freeInterface,
  groups,
  keyFor,
  prefixesInto,
} from "./tunnel-config.ts";

const ikeCiphers: Readonly<Record<string, string>> = {
  "3des": "3des-cbc",
  "aes-cbc-128": "aes-128-cbc",
  "aes-cbc-192": "aes-192-cbc",
  "aes-cbc-256": "aes-256-cbc",
  "aes-gcm-128": "aes-128-gcm",
  "aes-gcm-256": "aes-256-gcm",
};
const macs: Readonly<Record<string, string>> = {
  "esp-md5-hmac": "md5",
  "esp-sha-hmac": "sha1",
  "esp-sha256-hmac": "sha256",
  "esp-sha384-hmac": "sha384",
};

/** Returns the complete tunnels, with the interface of each. */
export function boundTunnels(root: readonly Block[]): readonly Bound[] {
  return root.flatMap(({ line, children }): readonly Bound[] => {
    const name = /^interface (Tunnel\d+)$/.exec(line)?.[1];
    const tunnel = name === undefined ? undefined : tunnelFrom(root, name, children);
    return name === undefined || tunnel === undefined ? [] : [{ interface: name, tunnel }];
  });
}

export function tunnelsFrom(root: readonly Block[], router: Router): Map<string, TunnelConfig> {
  return asTheyStand(boundTunnels(root), router);
}

function tunnelFrom(
  root: readonly Block[],
  at: string,
  own: readonly Block[],
): TunnelConfig | undefined {
  const name = restOf(own, "tunnel protection ipsec profile");
  const [local, remote] = [restOf(own, "tunnel source"), restOf(own, "tunnel destination")];
  const isIpsec = restOf(own, "tunnel mode") === "ipsec ipv4";
  const hasAddress = (restOf(own, "ip unnumbered") ?? restOf(own, "ip address")) !== undefined;
  const profile = childOf(root, `crypto ipsec profile ${name}`)?.children;
  const ikeName = restOf(profile, "set ikev2-profile");
  const ikeProfile = childOf(root, `crypto ikev2 profile ${ikeName}`)?.children;
  if (name === undefined || local === undefined || remote === undefined) return undefined;
  if (!isIpsec || !hasAddress || !isWhole(ikeProfile, local, remote)) return undefined;
  const transforms = espOf(root, profile);
  const ike = ikeOf(root, local);
  const psk = pskOf(root, restOf(ikeProfile, "keyring local") ?? "", remote);
  if (transforms === undefined || ike === undefined || psk === undefined) return undefined;
  const life = (unit: string): string | undefined =>
    restOf(profile, `set security-association lifetime ${unit}`);
  const spec: TunnelSpec = {
    name,
    localAddress: local,
    remoteAddress: remote,
    localPrefixes: [],
    remotePrefixes: prefixesInto(routesOf(root), at),
    ike,
    transforms,
    life: {
      seconds: Number(life("seconds") ?? 3_600),
      kilobytes: Number(life("kilobytes") ?? 4_608_000),
    },
    mtu: Number(restOf(own, "ip mtu") ?? 1_438),
    ifId: Number(at.replace("Tunnel", "")),
    auth: { kind: "psk", secretId: "" },
  };
  return { spec, psk };
}

function isWhole(profile: readonly Block[] | undefined, local: string, remote: string): boolean {
  const identity = restOf(profile, "match identity remote address");
  return (
    childOf(profile, "authentication local pre-share") !== undefined &&
    childOf(profile, "authentication remote pre-share") !== undefined &&
    identity === `${remote} 255.255.255.255` &&
    [undefined, local].includes(restOf(profile, "match address local"))
  );
}

/** Returns the transforms of the policy that matches our address. */
function ikeOf(root: readonly Block[], local: string): TunnelSpec["ike"] | undefined {
  const policy = root.find(
    ({ line, children }) =>
      line.startsWith("crypto ikev2 policy ") && restOf(children, "match address local") === local,
  );
  const name = restOf(policy?.children, "proposal");
  const proposal = childOf(root, `crypto ikev2 proposal ${name}`)?.children;
  const encryption = ikeCiphers[restOf(proposal, "encryption") ?? ""];
  const dhGroup = groups[restOf(proposal, "group") ?? ""];
  const isAead = encryption?.endsWith("-gcm") === true;
  const mac = restOf(proposal, "integrity");
  const prf = restOf(proposal, "prf") ?? mac;
  if (encryption === undefined || dhGroup === undefined || prf === undefined) return undefined;
  // A GCM cipher and a digest exclude each other.
  if (isAead ? mac !== undefined : mac === undefined) return undefined;
  return { encryption, integrity: mac ?? "none", prf, dhGroup };
}

function espOf(
  root: readonly Block[],
  profile: readonly Block[] | undefined,
): TunnelSpec["transforms"] | undefined {
  const words = `crypto ipsec transform-set ${restOf(profile, "set transform-set")}`;
  const set = root.find(({ line }) => line.startsWith(`${words} `))?.line.slice(words.length + 1);
  const [, kind = "", bits = "128", mac] =
    /^esp-(3des|aes|gcm)(?: (\d+))?(?: (\S+))?$/.exec(set ?? "") ?? [];
  const pfs = restOf(profile, "set pfs");
  const dhGroup = pfs === undefined ? "none" : groups[pfs.replace("group", "")];
  if (kind === "" || dhGroup === undefined) return undefined;
  const mode = kind === "gcm" ? "gcm" : "cbc";
  const encryption = kind === "3des" ? "3des-cbc" : `aes-${bits}-${mode}`;
  return { encryption, integrity: mac === undefined ? "none" : (macs[mac] ?? mac), dhGroup };
}

function pskOf(root: readonly Block[], keyring: string, remote: string): Uint8Array | undefined {
  const peers = linesIn(root, `crypto ikev2 keyring ${keyring}`);
  const peer = peers.find(({ children }) => restOf(children, "address") === remote);
  const reported = restOf(peer?.children, "pre-shared-key");
  if (reported === undefined) return undefined;
  const hex = /^hex ((?:[0-9A-Fa-f]{2})+)$/.exec(reported)?.[1];
  if (hex !== undefined) return Uint8Array.from(Buffer.from(hex, "hex"));
  return new TextEncoder().encode(reported.replace(/^0 /, ""));
}

/** Returns the static routes, each with its interface or next hop. */
export function routesOf(root: readonly Block[]) {
  return root.flatMap(({ line }) => {
    const [, address, mask = "", hop = ""] = /^ip route (\S+) (\S+) (\S+)$/.exec(line) ?? [];
    return address === undefined ? [] : [{ prefix: `${address}/${lengthOf(mask)}`, hop }];
  });
}

function lengthOf(mask: string): number {
  return mask.split(".").reduce((sum, octet) => {
    return sum + Number(octet).toString(2).replaceAll("0", "").length;
  }, 0);
}

function maskOf(length: number): string {
  const octet = (index: number): number =>
    256 - 2 ** (8 - Math.min(8, Math.max(0, length - 8 * index)));
  return [0, 1, 2, 3].map(octet).join(".");
}

/** Updates the lines after the router's tunnels were changed other than through this emulator. */
export function followTunnels(root: Block[], router: Router): void {
  follow(
    router,
    boundTunnels(root),
    ({ interface: at, tunnel: { spec } }) => {
      const gone = [
        new RegExp(`^interface ${at}$`),
        new RegExp(`^ip route \\S+ \\S+ ${at}$`),
        new RegExp(`^crypto (?:ikev2|ipsec) (?:keyring|profile|transform-set) ${spec.name}(?: |$)`),
      ];
      keepOnly(root, ({ line }) => !gone.some((pattern) => pattern.test(line)));
    },
    (tunnel) => putIn(root, tunnel),
  );
}

function putIn(root: Block[], { spec, psk }: TunnelConfig): void {
  const { name, localAddress, remoteAddress, ike, transforms, life, mtu } = spec;
  const policy = `hand-${localAddress}`;
  const at = freeInterface(root);
  const set = (line: string, ...lines: readonly string[]): void => {
    putBlock(root, block(line, ...lines));
  };
  set(
    `crypto ikev2 proposal ${policy}`,
    `encryption ${keyFor(ikeCiphers, ike.encryption)}`,
    ...(ike.integrity === "none" ? [] : [`integrity ${ike.integrity}`]),
    `prf ${ike.prf}`,
    `group ${keyFor(groups, ike.dhGroup)}`,
  );
  set(`crypto ikev2 policy ${policy}`, `match address local ${localAddress}`, `proposal ${policy}`);
  const digits = Buffer.from(psk).toString("hex");
  const peer = block(`peer ${name}`, `address ${remoteAddress}`, `pre-shared-key hex ${digits}`);
  root.push(block(`crypto ikev2 keyring ${name}`, peer));
  set(
    `crypto ikev2 profile ${name}`,
    `match identity remote address ${remoteAddress} 255.255.255.255`,
    "authentication remote pre-share",
    "authentication local pre-share",
    `keyring local ${name}`,
  );
  const [, bits, mode] = /^aes-(\d+)-(gcm|cbc)$/.exec(transforms.encryption) ?? [];
  const cipher = mode === undefined ? "esp-3des" : `esp-${mode === "gcm" ? "gcm" : "aes"} ${bits}`;
  const mac = transforms.integrity === "none" ? "" : ` ${keyFor(macs, transforms.integrity)}`;
  set(`crypto ipsec transform-set ${name} ${cipher}${mac}`, "mode tunnel");
  const pfs = transforms.dhGroup === "none" ? [] : [`group${keyFor(groups, transforms.dhGroup)}`];
  set(
    `crypto ipsec profile ${name}`,
    `set security-association lifetime kilobytes ${life.kilobytes}`,
    `set security-association lifetime seconds ${life.seconds}`,
    `set transform-set ${name}`,
    ...pfs.map((group) => `set pfs ${group}`),
    `set ikev2-profile ${name}`,
  );
  set(
    `interface ${at}`,
    "ip unnumbered Loopback0",
    `ip mtu ${mtu}`,
    `tunnel source ${localAddress}`,
    "tunnel mode ipsec ipv4",
    `tunnel destination ${remoteAddress}`,
    `tunnel protection ipsec profile ${name}`,
  );
  for (const prefix of spec.remotePrefixes) {
    const [address, length] = prefix.split("/");
    root.push(block(`ip route ${address} ${maskOf(Number(length))} ${at}`));
  }
}
