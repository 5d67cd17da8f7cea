// A tunnel as edits of the candidate: each object with its name is written as a whole, because a
// change of any of them restarts the tunnel.

import {
  type ChangedTunnel,
  deadPeer,
  ikeSeconds,
  pskRemark,
  segmentMax,
  type TunnelPlan,
} from "../platform/tunnel-change.ts";
import { Ground, stalePrefixes, type Wanted } from "../platform/tunnel-renderer.ts";
import { element, elementWith, type XmlOut } from "../transport/xml.ts";
import { type JunosTunnels, ownZone, words } from "./tunnel-config.ts";

const unitMax = 16_385;
const replaced = { operation: "replace" } as const;
const deleted = { operation: "delete" } as const;

/**
 * Returns the trees that are put into `<configuration>`, in this order.
 * @throws LinksealError `device.*`, with effect "none".
 */
export function tunnelTrees(
  changed: readonly ChangedTunnel[],
  tunnels: JunosTunnels,
  device: string,
): readonly XmlOut[] {
  const ground = new Ground(tunnels, device);
  return changed.flatMap(({ name, before, after }) => {
    const standing = tunnels.tunnels.get(name)?.unit;
    if (after === undefined) return goneTrees(name, standing, before, ground);
    const home = homeFor(after, ground);
    const unit = standing ?? freeUnit(ground);
    ground.numbers.add(unit);
    return [
      security(...ikeParts(after, home)),
      ipsecTree(after, unit),
      unitTree(after, unit),
      ...zoneTree(unit, tunnels),
      ...segmentTree(after, tunnels),
      ...after.remotePrefixes.map((prefix) => routeTree(prefix, unit, ground)),
      ...stalePrefixes(before, after).map((prefix) => goneRoute(prefix, unit, ground)),
    ];
  });
}

const security = (...parts: readonly XmlOut[]): XmlOut => element("security", ...parts);
const named = (list: string, name: string, ...parts: readonly XmlOut[]): XmlOut =>
  elementWith(list, replaced, element("name", name), ...parts);

function homeFor(after: Wanted, ground: Ground<JunosTunnels>): string {
  const { name, remoteAddress } = after;
  const { config } = ground;
  ground.refuseNamesake(after, "a gateway, a policy or a proposal");
  for (const [other, address] of config.gateways) {
    if (address !== remoteAddress || other === name || config.tunnels.get(other)?.plan) continue;
    const text = `a gateway of the operator's, ${other}, has the address ${remoteAddress} already`;
    throw ground.refusal(text);
  }
  return ground.homeOf(after, "");
}

function freeUnit(ground: Ground<JunosTunnels>): number {
  const unit = ground.freeNumber(0);
  if (unit <= unitMax) return unit;
  throw ground.refusal("st0 has no unit left");
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
  // No octet of it, written in hexadecimal digits, can mean anything to XML.
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

// One leaf applies to all VPNs of the router, so it is lowered and never raised.
function segmentTree(plan: TunnelPlan, { segmentMax: stands }: JunosTunnels): readonly XmlOut[] {
  const wanted = segmentMax(plan);
  if (stands !== undefined && stands <= wanted) return [];
  const vpn = element("ipsec-vpn", element("mss", String(wanted)));
  return [security(element("flow", element("tcp-mss", vpn)))];
}

const inStatic = (route: XmlOut): XmlOut => element("routing-options", element("static", route));

function routeTree(prefix: string, unit: number, ground: Ground<JunosTunnels>): XmlOut {
  const hop = `st0.${unit}`;
  const hops = ground.hopsOf(prefix, /^st0\.\d{1,5}$/);
  ground.routes.set(prefix, [...new Set([...hops, hop])]);
  return inStatic(element("route", element("name", prefix), element("next-hop", hop)));
}

// A route is removed with the last of its next hops.
function goneRoute(prefix: string, unit: number, { routes }: Ground<JunosTunnels>): XmlOut {
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
  ground: Ground<JunosTunnels>,
): readonly XmlOut[] {
  if (unit === undefined) return [];
  const gone = (list: string, key = name): XmlOut =>
    elementWith(list, deleted, element("name", key));
  const isZoned = ground.config.zoned.has(`st0.${unit}`);
  return [
    ...(before?.remotePrefixes.map((prefix) => goneRoute(prefix, unit, ground)) ?? []),
    ...(isZoned ? [inZone(gone("interfaces", `st0.${unit}`))] : []),
    security(element("ipsec", gone("vpn"), gone("policy"), gone("proposal"))),
    security(element("ike", gone("gateway"), gone("policy"), gone("proposal"))),
    st0(gone("unit", String(unit))),
  ];
}
