// The part of an IOS XR configuration that concerns our ports, without the keys in it: the router
// omits their lines from its output.

import type { MacsecSettings } from "#hal/model.ts";
import type { Block } from "../platform/block.ts";
import { type Attachment, policyIn } from "../platform/cisco-attachment.ts";
import type { ChainKey } from "../platform/cisco-chains.ts";
import {
  addressesIn,
  blocksOf,
  type CiscoConfig,
  type CiscoInterface,
  type CiscoNeighbour,
  configIn,
  type Family,
  familiesFor,
  keysIn,
  named,
  neighbourFinder,
  neighboursIn,
  restOf,
} from "../platform/cisco-config.ts";
import { lifetimeOf } from "../platform/cisco-text.ts";
import { isPort } from "./names.ts";

export type XrConfig = CiscoConfig<MacsecSettings, Interface, Neighbour>;

interface Interface extends CiscoInterface {
  /** `unread` = MACsec is attached in a way that is not understood. */
  readonly macsec: Attachment | "unread" | undefined;
}

export interface Neighbour extends CiscoNeighbour {
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
  const own = {
    interfaces: named(interfaces, /^interface (?:preconfigure )?(\S+)$/, readInterface),
    policies: named(policies, /^macsec-policy (\S+)$/, readPolicy),
    chains: named(chains, /^key chain (\S+)$/, (block) => readChain(block, isUtc)),
    neighbours: neighboursIn(router, /^neighbor (\S+)$/, readNeighbour),
  };
  return configIn(own, router);
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
    ...addressesIn(lines),
  };
}

function readAttachment(line: string): Attachment | "unread" {
  const found = attachPattern.exec(line);
  if (found === null) return "unread";
  const [, chain = "", fallback, policy] = found;
  // Without a policy the router's own default applies, which cannot be changed.
  return policy === undefined ? "unread" : { chain, fallback, policy };
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

function readNeighbour(
  one: Block,
  address: string,
  vrf: string | undefined,
  router: Block,
): Neighbour {
  const configured = familiesOf(one, router, 0);
  const maintenance = childOf(one, "graceful-maintenance");
  const lines = maintenance?.children.map(({ line }) => line) ?? [];
  return {
    address,
    vrf,
    isShut: childOf(one, "shutdown") !== undefined,
    families: familiesFor(address, (family) => configured.has(family)),
    maintenance: maintenance && { isActive: lines.includes("activate"), lines },
  };
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

export const { interfaceTo, portOf, neighboursOn } = neighbourFinder<Neighbour, XrConfig>(isPort);
