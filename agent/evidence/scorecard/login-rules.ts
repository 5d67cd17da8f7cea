// Checks whether a network security group lets public addresses log in to machines (22, 3389).

import { contains, isInternetWide, parsePrefix } from "../../health/prefix.ts";
import { at, type Resource } from "./estate.ts";
import {
  failed,
  listAt,
  nameOf,
  type Outcome,
  proven,
  textAt,
  unverifiable,
  wordOf,
} from "./outcome.ts";

/**
 * The addresses that a rule's source covers. `public`: some public addresses, which may be the
 * operator's own and come over ExpressRoute; `unknown`: a service tag, or a form that is not
 * understood.
 */
type Source = "internet" | "public" | "private" | "unknown";

export function loginRules(group: Resource): Outcome {
  const name = nameOf(group);
  const sources = listAt(group, "properties", "securityRules").flatMap(loginSources);
  const kinds = sources.map((source) => [source, sourceOf(source)] as const);
  const next = `close 22 and 3389 to the Internet in ${name}`;
  const first = (kind: Source): string | undefined => kinds.find(([, one]) => one === kind)?.[0];
  if (first("internet") !== undefined) {
    return failed(`${name} lets the Internet in to 22 or 3389`, next);
  }
  const open = first("public");
  const strange = first("unknown");
  if (open === undefined && strange === undefined) {
    return proven(`${name} lets no public address in to 22 or 3389`);
  }
  const lets = `${name} lets ${open ?? wordOf(strange)} in to 22 or 3389`;
  const why =
    open === undefined
      ? "which addresses that is, is not read"
      : "public, and whether it is yours is not shown";
  return unverifiable(`${lets}: ${why}`, next);
}

/** The sources that a rule lets in to either port; empty = none. */
function loginSources(rule: unknown): readonly string[] {
  const properties = at(rule, "properties");
  if (at(properties, "access") !== "Allow" || at(properties, "direction") !== "Inbound") return [];
  const ports = both(properties, "destinationPortRange", "destinationPortRanges");
  if (!ports.some((range) => covers(range, 22) || covers(range, 3389))) return [];
  return both(properties, "sourceAddressPrefix", "sourceAddressPrefixes");
}

/** Azure puts a single value and several values in different fields. */
function both(properties: unknown, one: string, many: string): readonly string[] {
  const single = textAt(properties, one);
  const all = listAt(properties, many).filter((each) => typeof each === "string");
  return [...(single === undefined ? [] : [single]), ...all];
}

function covers(range: string, port: number): boolean {
  if (range === "*") return true;
  const [from = Number.NaN, to = from] = range.split("-").map(Number);
  return from <= port && port <= to;
}

/** Every address, and the tag for all public addresses (service tags of virtual networks). */
const everywhere = /^(\*|Internet|Any)$/i;
/** Tags for addresses of the customer's own networks, and for Azure's own probes of them. */
const inside = /^(VirtualNetwork|AzureLoadBalancer)$/i;

/** Prefixes that are not routed in the Internet: RFC 1918, 6598, 3927, 1122; RFC 4193, 4291. */
const privatePrefixes = [
  ...["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"],
  ...["127.0.0.0/8", "fc00::/7", "fe80::/10", "::1/128"],
].flatMap((text) => parsePrefix(text) ?? []);

function sourceOf(source: string): Source {
  if (everywhere.test(source)) return "internet";
  if (inside.test(source)) return "private";
  const prefix = parsePrefix(source);
  if (prefix === undefined) return "unknown";
  if (privatePrefixes.some((one) => contains(one, prefix))) return "private";
  return isInternetWide(prefix) ? "internet" : "public";
}
