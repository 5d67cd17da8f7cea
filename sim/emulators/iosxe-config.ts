// What a configuration in IOS XE's own words makes of the simulated router, and the other way
// round.

import {
  type CipherSuite,
  type DrainMeans,
  type MacsecSettings,
  type PortName,
  parseCkn,
} from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import type { StationKey } from "../mka/station.ts";
import type { Router } from "../router/router.ts";
import { cloneConfig, type MutableConfig, type PortConfig } from "../router/router-config.ts";
import { peersOf } from "./cisco-answers.ts";
import { type Block, block, blocksAt, childOf, cloneBlocks, restOf } from "./cisco-tree.ts";
import type { XeModel } from "./iosxe-tree.ts";
import { followTunnels, tunnelsFrom } from "./iosxe-tunnels.ts";
import { plainOf } from "./type-seven.ts";

export const localAs = "64512";

/** What the router prints instead of taking a line. */
export class LineError extends Error {}

/** Where its tunnels end, whatever links are up. */
const outerAddresses = ["198.51.100.1", "198.51.100.2"];

/** What an operator had before we came. */
export function firstBlocks(
  router: Router,
  { hasArchive, isRecent }: Pick<XeModel, "hasArchive" | "isRecent">,
): Block[] {
  const peers = peersOf(router);
  const interfaces = [...peers].map(([port, peer]) =>
    block(
      `interface ${port}`,
      block("description towards Azure"),
      block("mtu 1600"),
      block(`ip address ${peer.replace(/\d+$/, "1")} 255.255.255.252`),
    ),
  );
  const each = (...lines: readonly string[]): readonly Block[] =>
    [...peers.values()].flatMap((peer) => lines.map((line) => block(`neighbor ${peer} ${line}`)));
  const policy = isRecent ? "route-map OPS-OUT out" : "prefix-list TO-AZURE out";
  const family = each("activate", "prefix-list FROM-AZURE in", policy);
  return [
    block(`hostname ${router.name}`),
    ...(hasArchive ? [block("archive", block("path bootflash:archive-"))] : []),
    block("vrf definition Mgmt-intf", block("address-family ipv4")),
    block(
      "interface GigabitEthernet0",
      block("vrf forwarding Mgmt-intf"),
      block("ip address 192.0.2.1 255.255.255.0"),
    ),
    ...outerAddresses.map((address, index) =>
      block(`interface Loopback${index}`, block(`ip address ${address} 255.255.255.255`)),
    ),
    ...interfaces,
    block("ip route 192.0.2.128 255.255.255.128 192.0.2.254"),
    block(
      `router bgp ${localAs}`,
      block("bgp log-neighbor-changes"),
      ...each("remote-as 12076", "password 7 0822455D0A16"),
      block("address-family ipv4", ...family),
    ),
    block(
      "route-map OPS-OUT permit 10",
      block("match ip address prefix-list TO-AZURE"),
      block("set community 64512:100"),
    ),
    block("route-map OPS-OUT deny 20"),
  ];
}

/**
 * Throws LineError where a line is known and cannot be. `spoken`: the configuration of when routes
 * were last exchanged, whose route maps are the ones in force.
 */
export function configFrom(
  root: readonly Block[],
  spoken: readonly Block[],
  router: Router,
): MutableConfig {
  const next = cloneConfig(router.running);
  const peers = peersOf(router);
  for (const [port, config] of next.ports) {
    const peer = peers.get(port) ?? "";
    const drain = isShut(root, peer) ? "peeringShutdown" : drainFrom(spoken, peer);
    Object.assign(config, { ...portFrom(root, port, router, config.keys), drain });
  }
  if (router.options.capabilities.ipsec === undefined) return next;
  return { ...next, tunnels: tunnelsFrom(root, router) };
}

export function isShut(root: readonly Block[], peer: string): boolean {
  const bgp = childOf(root, `router bgp ${localAs}`)?.children;
  return childOf(bgp, `neighbor ${peer} shutdown`) !== undefined;
}

function portFrom(
  root: readonly Block[],
  port: PortName,
  router: Router,
  kept: readonly StationKey[],
): Omit<PortConfig, "drain"> {
  const own = childOf(root, `interface ${port}`)?.children ?? [];
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
  ].map((key) => {
    const same = kept.find(({ ckn, cak }) => ckn === key.ckn && equal(cak, key.cak));
    return same === undefined ? key : { ...same, role: key.role };
  });
  return { admin, macsec: settingsFrom(root, own, router), keys };
}

const suites: readonly CipherSuite[] = [
  "gcm-aes-128",
  "gcm-aes-256",
  "gcm-aes-xpn-128",
  "gcm-aes-xpn-256",
];

function settingsFrom(
  root: readonly Block[],
  own: readonly Block[],
  router: Router,
): MacsecSettings {
  const name = restOf(own, "mka policy");
  const policy = childOf(root, `mka policy ${name}`)?.children ?? [];
  // The ends choose the first that both know.
  const [text = "gcm-aes-128"] = restOf(policy, "macsec-cipher-suite")?.split(" ") ?? [];
  const suite = suites.find((one) => one === text);
  const offered = router.options.capabilities.macsec?.suites ?? [];
  if (suite === undefined || !offered.includes(suite)) {
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

/** Of the keys that are valid now the first, and those that are to come. */
function keysFrom(
  root: readonly Block[],
  chain: string,
  role: "primary" | "fallback",
  router: Router,
): readonly StationKey[] {
  const wall = router.wall();
  const blocks = childOf(root, `key chain ${chain} macsec`)?.children ?? [];
  const keys = blocks.flatMap((one) => {
    const life = lifetimeOf(restOf(one.children, "lifetime"));
    const key = keyOf(one);
    return key === undefined ? [] : [{ ...key, ...life }];
  });
  const used = keys.find(({ start, end }) => start <= wall && wall < end);
  const coming = keys.filter(({ start }) => start > wall);
  return [
    ...(used === undefined ? [] : [{ ckn: used.ckn, cak: used.cak, role }]),
    ...coming.map(({ ckn, cak, start }): StationKey => {
      return { ckn, cak, role: "scheduled", startsAt: start as WallTime };
    }),
  ];
}

/** undefined = its octets have not been said yet. */
function keyOf({ line, children }: Block): Pick<StationKey, "ckn" | "cak"> | undefined {
  const ckn = parseCkn(line.replace(/^key /, ""));
  if (ckn === undefined) throw new LineError("% Invalid key name, an even number of digits");
  const told = restOf(children, "key-string");
  if (told === undefined) return undefined;
  const hidden = told.startsWith("7 ") ? plainOf(told.slice(2)) : undefined;
  const digits = hidden ?? told.replace(/^0 /, "");
  const algorithm = restOf(children, "cryptographic-algorithm") ?? "aes-128-cmac";
  const octets = algorithm === "aes-128-cmac" ? 16 : 32;
  if (digits.length !== 2 * octets) {
    throw new LineError(`% Key ${digits} has not the length that ${algorithm} needs`);
  }
  return { ckn, cak: Uint8Array.from(Buffer.from(digits, "hex")) };
}

function lifetimeOf(text: string | undefined): { readonly start: number; readonly end: number } {
  const always = { start: Number.NEGATIVE_INFINITY, end: Number.POSITIVE_INFINITY };
  const found = /^local (\S+ \w+ \d+ \d+) (?:(infinite)|duration (\d+)|(.*))$/.exec(text ?? "");
  if (found === null) return always;
  const [, from = "", forever, seconds, until = ""] = found;
  const start = momentOf(from);
  if (forever !== undefined) return { ...always, start };
  return { start, end: seconds === undefined ? momentOf(until) : start + Number(seconds) * 1000 };
}

const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

function momentOf(text: string): number {
  const [time = "", month = "", day = "", year = ""] = text.split(" ");
  const [hour = 0, minute = 0, second = 0] = time.split(":").map(Number);
  return Date.UTC(Number(year), months.indexOf(month), Number(day), hour, minute, second);
}

function momentText(at: number): string {
  const date = new Date(Math.floor(at / 1000) * 1000);
  const month = months[date.getUTCMonth()] ?? "";
  const time = date.toISOString().slice(11, 19);
  return `${time} ${month} ${date.getUTCDate()} ${date.getUTCFullYear()}`;
}

// By what the configuration does and not by what somebody called it.
function drainFrom(root: readonly Block[], peer: string): DrainMeans | undefined {
  const bgp = childOf(root, `router bgp ${localAs}`)?.children ?? [];
  const family = childOf(bgp, "address-family ipv4")?.children ?? [];
  const out = family
    .map(({ line }) => /^neighbor (\S+) route-map (\S+) out$/.exec(line))
    .find((found) => found?.[1] === peer)?.[2];
  const entries = root.filter(({ line }) => line.startsWith(`route-map ${out} permit `));
  const prepends = entries.every(
    ({ children }) => restOf(children, "set as-path prepend") !== undefined,
  );
  return prepends && entries.length > 0 ? "prepend" : undefined;
}

/** The blocks after somebody changed the router by another way than this face. */
export function blocksAfter(root: readonly Block[], router: Router): Block[] {
  const next = cloneBlocks(root);
  for (const [port, config] of router.running.ports) {
    const told = portFrom(next, port, router, config.keys);
    const own = blocksAt(next, [`interface ${port}`]);
    setLine(own, /^shutdown$/, config.admin === "down" ? ["shutdown"] : []);
    if (sameKeys(told, config) && JSON.stringify(told.macsec) === JSON.stringify(config.macsec)) {
      continue;
    }
    writePort(next, port, config, router);
  }
  if (router.options.capabilities.ipsec !== undefined) followTunnels(next, router);
  return next;
}

function sameKeys(a: Pick<PortConfig, "keys">, b: Pick<PortConfig, "keys">): boolean {
  const text = ({ keys }: Pick<PortConfig, "keys">): string =>
    keys.map(({ ckn, role }) => ckn + role).join();
  return text(a) === text(b);
}

function writePort(root: Block[], port: PortName, config: PortConfig, router: Router): void {
  const own = blocksAt(root, [`interface ${port}`]);
  setLine(own, /^(?:macsec|mka)\b/, []);
  if (config.macsec === undefined) return;
  const { suite, keyServerPriority, sakRekeyMs, confidentialityOffset } = config.macsec;
  const { includeSci, replayWindow, policy } = config.macsec;
  const hand = port.replace(/^\D+/, "").replaceAll("/", "-");
  const name = `hand-${hand}`.slice(0, 16);
  const lines = [
    `macsec-cipher-suite ${suite}`,
    `confidentiality-offset ${confidentialityOffset}`,
    `key-server priority ${keyServerPriority}`,
    ...(sakRekeyMs === undefined ? [] : [`sak-rekey interval ${sakRekeyMs / 1000}`]),
  ];
  replaceBlock(root, block(`mka policy ${name}`, ...lines.map((line) => block(line))));
  const chains = (["primary", "fallback"] as const).flatMap((role) => {
    const keys = config.keys.filter((key) => (key.role === "fallback") === (role === "fallback"));
    if (keys.length === 0) return [];
    const chain = `hand-${hand}-${role}`;
    const entries = keys.map((key) => keyBlock(key, router.wall()));
    replaceBlock(root, block(`key chain ${chain} macsec`, ...entries));
    return [`${role === "primary" ? "" : "fallback-"}key-chain ${chain}`];
  });
  const attached = chains.length > 0 ? [`mka pre-shared-key ${chains.join(" ")}`] : [];
  setLine(own, /^(?:macsec|mka)\b/, [
    `mka policy ${name}`,
    ...attached,
    ...(policy === "shouldSecure" ? ["macsec access-control should-secure"] : []),
    ...(includeSci ? [] : ["macsec disable-sci"]),
    `macsec replay-protection window-size ${replayWindow ?? 64}`,
    "macsec",
  ]);
}

function keyBlock(key: StationKey, wall: number): Block {
  const algorithm = key.cak.length === 16 ? "aes-128-cmac" : "aes-256-cmac";
  const start = key.startsAt ?? wall;
  return block(
    `key ${key.ckn}`,
    block(`cryptographic-algorithm ${algorithm}`),
    block(`key-string ${Buffer.from(key.cak).toString("hex")}`),
    ...(start > wall ? [block(`lifetime local ${momentText(start)} infinite`)] : []),
  );
}

function replaceBlock(root: Block[], one: Block): void {
  const at = root.findIndex(({ line }) => line === one.line);
  if (at < 0) root.push(one);
  else root[at] = one;
}

function setLine(blocks: Block[], gone: RegExp, lines: readonly string[]): void {
  const rest = blocks.filter(({ line }) => !gone.test(line));
  blocks.splice(0, blocks.length, ...rest, ...lines.map((line) => block(line)));
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index]);
}
