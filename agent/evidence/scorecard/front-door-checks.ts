// Front Door: TLS from client to origin, and private origins.

import { at, type Listed, type Resource, type Source } from "./estate.ts";
import type { ScorecardFacts } from "./facts.ts";
import { allOf, type Effect, type Field, isList, isOn, isText, judge, words } from "./fields.ts";
import {
  ifRead,
  isWithin,
  listAt,
  nameOf,
  type Outcome,
  overAll,
  textAt,
  together,
  unseen,
  wordOf,
} from "./outcome.ts";

type Facts = ScorecardFacts;

export function frontDoorTls({ estate }: Facts): Outcome {
  const { domains, origins, routes, rules } = estate.lists;
  return together([
    overAll(routes, "Front Door route", (route, source) => routeTls(route, rules, source)),
    overAll(domains, "Front Door domain", (domain, source) => {
      const name = nameOf(domain);
      const path = "properties.tlsSettings.minimumTlsVersion";
      const version = wordOf(at(domain, ...path.split(".")));
      const field: Field = {
        ...{ path, does: words(["TLS12", "TLS13"], ["TLS10"]) },
        ...{ fault: `${name} takes ${version}`, next: `set TLS 1.2 as minimum of ${name}` },
      };
      return judge({ name, value: domain, source }, [field], `${name} wants ${version}`);
    }),
    overAll(origins, "Front Door origin", (origin, source) => {
      const name = `origin ${nameOf(origin)}`;
      const field: Field = {
        ...{ path: "properties.enforceCertificateNameCheck", does: isOn },
        ...{ fault: `the certificate of ${name} may have any name` },
        next: `switch on the check of the certificate's name of ${name}`,
      };
      const proof = `the certificate of ${name} must have its name`;
      return isOff(origin)
        ? switchedOff(origin, source)
        : judge({ name, value: origin, source }, [field], proof);
    }),
  ]);
}

const isOff = (part: Resource): boolean => at(part, "properties", "enabledState") === "Disabled";

/** A route or origin that is switched off serves nothing. */
function switchedOff(value: Resource, source: Source): Outcome {
  const name = nameOf(value);
  const state: Field = {
    ...{ path: "properties.enabledState", does: words(["Disabled"]), fault: "", next: "" },
  };
  return judge({ name, value, source }, [state], `${name} is switched off`);
}

function routeTls(route: Resource, rules: Listed, source: Source): Outcome {
  const name = `route ${nameOf(route)}`;
  const part = { name, value: route, source };
  if (isOff(route)) return switchedOff(route, source);
  const { properties } = route;
  const protocols = at(properties, "supportedProtocols");
  const isHttps = (one: unknown): boolean => words(["Https"])(one) === "proves";
  const isHttpsAlone = listAt(protocols).length > 0 && listAt(protocols).every(isHttps);
  // Azure's default is both; a document that does not show them leaves open which they are.
  const isOpen = protocols === undefined && source === "documents";
  const redirects = words(["Enabled"])(at(properties, "httpsRedirect")) === "proves";
  const plain = { fault: `${name} serves plain HTTP`, next: `redirect ${name} to HTTPS` };
  const next = `forward HttpsOnly on ${name}`;
  const fields: readonly Field[] = [
    {
      ...{ ...plain, path: "properties.supportedProtocols" },
      does: (value) => protocolsEffect(listAt(value), redirects),
    },
    {
      ...{ ...plain, path: "properties.httpsRedirect" },
      does: isHttpsAlone
        ? words(["Enabled", "Disabled"])
        : words(["Enabled"], isOpen ? [] : ["Disabled"]),
    },
    {
      // Only requests over HTTPS get this far, so the protocol of the request is HTTPS.
      ...{
        path: "properties.forwardingProtocol",
        does: words(["HttpsOnly", "MatchRequest"], ["HttpOnly"]),
      },
      ...{ fault: `${name} may forward plain HTTP`, next },
    },
    { path: "properties.ruleSets", does: isList, fault: "", next },
  ];
  return allOf([
    judge(part, fields, `${name} is HTTPS at both ends`),
    ...listAt(properties, "ruleSets").map((set) => ruleSetTls(textAt(set, "id"), name, rules)),
  ]);
}

/** Plain HTTP proves only beside a redirect. */
function protocolsEffect(protocols: readonly unknown[], redirects: boolean): Effect {
  const known = words(redirects ? ["Http", "Https"] : ["Https"]);
  const isKnown = protocols.length > 0 && protocols.every((one) => known(one) === "proves");
  return isKnown ? "proves" : "nothing";
}

/** A rule set is applied before a request is forwarded, and may change how. */
function ruleSetTls(id: string | undefined, route: string, rules: Listed): Outcome {
  const label = `rule set ${nameOf({ id })} of ${route}`;
  return ifRead(rules, ({ items, source }) => {
    const mine = items.filter((rule) => id !== undefined && isWithin(rule["id"], id));
    if (mine.length === 0) return unseen(`no rule of ${label}`, source);
    return together(mine.map((rule) => ruleTls(rule, label, source)));
  });
}

const harmlessActions = words([
  ...["ModifyRequestHeader", "ModifyResponseHeader", "UrlRewrite", "UrlSigning"],
  ...["CacheExpiration", "CacheKeyQueryString"],
]);

function ruleTls(rule: Resource, label: string, source: Source): Outcome {
  const next = `let no rule of ${label} forward or redirect to plain HTTP`;
  const proof = `${label} keeps HTTPS`;
  const part = { name: label, value: rule, source };
  const actions: Field = { path: "properties.actions", does: isList, fault: "", next };
  return allOf([
    judge(part, [actions], proof),
    ...listAt(rule, "properties", "actions").map((value) =>
      judge({ ...part, value }, actionFields(value, label, next), proof),
    ),
  ]);
}

function actionFields(action: unknown, label: string, next: string): readonly Field[] {
  const fault = `${label} may lead to plain HTTP`;
  const name: Field = { path: "name", does: () => "proves", fault, next };
  const secure = words(["HttpsOnly", "MatchRequest", "Https"], ["HttpOnly", "Http"]);
  switch (at(action, "name")) {
    case "RouteConfigurationOverride": {
      const path = "parameters.originGroupOverride";
      // Without another group of origins, the route's own protocol stays.
      if (at(action, "parameters", "originGroupOverride") === undefined) {
        return [name, { path: "parameters.typeName", does: isText, fault, next }];
      }
      return [name, { path: `${path}.forwardingProtocol`, does: secure, fault, next }];
    }
    case "UrlRedirect":
      return [name, { path: "parameters.destinationProtocol", does: secure, fault, next }];
    default:
      return [{ ...name, does: harmlessActions }];
  }
}

export function frontDoorOrigins({ estate }: Facts): Outcome {
  return overAll(estate.lists.origins, "Front Door origin", (origin, source) => {
    if (isOff(origin)) return switchedOff(origin, source);
    const name = `origin ${nameOf(origin)}`;
    const next = `reach ${name} over Private Link, and approve the connection`;
    const status = wordOf(at(origin, "properties", "sharedPrivateLinkResource", "status"));
    const fields: readonly Field[] = [
      {
        ...{ path: "properties.sharedPrivateLinkResource", unset: "fails", next },
        ...{ does: () => "proves", fault: `${name} is public` },
      },
      {
        ...{ path: "properties.sharedPrivateLinkResource.status", next },
        does: words(["Approved"], ["Pending", "Rejected", "Disconnected", "Timeout"]),
        fault: `the Private Link of ${name} is ${status}`,
      },
    ];
    return judge({ name, value: origin, source }, fields, `${name} is reached over Private Link`);
  });
}
