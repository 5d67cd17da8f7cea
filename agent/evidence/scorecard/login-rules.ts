// Checks whether a network security group, or a firewall that translates addresses, lets public
// addresses log in to machines (22, 3389).

import { contains, isInternetWide, parsePrefix } from "../../health/prefix.ts";
import { at, type Resource, type Source } from "./estate.ts";
import { allOf, type Effect, type Field, isList, judge, words } from "./fields.ts";
import { listAt, nameOf, type Outcome, wordOf } from "./outcome.ts";

/**
 * The addresses that a rule's source covers. `public`: some public addresses, which may be the
 * operator's own and come over ExpressRoute; `unknown`: a service tag, or a form that is not
 * understood.
 */
type Reach = "internet" | "public" | "private" | "unknown";

export function loginRules(group: Resource, source: Source): Outcome {
  const name = nameOf(group);
  const next = `close 22 and 3389 to the Internet in ${name}`;
  const proof = `${name} lets no public address in to 22 or 3389`;
  const rules = { path: "properties.securityRules", does: isList, fault: "", next };
  return allOf([
    judge({ name, value: group, source }, [rules], proof),
    ...listAt(group, "properties", "securityRules").map((rule) => {
      const value = ruleOf(rule);
      return judge({ name, value, source }, ruleFields(value, name, next), proof);
    }),
  ]);
}

interface Rule {
  readonly access: unknown;
  readonly direction: unknown;
  readonly protocol: unknown;
  readonly ports: readonly unknown[] | undefined;
  readonly sources: readonly unknown[] | undefined;
}

function ruleOf(rule: unknown): Rule {
  const properties = at(rule, "properties");
  const groups = listAt(properties, "sourceApplicationSecurityGroups");
  return {
    access: at(properties, "access"),
    direction: at(properties, "direction"),
    protocol: at(properties, "protocol"),
    ports: both(properties, "destinationPortRange", "destinationPortRanges"),
    // A group of machines has only addresses of virtual networks.
    sources: [
      ...(both(properties, "sourceAddressPrefix", "sourceAddressPrefixes") ?? []),
      ...groups.map(() => "VirtualNetwork"),
    ],
  };
}

/** Logins run over TCP, and RDP over UDP too; these have no ports. */
const withoutPorts = words(["Icmp", "Esp", "Ah"]);

function ruleFields(rule: Rule, name: string, next: string): readonly Field[] {
  const isClosed =
    words(["Deny"])(rule.access) === "proves" ||
    words(["Outbound"])(rule.direction) === "proves" ||
    withoutPorts(rule.protocol) === "proves" ||
    opensLogin(rule.ports) === "closed";
  const open = { fault: `${name} lets the Internet in to 22 or 3389`, next };
  const known = words(["*", "Tcp", "Udp", "Icmp", "Esp", "Ah"]);
  return [
    { ...open, path: "access", does: words(["Allow", "Deny"]) },
    { ...open, path: "direction", does: words(["Inbound", "Outbound"]) },
    { ...open, path: "protocol", does: known },
    {
      ...{ ...open, path: "ports" },
      does: () => (opensLogin(rule.ports) === "unknown" ? "nothing" : "proves"),
    },
    sourceField("sources", rule.sources, name, next, isClosed),
  ];
}

/** A source that covers the Internet fails, and one that is not private proves nothing. */
function sourceField(
  path: string,
  sources: readonly unknown[] | undefined,
  name: string,
  next: string,
  isClosed: boolean,
): Field {
  const kinds = (sources ?? []).map((one) => [one, reachOf(one)] as const);
  const first = (kind: Reach): unknown => kinds.find(([, one]) => one === kind)?.[0];
  const effect = (): Effect => {
    if (isClosed) return "proves";
    if (first("internet") !== undefined) return "fails";
    return kinds.length > 0 && kinds.every(([, kind]) => kind === "private") ? "proves" : "nothing";
  };
  const open = first("public");
  const why =
    open === undefined
      ? "which addresses that is, is not read"
      : "public, and whether it is yours is not shown";
  const from = typeof open === "string" ? open : wordOf(first("unknown"));
  const lets = `${name} lets ${from} in to 22 or 3389`;
  const fault = `${name} lets the Internet in to 22 or 3389`;
  return { path, does: effect, fault, doubt: `${lets}: ${why}`, next };
}

/** A firewall that translates to a login port hides the public address from security groups. */
export function loginTranslations(firewall: Resource, source: Source): Outcome {
  const name = nameOf(firewall);
  const next = `translate no public address of ${name} to 22 or 3389`;
  const proof = `${name} translates no public address to 22 or 3389`;
  const fault = `${name} lets the Internet in to 22 or 3389`;
  const byPolicy = `the rules of ${name} are in a firewall policy, which is not read`;
  const own: readonly Field[] = [
    { path: "properties.natRuleCollections", does: isList, fault, next },
    {
      ...{ path: "properties.firewallPolicy", unset: "harmless", fault, next },
      ...{ does: () => "nothing", doubt: byPolicy },
    },
  ];
  const rules = listAt(firewall, "properties", "natRuleCollections").map((collection) =>
    listAt(collection, "properties", "rules").map((rule) => {
      const port = at(rule, "translatedPort");
      const opens = opensLogin(typeof port === "string" ? [port] : undefined);
      const sources = sourcesOf(rule);
      const fields: readonly Field[] = [
        {
          path: "translatedPort",
          does: () => (opens === "unknown" ? "nothing" : "proves"),
          fault,
          next,
        },
        sourceField("sources", sources, name, next, opens === "closed"),
      ];
      return judge({ name, value: { translatedPort: port, sources }, source }, fields, proof);
    }),
  );
  const collections = listAt(firewall, "properties", "natRuleCollections").map((each) =>
    judge(
      { name, value: each, source },
      [{ path: "properties.rules", does: isList, fault, next }],
      proof,
    ),
  );
  return allOf([
    judge({ name, value: firewall, source }, own, proof),
    ...collections,
    ...rules.flat(),
  ]);
}

/** The addresses of IP groups are in resources of their own, which are not read. */
function sourcesOf(rule: unknown): readonly unknown[] {
  return [...listAt(rule, "sourceAddresses"), ...listAt(rule, "sourceIpGroups").map(() => "group")];
}

/** Azure puts a single value and several values in different fields; undefined = in neither. */
function both(properties: unknown, one: string, many: string): readonly unknown[] | undefined {
  const single = at(properties, one);
  const all = [...(single === undefined ? [] : [single]), ...listAt(properties, many)];
  return all.length === 0 ? undefined : all;
}

/** Whether port ranges include a login port; a range that is not understood could be any. */
function opensLogin(ranges: readonly unknown[] | undefined): "open" | "closed" | "unknown" {
  const known = (ranges ?? []).map(rangeOf);
  if (known.some((range) => range !== undefined && [22, 3389].some((port) => covers(range, port))))
    return "open";
  return known.length === 0 || known.includes(undefined) ? "unknown" : "closed";
}

type Range = readonly [from: number, to: number];

function rangeOf(text: unknown): Range | undefined {
  if (typeof text !== "string") return undefined;
  if (text === "*") return [0, 65_535];
  const [, from, to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  return from === undefined ? undefined : [Number(from), Number(to)];
}

const covers = ([from, to]: Range, port: number): boolean => from <= port && port <= to;

/** Every address, and the tag for all public addresses (service tags of virtual networks). */
const everywhere = /^(\*|Internet|Any)$/i;
/** Tags for addresses of the customer's own networks, and for Azure's own probes of them. */
const inside = /^(VirtualNetwork|AzureLoadBalancer)$/i;

/** Prefixes that are not routed in the Internet: RFC 1918, 6598, 3927, 1122; RFC 4193, 4291. */
const privatePrefixes = [
  ...["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"],
  ...["127.0.0.0/8", "fc00::/7", "fe80::/10", "::1/128"],
].flatMap((text) => parsePrefix(text) ?? []);

function reachOf(source: unknown): Reach {
  if (typeof source !== "string") return "unknown";
  if (everywhere.test(source)) return "internet";
  if (inside.test(source)) return "private";
  const prefix = parsePrefix(source);
  if (prefix === undefined) return "unknown";
  if (privatePrefixes.some((one) => contains(one, prefix))) return "private";
  return isInternetWide(prefix) ? "internet" : "public";
}
