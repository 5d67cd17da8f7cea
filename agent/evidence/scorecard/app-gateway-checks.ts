// Application Gateway: TLS from client to backend.

import { at, type Resource, type Source } from "./estate.ts";
import type { ScorecardFacts } from "./facts.ts";
import { allOf, type Effect, type Field, isOn, judge, words } from "./fields.ts";
import {
  listAt,
  nameOf,
  type Outcome,
  overAll,
  sameId,
  textAt,
  unverifiable,
  wordOf,
} from "./outcome.ts";

export function appGatewayTls({ estate }: ScorecardFacts): Outcome {
  return overAll(estate.lists.appGateways, "Application Gateway", (gateway, source) => {
    const name = nameOf(gateway);
    return allOf([
      ...listenersOf(gateway, name, source),
      ...backendsOf(gateway, name, source),
      policyOf(gateway, name, source),
    ]);
  });
}

const proofOf = (name: string): string => `${name} has TLS end to end`;

function listenersOf(gateway: Resource, name: string, source: Source): readonly Outcome[] {
  const { properties } = gateway;
  const next = `end TLS 1.2 or newer at every listener of ${name}, or redirect to one that does`;
  const all = [...listAt(properties, "httpListeners"), ...listAt(properties, "listeners")];
  if (all.length === 0) return [unverifiable(`${name} shows no listener`, next)];
  return all.map((value) => {
    const protocol = at(value, "properties", "protocol");
    const redirects = protocol === "Http" && isRedirected(properties, value);
    const field: Field = {
      ...{ path: "properties.protocol", fault: `${name} listens to plain HTTP`, next },
      does: words(["Https", "Tls", ...(redirects ? ["Http"] : [])], ["Http"]),
      doubt: `${name} passes on ${wordOf(protocol)} without looking at it`,
    };
    const profile: Field = {
      ...{ path: "properties.sslProfile.id", unset: "harmless", next },
      does: (id) => profileEffect(properties, id),
      fault: profileFault(properties, name, value),
      doubt: `a listener of ${name} has an SSL profile that is not shown`,
    };
    return judge({ name, value, source }, [field, ...(redirects ? [] : [profile])], proofOf(name));
  });
}

/** A listener that only redirects to HTTPS serves nothing over HTTP. */
function isRedirected(properties: unknown, listener: unknown): boolean {
  const rules = listAt(properties, "requestRoutingRules").filter((rule) =>
    sameId(at(rule, "properties", "httpListener", "id"), at(listener, "id")),
  );
  const ways = rules.flatMap((rule) => waysOf(properties, rule));
  return ways.length > 0 && ways.every((id) => id !== undefined && endsSecure(properties, id));
}

/** The redirects that a rule leads to; undefined = one way leads to a backend. */
function waysOf(properties: unknown, rule: unknown): readonly (string | undefined)[] {
  const map = textAt(rule, "properties", "urlPathMap", "id");
  if (map === undefined) return [textAt(rule, "properties", "redirectConfiguration", "id")];
  const found = listAt(properties, "urlPathMaps").find((each) => sameId(at(each, "id"), map));
  return [
    textAt(found, "properties", "defaultRedirectConfiguration", "id"),
    ...listAt(found, "properties", "pathRules").map((path) =>
      textAt(path, "properties", "redirectConfiguration", "id"),
    ),
  ];
}

function endsSecure(properties: unknown, redirect: string): boolean {
  const found = listAt(properties, "redirectConfigurations").find((each) =>
    sameId(at(each, "id"), redirect),
  );
  const url = textAt(found, "properties", "targetUrl");
  if (url !== undefined) return /^https:\/\//i.test(url);
  const target = textAt(found, "properties", "targetListener", "id");
  const listener = listAt(properties, "httpListeners").find((each) =>
    sameId(at(each, "id"), target),
  );
  return at(listener, "properties", "protocol") === "Https";
}

function backendsOf(gateway: Resource, name: string, source: Source): readonly Outcome[] {
  const { properties } = gateway;
  const next = `use TLS to every backend of ${name}`;
  const all = [
    ...listAt(properties, "backendHttpSettingsCollection"),
    ...listAt(properties, "backendSettingsCollection"),
  ];
  if (all.length === 0) return [unverifiable(`${name} shows no settings of its backends`, next)];
  const anyone = `${name} does not check the certificates of its backends`;
  const check = { unset: "harmless", does: isOn, fault: anyone, next } as const;
  return all.map((value) => {
    const protocol = wordOf(at(value, "properties", "protocol"));
    const fields: readonly Field[] = [
      {
        ...{ path: "properties.protocol", does: words(["Https", "Tls"], ["Http"]), next },
        fault: `${name} speaks plain HTTP to its backends`,
        doubt: `${name} passes on ${protocol} to its backends`,
      },
      // Azure checks both by default, and older versions of its API do not show them.
      { ...check, path: "properties.validateCertChainAndExpiry" },
      { ...check, path: "properties.validateSNI" },
    ];
    return judge({ name, value, source }, fields, proofOf(name));
  });
}

function policyOf(gateway: Resource, name: string, source: Source): Outcome {
  const next = `set a TLS policy on ${name} whose minimum is TLS 1.2`;
  const isOwn = at(gateway, "properties", "sslPolicy") !== undefined;
  const field: Field = {
    ...{ path: isOwn ? "properties.sslPolicy" : "properties.defaultPredefinedSslPolicy", next },
    does: (value) => policyEffect(isOwn ? value : { policyName: value }),
    fault: `${name} takes TLS older than 1.2`,
    doubt: `${name} does not report its TLS policy`,
  };
  return judge({ name, value: gateway, source }, [field], proofOf(name));
}

const profileIn = (properties: unknown, id: unknown): unknown =>
  listAt(properties, "sslProfiles").find((each) => sameId(at(each, "id"), id));

/**
 * A listener with an SSL profile uses that profile's policy, if it has one, instead of the
 * gateway's.
 */
function profileEffect(properties: unknown, id: unknown): Effect {
  const found = profileIn(properties, id);
  if (found === undefined) return "nothing";
  const policy = at(found, "properties", "sslPolicy");
  return policy === undefined ? "proves" : policyEffect(policy);
}

function profileFault(properties: unknown, name: string, listener: unknown): string {
  const found = profileIn(properties, at(listener, "properties", "sslProfile", "id"));
  const profile = wordOf(at(found, "name"));
  return `a listener of ${name} takes TLS older than 1.2, by SSL profile ${profile}`;
}

const byMinimum = words(["TLSv1_2", "TLSv1_3"], ["TLSv1_0", "TLSv1_1"]);
/** Predefined policies whose minimum is TLS 1.2, and those that accept older versions. */
const byName = words(
  ["AppGwSslPolicy20170401S", "AppGwSslPolicy20220101", "AppGwSslPolicy20220101S"],
  ["AppGwSslPolicy20150501", "AppGwSslPolicy20170401"],
);

/** Gateways of the first version name the versions that they do not take. */
function policyEffect(policy: unknown): Effect {
  const least = at(policy, "minProtocolVersion");
  const name = at(policy, "policyName");
  const effects = [
    ...(least === undefined ? [] : [byMinimum(least)]),
    ...(name === undefined ? [] : [byName(name)]),
  ];
  if (effects.includes("fails")) return "fails";
  if (effects.length > 0) return effects.includes("nothing") ? "nothing" : "proves";
  const off = listAt(policy, "disabledSslProtocols");
  if (off.length === 0) return "nothing";
  return ["TLSv1_0", "TLSv1_1"].every((old) => off.includes(old)) ? "proves" : "fails";
}
