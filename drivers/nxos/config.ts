// The part of an NX-OS configuration that concerns our ports, without the keys in it: the switch
// prints only lines that begin with named words.

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
import { entriesOf, type MapEntry } from "../platform/cisco-drain.ts";
import { bitsOf, lifetimeOf, wholeOf } from "../platform/cisco-text.ts";
import { aggregatesOf, onlyPortUnder } from "../platform/egress.ts";
import { isOfRouter, onceForEach, subnetsOf } from "../platform/subnet.ts";
import { isPort } from "./names.ts";

export interface NxConfig extends CiscoConfig<MacsecSettings, Interface, Neighbour> {
  /** Features that are turned on. */
  readonly features: ReadonlySet<string>;
  /** MACsec is configured, and turned off for the whole switch. */
  readonly isMacsecShut: boolean;
  /** Commands are sent to an accounting server. */
  readonly isAccounted: boolean;
}

interface Interface {
  readonly isShut: boolean;
  /** `unread` = MACsec is attached in a way that is not understood. */
  readonly macsec: Attachment | "unread" | undefined;
  /** undefined = the default one. */
  readonly vrf: string | undefined;
  /** The aggregate that it is a member of. */
  readonly aggregate: string | undefined;
  readonly families: ReadonlySet<string>;
  readonly holds: (address: string) => boolean;
}

export type Family = "ipv4" | "ipv6";

export interface Neighbour {
  readonly address: string;
  /** undefined = the default one. */
  readonly vrf: string | undefined;
  readonly isShut: boolean;
  /** Families whose routes it may bring: that of its address, and those it is configured for. */
  readonly families: readonly Family[];
  /** Route maps of any family. */
  readonly maps: { readonly in: string | undefined; readonly out: string | undefined };
  /** It takes lines of a template, which may name route maps. */
  readonly inherits: boolean;
}

const depthMax = 8;
const windowDefault = 148_809_600;

export interface ConfigTexts {
  /** Features, MACsec policies and key chains. */
  readonly macsec: string;
  readonly interfaces: string;
  /** Empty = the feature is off, and its command is not known. */
  readonly bgp: string;
}

const ofMacsec = /^(?:feature|aaa|macsec|tunnel-encryption|key chain) /;
const ofPorts = /^interface \S/;
const ofBgp = /^(?:feature bgp|router bgp \S+)$/;
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
  return [...others, ...policies, ...(ports ?? []), ...(blocksIn(bgp, ofBgp) ?? [])];
}

/**
 * Reads the configuration; undefined = one of the texts is not a configuration. `isUtc`: whether
 * the switch's own zone is UTC.
 */
export function readConfig(texts: ConfigTexts, isUtc: boolean): NxConfig | undefined {
  const macsec = blocksIn(texts.macsec, ofMacsec);
  const own = blocksIn(texts.interfaces, ofPorts);
  const bgp = blocksIn(texts.bgp, ofBgp);
  if (macsec === undefined || own === undefined || bgp === undefined) return undefined;
  const router = bgp.find(({ line }) => line.startsWith("router bgp "));
  const interfaces = named(own, /^interface (\S+)$/, readInterface);
  const neighbours = router === undefined ? [] : neighboursIn(router);
  if (!isOfRouter(interfaces.size, neighbours.length)) return undefined;
  const lines = macsec.map(({ line }) => line);
  return {
    features: new Set(named(macsec, /^feature ([\w -]{1,40})$/, () => true).keys()),
    isMacsecShut: lines.includes("macsec shutdown"),
    // Without a server the switch keeps a log of its own.
    isAccounted: lines.some((one) => /^aaa accounting default (?!local$)/.test(one)),
    interfaces,
    aggregates: aggregatesOf([...interfaces].map(([name, { aggregate }]) => [name, aggregate])),
    policies: new Map([
      ["system-default-macsec-policy", readPolicy({ line: "", children: [] })],
      ...named(macsec, /^macsec policy (\S+)$/, readPolicy),
    ]),
    chains: named(macsec, /^key chain (\S+) macsec$/, (block) => readChain(block, isUtc)),
    neighbours,
    localAs: /^router bgp (\d{1,10}(?:\.\d{1,5})?)$/.exec(router?.line ?? "")?.[1],
  };
}

/** Returns undefined for another text than a configuration of a switch. */
export function blocksIn(text: string, head: RegExp): readonly Block[] | undefined {
  const rows = text.split("\n").filter((row) => !row.startsWith("!") && row.trim() !== "");
  if (rows.length === 0) return [];
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
    families: familiesIn(lines),
    holds: subnetsOf(lines.map(subnetIn)),
  };
}

function subnetIn(line: string) {
  const [, address = "", bits, mask = ""] =
    /^ip(?:v6)? address ([0-9a-fA-F.:]+)(?:\/(\d{1,3})| ([\d.]+))(?: secondary)?$/.exec(line) ?? [];
  if (address === "") return undefined;
  const kind = address.includes(":") ? "ipv6" : "ipv4";
  return [address, bits === undefined ? bitsOf(mask) : Number(bits), kind] as const;
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

const always = { startsAt: undefined, endsAt: undefined };

function readChain(block: Block, isUtc: boolean): readonly ChainKey[] | undefined {
  return keysIn(block.children, (one) => {
    const text = restOf(one, "send-lifetime");
    if (text === undefined) return always;
    // Without the word its times are in UTC.
    const local = /^local (.*)$/.exec(text)?.[1];
    return local !== undefined && !isUtc ? undefined : lifetimeOf(local ?? text);
  });
}

/** Returns the neighbours of the switch itself, and those in its VRFs. */
function neighboursIn({ children }: Block): readonly Neighbour[] {
  const inVrfs = children.flatMap((one) => {
    const vrf = /^vrf (\S+)$/.exec(one.line)?.[1];
    return vrf === undefined ? [] : neighboursAt(one.children, vrf);
  });
  return [...neighboursAt(children, undefined), ...inVrfs];
}

function neighboursAt(blocks: readonly Block[], vrf: string | undefined): readonly Neighbour[] {
  return blocks.flatMap(({ line, children }): Neighbour[] => {
    const [, address = ""] = /^neighbor (\S+)(?: remote-as \S+)?$/.exec(line) ?? [];
    const version = isIP(address);
    if (version === 0) return [];
    const lines = children.map((one) => one.line);
    const within = children.filter((one) => one.line.startsWith("address-family "));
    const all = [...lines, ...within.flatMap((one) => one.children.map((each) => each.line))];
    const map = (way: "in" | "out"): string | undefined => {
      const pattern = new RegExp(`^route-map (\\S+) ${way}$`);
      return all.map((one) => pattern.exec(one)?.[1]).find((one) => one !== undefined);
    };
    return [
      {
        ...{ address, vrf },
        isShut: lines.includes("shutdown"),
        families: (["ipv4", "ipv6"] as const).filter(
          (family) =>
            family === `ipv${version}` || lines.includes(`address-family ${family} unicast`),
        ),
        maps: { in: map("in"), out: map("out") },
        inherits: all.some((one) => one.startsWith("inherit ")),
      },
    ];
  });
}

/** Returns undefined if there is no such route map or something in it is not understood. */
export function readRouteMap(text: string, name: string): readonly MapEntry[] | undefined {
  const blocks = blocksOf(text, depthMax, false)?.filter(({ line }) => !/^version \d/.test(line));
  return entriesOf(blocks ?? [], name);
}

type Peer = Pick<Neighbour, "address" | "vrf">;

/** Returns the interface in whose subnet an address of an instance is; undefined = none. */
export const interfaceTo = onceForEach(
  ({ interfaces }: NxConfig, { address, vrf }: Peer): string | undefined => {
    for (const [name, one] of interfaces) if (one.vrf === vrf && one.holds(address)) return name;
    return undefined;
  },
);

/**
 * Returns the port behind which a neighbour is, by its subnet in its instance; units of a port, and
 * an aggregate with no other member, count as the port.
 */
export function portOf(config: NxConfig, one: Peer): PortName | undefined {
  return onlyPortUnder(interfaceTo(config, one) ?? "", config.aggregates, isPort);
}

export function neighboursOn(config: NxConfig, port: PortName): readonly Neighbour[] {
  return config.neighbours.filter((one) => portOf(config, one) === port);
}
