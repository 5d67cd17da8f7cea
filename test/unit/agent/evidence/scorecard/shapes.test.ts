// Every proof in the shapes of Azure's published examples: each field of the documents that is left
// out, or has a value that is not known, takes the proof away, unless it cannot matter.

import { describe, expect, it } from "vitest";
import { isResource } from "#agent/evidence/scorecard/estate.ts";
import { rowOfFiles } from "../../../kit/scorecard-kit.ts";
import { shapes } from "../../../kit/scorecard-shapes.ts";

describe("documents in the shapes of published examples", () => {
  it.each(shapes)("$row with $title is $verdict", ({ row, verdict, documents }) => {
    const found = rowOfFiles(row, ...documents);
    expect([found.verdict, found.evidence]).toEqual([verdict, expect.any(String)]);
  });
});

type Path = readonly (string | number)[];

function pathsIn(value: unknown, path: Path = []): readonly Path[] {
  const below: readonly (readonly [string | number, unknown])[] = Array.isArray(value)
    ? value.map((each, index) => [index, each] as const)
    : isResource(value)
      ? Object.entries(value)
      : [];
  return below.flatMap(([key, inner]) => [[...path, key], ...pathsIn(inner, [...path, key])]);
}

function changed(value: unknown, [key, ...rest]: Path, to: unknown): unknown {
  if (Array.isArray(value)) {
    const list = value.map((each, index) =>
      index === key ? (rest.length === 0 ? to : changed(each, rest, to)) : each,
    );
    return list.filter((each) => each !== undefined);
  }
  const own = isResource(value) ? value : {};
  const inner = rest.length === 0 ? to : changed(own[String(key)], rest, to);
  return { ...own, [String(key)]: inner };
}

/** Names, places and order say nothing, nor do optional fields of which only a value can undo. */
const cannotMatter = [
  /(^|\.)(name|id|type|location|etag|provisioningState|kind|priority|order|severity)$/,
  /^expressRoutePorts\./,
  /\.(windowSize|policyType|groupId|hostName|port|enforcement|actionGroupId|originGroup(\.id)?)$/,
  /parameters\.type$/,
  // What a firewall or a route is reached by does not decide where it leads.
  /\.(destinationAddresses|destinationPorts|protocols|translatedAddress)(\.|$)/,
  /\.(action|sourceAddresses)(\.|$)/,
  /routes\.properties\.patternsToMatch|rules\.properties\.conditions/,
  /subnets\.properties\.addressPrefix$|addressSpace(\.|$)|sku(\.|$)/,
  // Optional: without them the metric is whole, and a link is on.
  /\.dimensions$|origins\.properties\.enabledState$|routes\.properties\.enabledState$/,
  // Counts of another row.
  /^(expressRouteCircuits|vpnGateways)\.properties(\.|$)/,
];

const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>((found, key) => (found as Record<string | number, unknown>)[key], value);

const label = (type: unknown, path: Path): string =>
  [String(type).split("/").at(-1), ...path.filter((key) => typeof key === "string")].join(".");

/** Fields of a document that only another row rests on. */
const othersRest: Readonly<Record<string, RegExp>> = {
  "front-door-waf": /supportedProtocols|httpsRedirect|forwardingProtocol|ruleSets|^profiles/,
  "front-door-tls": /customDomains\.?|linkToDefaultDomain|sharedPrivateLinkResource|^profiles/,
  "front-door-private-origins": /enforceCertificateNameCheck/,
  "vpn-as-backup": /ipsecPolicies|connectionProtocol/,
  "ipsec-connections": /useLocalAzureIpAddress|connectionStatus|virtualNetworkGateway1/,
};

/** Without these, the document shows another state that is understood and as good. */
const isAsGood = (title: string, change: string): boolean =>
  /originGroupOverride = undefined$|actions\.parameters\.typeName = /.test(change) ||
  // A protocol without ports is closed whatever its source is.
  (/^(ICMP|ESP)/.test(title) && change.includes("sourceAddressPrefix")) ||
  // An origin that is off is reached by nothing.
  (title === "a public origin that is off" && change.includes("sharedPrivateLinkResource"));

/** Values that no row knows, of each JSON type. */
const garbled = ["~", 7_777, {}, []];

const proofs = shapes.filter(({ verdict }) => verdict === "proven");

describe("the subtraction of a field", () => {
  it.each(proofs)("$row with $title is not proven without a field it rests on", (one) => {
    const kept: string[] = [];
    for (const [index, document] of one.documents.entries()) {
      for (const path of pathsIn(document)) {
        const name = label(document["type"], path);
        if (cannotMatter.some((pattern) => pattern.test(name))) continue;
        if (othersRest[one.row]?.test(name) === true) continue;
        for (const to of [undefined, ...garbled]) {
          // An entry less, or none, is a shorter list: another document that is understood.
          if (to === undefined && typeof path.at(-1) === "number") continue;
          if (Array.isArray(to) && Array.isArray(valueAt(document, path))) continue;
          const documents = one.documents.map((each, at) =>
            at === index ? changed(each, path, to) : each,
          );
          const { verdict } = rowOfFiles(one.row, ...documents);
          const change = `${name} = ${JSON.stringify(to)}`;
          if (verdict === "proven" && !isAsGood(one.title, change)) kept.push(change);
        }
      }
    }
    expect(kept).toEqual([]);
  });
});

describe("the addition of an optional field", () => {
  const additions = [
    ["isActive", true],
    ["firewallPolicy", null],
    ["validateCertChainAndExpiry", true],
    ["validateSNI", true],
    ["dimensions", []],
    ["publicIPAddress", null],
    ["sslProfile", null],
  ] as const;

  it.each(shapes.filter(({ verdict }) => verdict === "notVerifiable"))(
    "$row with $title is not proven by it",
    ({ row, documents }) => {
      for (const [key, value] of additions) {
        for (const [index, document] of documents.entries()) {
          const objects = [[], ...pathsIn(document)].filter(
            (path) => path.length > 0 && path.at(-1) === "properties",
          );
          for (const path of objects) {
            const more = documents.map((each, at) =>
              at === index ? changed(each, [...path, key], value) : each,
            );
            expect(rowOfFiles(row, ...more).verdict).not.toBe("proven");
          }
        }
      }
    },
  );
});
