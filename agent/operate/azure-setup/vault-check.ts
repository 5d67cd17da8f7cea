// Asks about the vault: whether the agent and the ports may read it, and how it is set.

import { armVersions } from "#drivers/azure/api-versions.ts";
import { isInternetWide, parsePrefix } from "../../health/prefix.ts";
import { type DocumentPage, nextPage, type ReadDocument } from "../../model/azure-document.ts";
import { documentAt, isResourceId, isSet, listIn, textsAt } from "./check-documents.ts";
import {
  type CheckedCloud,
  type CheckRow,
  type PortRead,
  type Unread,
  unreadFor,
  vaultRemedy,
} from "./check-row.ts";
import type { AzureSetup } from "./setup.ts";

interface VaultParts {
  readonly setup: AzureSetup;
  readonly ports: ReadonlyMap<string, PortRead>;
  /** Names of the CKN secrets of the links. */
  readonly keys: readonly string[];
  readonly cloud: CheckedCloud;
}

type VaultRead = { readonly kind: "read"; readonly id: string; readonly vault: unknown } | Unread;

const secrets = "Microsoft.KeyVault/vaults/secrets";

/** Returns a row for each right on the vault, and one for each of its settings. */
export async function vaultRows(
  parts: VaultParts,
  signal: AbortSignal,
): Promise<readonly CheckRow[]> {
  const found = await readVault(parts, signal);
  return [
    ...(await agentRows(parts, signal)),
    ...(await portRows(parts, found, signal)),
    ...settingRows(parts.setup, found),
  ];
}

async function agentRows(
  { setup, keys, cloud }: VaultParts,
  signal: AbortSignal,
): Promise<readonly CheckRow[]> {
  const row = (name: string) => ({
    what: `the agent: ${secrets}/${name}/action`,
    where: setup.vault.url,
  });
  const [list, get] = [row("readMetadata"), row("getSecret")];
  const [name] = keys;
  if (name === undefined) return [];
  try {
    const newest = (await cloud.vault.versions(name, signal)).find(({ enabled }) => enabled);
    const has: CheckRow = { ...list, found: "has", why: null, next: null };
    if (newest === undefined) return [has, { ...get, ...noVersion(name) }];
    // A CKN is the name of a key and no secret.
    (await cloud.vault.read(newest.id, signal))[Symbol.dispose]();
    return [has, { ...get, found: "has", why: null, next: null }];
  } catch (error) {
    const { why, next, code } = { ...unreadFor(error), code: codeOf(error) };
    if (code === "vault.malformedKey")
      return [list, get].map((each) => ({ ...each, ...noVersion(name) }));
    const found = code === "vault.denied" ? "missing" : "unknown";
    return [list, get].map((each) => ({ ...each, found, why, next }));
  }
}

const noVersion = (name: string) =>
  ({
    found: "unknown",
    why: `the vault has no enabled version of ${name} to try it with`,
    next: "linkseal keys generate GROUP, then check again",
  }) as const;

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** Finds the vault in the groups that the agent may read; the config knows its URL alone. */
async function readVault({ setup, cloud }: VaultParts, signal: AbortSignal): Promise<VaultRead> {
  const { role, azure, vault } = setup;
  let why = "it is in no resource group that the agent may read";
  for (const scope of new Set([...role.AssignableScopes, ...azure.scopes])) {
    const path = `${scope}/providers/Microsoft.KeyVault/vaults`;
    try {
      const all = await vaultsIn(cloud.document, path, signal);
      const found = all.find((each) =>
        textsAt(each, "properties", "vaultUri").some((uri) => isSame(uri, vault.url)),
      );
      const [id] = textsAt(found, "id").filter(isResourceId);
      if (id !== undefined) return { kind: "read", id, vault: found };
    } catch (error) {
      why = unreadFor(error).why;
    }
  }
  const next =
    "name its resource group in azure.scopes and give the agent Reader there, or look yourself: " +
    `az keyvault show --name ${vault.name}`;
  return { kind: "unread", why, next };
}

const pagesMax = 20;

async function vaultsIn(
  document: ReadDocument,
  path: string,
  signal: AbortSignal,
): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  let page: DocumentPage | undefined = {
    path,
    query: { "api-version": armVersions.vault.version },
  };
  for (let count = 0; page !== undefined && count < pagesMax; count += 1) {
    const answer: unknown = await document(page.path, page.query, signal);
    found.push(...listIn(answer, "value"));
    page = nextPage(textsAt(answer, "nextLink")[0]);
  }
  return found;
}

function isSame(uri: string, url: string): boolean {
  return uri.toLowerCase().replace(/\/$/, "") === url.toLowerCase().replace(/\/$/, "");
}

/** Built-in roles that read secrets; the first is the least of them. */
const readers: Readonly<Record<string, string>> = {
  "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
  "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
  "00482a5a-887f-4fb3-b363-3b7fe8e74483": "Key Vault Administrator",
};
const leastReader = "Key Vault Secrets User";

async function portRows(
  { setup, ports, cloud }: VaultParts,
  found: VaultRead,
  signal: AbortSignal,
): Promise<readonly CheckRow[]> {
  const rows: CheckRow[] = [];
  for (const { id, group } of setup.ports) {
    const port = ports.get(id);
    // A port without an identity has a row of its own.
    if (port?.kind !== "read") continue;
    for (const identity of port.identities) {
      const row = {
        what: `the identity of the port ${group}: ${secrets}/getSecret/action`,
        where: setup.vault.url,
      };
      const answer = await rolesOf(cloud.document, { port, identity, vault: found }, signal);
      rows.push({ ...row, ...answer });
    }
  }
  return rows;
}

type Answer = Omit<CheckRow, "what" | "where">;

async function rolesOf(
  document: ReadDocument,
  asked: {
    readonly port: Extract<PortRead, { kind: "read" }>;
    readonly identity: string;
    readonly vault: VaultRead;
  },
  signal: AbortSignal,
): Promise<Answer> {
  const { port, identity, vault } = asked;
  if (vault.kind === "unread") return unknown(vault);
  try {
    const principal = port.principals[identity] ?? (await principalOf(document, identity, signal));
    if (principal === undefined || !/^[0-9a-f-]{36}$/i.test(principal)) {
      return unknown({ why: "Azure names no object id of the identity", next: showIdentity });
    }
    const path = `${vault.id}/providers/Microsoft.Authorization/roleAssignments`;
    const query = {
      "api-version": armVersions.roles.version,
      $filter: `assignedTo('${principal}')`,
    };
    const page = await document(path, query, signal);
    const roles = listIn(page, "value").flatMap((each) =>
      textsAt(each, "properties", "roleDefinitionId").map((role) => role.split("/").at(-1) ?? ""),
    );
    return answerOf(roles);
  } catch (error) {
    return unknown({ ...unreadFor(error), next: showRoles(identity) });
  }
}

const showIdentity = "az identity show --ids IDENTITY --query principalId";
const showRoles = (identity: string): string =>
  `az role assignment list --scope VAULT --assignee "$(az identity show --ids ${identity} ` +
  '--query principalId -o tsv)", as one who may read roles';

function unknown({ why, next }: Pick<Unread, "why" | "next">): Answer {
  return { found: "unknown", why, next };
}

async function principalOf(
  document: ReadDocument,
  identity: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const answer = await document(identity, { "api-version": armVersions.identity.version }, signal);
  return textsAt(answer, "properties", "principalId")[0];
}

function answerOf(roles: readonly string[]): Answer {
  const names = roles.flatMap((role) => readers[role.toLowerCase()] ?? []);
  if (names.includes(leastReader)) return { found: "has", why: null, next: null };
  const [wider] = names;
  if (wider !== undefined) {
    return { found: "has", why: `by ${wider}, which is more than it needs`, next: null };
  }
  const remedy = vaultRemedy("the identity of the port");
  if (roles.length === 0) return { found: "missing", why: "it has no role there", next: remedy };
  return { found: "unknown", why: "it has roles there that linkseal does not know", next: remedy };
}

function settingRows({ vault: { name, url } }: AzureSetup, found: VaultRead): readonly CheckRow[] {
  const rows = [
    ["The vault authorises by roles (RBAC)", rbac],
    ["The vault has purge protection, and so soft delete", purgeProtection],
    ["The vault's firewall denies by default and lets trusted services pass", firewall],
  ] as const;
  return rows.map(([what, check]) => {
    const row = { what, where: url };
    return found.kind === "unread"
      ? { ...row, ...unknown(found) }
      : { ...row, ...check(documentAt(found.vault, "properties"), name) };
  });
}

type Properties = Readonly<Record<string, unknown>>;

const good: Answer = { found: "has", why: null, next: null };

function rbac(properties: Properties, name: string): Answer {
  if (isSet(properties, "enableRbacAuthorization")) return good;
  const next =
    "give those who use its access policies a role, then " +
    `az keyvault update --name ${name} --enable-rbac-authorization true`;
  return { found: "missing", why: "access policies decide", next };
}

function purgeProtection(properties: Properties, name: string): Answer {
  if (isSet(properties, "enablePurgeProtection")) return good;
  const why = "who deletes a key can also purge it, and then a link cannot go back to it";
  const next = `az keyvault update --name ${name} --enable-purge-protection true`;
  return { found: "missing", why, next };
}

function firewall(properties: Properties, name: string): Answer {
  const [access = "Enabled"] = textsAt(properties, "publicNetworkAccess");
  if (/^SecuredByPerimeter$/i.test(access)) {
    const why = "a network security perimeter decides, which linkseal does not read";
    return { found: "unknown", why, next: "look at the perimeter: it has to admit ExpressRoute" };
  }
  const acls = documentAt(properties, "networkAcls");
  const [action = "Allow"] = textsAt(acls, "defaultAction");
  const [bypass = "AzureServices"] = textsAt(acls, "bypass");
  const isWide = listIn(acls, "ipRules")
    .flatMap((rule) => textsAt(rule, "value"))
    .flatMap((text) => parsePrefix(text) ?? [])
    .some(isInternetWide);
  const isClosed = (/^Deny$/i.test(action) && !isWide) || /^Disabled$/i.test(access);
  if (!/AzureServices/i.test(bypass)) {
    const why = "it keeps trusted services out, and ExpressRoute is one of them";
    const next = `az keyvault update --name ${name} --bypass AzureServices`;
    return { found: "missing", why, next };
  }
  if (isClosed) return good;
  if (/^Deny$/i.test(action)) {
    const why = "it has a rule for a large part of the Internet";
    return { found: "missing", why, next: `az keyvault network-rule list --name ${name}` };
  }
  const next =
    "read docs/keys.md, \"The vault's firewall\"; admit the agent's address " +
    `(az keyvault network-rule add --name ${name} --ip-address ADDRESS) or use a private ` +
    `endpoint; then az keyvault update --name ${name} --default-action Deny --bypass AzureServices`;
  return { found: "missing", why: "every address may ask", next };
}
