// The part of an IOS XR configuration that concerns our ports, without the keys in it: the router
// omits their lines from its output.

import { isIP } from "node:net";
import type { MacsecSettings, PortName } from "#hal/model.ts";
import type { Block } from "../platform/block.ts";
import { type Attachment, policyIn } from "../platform/cisco-attachment.ts";
import type { ChainKey } from "../platform/cisco-chains.ts";
import {
  blocksOf,
  type CiscoConfig,
  familiesIn,
  keysIn,
  named,
  restOf,
} from "../platform/cisco-config.ts";
import { bitsOf, lifetimeOf } from "../platform/cisco-text.ts";
import { aggregatesOf, onlyPortUnder } from "../platform/egress.ts";
import { isOfRouter, onceForEach, subnetsOf } from "../platform/subnet.ts";
import { isPort } from "./names.ts";

export type XrConfig = CiscoConfig<MacsecSettings, Interface, Neighbour>;

interface Interface {
  readonly isShut: boolean;
  /** `unread` = MACsec is attached in a way that is not understood. */
  readonly macsec: Attachment | "unread" | undefined;
  /** undefined = the global table. */
  readonly vrf: string | undefined;
  /** The aggregate that it is a member of. */
  readonly aggregate: string | undefined;
  readonly families: ReadonlySet<string>;
  readonly holds: (address: string) => boolean;
}

export type Family = "ipv4" | "ipv6";

export interface Neighbour {
  readonly address: string;
  /** undefined = the global table. */
  readonly vrf: string | undefined;
  readonly isShut: boolean;
  /**
   * Families whose routes it may bring: that of its address, and those that it is configured for.
   */
  readonly families: readonly Family[];
  /** undefined = it is not configured here. */
  readonly maintenance: Maintenance | undefined;
}

export interface Maintenance {
  readonly isActive: boolean;
  /** All lines of its block. */
  readonly lines: readonly string[];
}

const depthMax = 16;
const windowDefault = 64;

/**
 * Returns undefined if the text contains no such configuration, or does not end as a block ends: it
 * may be cut off.
 */
function configurationIn(text: string): readonly Block[] | undefined {
  if (/^%% |^sysmgr/m.test(text)) return undefined;
  const all = text.trimEnd().split("\n");
  const rows = all.filter((row) => !row.trim().startsWith("% No such"));
  if (rows.length === all.length && rows.at(-1) !== "!") return undefined;
  return blocksOf(rows.join("\n"), depthMax - 1, false);
}

const childOf = (block: Block | undefined, line: string): Block | undefined =>
  block?.children.find((one) => one.line === line);

/** The replies that a configuration is read from. */
export interface ConfigTexts {
  readonly interfaces: string;
  readonly policies: string;
  readonly chains: string;
  readonly bgp: string;
}

/** Returns all lines of a configuration; undefined = one of the texts is not one. */
export function blocksIn(texts: ConfigTexts): readonly Block[] | undefined {
  const parts = Object.values(texts).map((text: string) => configurationIn(text));
  const read = parts.filter((part) => part !== undefined);
  return read.length === parts.length ? read.flat() : undefined;
}

/**
 * Reads the configuration; undefined = one of the texts is not a configuration. `isUtc`: whether
 * the router's own zone is UTC.
 */
export function readConfig(texts: ConfigTexts, isUtc: boolean): XrConfig | undefined {
  const interfaces = configurationIn(texts.interfaces);
  const policies = configurationIn(texts.policies);
  const chains = configurationIn(texts.chains);
  const bgp = configurationIn(texts.bgp);
  if (!(interfaces && policies && chains && bgp)) return undefined;
  if (![interfaces, policies, chains, bgp].every(isConfiguration)) return undefined;
  const [router] = bgp.filter(({ line }) => line.startsWith("router bgp "));
  if (router !== undefined && !areFamiliesKnown(router)) return undefined;
  const own = named(interfaces, /^interface (?:preconfigure )?(\S+)$/, readInterface);
  const neighbours = router === undefined ? [] : neighboursIn(router);
  if (!isOfRouter(own.size, neighbours.length)) return undefined;
  return {
    interfaces: own,
    aggregates: aggregatesOf([...own].map(([name, { aggregate }]) => [name, aggregate])),
    policies: named(policies, /^macsec-policy (\S+)$/, readPolicy),
    chains: named(chains, /^key chain (\S+)$/, (block) => readChain(block, isUtc)),
    neighbours,
    localAs: /^router bgp (\d{1,10})$/.exec(router?.line ?? "")?.[1],
  };
}

const isConfiguration = (blocks: readonly Block[]): boolean =>
  blocks.every(({ line }) => /^(?:interface|macsec-policy|key chain|router bgp) \S/.test(line));

const attachPattern =
  /^macsec psk-keychain (\S+)(?: fallback-psk-keychain (\S+))?(?: policy (\S+))?$/;

function readInterface(block: Block): Interface {
  const lines = block.children.map(({ line }) => line);
  const macsec = lines.find((line) => /^macsec\b/.test(line));
  const bundle = /^\d{1,5}/.exec(restOf(block, "bundle id") ?? "")?.[0];
  return {
    isShut: lines.includes("shutdown"),
    macsec: macsec === undefined ? undefined : readAttachment(macsec),
    vrf: restOf(block, "vrf"),
    aggregate: bundle === undefined ? undefined : `Bundle-Ether${bundle}`,
    families: familiesIn(lines),
    holds: subnetsOf(lines.map(subnetIn)),
  };
}

function readAttachment(line: string): Attachment | "unread" {
  const found = attachPattern.exec(line);
  if (found === null) return "unread";
  const [, chain = "", fallback, policy] = found;
  // Without a policy the router's own default applies, which cannot be changed.
  return policy === undefined ? "unread" : { chain, fallback, policy };
}

function subnetIn(line: string) {
  const v4 = /^ipv4 address ([\d.]+)(?: ([\d.]+)|\/(\d{1,2}))(?: .*)?$/.exec(line);
  const v6 = /^ipv6 address ([0-9a-fA-F:]+)\/(\d{1,3})$/.exec(line);
  if (v6 !== null) return [v6[1] ?? "", Number(v6[2]), "ipv6"] as const;
  if (v4 === null) return undefined;
  return [v4[1] ?? "", v4[3] === undefined ? bitsOf(v4[2] ?? "") : Number(v4[3]), "ipv4"] as const;
}

const readPolicy = (block: Block): MacsecSettings | undefined =>
  policyIn(block, windowDefault, rekeyOf(block));

function rekeyOf(block: Block): number | undefined | "unread" {
  const text = restOf(block, "sak-rekey-interval");
  if (text === undefined) return undefined;
  const found = /^(?:(seconds) )?(\d{1,8})$/.exec(text);
  if (found === null) return "unread";
  // The form without the unit counts minutes.
  const ms = Number(found[2]) * (found[1] === undefined ? 60_000 : 1000);
  return ms === 0 ? undefined : ms;
}

function readChain(block: Block, isUtc: boolean): readonly ChainKey[] | undefined {
  // The times of a chain are in the router's own zone unless the chain names one.
  const isKnown = isUtc || restOf(block, "timezone") === "gmt";
  return keysIn(childOf(block, "macsec")?.children ?? [], (one) =>
    isKnown ? lifetimeOf(restOf(one, "lifetime") ?? "") : undefined,
  );
}

/** Returns the neighbours of the router itself, and those in its VRFs. */
function neighboursIn(router: Block): readonly Neighbour[] {
  const inVrfs = router.children.flatMap((one) => {
    const vrf = /^vrf (\S+)$/.exec(one.line)?.[1];
    return vrf === undefined ? [] : neighboursAt(one.children, vrf, router);
  });
  return [...neighboursAt(router.children, undefined, router), ...inVrfs];
}

function neighboursAt(
  blocks: readonly Block[],
  vrf: string | undefined,
  router: Block,
): readonly Neighbour[] {
  return blocks.flatMap((one): Neighbour[] => {
    const address = /^neighbor (\S+)$/.exec(one.line)?.[1];
    const version = isIP(address ?? "");
    if (address === undefined || version === 0) return [];
    const configured = familiesOf(one, router, 0);
    const maintenance = childOf(one, "graceful-maintenance");
    const lines = maintenance?.children.map(({ line }) => line) ?? [];
    return [
      {
        address,
        vrf,
        isShut: childOf(one, "shutdown") !== undefined,
        families: families.filter((family) => {
          return family === `ipv${version}` || configured.has(family);
        }),
        maintenance: maintenance && { isActive: lines.includes("activate"), lines },
      },
    ];
  });
}

const families: readonly Family[] = ["ipv4", "ipv6"];
const knownFamily = /^address-family (?:ipv4|ipv6|vpnv4|vpnv6|l2vpn|link-state) [a-z-]+(?: |$)/;

const hasFamilies = /^(?:router bgp|neighbor|neighbor-group|vrf) \S/;

/**
 * A family that is not known may be one of ours, whose routes would not be read. So may one below a
 * row that has none: the row ends the neighbour's block too early, such as half of a longer row.
 */
function areFamiliesKnown({ line, children }: Block): boolean {
  const isOther = line.startsWith("address-family ") && !knownFamily.test(line);
  const isIn = children.some((child) => child.line.startsWith("address-family "));
  return !isOther && (!isIn || hasFamilies.test(line)) && children.every(areFamiliesKnown);
}

/** Returns its own families, and those of the groups that it uses. */
function familiesOf(one: Block, router: Block, depth: number): ReadonlySet<Family> {
  const own = families.filter((family) =>
    one.children.some(({ line }) => line.startsWith(`address-family ${family} `)),
  );
  const groups = one.children.flatMap(({ line }) => {
    const name = /^use neighbor-group (\S+)$/.exec(line)?.[1];
    return name === undefined ? [] : (childOf(router, `neighbor-group ${name}`) ?? []);
  });
  const inherited =
    depth > depthMax ? [] : groups.map((group) => familiesOf(group, router, depth + 1));
  return new Set([...own, ...inherited.flatMap((each) => [...each])]);
}

type Peer = Pick<Neighbour, "address" | "vrf">;

/** Returns the interface in whose subnet an address of a VRF is; undefined = there is none. */
export const interfaceTo = onceForEach(
  ({ interfaces }: XrConfig, { address, vrf }: Peer): string | undefined => {
    for (const [name, one] of interfaces) if (one.vrf === vrf && one.holds(address)) return name;
    return undefined;
  },
);

/**
 * Returns the port behind which a neighbour is, by its subnet in its VRF; units of a port, and an
 * aggregate with no other member, count as the port.
 */
export function portOf(config: XrConfig, one: Peer): PortName | undefined {
  return onlyPortUnder(interfaceTo(config, one) ?? "", config.aggregates, isPort);
}

export function neighboursOn(config: XrConfig, port: PortName): readonly Neighbour[] {
  return config.neighbours.filter((one) => portOf(config, one) === port);
}
