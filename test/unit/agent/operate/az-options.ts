// The commands of the Azure CLI that `azure setup` may print, with the options that Microsoft's
// reference of each lists (MicrosoftDocs/azure-docs-cli, latest/docs-ref-autogen). No command of an
// ExpressRoute port is among them.

const output = ["--output", "--query"];

export const azOptions: Readonly<Record<string, readonly string[]>> = {
  "cloud set": ["--name"],
  "account set": ["--subscription"],
  "ad app credential reset": ["--id", "--cert", "--append", ...output],
  "ad app federated-credential create": ["--id", "--parameters"],
  "ad sp show": ["--id", ...output],
  "identity show": ["--ids", "--name", "--resource-group", ...output],
  "keyvault create": [
    ...["--name", "--resource-group", "--location", "--enable-rbac-authorization"],
    ...["--enable-purge-protection", "--retention-days", "--default-action", "--bypass"],
  ],
  "keyvault network-rule add": ["--name", "--resource-group", "--ip-address"],
  "keyvault show": ["--name", "--resource-group", ...output],
  "keyvault update": [
    ...["--name", "--resource-group", "--enable-rbac-authorization"],
    ...["--enable-purge-protection", "--default-action", "--bypass"],
  ],
  "network private-dns link vnet create": [
    ...["--name", "--resource-group", "--zone-name", "--virtual-network"],
    "--registration-enabled",
  ],
  "network private-dns zone create": ["--name", "--resource-group"],
  "network private-endpoint create": [
    ...["--name", "--resource-group", "--location", "--subnet", "--group-id"],
    ...["--private-connection-resource-id", "--connection-name"],
  ],
  "network private-endpoint dns-zone-group create": [
    ...["--name", "--resource-group", "--endpoint-name", "--private-dns-zone", "--zone-name"],
  ],
  "resource show": ["--ids", ...output],
  "role assignment create": [
    ...["--role", "--assignee-object-id", "--assignee-principal-type", "--scope"],
  ],
  "role definition create": ["--role-definition"],
  "vm identity assign": ["--ids", "--identities"],
  "vm show": ["--ids", ...output],
  "webapp identity assign": ["--ids", "--identities"],
  "webapp identity show": ["--ids", ...output],
};
