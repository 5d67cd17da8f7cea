// The VPNs of a Junos configuration, without the keys in it. A VPN is ours, and may be written, if
// its gateway, policies and proposals have its own name, as linkseal makes them.

import type { Obstacle } from "#hal/obstacle.ts";
import { wholeOf } from "../platform/text.ts";
import type { TunnelLimits, TunnelPlan, TunnelWords } from "../platform/tunnel-change.ts";
import {
  espFor,
  groupNumbers,
  homesOf,
  numbersIn,
  planFrom,
  type StandingTunnel,
  type TunnelConfig,
  wordsFor,
} from "../platform/tunnel-config.ts";
import {
  childOf,
  childrenOf,
  element,
  textOf,
  type XmlElement,
  type XmlOut,
} from "../transport/xml.ts";
import { leaf, running } from "./config.ts";

export interface JunosTunnels extends TunnelConfig<Vpn> {
  /** Addresses of the gateways of IKE, by name. */
  readonly gateways: ReadonlyMap<string, string>;
  /** TCP segment limit of all VPNs of the router; undefined = segments are not limited. */
  readonly segmentMax: number | undefined;
  /** Interfaces in our zone. */
  readonly zoned: ReadonlySet<string>;
  /** Security zones by interface, and whether IKE may come in on it. */
  readonly zones: ReadonlyMap<string, { readonly zone: string; readonly admitsIke: boolean }>;
}

export interface Vpn extends StandingTunnel {
  /**
   * Unit of `st0.N`; undefined = it is bound to none, or to an interface that is not understood.
   */
  readonly unit: number | undefined;
  readonly gateway: string;
  /** Interface on which IKE comes in; undefined = not configured. */
  readonly outer: string | undefined;
}

/** The operator's policies decide what may pass between this zone and the others. */
export const ownZone = "linkseal";

const hashes = { sha384: "sha-384", sha256: "sha-256", sha1: "sha1" };
const groups = Object.fromEntries(
  Object.entries(groupNumbers).map(([name, number]) => [name, `group${number}`]),
);
const cbcs = {
  "aes-256-cbc": "aes-256-cbc",
  "aes-192-cbc": "aes-192-cbc",
  "aes-128-cbc": "aes-128-cbc",
  "3des-cbc": "3des-cbc",
};
const gcms = { "aes-256-gcm": "aes-256-gcm", "aes-128-gcm": "aes-128-gcm" };

export const words: TunnelWords = {
  ikeEncryption: { ...gcms, ...cbcs },
  // One leaf is both the integrity algorithm and the PRF; beside a GCM it is the PRF only.
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

const leaves = (...names: readonly string[]): readonly XmlOut[] => names.map(leaf);

/** Selects leaf by leaf wherever a PSK is beside them. */
function wanted(): XmlOut {
  const ike = element(
    "ike",
    element("proposal"),
    element("policy", ...leaves("name", "description", "proposals")),
    element(
      "gateway",
      ...leaves("name", "ike-policy", "address", "local-address", "version"),
      leaf("external-interface"),
    ),
  );
  const vpn = element("vpn", ...leaves("name", "bind-interface", "ike", "establish-tunnels"));
  const ipsec = element("ipsec", ...leaves("proposal", "policy"), vpn);
  const flow = element("flow", element("tcp-mss", leaf("ipsec-vpn")));
  const zone = element("security-zone", ...leaves("name", "interfaces", "host-inbound-traffic"));
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

export const getTunnels = (): XmlOut => running(wanted());

interface Parts {
  readonly ike: XmlElement | undefined;
  readonly ipsec: XmlElement | undefined;
  readonly interfaces: XmlElement | undefined;
  readonly routes: JunosTunnels["routes"];
}

const nameOf = (one: XmlElement | undefined): string => textOf(one, "name") ?? "";

/** Returns undefined if the reply contains no configuration. */
export function readTunnels(reply: XmlElement): JunosTunnels | undefined {
  const configuration = childOf(reply, "data", "configuration");
  if (configuration === undefined) return undefined;
  const security = childOf(configuration, "security");
  const interfaces = childOf(configuration, "interfaces");
  const ike = childOf(security, "ike");
  const ipsec = childOf(security, "ipsec");
  const statics = childrenOf(childOf(configuration, "routing-options", "static"), "route");
  const routes = new Map(
    statics.map((one) => [nameOf(one), childrenOf(one, "next-hop").map(({ text }) => text)]),
  );
  const parts: Parts = { ike, ipsec, interfaces, routes };
  const zone = entryOf(childOf(security, "zones"), "security-zone", ownZone);
  const gateways = childrenOf(ike, "gateway");
  const lists = ["proposal", "policy", "gateway"];
  return {
    tunnels: new Map(
      childrenOf(ipsec, "vpn").flatMap((one) => {
        const name = nameOf(one);
        return name === "" ? [] : [[name, vpnOf(one, parts)]];
      }),
    ),
    numbers: numbersIn(unitsOf(interfaces).map(nameOf), /^(\d{1,15})$/),
    homes: homesOf(childrenOf(interfaces, "interface").flatMap(addressesOn)),
    routes,
    gateways: new Map(gateways.map((one) => [nameOf(one), textOf(one, "address") ?? ""])),
    names: new Set(
      lists.flatMap((list) => [ike, ipsec].flatMap((one) => childrenOf(one, list).map(nameOf))),
    ),
    segmentMax: wholeOf(textOf(security, "flow", "tcp-mss", "ipsec-vpn", "mss")),
    zoned: new Set(childrenOf(zone, "interfaces").map(nameOf)),
    zones: new Map(
      childrenOf(childOf(security, "zones"), "security-zone").flatMap((one) =>
        childrenOf(one, "interfaces").map((member) => {
          const admitsIke = admits(childOf(member, services) ?? childOf(one, services));
          return [nameOf(member), { zone: nameOf(one), admitsIke }] as const;
        }),
      ),
    ),
  };
}

/** At an interface it replaces that of its zone. */
const services = "host-inbound-traffic";

/** Returns whether a list of services has IKE: by its name, or by a word for all of them. */
function admits(traffic: XmlElement | undefined): boolean {
  const all = childrenOf(traffic, "system-services");
  const named = all.filter((one) => nameOf(one) === "ike");
  const entries =
    named.length > 0 ? named : all.filter((one) => /^a(?:ll|ny-service)$/.test(nameOf(one)));
  return entries.length > 0 && entries.every((one) => childOf(one, "except") === undefined);
}

/** Returns our tunnels whose gateways cannot reach the router with IKE. */
export function ikeObstacles({ tunnels, zones }: JunosTunnels): readonly Obstacle[] {
  return [...tunnels.values()].flatMap(({ name, outer, plan }): readonly Obstacle[] => {
    const found = zones.get(outer ?? "");
    if (plan === undefined || outer === undefined || found?.admitsIke === true) return [];
    return [{ kind: "ikeNotAdmitted", tunnel: name, interface: outer, zone: found?.zone }];
  });
}

function entryOf(parent: XmlElement | undefined, list: string, name: string | undefined) {
  return childrenOf(parent, list).find((one) => textOf(one, "name") === name);
}

function unitsOf(interfaces: XmlElement | undefined): readonly XmlElement[] {
  return childrenOf(entryOf(interfaces, "interface", "st0"), "unit");
}

function addressesOn(one: XmlElement): readonly (readonly [string, string])[] {
  return childrenOf(one, "unit").flatMap((unit) =>
    childrenOf(childOf(unit, "family", "inet"), "address").map((address) => {
      const [own = ""] = nameOf(address).split("/");
      return [own, `${nameOf(one)}.${textOf(unit, "name") ?? "0"}`] as const;
    }),
  );
}

function vpnOf(vpn: XmlElement, parts: Parts): Vpn {
  const name = nameOf(vpn);
  const gateway = textOf(vpn, "ike", "gateway") ?? "";
  const unit = wholeOf(/^st0\.(\d{1,5})$/.exec(textOf(vpn, "bind-interface") ?? "")?.[1]);
  const peer = entryOf(parts.ike, "gateway", gateway);
  return {
    ...{ name, interface: `st0.${unit ?? "none"}`, unit, gateway },
    localAddress: textOf(peer, "local-address"),
    remoteAddress: textOf(peer, "address"),
    outer: textOf(peer, "external-interface"),
    plan: unit === undefined ? undefined : planOf(vpn, name, unit, parts),
  };
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
  const proposal = entryOf(ipsec, "proposal", name);
  const own = unitsOf(interfaces).find((one) => textOf(one, "name") === String(unit));
  const read = {
    ...{ name, interface: `st0.${unit}` },
    isOurs:
      textOf(vpn, "ike", "gateway") === name &&
      textOf(vpn, "ike", "ipsec-policy") === name &&
      textOf(vpn, "establish-tunnels") === "immediately" &&
      textOf(gateway, "ike-policy") === name &&
      textOf(gateway, "version") === "v2-only" &&
      textOf(ikePolicy, "proposals") === name &&
      textOf(ipsecPolicy, "proposals") === name,
    localAddress: textOf(gateway, "local-address"),
    remoteAddress: textOf(gateway, "address"),
    ike: ikeOf(entryOf(ike, "proposal", name)),
    transforms: espFor(words, {
      espEncryption: textOf(proposal, "encryption-algorithm"),
      espIntegrity: textOf(proposal, "authentication-algorithm") ?? "",
      pfsGroup: textOf(ipsecPolicy, "perfect-forward-secrecy", "keys") ?? "",
    }),
    seconds: wholeOf(textOf(proposal, "lifetime-seconds")),
    kilobytes: wholeOf(textOf(proposal, "lifetime-kilobytes")),
    mtu: wholeOf(textOf(own, "family", "inet", "mtu")),
    remark: textOf(ikePolicy, "description"),
  };
  return planFrom(read, routes);
}

function ikeOf(proposal: XmlElement | undefined): TunnelPlan["ike"] | undefined {
  const found = wordsFor(words, {
    ikeEncryption: textOf(proposal, "encryption-algorithm"),
    prf: textOf(proposal, "authentication-algorithm"),
    dhGroup: textOf(proposal, "dh-group"),
  });
  if (found === undefined) return undefined;
  const { ikeEncryption: encryption, prf, dhGroup } = found;
  return { encryption, integrity: encryption.endsWith("-gcm") ? "none" : prf, prf, dhGroup };
}
