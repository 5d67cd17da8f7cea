// Application Gateway: TLS from client to backend.

import { at, type Resource } from "./estate.ts";
import type { ScorecardFacts } from "./facts.ts";
import {
  failed,
  listAt,
  nameOf,
  type Outcome,
  overAll,
  proven,
  sameId,
  textAt,
  together,
  unverifiable,
  wordOf,
} from "./outcome.ts";

export function appGatewayTls({ estate }: ScorecardFacts): Outcome {
  return overAll(estate.lists.appGateways, "Application Gateway", (gateway) =>
    together([...listenersOf(gateway), ...backendsOf(gateway), policyOf(gateway)]),
  );
}

function listenersOf(gateway: Resource): readonly Outcome[] {
  const name = nameOf(gateway);
  const { properties } = gateway;
  const next = `end TLS 1.2 or newer at every listener of ${name}, or redirect to one that does`;
  const all = [...listAt(properties, "httpListeners"), ...listAt(properties, "listeners")];
  if (all.length === 0) return [unverifiable(`${name} shows no listener`, next)];
  return all.flatMap((listener): readonly Outcome[] => {
    const protocol = at(listener, "properties", "protocol");
    switch (protocol) {
      case "Https":
      case "Tls":
        return profileOf(properties, name, listener);
      case "Http":
        if (isRedirected(properties, listener)) return [];
        return [failed(`${name} listens to plain HTTP`, next)];
      default:
        return [unverifiable(`${name} passes on ${wordOf(protocol)} without looking at it`, next)];
    }
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

function backendsOf(gateway: Resource): readonly Outcome[] {
  const name = nameOf(gateway);
  const { properties } = gateway;
  const next = `use TLS to every backend of ${name}`;
  const all = [
    ...listAt(properties, "backendHttpSettingsCollection"),
    ...listAt(properties, "backendSettingsCollection"),
  ];
  return all.flatMap((settings) => {
    const protocol = at(settings, "properties", "protocol");
    if (protocol === "Https" || protocol === "Tls") return [];
    if (protocol === "Http") return [failed(`${name} speaks plain HTTP to its backends`, next)];
    return [unverifiable(`${name} passes on ${wordOf(protocol)} to its backends`, next)];
  });
}

function policyOf(gateway: Resource): Outcome {
  const name = nameOf(gateway);
  const next = `set a TLS policy on ${name} whose minimum is TLS 1.2`;
  const policy = at(gateway, "properties", "sslPolicy");
  const byDefault = textAt(gateway, "properties", "defaultPredefinedSslPolicy");
  if (policy === undefined && byDefault === undefined) {
    return unverifiable(`${name} does not report its TLS policy`, next);
  }
  if (isNewTls(policy ?? { policyName: byDefault })) return proven(`${name} has TLS end to end`);
  return failed(`${name} takes TLS older than 1.2`, next);
}

/**
 * A listener with an SSL profile uses that profile's policy, if it has one, instead of the
 * gateway's.
 */
function profileOf(properties: unknown, name: string, listener: unknown): readonly Outcome[] {
  const id = textAt(listener, "properties", "sslProfile", "id");
  if (id === undefined) return [];
  const found = listAt(properties, "sslProfiles").find((each) => sameId(at(each, "id"), id));
  const next = `set TLS 1.2 as minimum of every SSL profile of ${name}`;
  if (found === undefined) {
    return [unverifiable(`a listener of ${name} has an SSL profile that is not shown`, next)];
  }
  const policy = at(found, "properties", "sslPolicy");
  if (policy === undefined || isNewTls(policy)) return [];
  const profile = wordOf(at(found, "name"));
  return [
    failed(`a listener of ${name} takes TLS older than 1.2, by SSL profile ${profile}`, next),
  ];
}

const goodTls = /^TLSv1_[23]$/;
/** Predefined policies whose minimum is TLS 1.2. */
const goodPolicy = /^AppGwSslPolicy(20170401S|20220101|20220101S)$/;

function isNewTls(policy: unknown): boolean {
  const least = textAt(policy, "minProtocolVersion") ?? "";
  return goodTls.test(least) || goodPolicy.test(textAt(policy, "policyName") ?? "");
}
