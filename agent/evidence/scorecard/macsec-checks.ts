// MACsec: the links, the vault with their keys, and the identity that reads them.

import { isInternetWide, parsePrefix } from "../../health/prefix.ts";
import {
  at,
  filtered,
  identitiesOf,
  isVault,
  type Listed,
  principalOf,
  type Resource,
  type Source,
} from "./estate.ts";
import { besideAgent, type EdgeLink, freshFarEnd, type ScorecardFacts } from "./facts.ts";
import { type Effect, type Field, isOn, judge, seen, words } from "./fields.ts";
import {
  absent,
  failed,
  ifRead,
  isWithin,
  lastOf,
  listAt,
  nameOf,
  type Outcome,
  overAll,
  sameId,
  textAt,
  together,
  unverifiable,
  wordOf,
} from "./outcome.ts";

type Facts = ScorecardFacts;

/** Returns the next step at a link: without an agent only its far end can be set. */
function linkNext({ name, observed }: EdgeLink): string {
  return observed === undefined
    ? `set both secret identifiers on ${name}, and switch it on`
    : `linkseal links ${name}`;
}

export function macsecOnDirect(facts: Facts): Outcome {
  const { links } = facts;
  if (links.length === 0) return noLinks(facts);
  return together(links.flatMap((link) => [edgeOf(link), farEndOf(link)]));
}

function noLinks({ estate }: Facts): Outcome {
  switch (estate.source) {
    case "scopes":
      return unverifiable("no link is in the config", "linkseal apply");
    case "documents":
      return overAll(estate.lists.ports, "ExpressRoute port", (port) =>
        unverifiable(`${nameOf(port)} shows no link`, "export the whole port"),
      );
  }
}

function edgeOf(link: EdgeLink): Outcome {
  const { name, observed } = link;
  if (observed === undefined) {
    return unverifiable(`no document shows what the router of ${name} observes`, besideAgent);
  }
  const { verdict, codes } = observed;
  const why = codes.length === 0 ? "" : ` (${codes.join(", ")})`;
  if (verdict === "protected") return seen(`${name} is protected, MKA and counters`);
  if (verdict === "unknown") return unverifiable(`${name} is unknown${why}`, linkNext(link));
  return failed(`${name} is ${verdict}${why}`, linkNext(link));
}

function farEndOf(link: EdgeLink): Outcome {
  const { name } = link;
  const farEnd = freshFarEnd(link);
  if ("verdict" in farEnd) return farEnd;
  if (farEnd.ids === undefined)
    return failed(`the far end of ${name} has MACsec off`, linkNext(link));
  if (farEnd.admin === "down")
    return failed(`the far end of ${name} is switched off`, linkNext(link));
  if (farEnd.admin === "unknown") {
    return unverifiable(`the far end of ${name} does not show its state`, "export the whole port");
  }
  return seen(`the far end of ${name} names its CAK and CKN`);
}

export function keysInVault(facts: Facts): Outcome {
  const { links, vaults, estate } = facts;
  if (links.length === 0) return noLinks(facts);
  if (vaults.kind === "simulated") {
    const why = "the vault of this simulated site is its socket, which has no address in Azure";
    return unverifiable(why, "linkseal sim azure");
  }
  const { addresses } = vaults;
  const mine = filtered(estate.lists.vaults, (each) => isVault(each, addresses));
  return together([
    ...links.map((link) => keyOf(link, addresses)),
    overAll(mine, "vault that the far ends name", (vault, source) =>
      vaultSettings(vault, estate.lists.perimeters, source),
    ),
  ]);
}

function keyOf(link: EdgeLink, vaults: readonly string[]): Outcome {
  const { name, observed } = link;
  const farEnd = freshFarEnd(link);
  if ("verdict" in farEnd) return farEnd;
  const { ids = [] } = farEnd;
  const isOurs = (id: string): boolean =>
    vaults.some((vault) => id.toLowerCase().startsWith(`${vault.toLowerCase()}/secrets/`)) &&
    /\/[0-9a-f]{32}$/i.test(id);
  if (ids.length === 0 || !ids.every(isOurs)) {
    const text = `the far end of ${name} names no version of a secret in the vault`;
    return failed(text, observed === undefined ? linkNext(link) : "linkseal doctor");
  }
  if (observed === undefined) {
    return unverifiable(`no document shows which key the router of ${name} uses`, besideAgent);
  }
  const { ckn, meant, next } = observed;
  if (ckn === null || (meant ?? next) === null) {
    return unverifiable(`the key in use on ${name} is not known`, linkNext(link));
  }
  if (ckn === next) return seen(`${name} uses the key of the vault that its campaign brings in`);
  if (ckn !== meant) return failed(`${name} uses another key than the vault's`, linkNext(link));
  return seen(`${name} uses the key of the vault version that both ends name`);
}

/** What decides whether a vault answers over public networks. */
type PublicAccess = "firewall" | "disabled" | "perimeter";

/**
 * A perimeter takes the place of the firewall and of its bypass if the vault wants one, or if an
 * association with one is enforced.
 */
function publicAccess(vault: Resource, perimeters: Listed): PublicAccess {
  const word = textAt(vault, "properties", "publicNetworkAccess");
  const own = perimetersOf(vault, perimeters);
  const isEnforced = own.some((each) => accessMode(each) === "Enforced");
  if (isEnforced || sameId(word, "SecuredByPerimeter")) return "perimeter";
  return sameId(word, "Disabled") ? "disabled" : "firewall";
}

function perimetersOf(vault: Resource, perimeters: Listed): readonly Resource[] {
  const { items } = perimeters.kind === "read" ? perimeters : { items: [] };
  return items.filter(({ id }) => isWithin(id, vault["id"]));
}

function accessMode(perimeter: Resource): unknown {
  return at(perimeter, "properties", "resourceAssociation", "accessMode");
}

/** Two rules with 0.0.0.0/1 and 128.0.0.0/1 admit every address. */
function ruleEffect(rules: unknown): Effect {
  const prefixes = listAt(rules).map((rule) => parsePrefix(textAt(rule, "value") ?? ""));
  if (prefixes.some((prefix) => prefix !== undefined && isInternetWide(prefix))) return "fails";
  return prefixes.includes(undefined) ? "nothing" : "proves";
}

function vaultSettings(vault: Resource, perimeters: Listed, source: Source): Outcome {
  const name = nameOf(vault);
  const access = publicAccess(vault, perimeters);
  const lack = (what: string) => ({
    fault: `${name} lacks ${what}`,
    next: `set ${what} on ${name}`,
  });
  const on = { does: isOn, unset: "fails" } as const;
  const firewall = lack("a firewall that denies by default");
  const fields: readonly Field[] = [
    { path: "enableSoftDelete", ...on, ...lack("soft delete") },
    { path: "enablePurgeProtection", ...on, ...lack("purge protection") },
    { path: "enableRbacAuthorization", ...on, ...lack("Azure RBAC") },
    ...(access === "firewall"
      ? [
          {
            ...{ path: "networkAcls.defaultAction", unset: "fails" as const, ...firewall },
            does: words(["Deny"], ["Allow"]),
          },
          {
            path: "networkAcls.ipRules",
            does: ruleEffect,
            unset: "harmless" as const,
            ...firewall,
          },
        ]
      : []),
    // A perimeter has rules of its own in place of the bypass.
    ...(access === "perimeter" ? [] : [bypassField(lack("the bypass for trusted services"))]),
  ];
  const what = [
    "soft delete",
    "purge protection",
    "Azure RBAC",
    "a firewall that denies by default",
  ];
  const proof = `${name} has ${[...what, "the bypass for trusted services"].join(", ")}`;
  const found = judge({ name, value: at(vault, "properties"), source }, fields, proof);
  if (access !== "perimeter" || found.verdict !== "proven") return found;
  const why =
    `${name} is secured by a perimeter, which admits no trusted services: ` +
    "whether the port can read its keys is not shown";
  return unverifiable(why, "admit the subscription of the port by a rule of the perimeter");
}

function bypassField(lacks: Pick<Field, "fault" | "next">): Field {
  const bypass = (value: unknown): Effect => {
    if (typeof value !== "string") return "nothing";
    const parts = value.split(",").map((word) => word.trim());
    if (parts.includes("AzureServices")) return "proves";
    return parts.includes("None") ? "fails" : "nothing";
  };
  return { path: "networkAcls.bypass", does: bypass, ...lacks };
}

export function vaultPerimeter({ estate, vaults }: Facts): Outcome {
  const { lists } = estate;
  const addresses = vaults.kind === "named" ? vaults.addresses : [];
  const mine = filtered(lists.vaults, (each) => isVault(each, addresses));
  return overAll(mine, "vault that the far ends name", (vault, source) =>
    ifRead(lists.perimeters, () => {
      const found = perimetersOf(vault, lists.perimeters);
      if (found.length === 0) return noPerimeter(vault, source);
      return together(found.map((each) => perimeterOf(vault, each, source)));
    }),
  );
}

const wantsPerimeter = (vault: Resource): boolean =>
  sameId(at(vault, "properties", "publicNetworkAccess"), "SecuredByPerimeter");

function noPerimeter(vault: Resource, source: Source): Outcome {
  const name = nameOf(vault);
  if (wantsPerimeter(vault)) {
    const why = `${name} wants a network security perimeter and belongs to none`;
    return absent(why, `associate ${name} with a perimeter that admits the port`, source);
  }
  const why = `${name} belongs to no network security perimeter`;
  return unverifiable(why, `see macsec-keys-in-vault for the firewall of ${name}`);
}

function perimeterOf(vault: Resource, value: Resource, source: Source): Outcome {
  const name = nameOf(vault);
  const proof = `the network security perimeter of ${name} is in force`;
  const next = `set the access mode of ${name} in its perimeter to Enforced`;
  const others = ["Learning", "Audit"];
  // Without public access of its own, a vault obeys the rules of its perimeter in every mode.
  const mode: Field = {
    ...{ path: "properties.resourceAssociation.accessMode", next },
    does: wantsPerimeter(vault) ? words(["Enforced", ...others]) : words(["Enforced"], others),
    fault: `the perimeter of ${name} is in mode ${wordOf(accessMode(value))}, which denies nothing`,
    doubt: `${name} shows no access mode`,
  };
  return judge({ name, value, source }, [mode], proof);
}

/** The role id of Key Vault Secrets User, the same in every cloud. */
const secretsUser = "4633458b-17de-408a-b874-0445c86b69e6";
/** Roles that do more: Owner, Contributor, and of Key Vault Administrator and Secrets Officer. */
const wideRoles = [
  ...["8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "b24988ac-6180-42a0-ab88-20f7382dd24c"],
  ...["00482a5a-887f-4fb3-b363-3b7fe8e74483", "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"],
];

export function leastPrivilege(facts: Facts): Outcome {
  const { ports, identities } = facts.estate.lists;
  const carried = overAll(ports, "ExpressRoute port", (port, source) =>
    carriedBy(port, identities, source),
  );
  return together([carried, allowedOn(facts)]);
}

function carriedBy(port: Resource, identities: Listed, source: Source): Outcome {
  const name = nameOf(port);
  const type: Field = {
    ...{ path: "identity.type", does: identityEffect, unset: "fails" },
    ...{ fault: `${name} has no user-assigned identity`, next: `assign one to ${name}` },
  };
  const carried = judge(
    { name, value: port, source },
    [type],
    `${name} has one user-assigned identity`,
  );
  if (carried.verdict !== "proven") return carried;
  const own = identitiesOf(port);
  const [identity] = own;
  if (identity === undefined || own.length !== 1) {
    const why = `${name} has ${own.length} user-assigned identities, and uses one of them`;
    return unverifiable(why, "leave it the one that reads the vault");
  }
  return ifRead(identities, ({ items }) => {
    const found = items.find((each) => sameId(each["id"], identity.id));
    if (found !== undefined && principalOf(found) !== undefined) {
      return carried;
    }
    const why = `the object id of the identity of ${name} was not read`;
    return unverifiable(why, "give the agent's identity Reader on that identity, or export it");
  });
}

function identityEffect(type: unknown): Effect {
  const kinds = typeof type === "string" ? type.split(",").map((word) => word.trim()) : [];
  const effects = kinds.map(words(["UserAssigned"], ["SystemAssigned", "None"]));
  if (effects.includes("proves")) return "proves";
  return effects.length === 0 || effects.includes("nothing") ? "nothing" : "fails";
}

function allowedOn({ estate, vaults }: Facts): Outcome {
  const { lists } = estate;
  const addresses = vaults.kind === "named" ? vaults.addresses : [];
  const mine = filtered(lists.vaults, (each) => isVault(each, addresses));
  const [vault] = mine.kind === "read" ? mine.items : [];
  const scope = textAt(vault, "id");
  return ifRead(lists.roles, ({ source }) => {
    const roles =
      source === "scopes" ? lists.roles : filtered(lists.roles, reachedBy(lists.identities, scope));
    return overAll(roles, "role of the port's identity on the vault", (role) =>
      roleOn(role, scope, source),
    );
  });
}

/** Documents may contain all roles; these reach the vault, and the identity or a group has them. */
function reachedBy(identities: Listed, scope: string | undefined): (role: Resource) => boolean {
  const principals = identities.kind === "read" ? identities.items.flatMap(principalOf) : [];
  return ({ properties }) => {
    const reaches = at(properties, "scope");
    const isNear = isWithin(scope, reaches) || isWithin(reaches, scope) || reaches === "/";
    const isGroup = sameId(at(properties, "principalType"), "Group");
    const principal = at(properties, "principalId");
    return isNear && (isGroup || principals.some((one) => sameId(one, principal)));
  };
}

function roleOn(role: Resource, scope: string | undefined, source: Source): Outcome {
  const next = "leave it Key Vault Secrets User on this vault and nothing else";
  if (source === "documents" && sameId(at(role, "properties", "principalType"), "Group")) {
    return unverifiable("a group has a role on the vault, and its members are not shown", next);
  }
  const fault = "the identity of the port may do more than read secrets of the vault";
  const fields: readonly Field[] = [
    {
      ...{ path: "properties.roleDefinitionId", fault, next },
      does: (id) => words([secretsUser], wideRoles)(lastOf(id)),
      doubt: `the identity of the port has a role whose definition is not read`,
    },
    {
      ...{ path: "properties.scope", fault, next },
      does: (value) =>
        isWithin(value, scope) ? "proves" : typeof value === "string" ? widerThan(role) : "nothing",
    },
  ];
  const proof = "its only role there is Key Vault Secrets User, on the vault alone";
  const found = judge({ name: nameOf(role), value: role, source }, fields, proof);
  if (source === "scopes" || found.verdict !== "proven") return found;
  const why = "its role in the documents is Key Vault Secrets User; others may not be in them";
  return unverifiable(why, besideAgent);
}

/** What a wider scope does: more with a role that is known, and nothing known with another. */
function widerThan(role: Resource): Effect {
  const id = lastOf(at(role, "properties", "roleDefinitionId"));
  return words([secretsUser, ...wideRoles])(id) === "proves" ? "fails" : "nothing";
}
