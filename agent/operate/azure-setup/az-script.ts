// The setup as commands of the Azure CLI, for a shell. No command writes an ExpressRoute port or a
// link: a port is only ever read.

import type { RealAzure } from "../../model/desired.ts";
import { agentIdentity, type Unknown } from "./agent-identity.ts";
import { type AzureSetup, type PortSetup, roleName, vaultRole } from "./setup.ts";

const cloudNames: Readonly<Record<RealAzure["cloud"], string>> = {
  public: "AzureCloud",
  usgovernment: "AzureUSGovernment",
  china: "AzureChinaCloud",
  // A simulated Azure on this host: the commands show the form and cannot run there.
  loopback: "AzureCloud",
};

/** A part of the script. */
interface Part {
  /** The values that it uses and the config does not know. */
  readonly needs: readonly Unknown[];
  readonly lines: readonly string[];
}

/**
 * Returns the commands, with a shell variable for each value that the config does not know. All of
 * them are demanded before the first command, so that a script never stops half-way for one.
 */
export function azScript(setup: AzureSetup): string {
  const { privateEndpoints, scopes } = setup.azure;
  const parts = [
    agentPart(setup),
    portPart(setup.ports),
    vaultPart(setup),
    rolePart(setup),
    identityPart(setup.ports),
    keyPart(setup.ports),
    settingsPart(setup),
    ...(privateEndpoints.length > 0 ? [privatePart(setup)] : []),
    ...(scopes.length > 0 ? [scorecardPart(scopes)] : []),
  ];
  const needs = parts.flatMap((part) => part.needs.map(demand));
  const texts = [...head(setup), ...needs].join("\n");
  return `${[texts, signIn(setup), ...parts.map(({ lines }) => lines.join("\n"))].join("\n\n")}\n`;
}

function head({ site }: AzureSetup): readonly string[] {
  return [
    "#!/bin/sh",
    `# Rights and vault of the site ${site}, for the Azure CLI: az login comes first.`,
    "# You need to be Owner, or User Access Administrator and Contributor, where it acts.",
    "# The ExpressRoute port and its links are only read.",
    "set -eu",
    "# Set these first: a variable that is not set ends the script before its first command.",
  ];
}

function signIn({ azure, role }: AzureSetup): string {
  const [, , subscription = ""] = (role.AssignableScopes[0] ?? "").split("/");
  return [
    `az cloud set --name ${cloudNames[azure.cloud]}`,
    "# A vault in another subscription: change to that before the parts about the vault.",
    `az account set --subscription ${quoted(subscription)}`,
  ].join("\n");
}

function agentPart({ azure }: AzureSetup): Part {
  const { text, unknown, commands, objectId, host } = agentIdentity(azure);
  const onHost = host.length === 0 ? [] : ["# On its host:", ...host.map((line) => `#   ${line}`)];
  return {
    needs: unknown,
    lines: [`# ${text}`, ...commands, `AGENT=$(${objectId})`, ...onHost],
  };
}

function demand({ name, hint }: Unknown): string {
  return `: "\${${name}:?${hint}}"`;
}

const identityOf = (at: number): string => `PORT_IDENTITY_${at + 1}`;
const principalOf = (at: number): string => `PORT_PRINCIPAL_${at + 1}`;

function portPart(ports: readonly PortSetup[]): Part {
  return {
    needs: ports.map(({ group }, at) => ({
      name: identityOf(at),
      hint: `resource id of the identity of the port ${group}`,
    })),
    lines: [
      "# The identity with which each port reads its keys. A port that has none gets a new one:",
      "#   az identity create --name NAME --resource-group GROUP --location REGION --query id",
      "# Attach it to the port while neither link has a key, as every such command writes the",
      "# whole port: docs/azure.md, The identity of the port.",
      ...ports.flatMap(({ id, group }, at) => [
        `# ${group} shows its identity by: az resource show --query identity \\`,
        `#   --ids ${quoted(id)}`,
        `${principalOf(at)}=$(az identity show --ids "$${identityOf(at)}" --query principalId \\`,
        "  --output tsv)",
      ]),
    ],
  };
}

function vaultPart({ vault: { name } }: AzureSetup): Part {
  return {
    needs: [
      { name: "VAULT_GROUP", hint: `resource group of the vault ${name}` },
      { name: "LOCATION", hint: "region of what is made new: az account list-locations" },
    ],
    lines: [
      `# The vault ${name}, if there is none yet.`,
      `az keyvault show --name ${name} --resource-group "$VAULT_GROUP" --output none ||`,
      `  az keyvault create --name ${name} --resource-group "$VAULT_GROUP" \\`,
      '    --location "$LOCATION" --enable-rbac-authorization true \\',
      "    --enable-purge-protection true --retention-days 90",
      `VAULT=$(az keyvault show --name ${name} --resource-group "$VAULT_GROUP" --query id \\`,
      "  --output tsv)",
    ],
  };
}

function rolePart({ role }: AzureSetup): Part {
  const lines = [
    `# The role "${roleName}", at the resource group: a role on the resource alone does not reach`,
    "# operations. Its name is unique in a tenant: if another site made it, run",
    "# az role definition update with the actions and scopes of both.",
    "# A circuit in another resource group: add the group to AssignableScopes and assign the role",
    "# there; without that only what Azure measures on the circuit is not shown.",
    `az role definition create --role-definition ${quoted(JSON.stringify(role, undefined, 2))}`,
    "# A new role takes some minutes to be known everywhere.",
    ...role.AssignableScopes.map((scope) => assign(roleName, '"$AGENT"', quoted(scope))),
  ];
  return { needs: [], lines };
}

function identityPart(ports: readonly PortSetup[]): Part {
  const lines = [
    "# The agent on the identity of each port: a write of a port names its identity.",
    ...ports.map(({ identityRole }, at) =>
      assign(identityRole, '"$AGENT"', `"$${identityOf(at)}"`),
    ),
  ];
  return { needs: [], lines };
}

function keyPart(ports: readonly PortSetup[]): Part {
  const lines = [
    "# The agent and each port read keys; neither writes them.",
    assign(vaultRole, '"$AGENT"', '"$VAULT"'),
    ...ports.map((_port, at) => assign(vaultRole, `"$${principalOf(at)}"`, '"$VAULT"')),
  ];
  return { needs: [], lines };
}

function assign(role: string, principal: string, scope: string): string {
  return [
    `az role assignment create --role "${role}" --assignee-object-id ${principal} \\`,
    `  --assignee-principal-type ServicePrincipal --scope ${scope}`,
  ].join("\n");
}

function settingsPart({ vault: { name }, azure }: AzureSetup): Part {
  const isPrivate = azure.privateEndpoints.length > 0;
  const rule = [
    `az keyvault network-rule add --name ${name} --resource-group "$VAULT_GROUP" \\`,
    '  --ip-address "$AGENT_ADDRESS"',
  ];
  const address: Unknown = {
    name: "AGENT_ADDRESS",
    hint: "public IPv4 address from which the agent reaches Azure",
  };
  const firewall: Unknown = {
    name: "FIREWALL",
    hint: "Deny closes the firewall of the vault, Allow leaves it open: read docs/keys.md first",
  };
  return {
    needs: [...(isPrivate ? [] : [address]), firewall],
    lines: [
      "# The vault's settings. A vault with access policies: first give those who use them a role.",
      "# The firewall: that ExpressRoute passes it as a trusted service is documented, and a user",
      "# reports that it does not (azure-docs issue 114954): docs/keys.md, The vault's firewall.",
      ...(isPrivate ? [] : rule),
      `az keyvault update --name ${name} --resource-group "$VAULT_GROUP" \\`,
      "  --enable-rbac-authorization true --enable-purge-protection true \\",
      '  --bypass AzureServices --default-action "$FIREWALL"',
    ],
  };
}

function privatePart({ vault: { name }, network, azure }: AzureSetup): Part {
  const group = '--resource-group "$VAULT_GROUP"';
  const { dnsZone, forwarded } = network;
  return {
    needs: [
      { name: "SUBNET", hint: "resource id of the subnet of the private endpoint" },
      { name: "NETWORK", hint: "resource id of the virtual network of that subnet" },
    ],
    lines: [
      "# The private endpoint of the vault. Its subnet is in azure.privateEndpoints of the config:",
      `#   ${azure.privateEndpoints.join(", ")}`,
      "# The resolver of the agent's host forwards these zones to one inside Azure:",
      `#   ${forwarded.join(", ")}`,
      `az network private-endpoint create --name ${name}-private ${group} \\`,
      '  --location "$LOCATION" --subnet "$SUBNET" --private-connection-resource-id "$VAULT" \\',
      `  --group-id vault --connection-name ${name}-private`,
      `az network private-dns zone create --name ${dnsZone} \\`,
      `  ${group}`,
      `az network private-dns link vnet create --name ${name} ${group} \\`,
      `  --zone-name ${dnsZone} \\`,
      '  --virtual-network "$NETWORK" --registration-enabled false',
      `az network private-endpoint dns-zone-group create --name vault ${group} \\`,
      `  --endpoint-name ${name}-private --zone-name vault \\`,
      `  --private-dns-zone ${dnsZone}`,
    ],
  };
}

function scorecardPart(scopes: readonly string[]): Part {
  const lines = [
    "# The scorecard reads the resource groups of azure.scopes.",
    ...scopes.map((scope) => assign("Reader", '"$AGENT"', quoted(scope))),
  ];
  return { needs: [], lines };
}

/** Quotes a text for a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
