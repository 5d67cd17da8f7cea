// Web application firewalls: a policy that is switched off, or only detects, does not protect.

import { at, type Listed, type Resource } from "./estate.ts";
import type { ScorecardFacts } from "./facts.ts";
import {
  absent,
  failed,
  ifRead,
  isWithin,
  listAt,
  nameOf,
  type Outcome,
  overAll,
  proven,
  sameId,
  textAt,
  together,
  unseen,
  unverifiable,
  wordOf,
} from "./outcome.ts";

type Facts = ScorecardFacts;

export function frontDoorWaf({ estate }: Facts): Outcome {
  const { frontDoors, policies, frontDoorFirewalls } = estate.lists;
  return overAll(frontDoors, "Front Door", (profile) =>
    ifRead(policies, ({ items, source }) => {
      const name = nameOf(profile);
      const mine = items.flatMap((policy) => {
        const firewall = textAt(policy, "properties", "parameters", "wafPolicy", "id");
        const domains = listAt(policy, "properties", "parameters", "associations");
        const isMine = isWithin(policy["id"], profile["id"]);
        return isMine && firewall !== undefined && domains.length > 0 ? [firewall] : [];
      });
      if (mine.length > 0)
        return together(mine.map((each) => policyOf(frontDoorFirewalls, name, each)));
      const next = `put a WAF policy on the domains of ${name}`;
      return absent(`${name} has no firewall policy`, next, source);
    }),
  );
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
  return ifRead(policies, ({ items, source }) => {
    const policy = items.find((each) => sameId(each["id"], id));
    if (policy === undefined) return unseen(`${label} of ${name} is not`, source);
    const settings = at(policy, "properties", "policySettings");
    // Front Door and Application Gateway use different names for the same setting.
    const state = at(settings, "state") ?? at(settings, "enabledState");
    return judged(name, label, state, at(settings, "mode"));
  });
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
