// The VPNs of a Junos configuration, without the keys in it. A VPN is ours, and may be written, if
// its gateway, policies and proposals bear its own name: so we make one.

import { isIPv4 } from "node:net";
import {
  isPrefix,
  pskOfRemark,
  type TunnelLimits,
  type TunnelPlan,
  type TunnelWords,
  wordFor,
} from "../platform/tunnel-change.ts";
import {
  childOf,
  childrenOf,
  element,
  elementWith,
  textOf,
  type XmlElement,
  type XmlOut,
} from "../transport/xml.ts";
import { wholeOf } from "./config.ts";

export interface JunosTunnels {
  readonly vpns: ReadonlyMap<string, Vpn>;
  /** Units of `st0` that are configured. */
  readonly units: ReadonlySet<number>;
  /** Logical interfaces by the addresses that they have. */
  readonly homes: ReadonlyMap<string, string>;
  /** Next hops of static routes by their prefixes. */
  readonly routes: ReadonlyMap<string, readonly string[]>;
  /** Gateways of IKE, by their names: the address that each has. */
  readonly gateways: ReadonlyMap<string, string>;
  /** Of gateways, policies and proposals, whoever made them. */
  readonly names: ReadonlySet<string>;
  /** Of all VPNs of the router; undefined = it leaves segments as they are. */
  readonly segmentMax: number | undefined;
  /** Interfaces in our zone. */
  readonly zoned: ReadonlySet<string>;
}

export interface Vpn {
  readonly name: string;
  /** `st0.N`; undefined = it is bound to none, or understood by nobody here. */
  readonly unit: number | undefined;
  readonly gateway: string;
  readonly remoteAddress: string | undefined;
  /** undefined = not ours, or not understood. */
  readonly plan: TunnelPlan | undefined;
}

/** Policies of the operator's say what may pass between it and the others. */
export const ownZone = "linkseal";

const hashes = { sha384: "sha-384", sha256: "sha-256", sha1: "sha1" };
const groups = {
  "ecp-384": "group20",
  "ecp-256": "group19",
  "modp-2048": "group14",
  "modp-2048-256": "group24",
  "modp-1024": "group2",
};
const cbcs = {
  "aes-256-cbc": "aes-256-cbc",
  "aes-192-cbc": "aes-192-cbc",
  "aes-128-cbc": "aes-128-cbc",
  "3des-cbc": "3des-cbc",
};
const gcms = { "aes-256-gcm": "aes-256-gcm", "aes-128-gcm": "aes-128-gcm" };

export const words: TunnelWords = {
  ikeEncryption: { ...gcms, ...cbcs },
  // One leaf is the integrity and the PRF; beside a GCM it is the PRF alone.
  ikeIntegrity: { none: "", ...hashes },
  prf: hashes,
  dhGroup: groups,
  espEncryption: { ...gcms, "aes-192-gcm": "aes-192-gcm", ...cbcs },
  espIntegrity: { none: "", sha256: "hmac-sha-256-128", sha1: "hmac-sha1-96" },
  pfsGroup: { none: "", ...groups },
};

export const limits: TunnelLimits = {
  words,
  nameMax: 32,
  pskOctetsMax: 128,
  lifeSeconds: { min: 180, max: 86_400 },
  lifeKilobytes: { min: 64, max: 4_294_967_294 },
  mtu: { min: 256, max: 9_192 },
};

const leaf = (name: string): XmlOut => element(name);
const leaves = (...names: readonly string[]): readonly XmlOut[] => names.map(leaf);

/** Selects leaf by leaf wherever a PSK stands beside. */
function wanted(): XmlOut {
  const ike = element(
    "ike",
    element("proposal"),
    element("policy", ...leaves("name", "description", "proposals")),
    element("gateway", ...leaves("name", "ike-policy", "address", "local-address", "version")),
  );
  const vpn = element("vpn", ...leaves("name", "bind-interface", "ike", "establish-tunnels"));
  const ipsec = element("ipsec", ...leaves("proposal", "policy"), vpn);
  const flow = element("flow", element("tcp-mss", leaf("ipsec-vpn")));
  const zone = element("security-zone", element("name", ownZone), leaf("interfaces"));
  const inet = element("family", element("inet", leaf("mtu"), element("address", leaf("name"))));
  const ports = element("interface", leaf("name"), element("unit", leaf("name"), inet));
  const route = element("route", ...leaves("name", "next-hop"));
  return element(
    "configuration",
    element("security", ike, ipsec, flow, element("zones", zone)),
    element("interfaces", ports),
    element("routing-options", element("static", route)),
  );
}

export function getTunnels(): XmlOut {
  return element(
    "get-config",
    element("source", element("running")),
    elementWith("filter", { type: "subtree" }, wanted()),
  );
}

interface Parts {
  readonly ike: XmlElement | undefined;
  readonly ipsec: XmlElement | undefined;
  readonly interfaces: XmlElement | undefined;
  readonly routes: JunosTunnels["routes"];
}

/** undefined where the reply holds no configuration. */
export function readTunnels(reply: XmlElement): JunosTunnels | undefined {
  const configuration = childOf(reply, "data", "configuration");
  if (configuration === undefined) return undefined;
  const security = childOf(configuration, "security");
  const interfaces = childOf(configuration, "interfaces");
  const ike = childOf(security, "ike");
  const ipsec = childOf(security, "ipsec");
  const routes = routesIn(childOf(configuration, "routing-options", "static"));
  const parts: Parts = { ike, ipsec, interfaces, routes };
  const zone = entryOf(childOf(security, "zones"), "security-zone", ownZone);
  return {
    vpns: new Map(
      childrenOf(ipsec, "vpn").map((one) => [textOf(one, "name") ?? "", vpnOf(one, parts)]),
    ),
    units: new Set(unitsOf(interfaces).flatMap((one) => wholeOf(textOf(one, "name") ?? "") ?? [])),
    homes: homesIn(interfaces),
    routes,
    gateways: new Map(
      childrenOf(ike, "gateway").map((one) => [
        textOf(one, "name") ?? "",
        textOf(one, "address") ?? "",
      ]),
    ),
    names: new Set(
      [ike, ipsec].flatMap((parent) =>
        ["proposal", "policy", "gateway"].flatMap((list) =>
          childrenOf(parent, list).map((one) => textOf(one, "name") ?? ""),
        ),
      ),
    ),
    segmentMax: wholeOf(textOf(security, "flow", "tcp-mss", "ipsec-vpn", "mss") ?? ""),
    zoned: new Set(childrenOf(zone, "interfaces").map((one) => textOf(one, "name") ?? "")),
  };
}

function entryOf(parent: XmlElement | undefined, list: string, name: string | undefined) {
  return childrenOf(parent, list).find((one) => textOf(one, "name") === name);
}

function unitsOf(interfaces: XmlElement | undefined): readonly XmlElement[] {
  return childrenOf(entryOf(interfaces, "interface", "st0"), "unit");
}

function homesIn(interfaces: XmlElement | undefined): JunosTunnels["homes"] {
  const homes = new Map<string, string>();
  for (const one of childrenOf(interfaces, "interface")) {
    for (const unit of childrenOf(one, "unit")) {
      const name = `${textOf(one, "name") ?? ""}.${textOf(unit, "name") ?? "0"}`;
      for (const address of childrenOf(childOf(unit, "family", "inet"), "address")) {
        const [own = ""] = textOf(address, "name")?.split("/") ?? [];
        if (isIPv4(own)) homes.set(own, name);
      }
    }
  }
  return homes;
}

function routesIn(statics: XmlElement | undefined): JunosTunnels["routes"] {
  return new Map(
    childrenOf(statics, "route").map((one) => [
      textOf(one, "name") ?? "",
      childrenOf(one, "next-hop").map(({ text }) => text),
    ]),
  );
}

function vpnOf(vpn: XmlElement, parts: Parts): Vpn {
  const name = textOf(vpn, "name") ?? "";
  const gateway = textOf(vpn, "ike", "gateway") ?? "";
  const unit = wholeOf(/^st0\.(\d{1,5})$/.exec(textOf(vpn, "bind-interface") ?? "")?.[1] ?? "");
  const remoteAddress = textOf(entryOf(parts.ike, "gateway", gateway), "address");
  const plan = unit === undefined ? undefined : planOf(vpn, name, unit, parts);
  return { name, unit, gateway, remoteAddress, plan };
}

function planOf(
  vpn: XmlElement,
  name: string,
  unit: number,
  { ike, ipsec, interfaces, routes }: Parts,
): TunnelPlan | undefined {
  const gateway = entryOf(ike, "gateway", name);
  const ikePolicy = entryOf(ike, "policy", name);
  const ipsecPolicy = entryOf(ipsec, "policy", name);
  const isOurs =
    textOf(vpn, "ike", "gateway") === name &&
    textOf(vpn, "ike", "ipsec-policy") === name &&
    textOf(vpn, "establish-tunnels") === "immediately" &&
    textOf(gateway, "ike-policy") === name &&
    textOf(gateway, "version") === "v2-only" &&
    textOf(ikePolicy, "proposals") === name &&
    textOf(ipsecPolicy, "proposals") === name;
  const ikeTransforms = ikeOf(entryOf(ike, "proposal", name));
  const esp = espOf(entryOf(ipsec, "proposal", name), ipsecPolicy);
  const localAddress = textOf(gateway, "local-address") ?? "";
  const remoteAddress = textOf(gateway, "address") ?? "";
  const own = unitsOf(interfaces).find((one) => textOf(one, "name") === String(unit));
  const mtu = wholeOf(textOf(own, "family", "inet", "mtu") ?? "");
  if (!isOurs || ikeTransforms === undefined || esp === undefined) return undefined;
  if (mtu === undefined || ![localAddress, remoteAddress].every(isIPv4)) return undefined;
  return {
    ...{ name, localAddress, remoteAddress, mtu, ...esp },
    remotePrefixes: [...routes]
      .flatMap(([prefix, hops]) =>
        isPrefix(prefix) && hops.includes(`st0.${unit}`) ? [prefix] : [],
      )
      .toSorted(),
    ike: ikeTransforms,
    psk: pskOfRemark(textOf(ikePolicy, "description")),
  };
}

function ikeOf(proposal: XmlElement | undefined): TunnelPlan["ike"] | undefined {
  const encryption = wordFor(words.ikeEncryption, textOf(proposal, "encryption-algorithm"));
  const prf = wordFor(words.prf, textOf(proposal, "authentication-algorithm"));
  const dhGroup = wordFor(words.dhGroup, textOf(proposal, "dh-group"));
  if (encryption === undefined || prf === undefined || dhGroup === undefined) return undefined;
  return { encryption, integrity: encryption.endsWith("-gcm") ? "none" : prf, prf, dhGroup };
}

function espOf(
  proposal: XmlElement | undefined,
  policy: XmlElement | undefined,
): Pick<TunnelPlan, "transforms" | "life"> | undefined {
  const encryption = wordFor(words.espEncryption, textOf(proposal, "encryption-algorithm"));
  const hash = textOf(proposal, "authentication-algorithm") ?? "";
  const integrity = wordFor(words.espIntegrity, hash);
  const keys = textOf(policy, "perfect-forward-secrecy", "keys") ?? "";
  const dhGroup = wordFor(words.pfsGroup, keys);
  const seconds = wholeOf(textOf(proposal, "lifetime-seconds") ?? "");
  const kilobytes = wholeOf(textOf(proposal, "lifetime-kilobytes") ?? "");
  if (encryption === undefined || integrity === undefined || dhGroup === undefined) {
    return undefined;
  }
  if (seconds === undefined || kilobytes === undefined) return undefined;
  return { transforms: { encryption, integrity, dhGroup }, life: { seconds, kilobytes } };
}
