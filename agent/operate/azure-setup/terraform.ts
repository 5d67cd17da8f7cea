// The setup as Terraform, for the provider azurerm. The ExpressRoute port is no resource of it: a
// plan of it can neither change nor delete a port or a link.

import type { RealAzure } from "../../model/desired.ts";
import { agentIdentity } from "./agent-identity.ts";
import { type AzureSetup, type PortSetup, vaultRole } from "./setup.ts";

const environments: Readonly<Record<RealAzure["cloud"], string>> = {
  public: "public",
  usgovernment: "usgovernment",
  china: "china",
  // A simulated Azure on this host: the text shows the form.
  loopback: "public",
};

/** Returns one file `main.tf`, with a variable for each value that the config does not know. */
export function terraform(setup: AzureSetup): string {
  const isPrivate = setup.azure.privateEndpoints.length > 0;
  const parts = [
    head(setup),
    variables(setup, isPrivate),
    locals(setup),
    vault(setup, isPrivate),
    roleDefinition(setup),
    ...setup.role.AssignableScopes.map((scope, at) =>
      assignment(`far_end_${at + 1}`, string(scope), ownRole, agent),
    ),
    ...setup.ports.flatMap(portResources),
    assignment("agent_keys", vaultId, builtIn(vaultRole), agent),
    ...(isPrivate ? [privateEndpoint(setup)] : []),
    ...setup.azure.scopes.map((scope, at) =>
      assignment(`scorecard_${at + 1}`, string(scope), builtIn("Reader"), agent),
    ),
  ];
  return `${parts.join("\n\n")}\n`;
}

const agent = "var.agent_object_id";
const vaultId = "azurerm_key_vault.keys.id";
const ownRole = [
  "role_definition_id",
  "azurerm_role_definition.far_end.role_definition_resource_id",
];
const builtIn = (name: string): readonly string[] => ["role_definition_name", string(name)];

function head({ site, azure, role }: AzureSetup): string {
  const [, , subscription = ""] = (role.AssignableScopes[0] ?? "").split("/");
  return `# Rights and vault of the site ${comment(site)}. The ExpressRoute port and its links are
# not managed here: azurerm has no data source for a port, so its id is a local value.
terraform {
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.0"
    }
  }
}

provider "azurerm" {
  environment     = ${string(environments[azure.cloud])}
  subscription_id = ${string(subscription)}
  features {}
}

data "azurerm_client_config" "current" {}`;
}

function variables({ azure, vault: { name } }: AzureSetup, isPrivate: boolean): string {
  const { text, unknown, objectId } = agentIdentity(azure);
  const how = [
    `# ${text}`,
    ...unknown
      .filter((each) => objectId.includes(`$${each.name}`))
      .map((each) => `#   ${each.name}: ${each.hint}`),
    `#   ${objectId}`,
  ].join("\n");
  const own = [
    `${how}\n${variable("agent_object_id", "Object id of the identity of the agent")}`,
    variable("location", "Region of the vault and of the identities of the ports"),
    variable("resource_group_name", `Resource group of the vault ${name}`),
    variable(
      "vault_firewall",
      "Deny closes the firewall of the vault, Allow leaves it open: read docs/keys.md first",
    ),
  ];
  const more = isPrivate
    ? [
        variable("subnet_id", "Subnet of the private endpoint of the vault"),
        variable("virtual_network_id", "Virtual network of that subnet"),
      ]
    : [
        variable(
          "agent_addresses",
          "Public IPv4 addresses from which the agent reaches Azure",
          "list(string)",
        ),
      ];
  return [...own, ...more].join("\n\n");
}

function variable(name: string, description: string, type = "string"): string {
  return `variable "${name}" {
  type        = ${type}
  description = ${string(description)}
}`;
}

function locals({ ports }: AzureSetup): string {
  const rows = ports.map(({ group, id }) => `    ${string(group)} = ${string(id)}`);
  return ["locals {", "  ports = {", ...rows, "  }", "}"].join("\n");
}

function vault({ vault: { name } }: AzureSetup, isPrivate: boolean): string {
  const rules = isPrivate ? "" : "\n    ip_rules       = var.agent_addresses";
  return `# A vault that exists: terraform import azurerm_key_vault.keys ID. A vault with access
# policies: first give those who use them a role.
# The firewall: that ExpressRoute passes it as a trusted service is documented, and a user reports
# that it does not (azure-docs issue 114954): docs/keys.md, The vault's firewall.
resource "azurerm_key_vault" "keys" {
  name                       = ${string(name)}
  location                   = var.location
  resource_group_name        = var.resource_group_name
  tenant_id                  = data.azurerm_client_config.current.tenant_id
  sku_name                   = "standard"
  rbac_authorization_enabled = true
  purge_protection_enabled   = true
  soft_delete_retention_days = 90

  network_acls {
    default_action = var.vault_firewall
    bypass         = "AzureServices"${rules}
  }

  lifecycle {
    prevent_destroy = true
    ignore_changes  = [sku_name, soft_delete_retention_days]
  }
}`;
}

function roleDefinition({ role }: AzureSetup): string {
  const actions = role.Actions.map((action) => `      ${string(action)},`);
  const scopes = role.AssignableScopes.map((scope) => `    ${string(scope)},`);
  return [
    "# Its name is unique in a tenant. A circuit in another resource group: add the group to the",
    "# scopes and assign the role there; without that only what Azure measures on it is not shown.",
    'resource "azurerm_role_definition" "far_end" {',
    `  name        = ${string(role.Name)}`,
    `  description = ${string(role.Description)}`,
    `  scope       = ${string(role.AssignableScopes[0] ?? "")}`,
    "",
    ...["  permissions {", "    actions = [", ...actions, "    ]", "  }", ""],
    ...["  assignable_scopes = [", ...scopes, "  ]", "}"],
  ].join("\n");
}

function assignment(
  name: string,
  scope: string,
  [argument = "", role = ""]: readonly string[],
  principal: string,
): string {
  return `resource "azurerm_role_assignment" "${name}" {
  scope                = ${scope}
  ${argument.padEnd(20)} = ${role}
  principal_id         = ${principal}
  principal_type       = "ServicePrincipal"
}`;
}

function portResources({ group, identityRole }: PortSetup): readonly string[] {
  const name = `port_${group.replaceAll("-", "_")}`;
  const identity = `azurerm_user_assigned_identity.${name}`;
  return [
    `# The identity of the port ${comment(group)}. One that exists:
#   terraform import ${identity} ID
# Attach it to the port while neither link has a key: docs/azure.md, The identity of the port.
resource "azurerm_user_assigned_identity" "${name}" {
  name                = ${string(`${group}-port`)}
  location            = var.location
  resource_group_name = var.resource_group_name
  tags                = { port = local.ports[${string(group)}] }

  lifecycle {
    prevent_destroy = true
    ignore_changes  = [name, location, resource_group_name, tags]
  }
}`,
    assignment(`agent_on_${name}`, `${identity}.id`, builtIn(identityRole), agent),
    assignment(`${name}_keys`, vaultId, builtIn(vaultRole), `${identity}.principal_id`),
  ];
}

function privateEndpoint({ vault: { name }, network, azure }: AzureSetup): string {
  const ranges = azure.privateEndpoints.join(", ");
  return `# The subnet is in azure.privateEndpoints of the config: ${ranges}.
# The resolver of the agent's host forwards these zones to one inside Azure:
#   ${network.forwarded.join(", ")}
resource "azurerm_private_dns_zone" "vault" {
  name                = ${string(network.dnsZone)}
  resource_group_name = var.resource_group_name
}

resource "azurerm_private_dns_zone_virtual_network_link" "vault" {
  name                = ${string(name)}
  private_dns_zone_id = azurerm_private_dns_zone.vault.id
  virtual_network_id  = var.virtual_network_id
}

resource "azurerm_private_endpoint" "vault" {
  name                = ${string(`${name}-private`)}
  location            = var.location
  resource_group_name = var.resource_group_name
  subnet_id           = var.subnet_id

  private_service_connection {
    name                           = ${string(`${name}-private`)}
    is_manual_connection           = false
    private_connection_resource_id = ${vaultId}
    subresource_names              = ["vault"]
  }

  private_dns_zone_group {
    name                 = "vault"
    private_dns_zone_ids = [azurerm_private_dns_zone.vault.id]
  }
}`;
}

/** A string of HCL, in which nothing is a template. */
function string(text: string): string {
  return JSON.stringify(text).replaceAll(/[$%](?=\{)/g, "$&$&");
}

function comment(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, "?");
}
