// Translates between a configuration in IOS XR's own words and the state of the simulated router.

import { type DrainMeans, type MacsecSettings, type PortName, parseCkn } from "#hal/model.ts";
import type { EndpointKey } from "../mka/port-endpoint.ts";
import type { Router } from "../router/router.ts";
import type { MutableConfig, PortConfig } from "../router/router-config.ts";
import {
  algorithmOf,
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
  keepOnly,
  linesIn,
  putBlock,
  restOf,
} from "./line-tree.ts";
import { configWith, offeredSuite } from "./port-config.ts";
import { localAs } from "./router-facts.ts";
import { otherInstance, peeringsOf, type Wiring } from "./wiring.ts";

/** An error that `show configuration failed` prints. */
export class SemanticError extends Error {}

/** Returns the operator's configuration before the first change. */
export function firstBlocks(router: Router, wiring: Wiring): Block[] {
  const { vrf } = wiring;
  return [
    block(`hostname ${router.name}`),
    block(`vrf ${vrf ?? otherInstance(wiring)}`, ...families),
    block("interface MgmtEth0/RP0/CPU0/0", "ipv4 address 192.0.2.1 255.255.255.0"),
    ...wiredInterfaces(router, wiring),
    bgpBlock(router, wiring),
  ];
}

const families = ["ipv4", "ipv6"].map((family) => `address-family ${family} unicast`);

/** Returns the ports or their aggregates, and interfaces with the same addresses elsewhere. */
function wiredInterfaces(router: Router, wiring: Wiring): readonly Block[] {
  const { vrf, aggregates } = wiring;
  const other = otherInstance(wiring);
  const inVrf = (name: string | undefined): readonly string[] =>
    name === undefined ? [] : [`vrf ${name}`];
  return peeringsOf(router).flatMap(({ port, own, number }) => {
    const address = `ipv4 address ${own} 255.255.255.252`;
    const addressed = [...inVrf(vrf), address];
    const lines = aggregates === undefined ? addressed : [`bundle id ${number} mode active`];
    return [
      block(`interface ${port}`, "description towards Azure", "mtu 1600", ...lines),
      ...(aggregates === undefined ? [] : [block(`interface Bundle-Ether${number}`, ...addressed)]),
      block(`interface BVI${number}`, ...inVrf(other), address),
    ];
  });
}

function bgpBlock(router: Router, wiring: Wiring): Block {
  const policies = ["route-policy from-azure in", "route-policy to-azure out"];
  const neighbours = (as: string): readonly Block[] =>
    peeringsOf(router).map(({ peer }) =>
      block(
        `neighbor ${peer}`,
        `remote-as ${as}`,
        "password encrypted 0822455D0A16",
        ...families.map((family) => block(family, ...policies)),
      ),
    );
  const { vrf } = wiring;
  const [plain, inVrf] = vrf === undefined ? ["12076", "64999"] : ["64999", "12076"];
  return block(
    `router bgp ${localAs}`,
    ...families,
    ...neighbours(plain),
    block(
      `vrf ${vrf ?? otherInstance(wiring)}`,
      ...["rd 64512:7", ...families],
      ...neighbours(inVrf),
    ),
  );
}

/** Returns what is configured for BGP in the routing instance of the peerings. */
export function bgpIn(root: readonly Block[], { vrf }: Wiring): readonly Block[] {
  return vrf === undefined ? bgpOf(root) : linesIn(bgpOf(root), `vrf ${vrf}`);
}

/**
 * Translates blocks into the router's configuration.
 * @throws SemanticError as a commit does
 */
export function configFrom(root: readonly Block[], router: Router, wiring: Wiring): MutableConfig {
  return configWith(router, (port, peer) => {
    return { ...portFrom(root, port, router), drain: drainFrom(root, peer, wiring) };
  });
}

/**
 * Returns the ports on which the primary and the fallback keys both differ. Cisco advises against
 * such a change and does not name its effect, so here it ends the session.
 */
export function portsWithBothChanged(
  before: MutableConfig,
  after: MutableConfig,
): readonly PortName[] {
  const cknsIn = ({ ports }: MutableConfig, port: PortName, role: EndpointKey["role"]): string =>
    (ports.get(port)?.keys ?? [])
      .filter((key) => key.role === role)
      .map(({ ckn }) => ckn)
      .join();
  return [...after.ports.keys()].filter((port) =>
    (["primary", "fallback"] as const).every(
      (role) => cknsIn(before, port, role) !== cknsIn(after, port, role),
    ),
  );
}

const attachment = /^macsec psk-keychain (\S+)(?: fallback-psk-keychain (\S+))? policy (\S+)$/;

function attached(root: readonly Block[], port: PortName) {
  const lines = linesIn(root, `interface ${port}`);
  const found = lines.map(({ line }) => attachment.exec(line)).find((one) => one !== null);
  if (found === undefined) return undefined;
  const [, chain = "", fallback, policy = ""] = found;
  return { chain, fallback, policy };
}

function portFrom(
  root: readonly Block[],
  port: PortName,
  router: Router,
): Omit<PortConfig, "drain"> {
  const own = linesIn(root, `interface ${port}`);
  const admin = childOf(own, "shutdown") === undefined ? "up" : "down";
  const use = attached(root, port);
  if (use === undefined) return { admin, macsec: undefined, keys: [] };
  if (use.chain === use.fallback) {
    throw new SemanticError("the fallback keychain must differ from the psk-keychain");
  }
  const primaries = keysFrom(root, use.chain, "primary", router);
  const fallbacks =
    use.fallback === undefined ? [] : keysFrom(root, use.fallback, "fallback", router);
  const keys = [...primaries, ...fallbacks];
  return { admin, macsec: settingsFrom(root, use.policy, router), keys };
}

function settingsFrom(root: readonly Block[], name: string, router: Router): MacsecSettings {
  const policy = childOf(root, `macsec-policy ${name}`)?.children;
  if (policy === undefined) throw new SemanticError(`macsec-policy ${name} does not exist`);
  const text = restOf(policy, "cipher-suite") ?? "GCM-AES-XPN-256";
  const suite = offeredSuite(router, text.toLowerCase());
  if (suite === undefined) {
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

/** Returns the key with the latest start of those that are valid now, and the future ones. */
function keysFrom(
  root: readonly Block[],
  chain: string,
  role: "primary" | "fallback",
  router: Router,
): readonly EndpointKey[] {
  const blocks = childOf(root, `key chain ${chain}`)?.children;
  if (blocks === undefined) throw new SemanticError(`key chain ${chain} does not exist`);
  const isComment = ({ line }: Block): boolean => line.startsWith("!");
  const entries = linesIn(blocks, "macsec").filter((one) => !isComment(one));
  const keys = entries.map((one) => {
    const life = lifeOf(restOf(one.children, "lifetime") ?? "", monthOf);
    if (life === undefined) throw new SemanticError("a key has no lifetime");
    return { ...keyOf(one), ...life };
  });
  return keysInForce(keys, role, router.wall(), (a, b) => b.start - a.start);
}

function keyOf({ line, children }: Block): Pick<EndpointKey, "ckn" | "cak"> {
  const ckn = parseCkn(line.replace(/^key /, ""));
  const [digits = "", , algorithm = ""] = (restOf(children, "key-string") ?? "").split(" ");
  if (ckn === undefined) throw new SemanticError("invalid key name");
  const octets = algorithm === "aes-128-cmac" ? 16 : 32;
  if (digits.length !== 2 * octets) throw new SemanticError(`invalid key string ${digits}`);
  return { ckn, cak: octetsOf(digits) };
}

const months =
  "january february march april may june july august september october november december".split(
    " ",
  );

function monthOf(word: string): number {
  const index = months.indexOf(word.toLowerCase());
  if (index < 0) throw new SemanticError(`invalid month ${word}`);
  return index;
}

// The drain is recognised by the effect of the configuration and not by its purpose.
function drainFrom(root: readonly Block[], peer: string, wiring: Wiring): DrainMeans | undefined {
  const neighbour = childOf(bgpIn(root, wiring), `neighbor ${peer}`)?.children;
  if (childOf(neighbour, "shutdown") !== undefined) return "peeringShutdown";
  const leaving = childOf(neighbour, "graceful-maintenance")?.children;
  if (childOf(leaving, "activate") === undefined) return undefined;
  return Number(restOf(leaving, "as-prepends") ?? 0) > 0 ? "prepend" : "gracefulShutdown";
}

/** Returns the blocks after the router was changed other than through this emulator. */
export function blocksAfter(root: readonly Block[], router: Router): Block[] {
  const next = cloneBlocks(root);
  for (const [port, config] of router.running.ports) {
    const read = portFrom(next, port, router);
    setFlag(blocksAt(next, [`interface ${port}`]), "shutdown", config.admin === "down");
    const isFallback = (role: EndpointKey["role"]): string => (role === "fallback" ? role : "");
    if (!isConfigured(read, config, isFallback)) writePort(next, port, config, router);
  }
  return next;
}

function writePort(root: Block[], port: PortName, config: PortConfig, router: Router): void {
  const own = blocksAt(root, [`interface ${port}`]);
  const attachedAt = own.find(({ line }) => line.startsWith("macsec psk-keychain"));
  keepOnly(own, (one) => one !== attachedAt);
  if (config.macsec === undefined) return;
  const { suite, keyServerPriority, replayWindow, sakRekeyMs, policy } = config.macsec;
  const name = handName(port).slice(0, 16);
  putBlock(
    root,
    block(
      `macsec-policy ${name}`,
      `cipher-suite ${suite.toUpperCase()}`,
      `conf-offset CONF-OFFSET-${config.macsec.confidentialityOffset}`,
      `security-policy ${policy === "mustSecure" ? "must" : "should"}-secure`,
      `key-server-priority ${keyServerPriority}`,
      `window-size ${replayWindow ?? 64}`,
      ...(sakRekeyMs === undefined ? [] : [`sak-rekey-interval seconds ${sakRekeyMs / 1000}`]),
    ),
  );
  const written = (chain: string, keys: readonly EndpointKey[]): Block => {
    const entries = keys.map((key, index) => keyBlock(key, router.wall() - index * 1000));
    return block(`key chain ${chain}`, "timezone gmt", block("macsec", ...entries));
  };
  const chains = writeChains(root, port, config, "psk-keychain", written);
  if (chains.length === 0) return;
  // A fallback chain is attached only beside another one, which may be without keys.
  const isAlone = config.keys.every(({ role }) => role === "fallback");
  const bare = `${handName(port)}-primary`;
  if (isAlone) putBlock(root, written(bare, []));
  const words = isAlone ? [`psk-keychain ${bare}`, ...chains] : chains;
  own.push(block(`macsec ${words.join(" ")} policy ${name}`));
}

function keyBlock(key: EndpointKey, start: number): Block {
  const digits = Buffer.from(key.cak).toString("hex");
  return block(
    `key ${key.ckn}`,
    `key-string ${digits} cryptographic-algorithm ${algorithmOf(key)}`,
    `lifetime ${momentText(key.startsAt ?? start, months, 2)} infinite`,
  );
}

function setFlag(blocks: Block[], line: string, is: boolean): void {
  if (!is) keepOnly(blocks, (one) => one.line !== line);
  else if (childOf(blocks, line) === undefined) blocks.push(block(line));
}
