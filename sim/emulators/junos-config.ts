// What a configuration in Junos' own words makes of the simulated router, and the other way round.

import {
  type CipherSuite,
  type Ckn,
  type DrainMeans,
  type MacsecSettings,
  type PortName,
  parseCkn,
} from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import type { StationKey } from "../mka/station.ts";
import type { Router } from "../router/router.ts";
import { cloneConfig, type MutableConfig, type PortConfig } from "../router/router-config.ts";
import { at, type ConfigNode, cloneTree, entries, entry, node, textAt } from "./config-tree.ts";
import { followTunnels, tunnelsFrom } from "./junos-tunnels.ts";
import { FaceError } from "./netconf.ts";

const localAs = "64512";

/** The far end's address on a port, as the router peers with it. */
export function peersOf(router: Router): ReadonlyMap<PortName, string> {
  const { routing } = router.state();
  const sessions = routing.kind === "known" ? routing.value.sessions : [];
  return new Map(sessions.map(({ port, peer }) => [port, peer]));
}

/** Where its tunnels end, whatever links are up. */
const outerAddresses = ["198.51.100.1", "198.51.100.2"];

/** What an operator had before we came: addresses, and one BGP group with a neighbour a port. */
export function firstTree(peers: ReadonlyMap<PortName, string>): ConfigNode {
  const interfaces = [...peers].map(([port, peer]) => {
    const prefix = `${peer.replace(/\d+$/, "1")}/30`;
    const inet = node("family", node("inet", node("address", node("name", prefix))));
    return node("interface", node("name", port), node("unit", node("name", "0"), inet));
  });
  const addresses = outerAddresses.map((one) => node("address", node("name", `${one}/32`)));
  const loopback = node("unit", node("name", "0"), node("family", node("inet", ...addresses)));
  const neighbours = [...peers.values()].map((peer) =>
    node("neighbor", node("name", peer), node("authentication-key", "not shown")),
  );
  const group = node(
    "group",
    node("name", "azure"),
    node("type", "external"),
    node("import", "from-azure"),
    node("export", "to-azure"),
    node("peer-as", "12076"),
    ...neighbours,
  );
  const policy = (name: string): ConfigNode => {
    const accept = node("then", node("accept"));
    return node("policy-statement", node("name", name), accept);
  };
  return node(
    "configuration",
    node("version", "23.4R2"),
    node(
      "system",
      node("host-name", "edge"),
      node("login", node("user", node("name", "linkseal"))),
    ),
    node("security"),
    node("interfaces", ...interfaces, node("interface", node("name", "lo0"), loopback)),
    node("policy-options", policy("from-azure"), policy("to-azure")),
    node(
      "routing-options",
      node("static", node("route", node("name", "0.0.0.0/0"), node("next-hop", "192.0.2.254"))),
      node("autonomous-system", node("as-number", localAs)),
    ),
    node("protocols", node("bgp", group)),
  );
}

export { localAs };

const suites: readonly CipherSuite[] = [
  "gcm-aes-128",
  "gcm-aes-256",
  "gcm-aes-xpn-128",
  "gcm-aes-xpn-256",
];

/** Throws FaceError as a commit check does. */
export function configFrom(tree: ConfigNode, router: Router): MutableConfig {
  const next = cloneConfig(router.running);
  const peers = peersOf(router);
  for (const [port, config] of next.ports) {
    const kept = config.keys;
    Object.assign(config, portFrom(tree, port, peers.get(port), router, kept));
  }
  if (router.options.capabilities.ipsec === undefined) return next;
  return { ...next, tunnels: tunnelsFrom(tree, router) };
}

function portFrom(
  tree: ConfigNode,
  port: PortName,
  peer: string | undefined,
  router: Router,
  kept: readonly StationKey[],
): PortConfig {
  const own = entry(at(tree, "interfaces"), "interface", port);
  const macsec = at(tree, "security", "macsec");
  const binding = entry(macsec, "interfaces", port);
  const name = textAt(binding, "connectivity-association");
  const association =
    name === undefined ? undefined : entry(macsec, "connectivity-association", name);
  if (name !== undefined && association === undefined) {
    throw refusal(`Connectivity association ${name} is not defined`);
  }
  const drain = peer === undefined ? undefined : drainFrom(tree, peer);
  const admin = at(own, "disable") === undefined ? "up" : "down";
  if (association === undefined) return { admin, macsec: undefined, keys: [], drain };
  const keys = keysFrom(tree, association, router).map((key) => {
    // A key that stands as it stood is not touched, whatever its start has become meanwhile.
    const same = kept.find(({ ckn, cak }) => ckn === key.ckn && equal(cak, key.cak));
    return same === undefined ? key : { ...same, role: key.role };
  });
  return { admin, macsec: settingsFrom(association, router), keys, drain };
}

function settingsFrom(association: ConfigNode, router: Router): MacsecSettings {
  const text = textAt(association, "cipher-suite") ?? "gcm-aes-128";
  const suite = suites.find((one) => one === text);
  const offered = router.options.capabilities.macsec?.suites ?? [];
  if (suite === undefined || !offered.includes(suite)) {
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

function keysFrom(
  tree: ConfigNode,
  association: ConfigNode,
  router: Router,
): readonly StationKey[] {
  const statics = (["pre-shared-key", "fallback-key"] as const).flatMap((slot): StationKey[] => {
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
  // Without the hitless rollover the session is on the newest key that has begun, and on no other.
  const begun = keys.filter(({ start }) => start <= wall);
  const used = hitless ? keys : begun.slice(-1);
  return used.map(({ key, start }): StationKey => {
    return start > wall
      ? { ...key, role: "scheduled", startsAt: start as WallTime }
      : { ...key, role: "primary" };
  });
}

function keyFrom(
  name: string | undefined,
  secret: string | undefined,
): { readonly ckn: Ckn; readonly cak: Uint8Array } {
  const ckn = parseCkn(name ?? "");
  if (ckn === undefined) throw refusal("invalid connectivity association key name");
  if (!/^(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{64})$/.test(secret ?? "")) {
    throw refusal(`invalid connectivity association key ${secret ?? ""}`);
  }
  return { ckn, cak: Uint8Array.from(Buffer.from(secret ?? "", "hex")) };
}

/** `2026-11-25.18:00:00 +0000`; without an offset it is the router's own zone, which is UTC. */
function startOf(text: string): number {
  const found = /^(\d{4})-(\d+)-(\d+)\.(\d+):(\d+)(?::(\d+))?(?: ?([+-]\d{2})(\d{2}))?$/.exec(text);
  if (found === null) throw refusal(`invalid start-time ${text}`);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  const zone = Number(found[7] ?? 0) * 60 + Number(found[8] ?? 0);
  return Date.UTC(year, month - 1, day, hour, minute, second) - zone * 60_000;
}

// By what the configuration does and not by what somebody called it.
function drainFrom(tree: ConfigNode, peer: string): DrainMeans | undefined {
  const bgp = at(tree, "protocols", "bgp");
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

/** The tree after somebody changed the router by another way than this face. */
export function treeAfter(tree: ConfigNode, router: Router): ConfigNode {
  const next = cloneTree(tree);
  for (const [port, config] of router.running.ports) {
    const ours = portTree(next, port);
    followAdmin(next, port, config);
    const { binding, chain } = ours;
    if (config.macsec === undefined) {
      const macsec = at(next, "security", "macsec");
      if (macsec !== undefined) {
        macsec.children = macsec.children.filter((one) => one !== binding);
      }
      continue;
    }
    followSettings(next, port, config.macsec);
    if (config.keys.length > 0 || chain !== undefined) followKeys(next, port, config, router);
  }
  if (router.options.capabilities.ipsec !== undefined) followTunnels(next, router);
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

function followAdmin(tree: ConfigNode, port: PortName, { admin }: PortConfig): void {
  const own = entry(at(tree, "interfaces"), "interface", port);
  if (own === undefined) return;
  own.children = own.children.filter(({ name }) => name !== "disable");
  if (admin === "down") own.children.push(node("disable"));
}

function within(tree: ConfigNode, name: string): ConfigNode {
  const found = at(tree, name);
  if (found !== undefined) return found;
  const made = node(name);
  tree.children.push(made);
  return made;
}

function followSettings(tree: ConfigNode, port: PortName, settings: MacsecSettings): void {
  const macsec = within(within(tree, "security"), "macsec");
  const name = `by-hand-${port.replace(/[/:]/g, "-")}`;
  let { association } = portTree(tree, port);
  if (association === undefined) {
    association = node("connectivity-association", node("name", name));
    macsec.children.push(association);
    const binding = [node("name", port), node("connectivity-association", name)];
    macsec.children.push(node("interfaces", ...binding));
  }
  const kept = new Set(["name", "pre-shared-key", "fallback-key", "pre-shared-key-chain"]);
  const { replayWindow, sakRekeyMs } = settings;
  association.children = [
    ...association.children.filter((one) => kept.has(one.name)),
    node("security-mode", "static-cak"),
    node("cipher-suite", settings.suite),
    ...(settings.includeSci ? [node("include-sci")] : []),
    node("offset", String(settings.confidentialityOffset)),
    ...(replayWindow === undefined
      ? []
      : [node("replay-protect", node("replay-window-size", String(replayWindow)))]),
    node(
      "mka",
      node("key-server-priority", String(settings.keyServerPriority)),
      ...(sakRekeyMs === undefined ? [] : [node("sak-rekey-interval", String(sakRekeyMs / 1000))]),
      ...(settings.policy === "shouldSecure" ? [node("should-secure")] : []),
    ),
  ];
}

function followKeys(tree: ConfigNode, port: PortName, { keys }: PortConfig, router: Router): void {
  const { association, chain } = portTree(tree, port);
  if (association === undefined) return;
  const security = within(tree, "security");
  let into = chain;
  if (into === undefined) {
    const name = textAt(association, "name") ?? "";
    into = node("key-chain", node("name", name));
    within(security, "authentication-key-chains").children.push(into);
    association.children.push(node("pre-shared-key-chain", name));
  }
  const has = (one: ConfigNode): boolean =>
    keys.some(({ ckn }) => ckn === textAt(one, "key-name")?.toLowerCase());
  into.children = into.children.filter((one) => one.name !== "key" || has(one));
  for (const [index, key] of keys.entries()) {
    const known = entries(into, "key").some(
      (one) => textAt(one, "key-name")?.toLowerCase() === key.ckn,
    );
    if (known) continue;
    const start = key.startsAt ?? router.wall() - (keys.length - index) * 1000;
    into.children.push(
      node(
        "key",
        node("name", String(freeId(into))),
        node("secret", Buffer.from(key.cak).toString("hex")),
        node("key-name", key.ckn.toUpperCase()),
        node("start-time", `${new Date(start).toISOString().slice(0, 19).replace("T", ".")}`),
      ),
    );
  }
}

function freeId(chain: ConfigNode): number {
  const taken = new Set(entries(chain, "key").map((one) => Number(textAt(one, "name"))));
  let id = 0;
  while (taken.has(id)) id += 1;
  return id;
}

function refusal(message: string): FaceError {
  return new FaceError("operation-failed", message);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index]);
}
