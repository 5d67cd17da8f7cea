// Web application firewalls: a policy that is switched off, or only detects, does not protect.

import type { ScorecardFacts } from "./edge-checks.ts";
import { at, type Listed, type Resource } from "./estate.ts";
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

type Facts = ScorecardFacts;

export function frontDoorWaf({ estate }: Facts): Outcome {
  const { frontDoors, policies, frontDoorFirewalls } = estate.lists;
  if (policies.kind === "unread") return overAll(policies, "security policy", () => proven());
  return overAll(frontDoors, "Front Door", (profile) => {
    const name = nameOf(profile);
    const id = String(profile["id"]).toLowerCase();
    const mine = policies.items.flatMap((policy) => {
      const firewall = textAt(policy, "properties", "parameters", "wafPolicy", "id");
      const isMine = String(policy["id"]).toLowerCase().startsWith(`${id}/`);
      const domains = listAt(policy, "properties", "parameters", "associations");
      return isMine && firewall !== undefined && domains.length > 0 ? [firewall] : [];
    });
    if (mine.length > 0)
      return together(mine.map((each) => policyOf(frontDoorFirewalls, name, each)));
    return failed(`${name} has no firewall policy`, `put a WAF policy on the domains of ${name}`);
  });
}

export function appGatewayWaf({ estate }: Facts): Outcome {
  const { appGateways, gatewayFirewalls } = estate.lists;
  return overAll(appGateways, "Application Gateway", (gateway) => {
    const name = nameOf(gateway);
    const own = textAt(gateway, "properties", "firewallPolicy", "id");
    const found = [own, ...narrower(gateway)].flatMap((id) =>
      id === undefined ? [] : [policyOf(gatewayFirewalls, name, id)],
    );
    if (own !== undefined) return together(found);
    const config = at(gateway, "properties", "webApplicationFirewallConfiguration");
    if (at(config, "enabled") === true) {
      const mode = at(config, "firewallMode");
      return together([judged(name, "its own firewall", "Enabled", mode), ...found]);
    }
    return failed(`${name} has no firewall policy`, `put a WAF policy on ${name}`);
  });
}

/**
 * Policies of listeners and paths: they take precedence over the gateway's own for the requests
 * that they match.
 */
function narrower({ properties }: Resource): readonly (string | undefined)[] {
  const paths = listAt(properties, "urlPathMaps").flatMap((map) =>
    listAt(map, "properties", "pathRules"),
  );
  return [...listAt(properties, "httpListeners"), ...paths].map((part) =>
    textAt(part, "properties", "firewallPolicy", "id"),
  );
}

function policyOf(policies: Listed, name: string, id: string): Outcome {
  const label = `firewall policy ${wordOf(id.split("/").at(-1))}`;
  if (policies.kind === "unread") return overAll(policies, "firewall policy", () => proven());
  const policy = policies.items.find((each) => sameId(each["id"], id));
  if (policy === undefined) {
    const next = "add the resource group it is in to azure.scopes in the config";
    return unverifiable(`${label} of ${name} is in no scope that was read`, next);
  }
  const settings = at(policy, "properties", "policySettings");
  // Front Door and Application Gateway use different names for the same setting.
  const state = at(settings, "state") ?? at(settings, "enabledState");
  return judged(name, label, state, at(settings, "mode"));
}

function judged(name: string, label: string, state: unknown, mode: unknown): Outcome {
  const next = `switch ${label} on, in Prevention mode`;
  if (state === "Disabled") return failed(`${label} of ${name} is switched off`, next);
  if (mode === "Detection") return failed(`${label} of ${name} only detects`, next);
  if (state !== "Enabled" || mode !== "Prevention") {
    return unverifiable(`${label} of ${name} does not report its state and mode`, next);
  }
  return proven(`${name} has ${label}, which is on and prevents`);
}
