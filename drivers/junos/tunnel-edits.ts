// A tunnel as edits of the candidate: each part that bears its name is written as a whole, since a
// change of any of them begins the tunnel anew.

import { type ErrorCode, LinksealError } from "#hal/error.ts";
import {
  type ChangedTunnel,
  deadPeer,
  ikeSeconds,
  pskRemark,
  segmentMax,
  type TunnelPlan,
} from "../platform/tunnel-change.ts";
import { element, elementWith, type XmlOut } from "../transport/xml.ts";
import { type JunosTunnels, ownZone, words } from "./tunnel-config.ts";

type Wanted = NonNullable<ChangedTunnel["after"]>;

const unitMax = 16_385;
const replaced = { operation: "replace" } as const;
const deleted = { operation: "delete" } as const;

/** What each is put into `<configuration>`, in this order. Throws `device.*`, effect "none". */
export function tunnelTrees(
  changed: readonly ChangedTunnel[],
  tunnels: JunosTunnels,
  device: string,
): readonly XmlOut[] {
  const taken = new Set(tunnels.units);
  const routes = new Map(tunnels.routes);
  return changed.flatMap(({ name, before, after }) => {
    const standing = tunnels.vpns.get(name)?.unit;
    if (after === undefined)
      return goneTrees(name, standing, before, { zoned: tunnels.zoned, routes });
    const home = homeOf(after, tunnels, device);
    const unit = standing ?? freeUnit(taken, device);
    taken.add(unit);
    const stale = before?.remotePrefixes.filter((one) => !after.remotePrefixes.includes(one)) ?? [];
    return [
      security(...ikeParts(after, home)),
      ipsecTree(after, unit),
      unitTree(after, unit),
      ...zoneTree(unit, tunnels),
      ...segmentTree(after, tunnels),
      ...after.remotePrefixes.map((prefix) => routeTree(prefix, unit, routes, device)),
      ...stale.map((prefix) => goneRoute(prefix, unit, routes)),
    ];
  });
}

const security = (...parts: readonly XmlOut[]): XmlOut => element("security", ...parts);
const named = (list: string, name: string, ...parts: readonly XmlOut[]): XmlOut =>
  elementWith(list, replaced, element("name", name), ...parts);

function homeOf({ name, localAddress, remoteAddress }: Wanted, tunnels: JunosTunnels, at: string) {
  if (!tunnels.vpns.has(name) && tunnels.names.has(name)) {
    const text = `a gateway, a policy or a proposal of somebody's is called ${name} already`;
    throw failed("device.rejected", text, at);
  }
  for (const [other, address] of tunnels.gateways) {
    if (address !== remoteAddress || other === name || tunnels.vpns.get(other)?.plan) continue;
    const text = `a gateway of the operator's, ${other}, has the address ${remoteAddress} already`;
    throw failed("device.rejected", text, at);
  }
  const home = tunnels.homes.get(localAddress);
  if (home !== undefined) return home;
  throw failed("device.rejected", `no interface has the address ${localAddress}`, at);
}

function freeUnit(taken: ReadonlySet<number>, device: string): number {
  let unit = 0;
  while (taken.has(unit)) unit += 1;
  if (unit <= unitMax) return unit;
  throw failed("device.rejected", "st0 has no unit left", device);
}

const leafFor = (name: string, word: string | undefined): readonly XmlOut[] =>
  word === undefined || word === "" ? [] : [element(name, word)];

function ikeParts({ name, ike, psk, secret, ...ends }: Wanted, home: string): readonly XmlOut[] {
  const proposal = named(
    "proposal",
    name,
    element("authentication-method", "pre-shared-keys"),
    ...leafFor("dh-group", words.dhGroup[ike.dhGroup]),
    ...leafFor("authentication-algorithm", words.prf[ike.prf]),
    ...leafFor("encryption-algorithm", words.ikeEncryption[ike.encryption]),
    element("lifetime-seconds", String(ikeSeconds)),
  );
  // In hexadecimal no octet of it can mean anything to XML.
  const key = element("hexadecimal", { secret, as: "hex" });
  const policy = named(
    "policy",
    name,
    element("description", pskRemark(psk ?? "")),
    element("proposals", name),
    element("pre-shared-key", key),
  );
  const gateway = named(
    "gateway",
    name,
    element("ike-policy", name),
    element("address", ends.remoteAddress),
    element(
      "dead-peer-detection",
      element("always-send"),
      element("interval", String(deadPeer.seconds)),
      element("threshold", String(deadPeer.tries)),
    ),
    element("external-interface", home),
    element("local-address", ends.localAddress),
    element("version", "v2-only"),
  );
  return [element("ike", proposal, policy, gateway)];
}

function ipsecTree({ name, transforms, life }: Wanted, unit: number): XmlOut {
  const proposal = named(
    "proposal",
    name,
    element("protocol", "esp"),
    ...leafFor("authentication-algorithm", words.espIntegrity[transforms.integrity]),
    ...leafFor("encryption-algorithm", words.espEncryption[transforms.encryption]),
    element("lifetime-seconds", String(life.seconds)),
    element("lifetime-kilobytes", String(life.kilobytes)),
  );
  const secrecy = leafFor("keys", words.pfsGroup[transforms.dhGroup]);
  const policy = named(
    "policy",
    name,
    ...(secrecy.length === 0 ? [] : [element("perfect-forward-secrecy", ...secrecy)]),
    element("proposals", name),
  );
  const vpn = named(
    "vpn",
    name,
    element("bind-interface", `st0.${unit}`),
    element("ike", element("gateway", name), element("ipsec-policy", name)),
    element("establish-tunnels", "immediately"),
  );
  return security(element("ipsec", proposal, policy, vpn));
}

const st0 = (unit: XmlOut): XmlOut =>
  element("interfaces", element("interface", element("name", "st0"), unit));

function unitTree({ name, mtu }: Wanted, unit: number): XmlOut {
  const inet = element("family", element("inet", element("mtu", String(mtu))));
  return st0(named("unit", String(unit), element("description", name), inet));
}

const inZone = (entry: XmlOut): XmlOut =>
  security(element("zones", element("security-zone", element("name", ownZone), entry)));

// An interface that is in no zone passes nothing.
function zoneTree(unit: number, { zoned }: JunosTunnels): readonly XmlOut[] {
  const name = `st0.${unit}`;
  return zoned.has(name) ? [] : [inZone(element("interfaces", element("name", name)))];
}

// One leaf for all VPNs of the router: it is lowered and never raised.
function segmentTree(plan: TunnelPlan, { segmentMax: stands }: JunosTunnels): readonly XmlOut[] {
  const wanted = segmentMax(plan);
  if (stands !== undefined && stands <= wanted) return [];
  const vpn = element("ipsec-vpn", element("mss", String(wanted)));
  return [security(element("flow", element("tcp-mss", vpn)))];
}

const inStatic = (route: XmlOut): XmlOut => element("routing-options", element("static", route));

type Routes = Map<string, readonly string[]>;

function routeTree(prefix: string, unit: number, routes: Routes, device: string): XmlOut {
  const hop = `st0.${unit}`;
  const hops = routes.get(prefix) ?? [];
  const strange = hops.find((hop) => !/^st0\.\d{1,5}$/.test(hop));
  if (strange !== undefined) {
    const text = `a static route of the operator's leads ${prefix} to ${strange}`;
    throw failed("device.rejected", text, device);
  }
  routes.set(prefix, [...new Set([...hops, hop])]);
  return inStatic(element("route", element("name", prefix), element("next-hop", hop)));
}

// The last of its next hops takes a route away.
function goneRoute(prefix: string, unit: number, routes: Routes): XmlOut {
  const hop = `st0.${unit}`;
  const others = routes.get(prefix)?.filter((one) => one !== hop) ?? [];
  routes.set(prefix, others);
  if (others.length === 0) return inStatic(elementWith("route", deleted, element("name", prefix)));
  const gone = elementWith("next-hop", deleted, hop);
  return inStatic(element("route", element("name", prefix), gone));
}

function goneTrees(
  name: string,
  unit: number | undefined,
  before: TunnelPlan | undefined,
  { zoned, routes }: { readonly zoned: ReadonlySet<string>; readonly routes: Routes },
): readonly XmlOut[] {
  if (unit === undefined) return [];
  const gone = (list: string, key = name): XmlOut =>
    elementWith(list, deleted, element("name", key));
  const zone = zoned.has(`st0.${unit}`) ? [inZone(gone("interfaces", `st0.${unit}`))] : [];
  return [
    ...(before?.remotePrefixes.map((prefix) => goneRoute(prefix, unit, routes)) ?? []),
    ...zone,
    security(element("ipsec", gone("vpn"), gone("policy"), gone("proposal"))),
    security(element("ike", gone("gateway"), gone("policy"), gone("proposal"))),
    st0(gone("unit", String(unit))),
  ];
}

function failed(code: ErrorCode, text: string, where: string): LinksealError {
  return new LinksealError(code, text, { effect: "none", where, next: "linkseal status" });
}
