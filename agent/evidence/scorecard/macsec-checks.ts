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
  if (verdict === "protected") return proven(`${name} is protected, MKA and counters`);
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
  return proven(`the far end of ${name} names its CAK and CKN`);
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
    overAll(mine, "vault that the far ends name", (vault) =>
      vaultSettings(vault, estate.lists.perimeters),
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
  if (ckn === next) return proven(`${name} uses the key of the vault that its campaign brings in`);
  if (ckn !== meant) return failed(`${name} uses another key than the vault's`, linkNext(link));
  return proven(`${name} uses the key of the vault version that both ends name`);
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
function admitsAll(properties: unknown): boolean {
  return listAt(properties, "networkAcls", "ipRules").some((rule) => {
    const prefix = parsePrefix(textAt(rule, "value") ?? "");
    return prefix !== undefined && isInternetWide(prefix);
  });
}

function vaultSettings(vault: Resource, perimeters: Listed): Outcome {
  const name = nameOf(vault);
  const { properties } = vault;
  const access = publicAccess(vault, perimeters);
  // Azure's default for a vault that does not name the bypass.
  const bypass = textAt(properties, "networkAcls", "bypass") ?? "AzureServices";
  const isClosed =
    access !== "firewall" ||
    (at(properties, "networkAcls", "defaultAction") === "Deny" && !admitsAll(properties));
  const wanted: readonly (readonly [string, boolean])[] = [
    ["soft delete", at(properties, "enableSoftDelete") === true],
    ["purge protection", at(properties, "enablePurgeProtection") === true],
    ["Azure RBAC", at(properties, "enableRbacAuthorization") === true],
    ["a firewall that denies by default", isClosed],
    // A perimeter has rules of its own in place of the bypass.
    ["the bypass for trusted services", access === "perimeter" || bypass.includes("AzureServices")],
  ];
  const missing = wanted.filter(([, is]) => !is).map(([what]) => what);
  if (missing.length > 0) {
    return failed(`${name} lacks ${missing.join(", ")}`, `set ${missing.join(", ")} on ${name}`);
  }
  if (access === "perimeter") {
    const why =
      `${name} is secured by a perimeter, which admits no trusted services: ` +
      "whether the port can read its keys is not shown";
    return unverifiable(why, "admit the subscription of the port by a rule of the perimeter");
  }
  return proven(`${name} has ${wanted.map(([what]) => what).join(", ")}`);
}

export function vaultPerimeter({ estate, vaults }: Facts): Outcome {
  const { lists } = estate;
  const addresses = vaults.kind === "named" ? vaults.addresses : [];
  const mine = filtered(lists.vaults, (each) => isVault(each, addresses));
  return overAll(mine, "vault that the far ends name", (vault, source) =>
    ifRead(lists.perimeters, () => {
      const found = perimetersOf(vault, lists.perimeters);
      if (found.length === 0) return noPerimeter(vault, source);
      return together(found.map((each) => perimeterOf(vault, each)));
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

function perimeterOf(vault: Resource, perimeter: Resource): Outcome {
  const name = nameOf(vault);
  const mode = accessMode(perimeter);
  // Without public access of its own, a vault obeys the rules of its perimeter in every mode.
  if (mode === "Enforced" || wantsPerimeter(vault)) {
    return proven(`the network security perimeter of ${name} is in force`);
  }
  const next = `set the access mode of ${name} in its perimeter to Enforced`;
  if (mode === undefined) return unverifiable(`${name} shows no access mode`, next);
  return failed(`the perimeter of ${name} is in mode ${wordOf(mode)}, which denies nothing`, next);
}

/** The role id of Key Vault Secrets User, the same in every cloud. */
const secretsUser = "4633458b-17de-408a-b874-0445c86b69e6";

export function leastPrivilege(facts: Facts): Outcome {
  const { ports, identities } = facts.estate.lists;
  const carried = overAll(ports, "ExpressRoute port", (port) => carriedBy(port, identities));
  return together([carried, allowedOn(facts)]);
}

function carriedBy(port: Resource, identities: Listed): Outcome {
  const name = nameOf(port);
  const kinds = (textAt(port, "identity", "type") ?? "").split(",").map((word) => word.trim());
  if (!kinds.some((kind) => sameId(kind, "UserAssigned"))) {
    return failed(`${name} has no user-assigned identity`, `assign one to ${name}`);
  }
  const own = identitiesOf(port);
  const [identity] = own;
  if (identity === undefined || own.length !== 1) {
    const why = `${name} has ${own.length} user-assigned identities, and uses one of them`;
    return unverifiable(why, "leave it the one that reads the vault");
  }
  return ifRead(identities, ({ items }) => {
    const found = items.find((each) => sameId(each["id"], identity.id));
    if (found !== undefined && principalOf(found) !== undefined) {
      return proven(`${name} has one user-assigned identity`);
    }
    const why = `the object id of the identity of ${name} was not read`;
    return unverifiable(why, "give the agent's identity Reader on that identity, or export it");
  });
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

function roleOn({ properties }: Resource, scope: string | undefined, source: Source): Outcome {
  const definition = textAt(properties, "roleDefinitionId") ?? "";
  const isNarrow = isWithin(at(properties, "scope"), scope);
  const next = "leave it Key Vault Secrets User on this vault and nothing else";
  if (source === "documents" && sameId(at(properties, "principalType"), "Group")) {
    return unverifiable("a group has a role on the vault, and its members are not shown", next);
  }
  if (!isNarrow || !definition.toLowerCase().endsWith(`/${secretsUser}`)) {
    return failed("the identity of the port may do more than read secrets of the vault", next);
  }
  if (source === "documents") {
    const why = "its role in the documents is Key Vault Secrets User; others may not be in them";
    return unverifiable(why, besideAgent);
  }
  return proven("its only role there is Key Vault Secrets User, on the vault alone");
}
