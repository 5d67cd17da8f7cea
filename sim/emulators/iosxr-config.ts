// What a configuration in IOS XR's own words makes of the simulated router, and the other way
// round.

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
import { peersOf } from "./cisco-answers.ts";
import { type Block, block, blocksAt, childOf, cloneBlocks, restOf } from "./cisco-tree.ts";

const localAs = "64512";

/** Printed by `show configuration failed`. */
export class SemanticError extends Error {}

/** What an operator had before we came. */
export function firstBlocks(router: Router): Block[] {
  const peers = peersOf(router);
  const interfaces = [...peers].map(([port, peer]) =>
    block(
      `interface ${port}`,
      block("description towards Azure"),
      block("mtu 1600"),
      block(`ipv4 address ${peer.replace(/\d+$/, "1")} 255.255.255.252`),
    ),
  );
  const neighbours = [...peers.values()].map((peer) =>
    block(
      `neighbor ${peer}`,
      block("remote-as 12076"),
      block("password encrypted 0822455D0A16"),
      ...["ipv4", "ipv6"].map((family) =>
        block(
          `address-family ${family} unicast`,
          block("route-policy from-azure in"),
          block("route-policy to-azure out"),
        ),
      ),
    ),
  );
  const families = ["ipv4", "ipv6"].map((family) => block(`address-family ${family} unicast`));
  return [
    block(`hostname ${router.name}`),
    block("interface MgmtEth0/RP0/CPU0/0", block("ipv4 address 192.0.2.1 255.255.255.0")),
    ...interfaces,
    block(`router bgp ${localAs}`, ...families, ...neighbours),
  ];
}

export { localAs };

/** Throws SemanticError as a commit does. */
export function configFrom(root: readonly Block[], router: Router): MutableConfig {
  const next = cloneConfig(router.running);
  const peers = peersOf(router);
  for (const [port, config] of next.ports) {
    Object.assign(config, portFrom(root, port, peers.get(port), router, config.keys));
  }
  return next;
}

const attachment = /^macsec psk-keychain (\S+)(?: fallback-psk-keychain (\S+))? policy (\S+)$/;

function attached(root: readonly Block[], port: PortName) {
  const lines = childOf(root, `interface ${port}`)?.children.map(({ line }) => line) ?? [];
  const found = lines.map((line) => attachment.exec(line)).find((one) => one !== null);
  if (found === undefined) return undefined;
  const [, chain = "", fallback, policy = ""] = found;
  return { chain, fallback, policy };
}

function portFrom(
  root: readonly Block[],
  port: PortName,
  peer: string | undefined,
  router: Router,
  kept: readonly StationKey[],
): PortConfig {
  const own = childOf(root, `interface ${port}`);
  const admin = childOf(own?.children, "shutdown") === undefined ? "up" : "down";
  const drain = peer === undefined ? undefined : drainFrom(root, peer);
  const use = attached(root, port);
  if (use === undefined) return { admin, macsec: undefined, keys: [], drain };
  if (use.chain === use.fallback) {
    throw new SemanticError("the fallback keychain must differ from the psk-keychain");
  }
  const primaries = keysFrom(root, use.chain, "primary", router);
  const fallbacks =
    use.fallback === undefined ? [] : keysFrom(root, use.fallback, "fallback", router);
  const keys = [...primaries, ...fallbacks].map((key) => {
    const same = kept.find(({ ckn, cak }) => ckn === key.ckn && equal(cak, key.cak));
    return same === undefined ? key : { ...same, role: key.role };
  });
  return { admin, macsec: settingsFrom(root, use.policy, router), keys, drain };
}

const suites: readonly CipherSuite[] = [
  "gcm-aes-128",
  "gcm-aes-256",
  "gcm-aes-xpn-128",
  "gcm-aes-xpn-256",
];

function settingsFrom(root: readonly Block[], name: string, router: Router): MacsecSettings {
  const policy = childOf(root, `macsec-policy ${name}`)?.children;
  if (policy === undefined) throw new SemanticError(`macsec-policy ${name} does not exist`);
  const text = restOf(policy, "cipher-suite") ?? "GCM-AES-XPN-256";
  const suite = suites.find((one) => one === text.toLowerCase());
  const offered = router.options.capabilities.macsec?.suites ?? [];
  if (suite === undefined || !offered.includes(suite)) {
    throw new SemanticError(`cipher-suite ${text} is not supported on this card`);
  }
  const offset = Number((restOf(policy, "conf-offset") ?? "CONF-OFFSET-0").replace(/\D+/, ""));
  const seconds = restOf(policy, "sak-rekey-interval seconds");
  return {
    suite,
    policy: restOf(policy, "security-policy") === "must-secure" ? "mustSecure" : "shouldSecure",
    includeSci: true,
    confidentialityOffset: offset === 30 || offset === 50 ? offset : 0,
    keyServerPriority: Number(restOf(policy, "key-server-priority") ?? 16),
    replayWindow: Number(restOf(policy, "window-size") ?? 64),
    sakRekeyMs: seconds === undefined ? undefined : Number(seconds) * 1000,
  };
}

/** Of the keys that are valid now the one with the latest start, and those that are to come. */
function keysFrom(
  root: readonly Block[],
  chain: string,
  role: "primary" | "fallback",
  router: Router,
): readonly StationKey[] {
  const blocks = childOf(root, `key chain ${chain}`)?.children;
  if (blocks === undefined) throw new SemanticError(`key chain ${chain} does not exist`);
  const wall = router.wall();
  const isComment = ({ line }: Block): boolean => line.startsWith("!");
  const entries = (childOf(blocks, "macsec")?.children ?? []).filter((one) => !isComment(one));
  const keys = entries.map((one) => {
    const life = lifetimeOf(restOf(one.children, "lifetime") ?? "");
    return { ...keyOf(one), ...life };
  });
  const valid = keys.filter(({ start, end }) => start <= wall && wall < end);
  const [used] = valid.toSorted((a, b) => b.start - a.start);
  const coming = keys.filter(({ start }) => start > wall);
  return [
    ...(used === undefined ? [] : [{ ckn: used.ckn, cak: used.cak, role }]),
    ...coming.map(({ ckn, cak, start }): StationKey => {
      return { ckn, cak, role: "scheduled", startsAt: start as WallTime };
    }),
  ];
}

function keyOf({ line, children }: Block): { readonly ckn: Ckn; readonly cak: Uint8Array } {
  const ckn = parseCkn(line.replace(/^key /, ""));
  const [digits = "", , algorithm = ""] = (restOf(children, "key-string") ?? "").split(" ");
  if (ckn === undefined) throw new SemanticError("invalid key name");
  const octets = algorithm === "aes-128-cmac" ? 16 : 32;
  if (digits.length !== 2 * octets) throw new SemanticError(`invalid key string ${digits}`);
  return { ckn, cak: Uint8Array.from(Buffer.from(digits, "hex")) };
}

const months =
  "january february march april may june july august september october november december";

function lifetimeOf(text: string): { readonly start: number; readonly end: number } {
  const found = /^(\S+ \w+ \d+ \d+) (?:(infinite)|duration (\d+)|(.*))$/.exec(text);
  if (found === null) throw new SemanticError("a key has no lifetime");
  const [, from = "", forever, seconds, until = ""] = found;
  const start = momentOf(from);
  if (forever !== undefined) return { start, end: Number.POSITIVE_INFINITY };
  return { start, end: seconds === undefined ? momentOf(until) : start + Number(seconds) * 1000 };
}

function momentOf(text: string): number {
  const [time = "", month = "", day = "", year = ""] = text.split(" ");
  const [hour = 0, minute = 0, second = 0] = time.split(":").map(Number);
  const index = months.split(" ").indexOf(month.toLowerCase());
  if (index < 0) throw new SemanticError(`invalid month ${month}`);
  return Date.UTC(Number(year), index, Number(day), hour, minute, second);
}

function momentText(at: number): string {
  const date = new Date(Math.floor(at / 1000) * 1000);
  const month = months.split(" ")[date.getUTCMonth()] ?? "";
  const time = date.toISOString().slice(11, 19);
  return `${time} ${month} ${String(date.getUTCDate()).padStart(2, "0")} ${date.getUTCFullYear()}`;
}

// By what the configuration does and not by what somebody meant by it.
function drainFrom(root: readonly Block[], peer: string): DrainMeans | undefined {
  const bgp = root.find(({ line }) => line.startsWith("router bgp "))?.children;
  const neighbour = childOf(bgp, `neighbor ${peer}`)?.children;
  if (childOf(neighbour, "shutdown") !== undefined) return "peeringShutdown";
  const leaving = childOf(neighbour, "graceful-maintenance")?.children;
  if (childOf(leaving, "activate") === undefined) return undefined;
  return Number(restOf(leaving, "as-prepends") ?? 0) > 0 ? "prepend" : "gracefulShutdown";
}

/** The blocks after somebody changed the router by another way than this face. */
export function blocksAfter(root: readonly Block[], router: Router): Block[] {
  const next = cloneBlocks(root);
  const peers = peersOf(router);
  for (const [port, config] of router.running.ports) {
    const told = portFrom(next, port, peers.get(port), router, config.keys);
    if (sameKeys(told, config) && JSON.stringify(told.macsec) === JSON.stringify(config.macsec)) {
      setFlag(blocksAt(next, [`interface ${port}`]), "shutdown", config.admin === "down");
      continue;
    }
    writePort(next, port, config, router);
  }
  return next;
}

function sameKeys(a: PortConfig, b: PortConfig): boolean {
  const text = ({ keys }: PortConfig): string =>
    keys.map(({ ckn, role }) => `${ckn} ${role === "fallback" ? role : ""}`).join();
  return text(a) === text(b) && (a.macsec === undefined) === (b.macsec === undefined);
}

function writePort(root: Block[], port: PortName, config: PortConfig, router: Router): void {
  const own = blocksAt(root, [`interface ${port}`]);
  setFlag(own, "shutdown", config.admin === "down");
  const at = own.findIndex(({ line }) => line.startsWith("macsec psk-keychain"));
  if (at >= 0) own.splice(at, 1);
  if (config.macsec === undefined) return;
  const { suite, keyServerPriority, replayWindow, sakRekeyMs, policy } = config.macsec;
  const hand = port.replace(/^\D+/, "").replaceAll("/", "-");
  const name = `hand-${hand}`.slice(0, 16);
  const lines = [
    `cipher-suite ${suite.toUpperCase()}`,
    `conf-offset CONF-OFFSET-${config.macsec.confidentialityOffset}`,
    `security-policy ${policy === "mustSecure" ? "must" : "should"}-secure`,
    `key-server-priority ${keyServerPriority}`,
    `window-size ${replayWindow ?? 64}`,
    ...(sakRekeyMs === undefined ? [] : [`sak-rekey-interval seconds ${sakRekeyMs / 1000}`]),
  ];
  replaceBlock(root, block(`macsec-policy ${name}`, ...lines.map((line) => block(line))));
  const chains = (["primary", "fallback"] as const).flatMap((role) => {
    const keys = config.keys.filter((key) => (key.role === "fallback") === (role === "fallback"));
    if (keys.length === 0) return [];
    const chain = `hand-${hand}-${role}`;
    const entries = keys.map((key, index) => keyBlock(key, router.wall() - index * 1000));
    replaceBlock(
      root,
      block(`key chain ${chain}`, block("timezone gmt"), block("macsec", ...entries)),
    );
    return [`${role === "primary" ? "" : "fallback-"}psk-keychain ${chain}`];
  });
  if (chains.length > 0) own.push(block(`macsec ${chains.join(" ")} policy ${name}`));
}

function keyBlock(key: StationKey, start: number): Block {
  const digits = Buffer.from(key.cak).toString("hex");
  const algorithm = key.cak.length === 16 ? "aes-128-cmac" : "aes-256-cmac";
  return block(
    `key ${key.ckn}`,
    block(`key-string ${digits} cryptographic-algorithm ${algorithm}`),
    block(`lifetime ${momentText(key.startsAt ?? start)} infinite`),
  );
}

function replaceBlock(root: Block[], one: Block): void {
  const at = root.findIndex(({ line }) => line === one.line);
  if (at < 0) root.push(one);
  else root[at] = one;
}

function setFlag(blocks: Block[], line: string, is: boolean): void {
  const at = blocks.findIndex((one) => one.line === line);
  if (is && at < 0) blocks.push(block(line));
  if (!is && at >= 0) blocks.splice(at, 1);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index]);
}
