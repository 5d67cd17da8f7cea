// The part of an EOS configuration that concerns our ports. Nothing behind a word that hides a key
// is stored, even where a router prints it although it was asked not to.

import { createHash } from "node:crypto";
import { isIP } from "node:net";
import {
  type CipherSuite,
  type Ckn,
  type MacsecSettings,
  type PortName,
  parseCkn,
} from "#hal/model.ts";
import { type Detection, holdMsOf } from "../platform/detection.ts";
import { type Aggregates, aggregatesOf, onlyPortUnder } from "../platform/egress.ts";
import { type JsonRecord, parse, recordIn, recordOf } from "../platform/json.ts";
import { isOfRouter, onceForEach, subnetOf } from "../platform/subnet.ts";
import { wholeOf } from "../platform/text.ts";
import { defaultVrf, isPort } from "./names.ts";
import { begins, type Statement } from "./statements.ts";
import { type EosTunnels, tunnelsOf } from "./tunnel-config.ts";

export interface EosConfig {
  /** Equal for equal configurations. */
  readonly id: string;
  /** MACsec profiles by name; undefined = a profile that is not understood. */
  readonly profiles: ReadonlyMap<string, Profile | undefined>;
  readonly bindings: ReadonlyMap<PortName, string>;
  readonly shut: ReadonlySet<PortName>;
  readonly units: readonly Unit[];
  readonly aggregates: Aggregates;
  /** The AS number; undefined = BGP is not configured. */
  readonly as: string | undefined;
  readonly neighbours: readonly Neighbour[];
  readonly routeMaps: ReadonlyMap<string, RouteMap>;
  readonly tunnels: EosTunnels;
}

interface Profile {
  readonly settings: MacsecSettings;
  readonly keys: readonly ConfiguredKey[];
}

interface ConfiguredKey {
  readonly ckn: Ckn;
  readonly role: "primary" | "fallback";
}

/** A logical interface with an address; an aggregate with no other member counts as the port. */
interface Unit {
  readonly name: string;
  readonly port: PortName;
  readonly vrf: string;
  readonly holds: (address: string) => boolean;
}

export type Family = "ipv4" | "ipv6";

export interface Neighbour {
  readonly address: string;
  /** `default` if no line names another. */
  readonly vrf: string;
  readonly isShut: boolean;
  /** Route maps by its own lines, and by those of its peer group. */
  readonly maps: { readonly in: string | undefined; readonly out: string | undefined };
  readonly inherited: { readonly in: string | undefined; readonly out: string | undefined };
  /**
   * Address families whose routes it may bring: that of its address, and those in which it is
   * active.
   */
  readonly families: readonly Family[];
  /** Its route maps are in an address family, where they are not read. */
  readonly isElsewhere: boolean;
  /**
   * What is configured: whether a configured BFD is up is not read, and the hold time of a session
   * is at most that of either end (RFC 4271, 4.2).
   */
  readonly detection: Detection;
}

interface RouteMap {
  readonly prepends: boolean;
  /** The route map that it calls. */
  readonly calls: string | undefined;
}

const depthMax = 8;
const statementsMax = 200_000;
/** The forms in which a secret may follow. */
const form = /^(?:0|5|7|8a|sha512)$/;
const telling = /^(?:key|secret|password)$/;

/** Returns all lines of a configuration; undefined = the reply contains none. */
export function readStatements(text: string): readonly Statement[] | undefined {
  const cmds = recordIn(parse(text), "cmds");
  return cmds && statementsOf(cmds, 0, { left: statementsMax });
}

/** Returns undefined where the reply contains no configuration. */
export function readConfig(text: string): EosConfig | undefined {
  const all = readStatements(text);
  return all && configOf(all);
}

export function configOf(all: readonly Statement[]): EosConfig | undefined {
  const interfaces = all.filter(({ words }) => words[0] === "interface");
  const bgp = all.find(({ words }) => begins(words, "router bgp"));
  const aggregates = aggregatesOf(interfaces.map(membershipOf));
  const neighbours = bgp === undefined ? [] : neighboursOf(bgp);
  if (!isOfRouter(interfaces.length, neighbours.length)) return undefined;
  return {
    id: createHash("sha256").update(JSON.stringify(all)).digest("hex").slice(0, 24),
    profiles: profilesOf(all),
    bindings: bindingsOf(interfaces),
    shut: new Set(
      interfaces.flatMap(({ words, children }) => {
        const isShut = children.some((one) => one.words.join(" ") === "shutdown");
        return isShut && words[1] !== undefined ? [words[1]] : [];
      }),
    ),
    units: interfaces.flatMap((one) => unitsOf(one, aggregates)),
    aggregates,
    as: bgp?.words[2],
    neighbours,
    routeMaps: routeMapsOf(all),
    tunnels: tunnelsOf(all),
  };
}

/** Drops the words that hide a key, so that they cannot be printed later. */
function statementsOf(
  cmds: JsonRecord,
  depth: number,
  budget: { left: number },
): readonly Statement[] | undefined {
  if (depth > depthMax) return undefined;
  const statements: Statement[] = [];
  for (const [text, inside] of Object.entries(cmds)) {
    budget.left -= 1;
    if (budget.left < 0 || text.length > 1000) return undefined;
    const below = recordIn(recordOf(inside), "cmds");
    const children = below === undefined ? [] : statementsOf(below, depth + 1, budget);
    if (children === undefined) return undefined;
    statements.push({ words: openWords(text.trim().split(/\s+/)), children });
  }
  return statements;
}

function openWords(words: readonly string[]): readonly string[] {
  // A PSK may follow without a form before it.
  if (words[0] === "shared-key") return words.slice(0, 1);
  if (!words.some((word) => telling.test(word))) return words;
  // The name of a key comes before the form, and a role comes behind the secret.
  return words.filter((_, index) => index < 2 || !form.test(words[index - 1] ?? ""));
}

const ciphers: readonly (readonly [string, CipherSuite])[] = [
  ["aes128-gcm", "gcm-aes-128"],
  ["aes256-gcm", "gcm-aes-256"],
  ["aes128-gcm-xpn", "gcm-aes-xpn-128"],
  ["aes256-gcm-xpn", "gcm-aes-xpn-256"],
];

export function cipherOf(suite: CipherSuite): string {
  return ciphers.find(([, one]) => one === suite)?.[0] ?? suite;
}

function profilesOf(all: readonly Statement[]): EosConfig["profiles"] {
  const macsec = all.find(({ words }) => words.join(" ") === "mac security");
  return new Map(
    (macsec?.children ?? [])
      .filter(({ words }) => words[0] === "profile" && words[1] !== undefined)
      .map(({ words, children }) => [words[1] ?? "", profileOf(children)]),
  );
}

function profileOf(children: readonly Statement[]): Profile | undefined {
  const rest = (beginning: string): readonly string[] | undefined => {
    const found = children.find(({ words }) => begins(words, beginning));
    return found?.words.slice(beginning.split(" ").length);
  };
  // A release chooses a cipher by itself if none is configured.
  const suite = ciphers.find(([name]) => name === (rest("cipher")?.[0] ?? "aes128-gcm"))?.[1];
  const priority = wholeOf(rest("mka key-server priority")?.[0] ?? "16");
  const rekey = wholeOf(rest("mka session rekey-period")?.[0] ?? "0");
  const window = wholeOf(rest("replay protection window")?.[0] ?? "0");
  const keys = keysOf(children);
  // Its keys are a shared secret or come from 802.1X.
  const isOtherwise = rest("key source") !== undefined || rest("mode") !== undefined;
  if (suite === undefined || priority === undefined || rekey === undefined) return undefined;
  if (window === undefined || keys === undefined || isOtherwise) return undefined;
  const traffic = rest("traffic unprotected")?.[0];
  return {
    settings: {
      suite,
      policy: traffic === "allow" ? "shouldSecure" : "mustSecure",
      includeSci: rest("sci") !== undefined,
      confidentialityOffset: 0,
      keyServerPriority: priority,
      replayWindow: rest("replay protection disabled") === undefined ? window : undefined,
      sakRekeyMs: rekey === 0 ? undefined : rekey * 1000,
    },
    keys,
  };
}

/** Returns the primary key first; undefined = one of the keys is not understood. */
function keysOf(children: readonly Statement[]): readonly ConfiguredKey[] | undefined {
  const keys: ConfiguredKey[] = [];
  for (const { words } of children) {
    if (words[0] !== "key" || words[1] === "retirement" || words[1] === "source") continue;
    const ckn = parseCkn(words[1] ?? "");
    if (ckn === undefined) return undefined;
    keys.push({ ckn, role: words.at(-1) === "fallback" ? "fallback" : "primary" });
  }
  const rank = ({ role }: ConfiguredKey): number => (role === "primary" ? 0 : 1);
  return keys.toSorted((a, b) => rank(a) - rank(b));
}

function bindingsOf(interfaces: readonly Statement[]): EosConfig["bindings"] {
  return new Map(
    interfaces.flatMap(({ words: [, name = ""], children }) => {
      const bound = children.find(({ words }) => begins(words, "mac security profile"));
      const profile = bound?.words[3];
      return profile === undefined ? [] : [[name, profile] as const];
    }),
  );
}

function membershipOf({ words: [, name = ""], children }: Statement) {
  const number = children.find(({ words }) => words[0] === "channel-group")?.words[1];
  return [name, number === undefined ? undefined : `Port-Channel${number}`] as const;
}

function unitsOf(
  { words: [, name = ""], children }: Statement,
  aggregates: Aggregates,
): readonly Unit[] {
  const port = onlyPortUnder(name, aggregates, isPort);
  if (port === undefined) return [];
  const vrf = children.find(({ words }) => words[0] === "vrf")?.words.at(-1) ?? defaultVrf;
  return children.flatMap(({ words }) => {
    const isAddress = begins(words, "ip address") || begins(words, "ipv6 address");
    const holds = isAddress ? subnetOf(words[2] ?? "") : undefined;
    return holds === undefined ? [] : [{ name, port, vrf, holds }];
  });
}

function neighboursOf(bgp: Statement): readonly Neighbour[] {
  const groups = aboutOf(bgp.children);
  const inVrf = (vrf: string, children: readonly Statement[]): readonly Neighbour[] => {
    const about = aboutOf(children);
    const hold = holdIn(children) ?? holdIn(bgp.children);
    return [...about]
      .filter(([address]) => isIP(address) !== 0)
      .map(([address, own]) => {
        const group = groups.get(own.group ?? "") ?? about.get(own.group ?? "");
        const isOf = (name: string | undefined): boolean => name === address || name === own.group;
        return {
          address,
          vrf,
          isShut: own.isShut || group?.isShut === true,
          detection: {
            bfd: own.hasBfd || group?.hasBfd === true ? undefined : "off",
            holdMs: holdMsOf(own.hold ?? group?.hold ?? hold),
          },
          maps: { in: own.in, out: own.out },
          inherited: { in: group?.in, out: group?.out },
          isElsewhere: isInFamily(children, ([, name, what]) => what === "route-map" && isOf(name)),
          families: families.filter(
            (family) =>
              family === `ipv${isIP(address)}` ||
              isInFamily(
                [...children, ...bgp.children],
                ([verb, name, what], its) =>
                  its === family && verb === "neighbor" && what === "activate" && isOf(name),
              ),
          ),
        };
      });
  };
  return [
    ...inVrf(defaultVrf, bgp.children),
    ...bgp.children
      .filter(({ words }) => words[0] === "vrf" && words[1] !== undefined)
      .flatMap(({ words, children }) => inVrf(words[1] ?? "", children)),
  ];
}

const families: readonly Family[] = ["ipv4", "ipv6"];

/** Returns whether a line of any address family does so; `family` is the router's name for it. */
function isInFamily(
  children: readonly Statement[],
  does: (words: readonly string[], family: string | undefined) => boolean,
): boolean {
  return children.some(
    ({ words: [heading, family], children: inside }) =>
      heading === "address-family" && inside.some(({ words }) => does(words, family)),
  );
}

/** Returns the hold time of all neighbours in seconds; undefined = it is the default one. */
function holdIn(children: readonly Statement[]): string | undefined {
  return children.find(({ words }) => begins(words, "timers bgp"))?.words[3];
}

interface About {
  group: string | undefined;
  isShut: boolean;
  hasBfd: boolean;
  /** Its hold time in seconds. */
  hold: string | undefined;
  in: string | undefined;
  out: string | undefined;
}

/** Returns what is configured for each neighbour and each peer group, by its name. */
function aboutOf(children: readonly Statement[]): ReadonlyMap<string, About> {
  const about = new Map<string, About>();
  for (const { words } of children) {
    const [verb, name, what, value, direction] = words;
    if (verb !== "neighbor" || name === undefined) continue;
    const one = about.get(name) ?? {
      group: undefined,
      isShut: false,
      hasBfd: false,
      hold: undefined,
      in: undefined,
      out: undefined,
    };
    about.set(name, one);
    if (what === "shutdown") one.isShut = true;
    if (what === "bfd") one.hasBfd = true;
    if (what === "timers") one.hold = direction;
    if (what === "peer" && value === "group") one.group = direction;
    // Older releases write it like this.
    if (what === "peer-group") one.group = value;
    if (what === "route-map" && (direction === "in" || direction === "out")) one[direction] = value;
  }
  return about;
}

function routeMapsOf(all: readonly Statement[]): EosConfig["routeMaps"] {
  const maps = new Map<string, RouteMap>();
  for (const { words, children } of all) {
    const [verb, name] = words;
    if (verb !== "route-map" || name === undefined) continue;
    const before = maps.get(name);
    const prepends = children.some((one) => begins(one.words, "set as-path prepend"));
    const calls = children.find((one) => one.words[0] === "sub-route-map")?.words[1];
    maps.set(name, {
      prepends: prepends || before?.prepends === true,
      calls: calls ?? before?.calls,
    });
  }
  return maps;
}

/** Returns the interface over which a neighbour is reached; undefined = none on a port. */
export const unitTo = onceForEach(
  ({ units }: EosConfig, { address, vrf }: Neighbour): Unit | undefined =>
    units.find((unit) => unit.vrf === vrf && unit.holds(address)),
);

export function neighboursOn(config: EosConfig, port: PortName): readonly Neighbour[] {
  return config.neighbours.filter((one) => unitTo(config, one)?.port === port);
}
