// The lines of a port in a Junos configuration, as `display set` words them: its connectivity
// association, its key chain, and its own about MACsec.

import type { WantedPort } from "#hal/device.ts";
import type { WallTime } from "#hal/world.ts";
import { keyInPlace, type PortLines, settingsOf } from "../platform/port-lines.ts";
import { failed } from "../platform/query.ts";
import {
  childOf,
  childrenOf,
  textOf,
  type XmlElement,
  type XmlOut,
  type XmlPart,
} from "../transport/xml.ts";
import { type JunosConfig, readConfig } from "./config.ts";
import { ownName, startOf } from "./names.ts";
import { type PlannedKey, type PortPlan, planOf, protect } from "./plan.ts";
import { type LocalAs, renderChange } from "./renderer.ts";

/** A configuration, and the element that it was read from. */
interface ReadLines {
  readonly config: JunosConfig;
  readonly root: XmlElement;
}

/** Returns undefined if the reply contains no configuration. */
export function readLines(reply: XmlElement): ReadLines | undefined {
  const config = readConfig(reply);
  const root = childOf(reply, "data", "configuration");
  return config && root && { config, root };
}

interface Around extends ReadLines {
  readonly localAs: LocalAs;
  /** The time by the router's own clock. */
  readonly wall: WallTime;
  /** The device, for errors. */
  readonly where: string;
}

/**
 * Returns the configured lines of a port, and those that the driver would write for it.
 * @throws LinksealError `device.rejected`, with effect "none", if a drain cannot be written.
 */
export function linesOf(wanted: WantedPort, around: Around): PortLines {
  const { config, root, localAs, wall, where } = around;
  const { port, ckn, drain } = wanted;
  const render = (from: PortPlan, to: PortPlan): readonly string[] => {
    const rendered = renderChange(from, to, config, localAs);
    if (rendered !== undefined) return rendered.sent.flatMap((tree) => sentLines(tree));
    throw failed("device.rejected", `BGP does not report its own AS on ${port}`, where);
  };
  const before = planOf(config, port);
  const none = { bindings: new Map(), interfaces: new Map() };
  const nothing = planOf({ ...config, ...none }, port);
  using secret = keyInPlace(wanted);
  const place: PlannedKey["place"] = { kind: "chain", id: 0, startsAt: wall };
  const kept = before.keys.find((one) => one.ckn === ckn);
  const key: PlannedKey = kept ?? { ckn, place, secret };
  const chain = before.chain ?? ownName(port);
  const settings = settingsOf(wanted);
  const after: PortPlan = {
    ...protect(before),
    ...{ settings, admin: "up", chain, keys: [key], drains: [] },
  };
  const ways = drain === undefined ? [] : [drain];
  const lines = portLines(root, after).map((line) => ({ line, children: [] }));
  return {
    port,
    configured: [{ at: "", lines }],
    whole: [...render(nothing, { ...after, keys: [{ ...key, secret }] }), ...keptLines(after)],
    due: render(before, { ...after, drains: before.drains }),
    drain: render({ ...nothing, drains: before.drains }, { ...nothing, drains: ways }),
    heads: new Set(),
    normal,
  };
}

/**
 * Returns lines that the driver leaves as they are: a default that is configured, and a key outside
 * a key chain, which stays there until the next one comes.
 */
function keptLines({ association = "", keys, settings }: PortPlan): readonly string[] {
  const path = `security macsec connectivity-association ${association}`;
  return [
    `${path} offset ${settings?.confidentialityOffset ?? ""}`,
    ...keys.flatMap(({ ckn, place }) =>
      place.kind === "static" ? [`${path} ${place.slot} ckn ${ckn}`] : [],
    ),
  ];
}

/** Returns the configured lines of a port and of the objects of its plan. */
function portLines(root: XmlElement, { port, association, chain }: PortPlan): readonly string[] {
  const macsec = childOf(root, "security", "macsec");
  const chains = childOf(root, "security", "authentication-key-chains");
  const own = ownName(port);
  const among = (parent: XmlElement | undefined, list: string, names: readonly unknown[]) =>
    childrenOf(parent, list).filter((one) => names.includes(textOf(one, "name")));
  const lines = (path: string, found: readonly XmlElement[]): readonly string[] =>
    found.flatMap((one) => readElement(one, path));
  return [
    ...lines("security macsec", among(macsec, "connectivity-association", [association, own])),
    ...lines("security macsec", among(macsec, "interfaces", [port])),
    ...lines("security authentication-key-chains", among(chains, "key-chain", [chain, own])),
    ...lines(
      `interfaces interface ${port}`,
      among(childOf(root, "interfaces"), "interface", [port]).flatMap((one) =>
        childrenOf(one, "disable"),
      ),
    ),
  ];
}

const joined = (...words: readonly string[]): string => words.filter((one) => one !== "").join(" ");

/** Returns the lines of a configured element; one that is inactive has no effect. */
function readElement(one: XmlElement, above: string): readonly string[] {
  const path = joined(above, one.name, textOf(one, "name") ?? "");
  if (one.attributes.get("inactive") !== undefined) return [`deactivate ${path}`];
  const inner = one.children.filter(({ name }) => name !== "name" && name !== "secret");
  if (inner.length === 0) return [joined(path, one.text)];
  return inner.flatMap((child) => readElement(child, path));
}

const textIn = (parts: readonly XmlPart[]): string =>
  parts.filter((part) => typeof part === "string").join("");

/** Returns the lines of an element to be sent; one that deletes begins with `no`. */
function sentLines(one: XmlOut, above = ""): readonly string[] {
  const { attributes, children } = one;
  const elements = children.filter((part) => typeof part === "object" && "name" in part);
  const name = textIn(elements.find((part) => part.name === "name")?.children ?? []);
  const path = joined(above, one.name, name);
  if (attributes["operation"] === "delete") return [`no ${path}`];
  if (attributes["inactive"] !== undefined) return [`deactivate ${path}`];
  if (attributes["active"] !== undefined) return [`no deactivate ${path}`];
  const inner = elements.filter((part) => part.name !== "name" && part.name !== "secret");
  if (inner.length === 0) return [joined(path, textIn(children))];
  return inner.flatMap((child) => sentLines(child, path));
}

/** Two forms of a start are equal if the times are, and those of a CKN if the octets are. */
function normal(line: string): string {
  const [, key = "", start = ""] = /^(.* start-time) (.+)$/.exec(line) ?? [];
  const startsAt = startOf(start);
  if (startsAt !== undefined) return `${key} ${startsAt}`;
  return line.replace(/ (?:key-name|ckn) \S+$/, (name) => name.toLowerCase());
}
