// What a config needs in Azure: the role of the agent and its scopes, the identities of the ports,
// the vault and the network. It is pure; the texts to paste are made from it.

import { azureEndpoints } from "#drivers/azure/azure-url.ts";
import { LinksealError } from "#hal/error.ts";
import { type NeededRight, resourceGroupOf, rightsOf } from "../../compare/azure-rights.ts";
import type { Desired, RealAzure } from "../../model/desired.ts";

/** The custom role of the agent, in the form that the Azure CLI and PowerShell read. */
export interface RoleDefinition {
  readonly Name: string;
  readonly IsCustom: true;
  readonly Description: string;
  readonly Actions: readonly string[];
  readonly NotActions: readonly string[];
  readonly DataActions: readonly string[];
  readonly NotDataActions: readonly string[];
  readonly AssignableScopes: readonly string[];
}

/** One ExpressRoute port, and the identity with which it reads its keys. */
export interface PortSetup {
  /** Resource id of the port or LAG. */
  readonly id: string;
  /** Name of its group in the config. */
  readonly group: string;
  /** The built-in role that the agent needs on the identity of the port. */
  readonly identityRole: "Managed Identity Operator" | "Reader";
}

/** Everything that a config needs in Azure. */
export interface AzureSetup {
  readonly site: string;
  readonly azure: RealAzure;
  /** The rights one by one, which `role` and the built-in roles cover. */
  readonly rights: readonly NeededRight[];
  readonly role: RoleDefinition;
  readonly ports: readonly PortSetup[];
  readonly vault: { readonly name: string; readonly url: string };
  readonly network: NetworkSetup;
}

/** What the agent's host must reach, and how a private endpoint of the vault gets its name. */
export interface NetworkSetup {
  /** Host names that the agent reaches over TCP port 443. */
  readonly hosts: readonly string[];
  /** The private DNS zone of the vault's private endpoint. */
  readonly dnsZone: string;
  /** The zones that a resolver outside Azure forwards to one inside. */
  readonly forwarded: readonly string[];
}

/** The name of the custom role; Azure keeps it unique in a tenant. */
export const roleName = "linkseal far end";
/** The role that reads secrets of a vault: the agent has it, and the identity of each port. */
export const vaultRole = "Key Vault Secrets User";

/**
 * Returns what a config needs in Azure.
 * @throws LinksealError with `usage` for a simulated site, which needs nothing there
 */
export function azureSetup(desired: Desired): AzureSetup {
  const { azure, site, groups } = desired;
  if (azure.cloud === "sim") throw simulatedSite();
  const rights = rightsOf(desired);
  const groupOf = new Map(groups.map((each) => [each.expressRoutePort, each.name]));
  return {
    ...{ site, azure, rights },
    role: roleOf(site, rights),
    ports: [...groupOf].map(([id, group]) => ({
      id,
      group,
      identityRole: roleOnIdentity(id, rights),
    })),
    vault: { name: vaultName(azure.vault), url: azure.vault },
    network: networkOf(azure),
  };
}

/** Makes the error for a site that has nothing in Azure. */
export function simulatedSite(): LinksealError {
  return new LinksealError("usage", "a simulated site has no tenant in Azure: nothing to set up", {
    ...{ effect: "none", where: "azure.cloud" },
    next: "linkseal sim azure, or a config with another azure.cloud",
  });
}

function roleOf(site: string, rights: readonly NeededRight[]): RoleDefinition {
  const own = rights.filter(
    ({ holder, plane, scope }) =>
      holder.kind === "agent" && plane === "management" && scope.kind !== "identityOfPort",
  );
  return {
    Name: roleName,
    IsCustom: true,
    Description: `What the linkseal agent of ${site} reads and changes`,
    Actions: [...new Set(own.map(({ action }) => action))],
    ...{ NotActions: [], DataActions: [], NotDataActions: [] },
    AssignableScopes: scopesOf(own),
  };
}

// A role at the group reaches the resource; the operations of a change are at the group alone.
function scopesOf(rights: readonly NeededRight[]): readonly string[] {
  const scopes = new Map<string, string>();
  for (const { scope } of rights) {
    if (scope.kind !== "resource" && scope.kind !== "resourceGroup") continue;
    const group = scope.kind === "resource" ? resourceGroupOf(scope.id) : scope.id;
    if (!scopes.has(group.toLowerCase())) scopes.set(group.toLowerCase(), group);
  }
  return [...scopes.values()];
}

function roleOnIdentity(id: string, rights: readonly NeededRight[]): PortSetup["identityRole"] {
  const assigns = rights.some(
    ({ action, scope }) =>
      scope.kind === "identityOfPort" && scope.port === id && action.endsWith("/assign/action"),
  );
  return assigns ? "Managed Identity Operator" : "Reader";
}

/** Returns the name of the vault: the first label of its host. */
function vaultName(url: string): string {
  return new URL(url).hostname.split(".")[0] ?? "";
}

/** Zones of Microsoft's table "Azure Private Endpoint private DNS zone values". */
const vaultZones: Readonly<Record<RealAzure["cloud"], readonly [zone: string, host: string]>> = {
  public: ["vaultcore.azure.net", "vault.azure.net"],
  usgovernment: ["vaultcore.usgovcloudapi.net", "vault.usgovcloudapi.net"],
  china: ["vaultcore.azure.cn", "vault.azure.cn"],
  // A simulated Azure on this host has no zones; the form is that of the public cloud.
  loopback: ["vaultcore.azure.net", "vault.azure.net"],
};

function networkOf(azure: RealAzure): NetworkSetup {
  const { vault, authority, arm } = azureEndpoints(azure);
  const [zone, host] = vaultZones[azure.cloud];
  return {
    hosts: [...new Set([vault, authority, arm].map((url) => new URL(url).host))],
    dnsZone: `privatelink.${zone}`,
    forwarded: [host, zone],
  };
}
