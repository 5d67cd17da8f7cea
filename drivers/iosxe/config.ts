// The part of an IOS XE configuration that concerns our ports, without the keys in it: the router
// prints only lines that begin with named words.

import { isIP } from "node:net";
import type { MacsecSettings } from "#hal/model.ts";
import type { Block } from "../platform/block.ts";
import type { ChainKey } from "../platform/cisco-chains.ts";
import {
  addressesIn,
  blocksOf,
  type CiscoConfig,
  type CiscoInterface,
  configIn,
  keysIn,
  named,
  neighbourFinder,
  restOf,
} from "../platform/cisco-config.ts";
import { entriesOf, type MapEntry, type MappedNeighbour } from "../platform/cisco-drain.ts";
import { lifetimeOf } from "../platform/cisco-text.ts";
import { suiteOf, wholeOf } from "../platform/text.ts";
import { isPort } from "./names.ts";

export type XeConfig = CiscoConfig<Policy, Interface, Neighbour>;

/** The MACsec settings of an MKA policy; the others are at the interface. */
interface Policy
  extends Pick<
    MacsecSettings,
    "suite" | "confidentialityOffset" | "keyServerPriority" | "sakRekeyMs"
  > {
  readonly isSsciBySci: boolean;
}

interface Interface extends CiscoInterface {
  readonly macsec: InterfaceMacsec;
}

interface InterfaceMacsec extends Pick<MacsecSettings, "policy" | "includeSci" | "replayWindow"> {
  readonly isEnabled: boolean;
  readonly policyName: string | undefined;
  readonly chain: string | undefined;
  readonly fallback: string | undefined;
  /** It has a line that is not understood. */
  readonly isUnread: boolean;
}

export interface Neighbour extends MappedNeighbour {
  /** The AS of the neighbour; undefined = its group names it. */
  readonly asn: string | undefined;
  /**
   * The address families in which it is active, as they are written; none = only those of the
   * router itself.
   */
  readonly families: readonly string[];
}

const depthMax = 8;

export interface ConfigTexts {
  /** Interfaces, MKA policies and key chains. */
  readonly macsec: string;
  readonly bgp: string;
}

const ofMacsec = /^(?:interface|mka policy|key chain) \S/;
const ofBgp = /^router bgp \S/;
const isOfPolicy = /^mka policy \S/;

/** Returns all lines of a configuration; undefined = one of the texts is not one. */
export function linesIn(
  { macsec, bgp }: ConfigTexts,
  policies: readonly Block[],
): readonly Block[] | undefined {
  const [ports, router] = [blocksIn(macsec, ofMacsec), blocksIn(bgp, ofBgp)];
  const others = ports?.filter(({ line }) => !isOfPolicy.test(line));
  return others && router && [...others, ...router, ...policies];
}

/** Returns the MKA policies with all of their lines; undefined = they are not understood. */
export function readPolicies(text: string): readonly Block[] | undefined {
  return blocksIn(text, isOfPolicy);
}

/**
 * Reads the configuration; undefined = one of the texts is not a configuration. `isUtc`: whether
 * the router's own zone is UTC.
 */
export function readConfig(texts: ConfigTexts, isUtc: boolean): XeConfig | undefined {
  const macsec = blocksIn(texts.macsec, ofMacsec);
  const bgp = blocksIn(texts.bgp, ofBgp);
  if (macsec === undefined || bgp === undefined) return undefined;
  const [router] = bgp;
  const parts = {
    interfaces: named(macsec, /^interface (\S+)$/, readInterface),
    policies: named(macsec, /^mka policy (\S+)$/, readPolicy),
    chains: named(macsec, /^key chain (\S+) macsec$/, (block) => readChain(block, isUtc)),
    neighbours: router === undefined ? [] : neighboursIn(router),
  };
  return configIn(parts, router);
}

/**
 * Returns the lines of a configuration that a filter let through, without its last line; undefined
 * = that line is missing, so that others may be missing too.
 */
export function filteredLines(text: string): string | undefined {
  const rows = text.trimEnd().split("\n");
  return rows.pop() === "end" ? rows.join("\n") : undefined;
}

export function blocksIn(text: string, head: RegExp): readonly Block[] | undefined {
  const blocks = blocksOf(text, depthMax, true);
  return blocks?.every(({ line }) => head.test(line)) === true ? blocks : undefined;
}

function readInterface(block: Block): Interface {
  const lines = block.children.map(({ line }) => line);
  return {
    isShut: lines.includes("shutdown"),
    macsec: readMacsec(lines),
    // The older form is for routers that have VRFs of IPv4 alone.
    vrf: restOf(block, "vrf forwarding") ?? restOf(block, "ip vrf forwarding"),
    aggregate: aggregateIn(lines),
    ...addressesIn(lines),
  };
}

function aggregateIn(lines: readonly string[]): string | undefined {
  const found = lines.map((line) => /^channel-group (\d{1,4})\b/.exec(line)?.[1]);
  const number = found.find((one) => one !== undefined);
  return number === undefined ? undefined : `Port-channel${number}`;
}

const windowDefault = 64;

function readMacsec(lines: readonly string[]): InterfaceMacsec {
  let read: InterfaceMacsec = {
    isEnabled: false,
    // "must-secure" is the default of a port, and a default is not printed.
    policy: "mustSecure",
    includeSci: true,
    replayWindow: windowDefault,
    policyName: undefined,
    chain: undefined,
    fallback: undefined,
    isUnread: false,
  };
  for (const line of lines) {
    if (!/^(?:macsec|mka)\b/.test(line)) continue;
    const [, window] = /^macsec replay-protection window-size (\d{1,10})$/.exec(line) ?? [];
    const [, policyName] = /^mka policy (\S+)$/.exec(line) ?? [];
    const [, chain, fallback] =
      /^mka pre-shared-key key-chain (\S+)(?: fallback-key-chain (\S+))?$/.exec(line) ?? [];
    if (line === "macsec" || line === "macsec network-link") read = { ...read, isEnabled: true };
    else if (line === "macsec access-control must-secure") continue;
    else if (line === "macsec access-control should-secure")
      read = { ...read, policy: "shouldSecure" };
    else if (line === "macsec disable-sci") read = { ...read, includeSci: false };
    else if (window !== undefined) read = { ...read, replayWindow: Number(window) };
    else if (policyName !== undefined) read = { ...read, policyName };
    else if (chain !== undefined) read = { ...read, chain, fallback };
    else if (!/^macsec dot1q-in-clear \d$/.test(line)) read = { ...read, isUnread: true };
  }
  return read;
}

function readPolicy(block: Block): Policy | undefined {
  // If several suites or none are configured, the ends choose.
  const suite = suiteOf(restOf(block, "macsec-cipher-suite"));
  const offset = wholeOf(restOf(block, "confidentiality-offset") ?? "0");
  const priority = wholeOf(restOf(block, "key-server priority") ?? "0");
  const rekey = wholeOf(restOf(block, "sak-rekey interval") ?? "0");
  if (suite === undefined || priority === undefined || rekey === undefined) return undefined;
  if (offset !== 0 && offset !== 30 && offset !== 50) return undefined;
  return {
    suite,
    confidentialityOffset: offset,
    keyServerPriority: priority,
    sakRekeyMs: rekey === 0 ? undefined : rekey * 1000,
    isSsciBySci: block.children.some(({ line }) => line === "ssci-based-on-sci"),
  };
}

function readChain(block: Block, isUtc: boolean): readonly ChainKey[] | undefined {
  return keysIn(block.children, (one) => {
    const life = lifetimeOf(restOf(one, "lifetime")?.replace(/^local /, ""));
    // Its times are in the router's own zone.
    return !isUtc && (life?.startsAt ?? life?.endsAt) !== undefined ? undefined : life;
  });
}

interface BgpStatement {
  readonly family: string | undefined;
  readonly words: readonly string[];
}

function neighboursIn(router: Block): readonly Neighbour[] {
  const statements = router.children.flatMap(({ line, children }): readonly BgpStatement[] =>
    line.startsWith("address-family ")
      ? children.map((one) => ({ family: line, words: one.line.split(" ") }))
      : [{ family: undefined, words: line.split(" ") }],
  );
  // A line with its AS or its group creates a neighbour.
  const homes = statements.filter(
    ({ words: [, address = "", what] }) =>
      isIP(address) !== 0 && (what === "remote-as" || what === "peer-group"),
  );
  const seen = new Set<string>();
  return homes.flatMap(({ family, words: [, address = ""] }) => {
    const vrf = vrfOf(family);
    if (seen.has(`${vrf ?? ""} ${address}`)) return [];
    seen.add(`${vrf ?? ""} ${address}`);
    return [neighbourOf(address, vrf, statements)];
  });
}

function vrfOf(family: string | undefined): string | undefined {
  return / vrf (\S+)$/.exec(family ?? "")?.[1];
}

function neighbourOf(
  address: string,
  vrf: string | undefined,
  statements: readonly BgpStatement[],
): Neighbour {
  const own = statements.filter(
    ({ family, words }) => words[1] === address && vrfOf(family) === vrf,
  );
  const map = (way: "in" | "out"): string | undefined =>
    own.find(({ words }) => words[2] === "route-map" && words[4] === way)?.words[3];
  const families = own.flatMap(({ family, words }) =>
    family !== undefined && (words[2] === "activate" || vrf !== undefined) ? [family] : [],
  );
  return {
    address,
    vrf,
    asn: own.find(({ words }) => words[2] === "remote-as")?.words[3],
    isShut: own.some(({ words }) => words[2] === "shutdown"),
    families: [...new Set(families)],
    maps: { in: map("in"), out: map("out") },
    inherits: own.some(({ words }) => words[2] === "peer-group" || words[2] === "inherit"),
  };
}

/** Returns undefined if there is no such route map or something in it is not understood. */
export function readRouteMap(text: string, name: string): readonly MapEntry[] | undefined {
  const blocks = blocksIn(text, /^route-map \S/);
  return blocks && entriesOf(blocks, name);
}

export const { interfaceTo, portOf, neighboursOn } = neighbourFinder<Neighbour, XeConfig>(isPort);
