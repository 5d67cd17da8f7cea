// Translates between a configuration in NX-OS's own words and the state of the simulated router.

import { type DrainMeans, type MacsecSettings, type PortName, parseCkn } from "#hal/model.ts";
import type { EndpointKey } from "../mka/port-endpoint.ts";
import type { Router } from "../router/router.ts";
import type { MutableConfig, PortConfig } from "../router/router-config.ts";
import {
  algorithmOf,
  always,
  handName,
  isConfigured,
  keysInForce,
  lifeOf,
  momentText,
  octetsOf,
  writeChains,
} from "./cisco-keys.ts";
import {
  type Block,
  bgpOf,
  block,
  blocksAt,
  childOf,
  cloneBlocks,
  linesIn,
  putBlock,
  putLines,
  restOf,
} from "./line-tree.ts";
import { configWith, offeredSuite } from "./port-config.ts";
import { localAs } from "./router-facts.ts";
import { otherInstance, peeringsOf, type Wiring } from "./wiring.ts";

/** The text that the switch prints instead of accepting a line. */
export class LineError extends Error {}

const family = "address-family ipv4 unicast";

/** Returns the operator's configuration before the first change. */
export function firstBlocks(router: Router, { vrf, aggregates }: Wiring): Block[] {
  const other = otherInstance({ ...(vrf && { vrf }) });
  const inVrf = (name: string | undefined): readonly string[] =>
    name === undefined ? [] : [`vrf member ${name}`];
  return [
    block(`hostname ${router.name}`),
    ...["bgp", "lacp", "macsec"].map((name) => block(`feature ${name}`)),
    block("username operator role network-admin"),
    block("vrf context management", "ip route 0.0.0.0/0 192.0.2.254"),
    block(
      `vrf context ${vrf ?? other}`,
      ...["rd 64512:7", "ip route 192.0.2.128/25 Null0"],
      block("address-family ipv4 unicast", "route-target import 64512:7", "route-target both auto"),
    ),
    block("evpn", block("vni 8100 l2", "rd auto", "route-target import auto")),
    block("route-map OPS-OUT permit 10", "match ip address prefix-list TO-AZURE"),
    block("route-map OPS-OUT deny 20"),
    ...peeringsOf(router).flatMap(({ port, own, number }) => {
      const addressed = [...inVrf(vrf), `ip address ${own}/30`];
      const lines = aggregates === undefined ? addressed : [`channel-group ${number} mode active`];
      const layer3 = ["no switchport", "mtu 9216"];
      return [
        ...(aggregates === undefined
          ? []
          : [block(`interface port-channel${number}`, ...layer3, ...addressed)]),
        block(`interface ${port}`, "description towards Azure", ...layer3, ...lines),
        block(`interface Vlan${number}`, "no shutdown", ...inVrf(other), `ip address ${own}/30`),
      ];
    }),
    block("interface mgmt0", "vrf member management", "ip address 192.0.2.1/24"),
    block("interface loopback0", "ip address 198.51.100.1/32"),
    bgpBlock(router, vrf, other),
  ];
}

function bgpBlock(router: Router, vrf: string | undefined, other: string | undefined): Block {
  const policies = ["prefix-list FROM-AZURE in", "route-map OPS-OUT out"];
  const neighbours = (as: string, own: readonly string[]): readonly Block[] =>
    peeringsOf(router).map(({ peer }) =>
      block(
        `neighbor ${peer}`,
        `remote-as ${as}`,
        "password 3 9125d59c18a9b015",
        block(family, ...own),
      ),
    );
  const azure = neighbours("12076", policies);
  const foreign = neighbours("64999", []);
  const [plain, inVrf] = vrf === undefined ? [azure, foreign] : [foreign, azure];
  return block(
    `router bgp ${localAs}`,
    ...["log-neighbor-changes", family],
    ...plain,
    block(`vrf ${vrf ?? other}`, family, ...inVrf),
  );
}

const neighbourIn = (root: readonly Block[], peer: string, { vrf }: Wiring): readonly Block[] => {
  const home = vrf === undefined ? bgpOf(root) : linesIn(bgpOf(root), `vrf ${vrf}`);
  return linesIn(home, `neighbor ${peer}`);
};

export const isShut = (root: readonly Block[], peer: string, wiring: Wiring): boolean =>
  childOf(neighbourIn(root, peer, wiring), "shutdown") !== undefined;

/**
 * Translates blocks into the router's configuration. `spoken` is the configuration at the last
 * exchange of routes; its route maps are the ones in force.
 * @throws LineError for a known command with an invalid value
 */
export function configFrom(
  root: readonly Block[],
  spoken: readonly Block[],
  router: Router,
  wiring: Wiring,
): MutableConfig {
  return configWith(router, (port, peer) => {
    const isDown = isShut(root, peer, wiring);
    const drain = isDown ? "peeringShutdown" : drainFrom(spoken, peer, wiring);
    return { ...portFrom(root, port, router), drain };
  });
}

// The drain is recognised by the effect of the configuration and not by names in it.
function drainFrom(root: readonly Block[], peer: string, wiring: Wiring): DrainMeans | undefined {
  const lines = linesIn(neighbourIn(root, peer, wiring), family).map(({ line }) => line);
  const out = lines.map((line) => /^route-map (\S+) out$/.exec(line)?.[1]).find(Boolean);
  const entries = root.filter(({ line }) => line.startsWith(`route-map ${out} permit `));
  const prepends = entries.every(
    ({ children }) => restOf(children, "set as-path prepend") !== undefined,
  );
  return prepends && entries.length > 0 ? "prepend" : undefined;
}

const attachment = /^macsec keychain (\S+) policy (\S+)(?: fallback-keychain (\S+))?$/;

function portFrom(
  root: readonly Block[],
  port: PortName,
  router: Router,
): Omit<PortConfig, "drain"> {
  const own = linesIn(root, `interface ${port}`);
  const admin = childOf(own, "shutdown") === undefined ? "up" : "down";
  const found = own.map(({ line }) => attachment.exec(line)).find((one) => one !== null);
  const isOff = childOf(root, "feature macsec") === undefined || childOf(root, "macsec shutdown");
  if (found === undefined || isOff) return { admin, macsec: undefined, keys: [] };
  const [, chain = "", policy = "", fallback] = found;
  if (chain === fallback) {
    throw new LineError("ERROR: fallback keychain must not be the primary keychain");
  }
  const keys = [
    ...keysFrom(root, chain, "primary", router),
    ...(fallback === undefined ? [] : keysFrom(root, fallback, "fallback", router)),
  ];
  return { admin, macsec: settingsFrom(root, policy, router), keys };
}

function settingsFrom(root: readonly Block[], name: string, router: Router): MacsecSettings {
  const policy = childOf(root, `macsec policy ${name}`)?.children;
  if (policy === undefined && name !== "system-default-macsec-policy") {
    throw new LineError(`ERROR: macsec policy ${name} does not exist`);
  }
  const text = restOf(policy, "cipher-suite") ?? "GCM-AES-XPN-256";
  const suite = offeredSuite(router, text.toLowerCase());
  if (suite === undefined) throw new LineError(`ERROR: ${text} is not supported on this port`);
  const offset = Number((restOf(policy, "conf-offset") ?? "CONF-OFFSET-0").replace(/\D+/, ""));
  const seconds = restOf(policy, "sak-expiry-time");
  return {
    suite,
    policy: restOf(policy, "security-policy") === "must-secure" ? "mustSecure" : "shouldSecure",
    includeSci: true,
    confidentialityOffset: offset === 30 || offset === 50 ? offset : 0,
    keyServerPriority: Number(restOf(policy, "key-server-priority") ?? 16),
    replayWindow: Number(restOf(policy, "window-size") ?? 148_809_600),
    sakRekeyMs: seconds === undefined ? undefined : Number(seconds) * 1000,
  };
}

const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** Returns the first of the keys that are valid now, and the future ones. */
function keysFrom(
  root: readonly Block[],
  chain: string,
  role: "primary" | "fallback",
  router: Router,
): readonly EndpointKey[] {
  const blocks = childOf(root, `key chain ${chain} macsec`)?.children;
  if (blocks === undefined) throw new LineError(`ERROR: key chain ${chain} does not exist`);
  const keys = blocks.flatMap((one) => {
    const lifetime = (restOf(one.children, "send-lifetime") ?? "").replace(/^local /, "");
    const life = lifeOf(lifetime, (word) => months.indexOf(word)) ?? always;
    const key = keyOf(one);
    return key === undefined ? [] : [{ ...key, ...life }];
  });
  return keysInForce(keys, role, router.wall());
}

/** Parses a key; undefined while its octets have not been entered. */
function keyOf({ line, children }: Block): Pick<EndpointKey, "ckn" | "cak"> | undefined {
  const ckn = parseCkn(line.replace(/^key /, ""));
  if (ckn === undefined) throw new LineError("ERROR: key name must have an even number of digits");
  const text = restOf(children, "key-octet-string")?.replace(/^0 /, "");
  if (text === undefined) return undefined;
  const [digits = "", , algorithm] = text.split(" ");
  const octets = algorithm === "AES_128_CMAC" ? 16 : 32;
  if (digits.length !== 2 * octets) {
    throw new LineError(`ERROR: ${algorithm} needs an octet string of ${2 * octets} digits`);
  }
  return { ckn, cak: octetsOf(digits) };
}

/** Returns the blocks after the router was changed other than through this emulator. */
export function blocksAfter(root: readonly Block[], router: Router): Block[] {
  const next = cloneBlocks(root);
  for (const [port, config] of router.running.ports) {
    const read = portFrom(next, port, router);
    const own = blocksAt(next, [`interface ${port}`]);
    putLines(own, /^shutdown$/, ...(config.admin === "down" ? ["shutdown"] : []));
    if (!isConfigured(read, config, (role) => role)) writePort(next, port, config, router);
  }
  return next;
}

function writePort(root: Block[], port: PortName, config: PortConfig, router: Router): void {
  const own = blocksAt(root, [`interface ${port}`]);
  putLines(own, /^macsec /);
  if (config.macsec === undefined) return;
  const { suite, keyServerPriority, replayWindow, sakRekeyMs, policy } = config.macsec;
  const name = handName(port).slice(0, 16);
  putBlock(
    root,
    block(
      `macsec policy ${name}`,
      `cipher-suite ${suite.toUpperCase()}`,
      `conf-offset CONF-OFFSET-${config.macsec.confidentialityOffset}`,
      `security-policy ${policy === "mustSecure" ? "must" : "should"}-secure`,
      `key-server-priority ${keyServerPriority}`,
      `window-size ${replayWindow ?? 148_809_600}`,
      ...(sakRekeyMs === undefined ? [] : [`sak-expiry-time ${sakRekeyMs / 1000}`]),
    ),
  );
  const [chain, fallback] = writeChains(root, port, config, "keychain", (named, keys) =>
    block(`key chain ${named} macsec`, ...keys.map((key) => keyBlock(key, router.wall()))),
  );
  if (chain === undefined) return;
  own.push(block([`macsec ${chain} policy ${name}`, fallback].filter(Boolean).join(" ")));
}

function keyBlock(key: EndpointKey, wall: number): Block {
  const digits = Buffer.from(key.cak).toString("hex");
  const start = key.startsAt ?? wall;
  const algorithm = algorithmOf(key).toUpperCase().replaceAll("-", "_");
  return block(
    `key ${key.ckn}`,
    `key-octet-string ${digits} cryptographic-algorithm ${algorithm}`,
    ...(start > wall ? [`send-lifetime ${momentText(start, months, 1)} infinite`] : []),
  );
}
