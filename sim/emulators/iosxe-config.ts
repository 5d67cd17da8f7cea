// Translates between a configuration in IOS XE's own words and the state of the simulated router.

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
import type { XeModel } from "./iosxe-tree.ts";
import { followTunnels, tunnelsFrom } from "./iosxe-tunnels.ts";
import {
  type Block,
  block,
  blocksAt,
  childOf,
  cloneBlocks,
  linesIn,
  putBlock,
  putLines,
  restOf,
} from "./line-tree.ts";
import { configWith, offeredSuite, routeMapOut } from "./port-config.ts";
import { hasIpsec, localAs, outerAddresses } from "./router-facts.ts";
import { plainOf } from "./type-seven.ts";
import { otherInstance, peeringsOf, type Wiring } from "./wiring.ts";

/** The text that the router prints instead of accepting a line. */
export class LineError extends Error {}

/** Returns the operator's configuration before the first change. */
export function firstBlocks(
  router: Router,
  { hasArchive, isRecent, wiring }: Pick<XeModel, "hasArchive" | "isRecent" | "wiring">,
): Block[] {
  const policy = isRecent ? "route-map OPS-OUT out" : "prefix-list TO-AZURE out";
  return [
    block(`hostname ${router.name}`),
    ...(hasArchive ? [block("archive", "path bootflash:archive-")] : []),
    block("vrf definition Mgmt-intf", "address-family ipv4"),
    block(
      "interface GigabitEthernet0",
      "vrf forwarding Mgmt-intf",
      "ip address 192.0.2.1 255.255.255.0",
    ),
    ...outerAddresses.map((address, index) =>
      block(`interface Loopback${index}`, `ip address ${address} 255.255.255.255`),
    ),
    ...wiredInterfaces(router, wiring),
    block("ip route 192.0.2.128 255.255.255.128 192.0.2.254"),
    bgpBlock(router, wiring, policy),
    block(
      "route-map OPS-OUT permit 10",
      "match ip address prefix-list TO-AZURE",
      "set community 64512:100",
    ),
    block("route-map OPS-OUT deny 20"),
  ];
}

/** Returns the VRF, the ports or their aggregates, and the same addresses in another instance. */
function wiredInterfaces(router: Router, wiring: Wiring): readonly Block[] {
  const { vrf, aggregates } = wiring;
  const other = otherInstance(wiring);
  const inVrf = (name: string | undefined): readonly string[] =>
    name === undefined ? [] : [`vrf forwarding ${name}`];
  return [
    block(`vrf definition ${vrf ?? other}`, "rd 64512:7", "address-family ipv4"),
    ...peeringsOf(router).flatMap(({ port, own, number }) => {
      const addressed = [...inVrf(vrf), `ip address ${own} 255.255.255.252`];
      const lines = aggregates === undefined ? addressed : [`channel-group ${number} mode active`];
      return [
        block(`interface ${port}`, "description towards Azure", "mtu 1600", ...lines),
        ...(aggregates === undefined
          ? []
          : [block(`interface Port-channel${number}`, ...addressed)]),
        block(`interface BDI${number}`, ...inVrf(other), `ip address ${own} 255.255.255.252`),
      ];
    }),
  ];
}

function bgpBlock(router: Router, wiring: Wiring, policy: string): Block {
  const each = (...lines: readonly string[]): readonly string[] =>
    peeringsOf(router).flatMap(({ peer }) => lines.map((line) => `neighbor ${peer} ${line}`));
  const session = each("remote-as 12076", "password 7 0822455D0A16");
  const family = each("activate", "prefix-list FROM-AZURE in", policy);
  const [foreign, active] = [each("remote-as 64999"), each("activate")];
  const { vrf } = wiring;
  const logging = "bgp log-neighbor-changes";
  const [head, plain, inVrf] =
    vrf === undefined
      ? [session, family, [...foreign, ...active]]
      : [foreign, active, [...session, ...family]];
  return block(
    `router bgp ${localAs}`,
    ...[logging, ...head, block("address-family ipv4", ...plain)],
    block(`address-family ipv4 vrf ${vrf ?? otherInstance(wiring)}`, ...inVrf),
  );
}

/** Returns the lines about the neighbours of the peerings, and those of their address family. */
function bgpLines(root: readonly Block[], { vrf }: Wiring) {
  const bgp = linesIn(root, `router bgp ${localAs}`);
  if (vrf === undefined) return { home: bgp, family: linesIn(bgp, "address-family ipv4") };
  const family = linesIn(bgp, `address-family ipv4 vrf ${vrf}`);
  return { home: family, family };
}

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
  return configWith(
    router,
    (port, peer) => {
      const isDown = isShut(root, peer, wiring);
      const drain = isDown ? "peeringShutdown" : drainFrom(spoken, peer, wiring);
      return { ...portFrom(root, port, router), drain };
    },
    () => tunnelsFrom(root, router),
  );
}

export function isShut(root: readonly Block[], peer: string, wiring: Wiring): boolean {
  return childOf(bgpLines(root, wiring).home, `neighbor ${peer} shutdown`) !== undefined;
}

function portFrom(
  root: readonly Block[],
  port: PortName,
  router: Router,
): Omit<PortConfig, "drain"> {
  const own = linesIn(root, `interface ${port}`);
  const admin = childOf(own, "shutdown") === undefined ? "up" : "down";
  const isOn = own.some(({ line }) => line === "macsec" || line === "macsec network-link");
  if (!isOn) return { admin, macsec: undefined, keys: [] };
  const [, chain = "", fallback] =
    own
      .map(({ line }) => /^mka .* key-chain (\S+?)(?: fallback-key-chain (\S+))?$/.exec(line))
      .find((one) => one !== null) ?? [];
  if (chain !== "" && chain === fallback) {
    throw new LineError("% Primary and fallback key chain cannot be the same");
  }
  const keys = [
    ...keysFrom(root, chain, "primary", router),
    ...keysFrom(root, fallback ?? "", "fallback", router),
  ];
  return { admin, macsec: settingsFrom(root, own, router), keys };
}

function settingsFrom(
  root: readonly Block[],
  own: readonly Block[],
  router: Router,
): MacsecSettings {
  const name = restOf(own, "mka policy");
  const policy = linesIn(root, `mka policy ${name}`);
  // The ends choose the first suite that both know.
  const [text = "gcm-aes-128"] = restOf(policy, "macsec-cipher-suite")?.split(" ") ?? [];
  const suite = offeredSuite(router, text);
  if (suite === undefined) {
    throw new LineError(`% Cipher suite ${text} is not supported on this interface`);
  }
  const offset = Number(restOf(policy, "confidentiality-offset") ?? 0);
  if (suite.includes("xpn") && offset !== 0) {
    throw new LineError("% Confidentiality offset is not supported with XPN ciphers");
  }
  const seconds = restOf(policy, "sak-rekey interval");
  const isLoose = childOf(own, "macsec access-control should-secure") !== undefined;
  return {
    suite,
    policy: isLoose ? "shouldSecure" : "mustSecure",
    includeSci: childOf(own, "macsec disable-sci") === undefined,
    confidentialityOffset: offset === 30 || offset === 50 ? offset : 0,
    keyServerPriority: Number(restOf(policy, "key-server priority") ?? 0),
    replayWindow: Number(restOf(own, "macsec replay-protection window-size") ?? 64),
    sakRekeyMs: seconds === undefined ? undefined : Number(seconds) * 1000,
  };
}

/** Returns the first of the keys that are valid now, and the future ones. */
function keysFrom(
  root: readonly Block[],
  chain: string,
  role: "primary" | "fallback",
  router: Router,
): readonly EndpointKey[] {
  const keys = linesIn(root, `key chain ${chain} macsec`).flatMap((one) => {
    const [, lifetime = ""] = /^local (.*)$/.exec(restOf(one.children, "lifetime") ?? "") ?? [];
    const life = lifeOf(lifetime, (word) => months.indexOf(word)) ?? always;
    const key = keyOf(one);
    return key === undefined ? [] : [{ ...key, ...life }];
  });
  return keysInForce(keys, role, router.wall());
}

/** Parses a key; undefined while its octets have not been entered. */
function keyOf({ line, children }: Block): Pick<EndpointKey, "ckn" | "cak"> | undefined {
  const ckn = parseCkn(line.replace(/^key /, ""));
  if (ckn === undefined) throw new LineError("% Invalid key name, an even number of digits");
  const reported = restOf(children, "key-string");
  if (reported === undefined) return undefined;
  const hidden = reported.startsWith("7 ") ? plainOf(reported.slice(2)) : undefined;
  const digits = hidden ?? reported.replace(/^0 /, "");
  const algorithm = restOf(children, "cryptographic-algorithm") ?? "aes-128-cmac";
  const octets = algorithm === "aes-128-cmac" ? 16 : 32;
  if (digits.length !== 2 * octets) {
    throw new LineError(`% Key ${digits} has not the length that ${algorithm} needs`);
  }
  return { ckn, cak: octetsOf(digits) };
}

const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

// The drain is recognised by the effect of the configuration and not by names in it.
function drainFrom(root: readonly Block[], peer: string, wiring: Wiring): DrainMeans | undefined {
  const out = routeMapOut(bgpLines(root, wiring).family, peer);
  const entries = root.filter(({ line }) => line.startsWith(`route-map ${out} permit `));
  const prepends = entries.every(
    ({ children }) => restOf(children, "set as-path prepend") !== undefined,
  );
  return prepends && entries.length > 0 ? "prepend" : undefined;
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
  if (hasIpsec(router)) followTunnels(next, router);
  return next;
}

function writePort(root: Block[], port: PortName, config: PortConfig, router: Router): void {
  const own = blocksAt(root, [`interface ${port}`]);
  putLines(own, /^(?:macsec|mka)\b/);
  if (config.macsec === undefined) return;
  const { suite, keyServerPriority, sakRekeyMs, confidentialityOffset } = config.macsec;
  const { includeSci, replayWindow, policy } = config.macsec;
  const name = handName(port).slice(0, 16);
  putBlock(
    root,
    block(
      `mka policy ${name}`,
      `macsec-cipher-suite ${suite}`,
      `confidentiality-offset ${confidentialityOffset}`,
      `key-server priority ${keyServerPriority}`,
      ...(sakRekeyMs === undefined ? [] : [`sak-rekey interval ${sakRekeyMs / 1000}`]),
    ),
  );
  const chains = writeChains(root, port, config, "key-chain", (chain, keys) =>
    block(`key chain ${chain} macsec`, ...keys.map((key) => keyBlock(key, router.wall()))),
  );
  const lines = [
    `mka policy ${name}`,
    ...(chains.length > 0 ? [`mka pre-shared-key ${chains.join(" ")}`] : []),
    ...(policy === "shouldSecure" ? ["macsec access-control should-secure"] : []),
    ...(includeSci ? [] : ["macsec disable-sci"]),
    `macsec replay-protection window-size ${replayWindow ?? 64}`,
    "macsec",
  ];
  own.push(...lines.map((line) => block(line)));
}

function keyBlock(key: EndpointKey, wall: number): Block {
  const start = key.startsAt ?? wall;
  return block(
    `key ${key.ckn}`,
    `cryptographic-algorithm ${algorithmOf(key)}`,
    `key-string ${Buffer.from(key.cak).toString("hex")}`,
    ...(start > wall ? [`lifetime local ${momentText(start, months, 1)} infinite`] : []),
  );
}
