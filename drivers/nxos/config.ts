// The part of an NX-OS configuration that concerns our ports, without the keys in it: the switch
// prints only lines that begin with named words.

import type { MacsecSettings } from "#hal/model.ts";
import type { Block } from "../platform/block.ts";
import { type Attachment, policyIn } from "../platform/cisco-attachment.ts";
import type { ChainKey } from "../platform/cisco-chains.ts";
import {
  addressesIn,
  blocksOf,
  type CiscoConfig,
  type CiscoInterface,
  configIn,
  type Family,
  familiesFor,
  keysIn,
  named,
  neighbourFinder,
  neighboursIn,
  restOf,
} from "../platform/cisco-config.ts";
import { entriesOf, type MapEntry, type MappedNeighbour } from "../platform/cisco-drain.ts";
import { lifetimeOf } from "../platform/cisco-text.ts";
import { wholeOf } from "../platform/text.ts";
import { isPort } from "./names.ts";

export interface NxConfig extends CiscoConfig<MacsecSettings, Interface, Neighbour> {
  /** Features that are turned on. */
  readonly features: ReadonlySet<string>;
  /** MACsec is configured, and turned off for the whole switch. */
  readonly isMacsecShut: boolean;
  /** Commands are sent to an accounting server. */
  readonly isAccounted: boolean;
}

interface Interface extends CiscoInterface {
  /** `unread` = MACsec is attached in a way that is not understood. */
  readonly macsec: Attachment | "unread" | undefined;
}

export interface Neighbour extends MappedNeighbour {
  /** Families whose routes it may bring: that of its address, and those it is configured for. */
  readonly families: readonly Family[];
}

const depthMax = 8;
const windowDefault = 148_809_600;

/** The replies that a configuration is read from; undefined = one was not asked for. */
export interface ConfigTexts {
  /** Features, MACsec policies and key chains. */
  readonly macsec: string | undefined;
  readonly interfaces: string | undefined;
  readonly bgp: string | undefined;
}

const ofMacsec = /^(?:feature|aaa|macsec|tunnel-encryption|key chain) /;
const ofPorts = /^interface \S/;
const ofBgp = /^(?:feature bgp|router bgp \S+)$/;
/** The text of BGP ends with them: routes of other instances and of layer 2. */
const besideBgp = /^(?:evpn|vrf context \S+)$/;
/** Words of BGP itself: where one is outside of it, a line was broken. */
const insideBgp =
  /^(?:neighbor|template|inherit|remote-as|local-as|address-family|router-id)\b|^vrf (?!context )|^(?:no )?shutdown$|^route-map \S+ (?:in|out)$/;
const ofPolicy = /^macsec policy \S/;

/** Returns the MACsec policies with all of their lines; undefined = they are not understood. */
export function readPolicies(text: string): readonly Block[] | undefined {
  const blocks = blocksOf(text, depthMax, false);
  return blocks?.every(({ line }) => ofPolicy.test(line)) === true ? blocks : undefined;
}

/** Returns all lines; a port that is shut has the line by which it would be shut. */
export function linesIn(
  { macsec, interfaces, bgp }: ConfigTexts,
  policies: readonly Block[],
): readonly Block[] {
  const others = blocksIn(macsec, ofMacsec)?.filter(({ line }) => !ofPolicy.test(line)) ?? [];
  const ports = blocksIn(interfaces, ofPorts)?.map((one): Block => {
    const own = one.children.filter(({ line }) => !/^(?:no )?shutdown$/.test(line));
    const shut = readInterface(one).isShut ? [{ line: "shutdown", children: [] }] : [];
    return { ...one, children: [...own, ...shut] };
  });
  return [...others, ...policies, ...(ports ?? []), ...(bgpIn(bgp) ?? [])];
}

/** Returns the names of the features that are turned on; undefined = they are not understood. */
export function readFeatures(text: string): ReadonlySet<string> | undefined {
  const blocks = blocksIn(text, ofMacsec);
  return blocks && featuresIn(blocks);
}

const featuresIn = (blocks: readonly Block[]): ReadonlySet<string> =>
  new Set(named(blocks, /^feature ([\w -]{1,40})$/, () => true).keys());

/** Returns the blocks of BGP itself; blocks of other features are left alone. */
function bgpIn(text: string | undefined): readonly Block[] | undefined {
  const blocks = blocksIn(text, /^/);
  if (blocks?.some(isBroken) !== false) return undefined;
  return blocks.filter(({ line }) => ofBgp.test(line));
}

function isBroken({ line, children }: Block): boolean {
  if (ofBgp.test(line) || besideBgp.test(line)) return false;
  const hasWord = (one: Block): boolean => insideBgp.test(one.line) || one.children.some(hasWord);
  return hasWord({ line, children });
}

/**
 * Reads the configuration; undefined = one of the texts is not a configuration. `isUtc`: whether
 * the switch's own zone is UTC.
 */
export function readConfig(texts: ConfigTexts, isUtc: boolean): NxConfig | undefined {
  const macsec = blocksIn(texts.macsec, ofMacsec);
  const own = blocksIn(texts.interfaces, ofPorts);
  const bgp = bgpIn(texts.bgp);
  if (macsec === undefined || own === undefined || bgp === undefined) return undefined;
  const router = bgp.find(({ line }) => line.startsWith("router bgp "));
  const lines = macsec.map(({ line }) => line);
  const parts = {
    interfaces: named(own, /^interface (\S+)$/, readInterface),
    policies: new Map([
      ["system-default-macsec-policy", readPolicy({ line: "", children: [] })],
      ...named(macsec, /^macsec policy (\S+)$/, readPolicy),
    ]),
    chains: named(macsec, /^key chain (\S+) macsec$/, (block) => readChain(block, isUtc)),
    neighbours: neighboursIn(router, /^neighbor (\S+)(?: remote-as \S+)?$/, readNeighbour),
  };
  const config = configIn(parts, router);
  return (
    config && {
      ...config,
      features: featuresIn(macsec),
      isMacsecShut: lines.includes("macsec shutdown"),
      // Without a server the switch keeps a log of its own.
      isAccounted: lines.some((one) => /^aaa accounting default (?!local$)/.test(one)),
    }
  );
}

/** Returns undefined for another text than a configuration of a switch. */
function blocksIn(text: string | undefined, head: RegExp): readonly Block[] | undefined {
  if (text === undefined) return [];
  const rows = text.split("\n").filter((row) => !row.startsWith("!") && row.trim() !== "");
  const [first = "", ...rest] = rows;
  // A line that is indented otherwise was broken, and would be in another block.
  const isWhole = rows.every((row) => /^(?: {2}){0,8}\S/.test(row));
  if (!/^version \d/.test(first) || !isWhole) return undefined;
  const blocks = blocksOf(rest.join("\n"), depthMax, false);
  return blocks?.every(({ line }) => head.test(line)) === true ? blocks : undefined;
}

const attachPattern = /^macsec keychain (\S+) policy (\S+)(?: fallback-keychain (\S+))?$/;

function readInterface(block: Block): Interface {
  const lines = block.children.map(({ line }) => line);
  const macsec = lines.filter((line) => /^macsec\b/.test(line));
  const [, chain = "", policy = "", fallback] = attachPattern.exec(macsec[0] ?? "") ?? [];
  const isRead = macsec.length === 1 && chain !== "";
  const group = /^\d{1,4}\b/.exec(restOf(block, "channel-group") ?? "")?.[0];
  return {
    // A port of layer 3 is shut unless it is opened.
    isShut:
      lines.includes("shutdown") ||
      (lines.includes("no switchport") && !lines.includes("no shutdown")),
    macsec: isRead ? { chain, policy, fallback } : macsec.length === 0 ? undefined : "unread",
    vrf: restOf(block, "vrf member"),
    aggregate: group === undefined ? undefined : `port-channel${group}`,
    ...addressesIn(lines),
  };
}

function readPolicy(block: Block): MacsecSettings | undefined {
  const expiry = restOf(block, "sak-expiry-time") ?? "pn-rollover";
  const seconds = expiry === "pn-rollover" ? undefined : (wholeOf(expiry) ?? Number.NaN);
  const rekeyMs = seconds === undefined ? undefined : seconds * 1000;
  const policy = policyIn(block, windowDefault, Number.isNaN(rekeyMs) ? "unread" : rekeyMs);
  const lines = block.children.map(({ line }) => line);
  // What a policy of keys that resist a quantum computer adds is not understood.
  if (policy === undefined || lines.some((one) => one.startsWith("ppk"))) return undefined;
  return { ...policy, includeSci: !lines.includes("no include-sci") };
}

function readChain(block: Block, isUtc: boolean): readonly ChainKey[] | undefined {
  return keysIn(block.children, (one) => {
    const text = restOf(one, "send-lifetime");
    // Without the word its times are in UTC.
    const isLocal = text?.startsWith("local ") === true;
    return isLocal && !isUtc ? undefined : lifetimeOf(text?.replace(/^local /, ""));
  });
}

function readNeighbour({ children }: Block, address: string, vrf: string | undefined): Neighbour {
  const lines = children.map((one) => one.line);
  const within = children.filter((one) => one.line.startsWith("address-family "));
  const all = [...lines, ...within.flatMap((one) => one.children.map((each) => each.line))];
  const map = (way: "in" | "out"): string | undefined => {
    const pattern = new RegExp(`^route-map (\\S+) ${way}$`);
    return all.map((one) => pattern.exec(one)?.[1]).find((one) => one !== undefined);
  };
  return {
    ...{ address, vrf },
    isShut: lines.includes("shutdown"),
    families: familiesFor(address, (one) => lines.includes(`address-family ${one} unicast`)),
    maps: { in: map("in"), out: map("out") },
    inherits: all.some((one) => one.startsWith("inherit ")),
  };
}

/** Returns undefined if there is no such route map or something in it is not understood. */
export function readRouteMap(text: string, name: string): readonly MapEntry[] | undefined {
  const blocks = blocksOf(text, depthMax, false)?.filter(({ line }) => !/^version \d/.test(line));
  return blocks && entriesOf(blocks, name);
}

const finder = neighbourFinder<Neighbour, NxConfig>(isPort);
export const { interfaceTo, portOf, neighboursOn } = finder;

/** Returns the instances in which neighbours behind ports are; undefined = the default one. */
export const instancesIn = (config: NxConfig): readonly (string | undefined)[] => [
  ...new Set(finder.neighboursOnPorts(config).map(({ vrf }) => vrf)),
];
