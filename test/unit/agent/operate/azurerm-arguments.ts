// Arguments and blocks of the resources that `azure setup --format terraform` may print, as the
// documents of the provider azurerm 5.2 list them (website/docs/r of
// hashicorp/terraform-provider-azurerm). `lifecycle` is Terraform's own.

export const azurermArguments: Readonly<Record<string, readonly string[]>> = {
  azurerm_key_vault: [
    ...["name", "location", "resource_group_name", "tenant_id", "sku_name", "network_acls"],
    ...["rbac_authorization_enabled", "purge_protection_enabled", "soft_delete_retention_days"],
    "lifecycle",
  ],
  azurerm_role_definition: ["name", "description", "scope", "permissions", "assignable_scopes"],
  azurerm_role_assignment: [
    ...["scope", "role_definition_id", "role_definition_name", "principal_id", "principal_type"],
  ],
  azurerm_user_assigned_identity: [
    ...["name", "location", "resource_group_name", "tags", "lifecycle"],
  ],
  azurerm_private_dns_zone: ["name", "resource_group_name"],
  azurerm_private_dns_zone_virtual_network_link: [
    ...["name", "private_dns_zone_id", "virtual_network_id"],
  ],
  azurerm_private_endpoint: [
    ...["name", "location", "resource_group_name", "subnet_id", "private_service_connection"],
    "private_dns_zone_group",
  ],
};
