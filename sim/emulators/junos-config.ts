// Translates between a configuration in Junos' own words and the state of the simulated router.

import { type DrainMeans, type MacsecSettings, type PortName, parseCkn } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import type { EndpointKey } from "../mka/port-endpoint.ts";
import type { Router } from "../router/router.ts";
import type { MutableConfig, PortConfig } from "../router/router-config.ts";
import {
  at,
  type ConfigNode,
  cloneTree,
  entries,
  entry,
  node,
  nodes,
  textAt,
  within,
  without,
} from "./config-tree.ts";
import { followTunnels, tunnelsFrom } from "./junos-tunnels.ts";
import { EmulatorError } from "./netconf.ts";
import { configWith, offeredSuite } from "./port-config.ts";
import { hasIpsec, localAs, outerAddresses } from "./router-facts.ts";
import { addressedInterface, otherInstance, peeringsOf, type Wiring } from "./wiring.ts";

/**
 * Returns the operator's configuration before the first change: addresses, and one BGP group with a
 * neighbour per port.
 */
export function firstTree(router: Router, wiring: Wiring): ConfigNode {
  const { vrf } = wiring;
  const [plain, inVrf] =
    vrf === undefined ? (["azure", "others"] as const) : (["others", "azure"] as const);
  const group = (name: "azure" | "others"): readonly ConfigNode[] =>
    groupNodes(router, name, name === "azure" ? "12076" : "64999");
  const units = peeringsOf(router).flatMap(({ port, number }) => {
    const unit = `${addressedInterface(router, port, wiring, "ae")}.0`;
    return nodes`interface { name ${vrf === undefined ? `irb.${number}` : unit}; }`;
  });
  const addresses = outerAddresses.flatMap((one) => nodes`address { name ${`${one}/32`}; }`);
  const tree = nodes`
    version 23.4R2;
    system { host-name edge; login { user { name linkseal; } } }
    security { ${zones(router)} }
    interfaces { ${wiredInterfaces(router, wiring)}
      interface { name lo0; unit { name 0; family { inet { ${addresses} } } } } }
    policy-options {
      policy-statement { name from-azure; then { accept; } }
      policy-statement { name to-azure; then { accept; } } }
    routing-options {
      static { route { name 0.0.0.0/0; next-hop 192.0.2.254; } }
      autonomous-system { as-number ${localAs}; } }
    protocols { bgp { ${group(plain)} } }
    routing-instances { instance {
      name ${vrf ?? otherInstance(wiring) ?? ""}; instance-type virtual-router; ${units}
      protocols { bgp { ${group(inVrf)} } } } }`;
  return node("configuration", ...tree);
}

/** A firewall passes IKE to itself only from a zone that admits it. */
const zones = (router: Router): readonly ConfigNode[] =>
  hasIpsec(router)
    ? nodes`
      zones { security-zone { name untrust;
        host-inbound-traffic { system-services { name ike; } }
        interfaces { name lo0.0; } } }`
    : [];

/** Returns the ports or their aggregates, and interfaces with the same addresses elsewhere. */
function wiredInterfaces(router: Router, wiring: Wiring): readonly ConfigNode[] {
  const all = peeringsOf(router);
  const unitOf = (number: number, own: string): readonly ConfigNode[] => nodes`
    unit { name ${number}; family { inet { address { name ${`${own}/30`}; } } } }`;
  const doubles = all.flatMap(({ own, number }) => unitOf(number, own));
  return [
    ...all.flatMap(({ port, own, number }) =>
      wiring.aggregates === undefined
        ? nodes`interface { name ${port}; ${unitOf(0, own)} }`
        : nodes`
          interface { name ${port};
            gigether-options { ieee-802.3ad { bundle ${`ae${number}`}; } } }
          interface { name ${`ae${number}`}; ${unitOf(0, own)} }`,
    ),
    ...nodes`interface { name irb; ${doubles} }`,
  ];
}

function groupNodes(router: Router, name: string, as: string): readonly ConfigNode[] {
  const neighbours = peeringsOf(router).flatMap(
    ({ peer }) => nodes`neighbor { name ${peer}; authentication-key ${"not shown"}; }`,
  );
  return nodes`group {
    name ${name}; type external; import from-azure; export to-azure; peer-as ${as};
    ${neighbours} }`;
}

/** Returns what is configured for BGP in the routing instance of the peerings. */
export function bgpIn(tree: ConfigNode, { vrf }: Wiring): ConfigNode | undefined {
  const home = vrf === undefined ? tree : entry(at(tree, "routing-instances"), "instance", vrf);
  return at(home, "protocols", "bgp");
}

/**
 * Translates a tree into the router's configuration.
 * @throws FaceError as a commit check does
 */
export function configFrom(tree: ConfigNode, router: Router, wiring: Wiring): MutableConfig {
  return configWith(
    router,
    (port, peer) => {
      return { ...portFrom(tree, port, router), drain: drainFrom(tree, peer, wiring) };
    },
    () => tunnelsFrom(tree, router),
  );
}

function portFrom(tree: ConfigNode, port: PortName, router: Router): Omit<PortConfig, "drain"> {
  const own = entry(at(tree, "interfaces"), "interface", port);
  const macsec = at(tree, "security", "macsec");
  const binding = entry(macsec, "interfaces", port);
  const name = textAt(binding, "connectivity-association");
  const association =
    name === undefined ? undefined : entry(macsec, "connectivity-association", name);
  if (name !== undefined && association === undefined) {
    throw refusal(`Connectivity association ${name} is not defined`);
  }
  const admin = at(own, "disable") === undefined ? "up" : "down";
  if (association === undefined) return { admin, macsec: undefined, keys: [] };
  const keys = keysFrom(tree, association, router);
  return { admin, macsec: settingsFrom(association, router), keys };
}

/** Whether the frames of a port are encrypted, and not only authenticated. */
export function isEncrypted(tree: ConfigNode, port: PortName): boolean {
  return at(portTree(tree, port).association, "no-encryption") === undefined;
}

function settingsFrom(association: ConfigNode, router: Router): MacsecSettings {
  const text = textAt(association, "cipher-suite") ?? "gcm-aes-128";
  const suite = offeredSuite(router, text);
  if (suite === undefined) {
    throw refusal(`cipher-suite ${text} is not supported on this platform`);
  }
  const offset = Number(textAt(association, "offset") ?? 0);
  if (offset !== 0 && offset !== 30 && offset !== 50) throw refusal("invalid value for offset");
  const mka = at(association, "mka");
  const rekey = Number(textAt(mka, "sak-rekey-interval") ?? 0);
  const window = at(association, "replay-protect");
  return {
    suite,
    policy: at(mka, "should-secure") === undefined ? "mustSecure" : "shouldSecure",
    includeSci: at(association, "include-sci") !== undefined,
    confidentialityOffset: offset,
    keyServerPriority: Number(textAt(mka, "key-server-priority") ?? 16),
    replayWindow:
      window === undefined ? undefined : Number(textAt(window, "replay-window-size") ?? 0),
    sakRekeyMs: rekey === 0 ? undefined : rekey * 1000,
  };
}

function keysFrom(tree: ConfigNode, association: ConfigNode, router: Router): EndpointKey[] {
  const statics = (["pre-shared-key", "fallback-key"] as const).flatMap((slot): EndpointKey[] => {
    const pair = at(association, slot);
    if (pair === undefined) return [];
    const role = slot === "fallback-key" ? "fallback" : "primary";
    return [{ ...keyFrom(textAt(pair, "ckn"), textAt(pair, "cak")), role }];
  });
  const chainName = textAt(association, "pre-shared-key-chain");
  if (chainName === undefined) return statics;
  if (statics.length > 0)
    throw refusal("pre-shared-key and pre-shared-key-chain exclude each other");
  const chain = entry(at(tree, "security", "authentication-key-chains"), "key-chain", chainName);
  if (chain === undefined) throw refusal(`key-chain ${chainName} is not defined`);
  const keys = entries(chain, "key")
    .map((one) => ({
      key: keyFrom(textAt(one, "key-name"), textAt(one, "secret")),
      start: startOf(textAt(one, "start-time") ?? ""),
    }))
    .toSorted((a, b) => a.start - b.start);
  if (new Set(keys.map(({ start }) => start)).size !== keys.length) {
    throw refusal(`key-chain ${chainName}: start-time must be unique`);
  }
  const wall = router.wall();
  const hitless = router.options.capabilities.macsec?.overlap === "keychain";
  // Without the hitless rollover, the session uses only the newest key that has begun.
  const begun = keys.filter(({ start }) => start <= wall);
  const used = hitless ? keys : begun.slice(-1);
  return used.map(({ key, start }): EndpointKey => {
    return start > wall
      ? { ...key, role: "scheduled", startsAt: start as WallTime }
      : { ...key, role: "primary" };
  });
}

function keyFrom(name = "", secret = ""): Pick<EndpointKey, "ckn" | "cak"> {
  const ckn = parseCkn(name);
  if (ckn === undefined) throw refusal("invalid connectivity association key name");
  if (!/^(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{64})$/.test(secret)) {
    throw refusal(`invalid connectivity association key ${secret}`);
  }
  return { ckn, cak: Uint8Array.from(Buffer.from(secret, "hex")) };
}

/**
 * Parses `2026-11-25.18:00:00 +0000`; without an offset it is in the router's own zone, which is
 * UTC.
 */
function startOf(text: string): number {
  const found = /^(\d{4})-(\d+)-(\d+)\.(\d+):(\d+)(?::(\d+))?(?: ?([+-]\d{2})(\d{2}))?$/.exec(text);
  if (found === null) throw refusal(`invalid start-time ${text}`);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  const zone = Number(found[7] ?? 0) * 60 + Number(found[8] ?? 0);
  return Date.UTC(year, month - 1, day, hour, minute, second) - zone * 60_000;
}

// The drain is recognised by the effect of the configuration and not by names in it.
function drainFrom(tree: ConfigNode, peer: string, wiring: Wiring): DrainMeans | undefined {
  const bgp = bgpIn(tree, wiring);
  for (const group of entries(bgp, "group")) {
    const neighbour = entry(group, "neighbor", peer);
    if (neighbour === undefined) continue;
    if (neighbour.isInactive || at(neighbour, "shutdown") !== undefined) return "peeringShutdown";
    if (at(neighbour, "graceful-shutdown", "sender") !== undefined) return "gracefulShutdown";
    const exports = listOf(neighbour, "export") ?? listOf(group, "export") ?? [];
    const policies = at(tree, "policy-options");
    for (const name of exports) {
      const policy = entry(policies, "policy-statement", name);
      if (policy === undefined) throw refusal(`policy ${name} is not defined`);
      if (at(policy, "then", "as-path-prepend") !== undefined) return "prepend";
      if (at(policy, "then", "accept") !== undefined) break;
    }
  }
  return undefined;
}

function listOf(tree: ConfigNode, name: string): readonly string[] | undefined {
  const found = entries(tree, name).map(({ text }) => text);
  return found.length === 0 ? undefined : found;
}

/** Returns the tree after the router was changed other than through this emulator. */
export function treeAfter(tree: ConfigNode, router: Router): ConfigNode {
  const next = cloneTree(tree);
  for (const [port, config] of router.running.ports) {
    const { binding, chain } = portTree(next, port);
    const own = entry(at(next, "interfaces"), "interface", port);
    without(own, ({ name }) => name === "disable");
    if (config.admin === "down") own?.children.push(node("disable"));
    if (config.macsec === undefined) {
      without(at(next, "security", "macsec"), (one) => one === binding);
      continue;
    }
    followSettings(next, port, config.macsec);
    if (config.keys.length > 0 || chain !== undefined) followKeys(next, port, config, router);
  }
  if (hasIpsec(router)) followTunnels(next, router);
  return next;
}

function portTree(tree: ConfigNode, port: PortName) {
  const macsec = at(tree, "security", "macsec");
  const binding = entry(macsec, "interfaces", port);
  const name = textAt(binding, "connectivity-association") ?? "";
  const association = entry(macsec, "connectivity-association", name);
  const chains = at(tree, "security", "authentication-key-chains");
  const chain = entry(chains, "key-chain", textAt(association, "pre-shared-key-chain") ?? "");
  return { binding, association, chain };
}

function followSettings(tree: ConfigNode, port: PortName, settings: MacsecSettings): void {
  const macsec = within(tree, "security", "macsec");
  const name = `by-hand-${port.replace(/[/:]/g, "-")}`;
  let { association } = portTree(tree, port);
  if (association === undefined) {
    association = node("connectivity-association", node("name", name));
    const binding = nodes`interfaces { name ${port}; connectivity-association ${name}; }`;
    macsec.children.push(association, ...binding);
  }
  const kept = new Set(["name", "pre-shared-key", "fallback-key", "pre-shared-key-chain"]);
  const { replayWindow, sakRekeyMs } = settings;
  const window =
    replayWindow === undefined
      ? []
      : nodes`replay-protect {
    replay-window-size ${replayWindow}; }`;
  association.children = [
    ...association.children.filter((one) => kept.has(one.name)),
    ...nodes`
      security-mode static-cak; cipher-suite ${settings.suite};
      ${settings.includeSci ? nodes`include-sci;` : []} offset ${settings.confidentialityOffset};
      ${window}
      mka { key-server-priority ${settings.keyServerPriority};
        ${sakRekeyMs === undefined ? [] : nodes`sak-rekey-interval ${sakRekeyMs / 1000};`}
        ${settings.policy === "shouldSecure" ? nodes`should-secure;` : []} }`,
  ];
}

function followKeys(tree: ConfigNode, port: PortName, { keys }: PortConfig, router: Router): void {
  const { association, chain } = portTree(tree, port);
  if (association === undefined) return;
  let into = chain;
  if (into === undefined) {
    const name = textAt(association, "name") ?? "";
    into = node("key-chain", node("name", name));
    within(tree, "security", "authentication-key-chains").children.push(into);
    association.children.push(node("pre-shared-key-chain", name));
  }
  const cknOf = (one: ConfigNode): string | undefined => textAt(one, "key-name")?.toLowerCase();
  without(into, (one) => one.name === "key" && !keys.some(({ ckn }) => ckn === cknOf(one)));
  for (const [index, key] of keys.entries()) {
    if (entries(into, "key").some((one) => cknOf(one) === key.ckn)) continue;
    const start = key.startsAt ?? router.wall() - (keys.length - index) * 1000;
    const text = new Date(start).toISOString().slice(0, 19).replace("T", ".");
    const secret = Buffer.from(key.cak).toString("hex");
    const made = nodes`key { name ${freeId(into)}; secret ${secret};
      key-name ${key.ckn.toUpperCase()}; start-time ${text}; }`;
    into.children.push(...made);
  }
}

function freeId(chain: ConfigNode): number {
  const taken = new Set(entries(chain, "key").map((one) => Number(textAt(one, "name"))));
  let id = 0;
  while (taken.has(id)) id += 1;
  return id;
}

function refusal(message: string): EmulatorError {
  return new EmulatorError("operation-failed", message);
}
