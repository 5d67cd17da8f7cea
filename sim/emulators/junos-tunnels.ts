// Translates between the VPNs of a configuration in Junos' own words and the tunnels of the
// simulated router; written from Juniper's reference of [edit security ike] and [edit security
// ipsec].

import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import type { Router } from "../router/router.ts";
import type { TunnelConfig } from "../router/router-config.ts";
import {
  at,
  type ConfigNode,
  entries,
  entry,
  node,
  nodes,
  textAt,
  within,
  without,
} from "./config-tree.ts";
import { EmulatorError } from "./netconf.ts";
import {
  asTheyStand,
  type Bound,
  followTunnels as follow,
  keyFor,
  prefixesInto,
  groups as standardGroups,
} from "./tunnel-config.ts";

const nameMax = 32;

/** The words of `security ike`, with the standards' name of each. */
const groups = Object.fromEntries(
  Object.entries(standardGroups).map(([number, word]) => [`group${number}`, word]),
);
const digests: Readonly<Record<string, string>> = {
  sha1: "sha1",
  "sha-256": "sha256",
  "sha-384": "sha384",
};
const macs: Readonly<Record<string, string>> = {
  "hmac-sha1-96": "sha1",
  "hmac-sha-256-128": "sha256",
};
const ikeCiphers = [
  ...["3des-cbc", "aes-128-cbc", "aes-192-cbc", "aes-256-cbc", "aes-128-gcm", "aes-256-gcm"],
];
const espCiphers = [...ikeCiphers, "aes-192-gcm"];

/**
 * Translates a tree into the router's tunnels.
 * @throws FaceError as a commit check does
 */
export function tunnelsFrom(tree: ConfigNode, router: Router): Map<string, TunnelConfig> {
  return asTheyStand(boundTunnels(tree), router);
}

/** Returns the tunnels, each with the unit of `st0` that it is bound to. */
function boundTunnels(tree: ConfigNode): readonly Bound[] {
  return entries(at(tree, "security", "ipsec"), "vpn").map((vpn) => {
    return { interface: textAt(vpn, "bind-interface") ?? "", tunnel: tunnelFrom(tree, vpn) };
  });
}

function tunnelFrom(tree: ConfigNode, vpn: ConfigNode): TunnelConfig {
  const name = textAt(vpn, "name") ?? "";
  if (name.length > nameMax) throw refusal(`vpn name ${name} is longer than ${nameMax}`);
  const [ike, ipsec] = [at(tree, "security", "ike"), at(tree, "security", "ipsec")];
  const gateway = defined(ike, "gateway", textAt(vpn, "ike", "gateway"));
  const policy = defined(ike, "policy", textAt(gateway, "ike-policy"));
  const proposal = defined(ike, "proposal", textAt(policy, "proposals"));
  const espPolicy = defined(ipsec, "policy", textAt(vpn, "ike", "ipsec-policy"));
  const espProposal = defined(ipsec, "proposal", textAt(espPolicy, "proposals"));
  const unit = unitOf(tree, textAt(vpn, "bind-interface"));
  const psk = pskOf(policy);
  const spec: TunnelSpec = {
    name,
    localAddress: homeOf(tree, gateway),
    remoteAddress: textAt(gateway, "address") ?? "",
    localPrefixes: [],
    remotePrefixes: prefixesInto(routesOf(tree), `st0.${unit.number}`),
    ike: ikeOf(proposal),
    transforms: espOf(espProposal, espPolicy),
    life: {
      seconds: Number(textAt(espProposal, "lifetime-seconds") ?? 3_600),
      kilobytes: Number(textAt(espProposal, "lifetime-kilobytes") ?? 0),
    },
    mtu: Number(textAt(unit.node, "family", "inet", "mtu") ?? 9_192),
    ifId: unit.number,
    auth: { kind: "psk", secretId: "" },
  };
  return { spec, psk };
}

function defined(
  parent: ConfigNode | undefined,
  list: string,
  name: string | undefined,
): ConfigNode {
  const found = name === undefined ? undefined : entry(parent, list, name);
  if (found !== undefined) return found;
  throw refusal(`${parent?.name ?? "security"} ${list} ${name ?? ""} is not defined`);
}

function unitOf(tree: ConfigNode, bound: string | undefined) {
  const number = Number(/^st0\.(\d+)$/.exec(bound ?? "")?.[1] ?? Number.NaN);
  const st0 = entry(at(tree, "interfaces"), "interface", "st0");
  const found = entry(st0, "unit", String(number));
  if (found === undefined) throw refusal(`bind-interface ${bound ?? ""} is not configured`);
  return { number, node: found };
}

function homeOf(tree: ConfigNode, gateway: ConfigNode): string {
  const [name = "", unit = "0"] = textAt(gateway, "external-interface")?.split(".") ?? [];
  const own = entry(entry(at(tree, "interfaces"), "interface", name), "unit", unit);
  const addresses = entries(at(own, "family", "inet"), "address").map(
    (one) => textAt(one, "name")?.split("/")[0] ?? "",
  );
  const wanted = textAt(gateway, "local-address") ?? addresses[0] ?? "";
  if (addresses.includes(wanted)) return wanted;
  throw refusal(`local-address ${wanted} is not on external-interface ${name}.${unit}`);
}

const staticRoutes = (tree: ConfigNode): readonly ConfigNode[] =>
  entries(at(tree, "routing-options", "static"), "route");

const routesOf = (tree: ConfigNode) =>
  staticRoutes(tree).flatMap((route) => {
    const hops = new Set(entries(route, "next-hop").map(({ text }) => text));
    return [...hops].map((hop) => ({ prefix: textAt(route, "name") ?? "", hop }));
  });

function ikeOf(proposal: ConfigNode): TunnelSpec["ike"] {
  if (textAt(proposal, "authentication-method") !== "pre-shared-keys") {
    throw refusal("a pre-shared key needs authentication-method pre-shared-keys");
  }
  const encryption = textAt(proposal, "encryption-algorithm") ?? "3des-cbc";
  if (!ikeCiphers.includes(encryption)) throw refusal(`invalid value ${encryption}`);
  const prf = wordOf(digests, textAt(proposal, "authentication-algorithm") ?? "sha1");
  const integrity = encryption.endsWith("-gcm") ? "none" : prf;
  const dhGroup = wordOf(groups, textAt(proposal, "dh-group") ?? "group2");
  return { encryption, integrity, prf, dhGroup };
}

function espOf(proposal: ConfigNode, policy: ConfigNode): TunnelSpec["transforms"] {
  const encryption = textAt(proposal, "encryption-algorithm") ?? "3des-cbc";
  if (!espCiphers.includes(encryption)) throw refusal(`invalid value ${encryption}`);
  const mac = textAt(proposal, "authentication-algorithm");
  const isAead = encryption.endsWith("-gcm");
  if (isAead && mac !== undefined) throw refusal("AES-GCM takes no authentication-algorithm");
  const keys = textAt(policy, "perfect-forward-secrecy", "keys");
  return {
    encryption,
    integrity: isAead ? "none" : wordOf(macs, mac ?? "hmac-sha1-96"),
    dhGroup: keys === undefined ? "none" : wordOf(groups, keys),
  };
}

function wordOf(words: Readonly<Record<string, string>>, text: string): string {
  const word = words[text];
  if (word !== undefined) return word;
  throw refusal(`invalid value ${text}`);
}

function pskOf(policy: ConfigNode): Uint8Array {
  const key = at(policy, "pre-shared-key");
  const hex = textAt(key, "hexadecimal");
  if (hex !== undefined && /^(?:[0-9a-fA-F]{2})+$/.test(hex)) {
    return Uint8Array.from(Buffer.from(hex, "hex"));
  }
  const text = textAt(key, "ascii-text") ?? "";
  if (text === "") throw refusal("pre-shared-key is missing or not hexadecimal");
  return new TextEncoder().encode(text);
}

/** Updates the tree after the router's tunnels were changed other than through this emulator. */
export function followTunnels(tree: ConfigNode, router: Router): void {
  follow(
    router,
    boundTunnels(tree),
    (one) => takeOut(tree, one),
    (tunnel) => putIn(tree, tunnel),
  );
}

function takeOut(tree: ConfigNode, { interface: bound, tunnel }: Bound): void {
  const isInto = (one: ConfigNode): boolean => one.name === "next-hop" && one.text === bound;
  for (const route of staticRoutes(tree)) {
    if (!route.children.some(isInto)) continue;
    without(route, isInto);
    const isEmpty = entries(route, "next-hop").length === 0;
    if (isEmpty) without(at(tree, "routing-options", "static"), (one) => one === route);
  }
  for (const parent of ["ike", "ipsec"]) {
    const isOwn = (one: ConfigNode): boolean => textAt(one, "name") === tunnel.spec.name;
    without(at(tree, "security", parent), isOwn);
  }
  const st0 = entry(at(tree, "interfaces"), "interface", "st0");
  const unit = entry(st0, "unit", bound.replace("st0.", ""));
  without(st0, (one) => one === unit);
}

function putIn(tree: ConfigNode, { spec, psk }: TunnelConfig): void {
  const { name, ike, transforms, life, mtu } = spec;
  const interfaces = within(tree, "interfaces");
  let st0 = entry(interfaces, "interface", "st0");
  if (st0 === undefined) {
    st0 = node("interface", node("name", "st0"));
    interfaces.children.push(st0);
  }
  const unit = String(1_000 + entries(st0, "unit").length);
  st0.children.push(...nodes`unit { name ${unit}; family { inet { mtu ${mtu}; } } }`);
  const { integrity, dhGroup } = transforms;
  const mac = keyFor(macs, integrity);
  const group = keyFor(groups, dhGroup);
  within(tree, "security", "ike").children.push(
    ...nodes`
      proposal { name ${name}; authentication-method pre-shared-keys;
        dh-group ${keyFor(groups, ike.dhGroup)};
        authentication-algorithm ${keyFor(digests, ike.prf)};
        encryption-algorithm ${ike.encryption}; }
      policy { name ${name}; proposals ${name};
        pre-shared-key { hexadecimal ${Buffer.from(psk).toString("hex")}; } }
      gateway { name ${name}; ike-policy ${name}; address ${spec.remoteAddress};
        external-interface lo0.0; local-address ${spec.localAddress}; version v2-only; }`,
  );
  within(tree, "security", "ipsec").children.push(
    ...nodes`
      proposal { name ${name};
        ${integrity === "none" ? [] : nodes`authentication-algorithm ${mac};`}
        encryption-algorithm ${transforms.encryption};
        lifetime-seconds ${life.seconds}; lifetime-kilobytes ${life.kilobytes}; }
      policy { name ${name};
        ${dhGroup === "none" ? [] : nodes`perfect-forward-secrecy { keys ${group}; }`}
        proposals ${name}; }
      vpn { name ${name}; bind-interface ${`st0.${unit}`};
        ike { gateway ${name}; ipsec-policy ${name}; } establish-tunnels immediately; }`,
  );
  const statics = within(tree, "routing-options", "static");
  for (const prefix of spec.remotePrefixes) {
    const route = entry(statics, "route", prefix);
    const hop = node("next-hop", `st0.${unit}`);
    if (route === undefined) statics.children.push(node("route", node("name", prefix), hop));
    else route.children.push(hop);
  }
}

function refusal(message: string): EmulatorError {
  return new EmulatorError("operation-failed", message);
}
