// The setup as one document: the rights in rows, and the texts to paste.

import type { NeededRight, RightHolder, RightScope } from "../../compare/azure-rights.ts";
import { agentIdentity } from "./agent-identity.ts";
import { azScript } from "./az-script.ts";
import type { AzureSetup, NetworkSetup, RoleDefinition } from "./setup.ts";
import { terraform } from "./terraform.ts";

/** One right that the config needs. */
interface RightRow {
  /** Name of the action, such as `Microsoft.Network/expressRoutePorts/write`. */
  readonly action: string;
  /** `management` = an action of Azure Resource Manager; `data` = a data action of the vault. */
  readonly plane: NeededRight["plane"];
  /** The identity that needs it, in words. */
  readonly holder: string;
  /** A resource id, or the place in words if the config does not know the id. */
  readonly scope: string;
  readonly purpose: string;
  /** What waits while it is missing; null = something is not shown, and nothing waits. */
  readonly waits: string | null;
}

/** The answer of `linkseal azure setup --json`. */
export interface SetupReport {
  /** Name and version of the schema. */
  readonly schema: "linkseal.azure-setup/1";
  /** The name of the site in the config. */
  readonly site: string;
  /** The cloud in the config. */
  readonly cloud: string;
  /** Name and URL of the vault. */
  readonly vault: AzureSetup["vault"];
  /** The agent's identity in a sentence, and what has to be done on its host. */
  readonly identity: { readonly text: string; readonly onHost: readonly string[] };
  readonly rights: readonly RightRow[];
  /** What the agent's host must reach, and the names of a private endpoint. */
  readonly network: NetworkSetup & { readonly privateEndpoints: readonly string[] };
  /** The custom role, as the Azure CLI and PowerShell read it. */
  readonly role: RoleDefinition;
  /** A shell script for the Azure CLI. */
  readonly az: string;
  /** One file of Terraform, for the provider azurerm. */
  readonly terraform: string;
}

/** Returns the whole setup of a config. */
export function setupReport(setup: AzureSetup): SetupReport {
  const { site, azure, vault, rights, network, role } = setup;
  const { text, host } = agentIdentity(azure);
  return {
    schema: "linkseal.azure-setup/1",
    ...{ site, cloud: azure.cloud, vault },
    identity: { text, onHost: host },
    rights: rights.map(rowOf),
    network: { ...network, privateEndpoints: azure.privateEndpoints },
    ...{ role, az: azScript(setup), terraform: terraform(setup) },
  };
}

function rowOf({ action, plane, holder, scope, purpose, gate }: NeededRight): RightRow {
  const waits = waitsText(gate);
  return { action, plane, holder: holderText(holder), scope: scopeText(scope), purpose, waits };
}

function waitsText(gate: NeededRight["gate"]): string | null {
  switch (gate.kind) {
    case "campaign":
      return `campaigns of ${gate.group} wait`;
    case "preSharedKey":
      return `the pre-shared key of ${gate.tunnel} waits`;
    case "nothing":
      return null;
  }
}

/** Returns the identity that needs a right, in words. */
function holderText(holder: RightHolder): string {
  return holder.kind === "agent" ? "the agent" : `the identity of the port ${lastOf(holder.port)}`;
}

/** Returns the id of a scope, or the place in words if the config does not know the id. */
export function scopeText(scope: RightScope): string {
  switch (scope.kind) {
    case "resource":
    case "resourceGroup":
      return scope.id;
    case "identityOfPort":
      return `the identity of the port ${lastOf(scope.port)}`;
    case "circuitsOfPort":
      return `the circuits of the port ${lastOf(scope.port)}`;
    case "vault":
      return scope.url;
  }
}

const lastOf = (id: string): string => id.split("/").at(-1) ?? id;
