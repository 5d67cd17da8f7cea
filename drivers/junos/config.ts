// The part of a Junos configuration that concerns our ports, without the keys in it: the leaf that
// contains one is never requested.

import { type Ckn, type MacsecSettings, type PortName, parseCkn } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { type Aggregates, aggregatesOf, onlyPortUnder } from "../platform/egress.ts";
import { isOfRouter, onceForEach, subnetOf } from "../platform/subnet.ts";
import { suiteOf, wholeOf } from "../platform/text.ts";
import {
  childOf,
  childrenOf,
  element,
  elementWith,
  textOf,
  type XmlElement,
  type XmlOut,
} from "../transport/xml.ts";
import { isPort, startOf } from "./names.ts";

export interface JunosConfig {
  /** Connectivity associations by name; undefined = one that is not understood. */
  readonly associations: ReadonlyMap<string, Association | undefined>;
  readonly bindings: ReadonlyMap<string, Binding>;
  /** Key chains by name; undefined = a chain with a key that is not understood. */
  readonly chains: ReadonlyMap<string, readonly ChainKey[] | undefined>;
  readonly interfaces: ReadonlyMap<string, Interface>;
  readonly aggregates: Aggregates;
  readonly neighbours: readonly Neighbour[];
  readonly policies: ReadonlySet<string>;
}

interface Association {
  readonly name: string;
  readonly settings: MacsecSettings;
  /** Whether frames are encrypted; otherwise they are only authenticated, and readable. */
  readonly isEncrypted: boolean;
  /** Keys outside a key chain; `undefined` inside = a CKN that is not readable. */
  readonly preShared: { readonly ckn: Ckn | undefined } | undefined;
  readonly fallback: { readonly ckn: Ckn | undefined } | undefined;
  readonly chain: string | undefined;
}

interface Binding {
  readonly association: string;
  /** Replaces the association's own chain. */
  readonly chain: string | undefined;
}

export interface ChainKey {
  readonly id: number;
  readonly ckn: Ckn;
  readonly startsAt: WallTime;
}

interface Interface {
  readonly isDisabled: boolean;
  /** The aggregate that it is a member of. */
  readonly aggregate: string | undefined;
  readonly subnets: readonly {
    /** The logical interface that has the address. */
    readonly unit: string;
    /** The routing instance of the unit; undefined = the one without a name. */
    readonly instance: string | undefined;
    readonly holds: (address: string) => boolean;
  }[];
}

export interface Neighbour {
  readonly group: string;
  /** undefined = the routing instance without a name. */
  readonly instance: string | undefined;
  readonly address: string;
  /** undefined = those of the group, or of BGP, apply. */
  readonly importPolicies: readonly string[] | undefined;
  readonly exportPolicies: readonly string[] | undefined;
  readonly inherited: {
    readonly importPolicies: readonly string[];
    readonly exportPolicies: readonly string[];
  };
  readonly isGraceful: boolean;
  readonly isInactive: boolean;
}

export const leaf = (name: string): XmlOut => element(name);

/** More leaves than those that the observation reads; none of them is a secret. */
interface More {
  readonly association: readonly string[];
  readonly binding: readonly string[];
  readonly chain: readonly string[];
  readonly key: readonly string[];
}

const noMore: More = { association: [], binding: [], chain: [], key: [] };
/** All others but `sak-hash-128`, and the keys of static SAKs in a secure channel. */
const allOthers: More = {
  association: ["security-mode", "disable-preceding-key", "exclude-protocol"],
  binding: ["unit", "replay-protect", "traceoptions"],
  chain: ["description", "tolerance"],
  key: ["algorithm", "fallback", "options", "ao-attribute"],
};

/** Selects leaf by leaf wherever a secret is beside them. */
function wanted(more: More): XmlOut {
  const named = ["name", "key-name", "start-time", ...more.key].map(leaf);
  const chain = [leaf("name"), ...more.chain.map(leaf), element("key", ...named)];
  const chains = element("authentication-key-chains", element("key-chain", ...chain));
  const association = element(
    "connectivity-association",
    ...["name", "cipher-suite", "no-encryption", "include-sci", "offset"].map(leaf),
    ...["replay-protect", "mka", ...more.association].map(leaf),
    element("pre-shared-key", leaf("ckn")),
    element("fallback-key", leaf("ckn")),
    leaf("pre-shared-key-chain"),
  );
  const binds = ["connectivity-association", "pre-shared-key-chain", ...more.binding].map(leaf);
  const bindings = element("interfaces", leaf("name"), ...binds);
  const macsec = element("macsec", association, bindings);
  const addresses = element("address", leaf("name"));
  const families = element("family", element("inet", addresses), element("inet6", addresses));
  const unit = element("unit", leaf("name"), families);
  const member = element("ieee-802.3ad", leaf("bundle"));
  const members = ["gigether-options", "ether-options"].map((name) => element(name, member));
  const port = element("interface", leaf("name"), leaf("disable"), ...members, unit);
  const policies = [leaf("import"), leaf("export")];
  const neighbour = element("neighbor", leaf("name"), ...policies, leaf("graceful-shutdown"));
  const group = element("group", leaf("name"), ...policies, neighbour);
  const bgp = element("protocols", element("bgp", ...policies, group));
  const instance = element("instance", ...[leaf("name"), element("interface", leaf("name")), bgp]);
  return element(
    "configuration",
    element("security", chains, macsec),
    element("interfaces", port),
    bgp,
    element("routing-instances", instance),
    element("policy-options", element("policy-statement", leaf("name"))),
  );
}

export const getConfig = (): XmlOut => running(wanted(noMore));

/** Queries the same with all other lines of associations, ports and key chains. */
export const getLines = (): XmlOut => running(wanted(allOthers));

/** Makes the query for these parts of the configuration in force. */
export function running(selected: XmlOut): XmlOut {
  return element(
    "get-config",
    element("source", element("running")),
    elementWith("filter", { type: "subtree" }, selected),
  );
}

/** Returns undefined if the reply contains no configuration. */
export function readConfig(reply: XmlElement): JunosConfig | undefined {
  const configuration = childOf(reply, "data", "configuration");
  if (configuration === undefined) return undefined;
  const security = childOf(configuration, "security");
  const macsec = childOf(security, "macsec");
  const chains = childOf(security, "authentication-key-chains");
  const instances = childrenOf(childOf(configuration, "routing-instances"), "instance");
  const interfaces = interfacesOf(configuration, instanceByUnit(instances));
  const neighbours = [configuration, ...instances].flatMap((one) =>
    neighboursOf(
      childOf(one, "protocols", "bgp"),
      one === configuration ? undefined : textOf(one, "name"),
    ),
  );
  const subnets = [...interfaces.values()].reduce((sum, one) => sum + one.subnets.length, 0);
  if (!isOfRouter(Math.max(interfaces.size, subnets), neighbours.length)) return undefined;
  return {
    associations: new Map(
      childrenOf(macsec, "connectivity-association").map((one) => [
        textOf(one, "name") ?? "",
        associationOf(one),
      ]),
    ),
    bindings: new Map(
      childrenOf(macsec, "interfaces").flatMap((one) => {
        const association = textOf(one, "connectivity-association");
        if (association === undefined) return [];
        const chain = textOf(one, "pre-shared-key-chain");
        return [[textOf(one, "name") ?? "", { association, chain }] as const];
      }),
    ),
    chains: new Map(
      childrenOf(chains, "key-chain").map((one) => [textOf(one, "name") ?? "", keysOf(one)]),
    ),
    interfaces,
    aggregates: aggregatesOf([...interfaces].map(([name, { aggregate }]) => [name, aggregate])),
    neighbours,
    policies: new Set(
      childrenOf(childOf(configuration, "policy-options"), "policy-statement").map(
        (one) => textOf(one, "name") ?? "",
      ),
    ),
  };
}

function associationOf(one: XmlElement): Association | undefined {
  const suite = suiteOf(textOf(one, "cipher-suite") ?? "gcm-aes-128");
  const offset = Number(textOf(one, "offset") ?? "0");
  const mka = childOf(one, "mka");
  const window = textOf(one, "replay-protect", "replay-window-size");
  const rekey = wholeOf(textOf(mka, "sak-rekey-interval") ?? "0");
  const priority = wholeOf(textOf(mka, "key-server-priority") ?? "16");
  if (suite === undefined || rekey === undefined || priority === undefined) return undefined;
  if (offset !== 0 && offset !== 30 && offset !== 50) return undefined;
  const pair = (name: string): Association["preShared"] => {
    const key = childOf(one, name);
    return key === undefined ? undefined : { ckn: parseCkn(textOf(key, "ckn") ?? "") };
  };
  return {
    name: textOf(one, "name") ?? "",
    settings: {
      suite,
      policy: childOf(mka, "should-secure") === undefined ? "mustSecure" : "shouldSecure",
      includeSci: childOf(one, "include-sci") !== undefined,
      confidentialityOffset: offset,
      keyServerPriority: priority,
      replayWindow:
        childOf(one, "replay-protect") === undefined ? undefined : wholeOf(window ?? "0"),
      sakRekeyMs: rekey === 0 ? undefined : rekey * 1000,
    },
    isEncrypted: childOf(one, "no-encryption") === undefined,
    preShared: pair("pre-shared-key"),
    fallback: pair("fallback-key"),
    chain: textOf(one, "pre-shared-key-chain"),
  };
}

/** Returns the keys by their start; the last one that has started is in use. */
function keysOf(chain: XmlElement): readonly ChainKey[] | undefined {
  const keys: ChainKey[] = [];
  for (const one of childrenOf(chain, "key")) {
    const id = wholeOf(textOf(one, "name"));
    const ckn = parseCkn(textOf(one, "key-name") ?? "");
    const startsAt = startOf(textOf(one, "start-time") ?? "");
    if (id === undefined || ckn === undefined || startsAt === undefined) return undefined;
    keys.push({ id, ckn, startsAt });
  }
  return keys.toSorted((a, b) => a.startsAt - b.startsAt || a.id - b.id);
}

function instanceByUnit(instances: readonly XmlElement[]): ReadonlyMap<string, string> {
  return new Map(
    instances.flatMap((one) =>
      childrenOf(one, "interface").map((unit): [string, string] => {
        return [textOf(unit, "name") ?? "", textOf(one, "name") ?? ""];
      }),
    ),
  );
}

const aggregatePattern = /^ae\d{1,4}$/;

/** Reads Ethernet ports and their aggregates only. */
function interfacesOf(
  configuration: XmlElement,
  instances: ReadonlyMap<string, string>,
): ReadonlyMap<string, Interface> {
  return new Map(
    childrenOf(childOf(configuration, "interfaces"), "interface").flatMap((one) => {
      const name = textOf(one, "name") ?? "";
      const isOurs = isPort(name) || aggregatePattern.test(name);
      return isOurs ? [[name, interfaceOf(one, name, instances)] as const] : [];
    }),
  );
}

function interfaceOf(
  one: XmlElement,
  name: string,
  instances: ReadonlyMap<string, string>,
): Interface {
  const bundleIn = (options: string): string | undefined =>
    textOf(one, options, "ieee-802.3ad", "bundle");
  return {
    isDisabled: childOf(one, "disable") !== undefined,
    aggregate: bundleIn("gigether-options") ?? bundleIn("ether-options"),
    subnets: childrenOf(one, "unit").flatMap((unit) =>
      ["inet", "inet6"].flatMap((family) =>
        childrenOf(childOf(unit, "family", family), "address").flatMap((address) => {
          const holds = subnetOf(textOf(address, "name") ?? "");
          const unitName = `${name}.${textOf(unit, "name") ?? "0"}`;
          const instance = instances.get(unitName);
          return holds === undefined ? [] : [{ unit: unitName, instance, holds }];
        }),
      ),
    ),
  };
}

function neighboursOf(
  bgp: XmlElement | undefined,
  instance: string | undefined,
): readonly Neighbour[] {
  const list = (parent: XmlElement | undefined, name: string): readonly string[] | undefined => {
    const found = childrenOf(parent, name).map(({ text }) => text);
    return found.length === 0 ? undefined : found;
  };
  return childrenOf(bgp, "group").flatMap((group) =>
    childrenOf(group, "neighbor").map((one) => ({
      group: textOf(group, "name") ?? "",
      instance,
      address: textOf(one, "name") ?? "",
      importPolicies: list(one, "import"),
      exportPolicies: list(one, "export"),
      inherited: {
        importPolicies: list(group, "import") ?? list(bgp, "import") ?? [],
        exportPolicies: list(group, "export") ?? list(bgp, "export") ?? [],
      },
      isGraceful: childOf(one, "graceful-shutdown", "sender") !== undefined,
      isInactive: one.attributes.get("inactive") === "inactive",
    })),
  );
}

/**
 * Returns the port over which a neighbour is reached in its routing instance, and the unit that has
 * our address; an aggregate with no other member counts as the port. undefined = none of ours.
 */
export const portOf = onceForEach(
  (
    config: JunosConfig,
    { address, instance }: Pick<Neighbour, "address" | "instance">,
  ): { readonly port: PortName; readonly unit: string } | undefined => {
    for (const { subnets } of config.interfaces.values()) {
      const subnet = subnets.find((one) => one.instance === instance && one.holds(address));
      const port = onlyPortUnder(subnet?.unit ?? "", config.aggregates, isPort);
      if (subnet !== undefined && port !== undefined) return { port, unit: subnet.unit };
    }
    return undefined;
  },
);

export function neighboursOn(config: JunosConfig, port: PortName): readonly Neighbour[] {
  return config.neighbours.filter((one) => portOf(config, one)?.port === port);
}
