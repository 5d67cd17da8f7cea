// Web application firewalls: a policy that is switched off, or only detects, does not protect.

import { at, filtered, type Listed, type Resource, type Source } from "./estate.ts";
import type { ScorecardFacts } from "./facts.ts";
import { allOf, type Field, isList, judge, words } from "./fields.ts";
import {
  absent,
  failed,
  ifRead,
  isWithin,
  lastOf,
  listAt,
  nameOf,
  type Outcome,
  oneOf,
  overAll,
  sameId,
  textAt,
  together,
  unseen,
  unverifiable,
  wordOf,
} from "./outcome.ts";

type Facts = ScorecardFacts;

/** Every domain that a route of the profile serves has a policy for all of its paths. */
export function frontDoorWaf({ estate }: Facts): Outcome {
  const { frontDoors, routes } = estate.lists;
  return overAll(frontDoors, "Front Door", (profile) => {
    const mine = filtered(routes, ({ id }) => isWithin(id, profile["id"]));
    return overAll(mine, `route of ${nameOf(profile)}`, (route, source) =>
      routeWaf(route, profile, estate.lists, source),
    );
  });
}

type Lists = Facts["estate"]["lists"];

function routeWaf(route: Resource, profile: Resource, lists: Lists, source: Source): Outcome {
  const name = `route ${nameOf(route)} of ${nameOf(profile)}`;
  const next = "export the whole route";
  const part = { name, value: route, source };
  const off = words(["Disabled"]);
  if (off(at(route, "properties", "enabledState")) === "proves") {
    const state: Field = { path: "properties.enabledState", does: off, fault: "", next };
    return judge(part, [state], `${name} is switched off`);
  }
  const onDefault = words(["Enabled"])(at(route, "properties", "linkToDefaultDomain")) === "proves";
  const endpoint = (textAt(route, "id") ?? "").replace(/\/routes\/[^/]*$/i, "");
  const domains = [
    ...listAt(route, "properties", "customDomains").map((domain) => textAt(domain, "id")),
    ...(onDefault ? [endpoint] : []),
  ];
  const fields: readonly Field[] = [
    { path: "properties.customDomains", does: isList, fault: "", next },
    {
      ...{ path: "properties.linkToDefaultDomain", fault: "", next },
      does: words(["Enabled", "Disabled"]),
    },
  ];
  if (domains.length === 0) return unverifiable(`${name} shows no domain that it serves`, next);
  return allOf([
    judge(part, fields, `the domains of ${name} are known`),
    ...domains.map((domain) => domainWaf(domain, profile, lists)),
  ]);
}

function domainWaf(domain: string | undefined, profile: Resource, lists: Lists): Outcome {
  const name = nameOf(profile);
  const label = lastOf(domain);
  const next = `put a WAF policy on the domains of ${name}, for all of their paths`;
  return ifRead(lists.policies, ({ items, source }) => {
    const mine = items
      .filter((policy) => isWithin(policy["id"], profile["id"]))
      .map((policy) => at(policy, "properties", "parameters"))
      .flatMap((parameters) =>
        listAt(parameters, "associations").flatMap((association) =>
          listAt(association, "domains")
            .filter((each) => sameId(at(each, "id"), domain))
            .map((each) => ({ association, domain: each, firewall: at(parameters, "wafPolicy") })),
        ),
      );
    if (mine.length === 0)
      return absent(`${name} has no firewall policy on ${label}`, next, source);
    const doubt = `${name} is not shown to have an active firewall policy on all of ${label}`;
    const fields: readonly Field[] = [
      {
        ...{ path: "association.patternsToMatch", fault: "", doubt, next },
        does: (value) => (listAt(value).includes("/*") ? "proves" : "nothing"),
      },
      {
        ...{ path: "domain.isActive", unset: "harmless", fault: "", doubt, next },
        does: words([true]),
      },
    ];
    const proof = `${label} of ${name} has a firewall policy on all of its paths`;
    const whole = mine.map((value) => judge({ name, value, source }, fields, proof));
    // A policy of some paths alone takes precedence there.
    const each = mine.map(({ firewall }) =>
      policyOf(lists.frontDoorFirewalls, name, textAt(firewall, "id")),
    );
    return together([oneOf(whole), ...each]);
  });
}

export function appGatewayWaf({ estate }: Facts): Outcome {
  const { appGateways, gatewayFirewalls } = estate.lists;
  return overAll(appGateways, "Application Gateway", (gateway, source) => {
    const name = nameOf(gateway);
    const own = textAt(gateway, "properties", "firewallPolicy", "id");
    const narrow = narrower(gateway).map((id) => policyOf(gatewayFirewalls, name, id));
    if (own !== undefined) return together([policyOf(gatewayFirewalls, name, own), ...narrow]);
    const path = "properties.webApplicationFirewallConfiguration";
    if (at(gateway, ...path.split("."), "enabled") === true) {
      const part = { name, value: gateway, source };
      const on: Field = { path: `${path}.enabled`, does: words([true]), fault: "", next: "" };
      const mode = modeField(`${path}.firewallMode`, name, "its own firewall");
      const proof = `${name} has its own firewall, which is on and prevents`;
      return together([judge(part, [on, mode], proof), ...narrow]);
    }
    const next = `put a WAF policy on ${name}`;
    const lacks = `${name} has no firewall policy`;
    // These tiers have no firewall.
    const tier = textAt(gateway, "properties", "sku", "tier") ?? "";
    return /^(Standard|Basic)/i.test(tier) ? failed(lacks, next) : absent(lacks, next, source);
  });
}

/**
 * Policies of listeners and paths: they take precedence over the gateway's own for the requests
 * that they match.
 */
function narrower({ properties }: Resource): readonly string[] {
  const paths = listAt(properties, "urlPathMaps").flatMap((map) =>
    listAt(map, "properties", "pathRules"),
  );
  return [...listAt(properties, "httpListeners"), ...paths].flatMap(
    (part) => textAt(part, "properties", "firewallPolicy", "id") ?? [],
  );
}

function policyOf(policies: Listed, name: string, id: string | undefined): Outcome {
  const label = `firewall policy ${wordOf(id?.split("/").at(-1))}`;
  return ifRead(policies, ({ items, source }) => {
    const policy = items.find((each) => sameId(each["id"], id));
    if (policy === undefined) return unseen(`${label} of ${name} is not`, source);
    // Front Door and Application Gateway use different names for the same setting.
    const settings = at(policy, "properties", "policySettings");
    const key = at(settings, "state") === undefined ? "enabledState" : "state";
    const state: Field = {
      ...{ path: `properties.policySettings.${key}`, does: words(["Enabled"], ["Disabled"]) },
      fault: `${label} of ${name} is switched off`,
      ...modeTexts(name, label),
    };
    const mode = modeField("properties.policySettings.mode", name, label);
    const proof = `${name} has ${label}, which is on and prevents`;
    return judge({ name, value: policy, source }, [state, mode], proof);
  });
}

function modeTexts(name: string, label: string): Pick<Field, "doubt" | "next"> {
  return {
    doubt: `${label} of ${name} does not report its state and mode`,
    next: `switch ${label} on, in Prevention mode`,
  };
}

function modeField(path: string, name: string, label: string): Field {
  return {
    ...{ path, does: words(["Prevention"], ["Detection"]) },
    fault: `${label} of ${name} only detects`,
    ...modeTexts(name, label),
  };
}
