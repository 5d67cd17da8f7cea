// How an operator makes the agent's identity, and finds its object id: each kind has lines of its
// own.

import type { AzureIdentity, RealAzure } from "../../model/desired.ts";

/** A value that the config does not know, and how the operator finds it. */
export interface Unknown {
  /** Name of the shell variable. */
  readonly name: string;
  /** What it is, and the command that shows it. */
  readonly hint: string;
}

/** The agent's identity, for the Azure CLI. */
export interface AgentIdentity {
  /** What it is, in a sentence. */
  readonly text: string;
  /** The variables that its commands use. */
  readonly unknown: readonly Unknown[];
  /** Commands that make it, or complete it. */
  readonly commands: readonly string[];
  /** A command that prints its object id. */
  readonly objectId: string;
  /** What has to be done on the agent's host. */
  readonly host: readonly string[];
}

const principal = "identity.principalId";

/** Returns the lines about the agent's own identity. */
export function agentIdentity({ identity, cloud }: RealAzure): AgentIdentity {
  switch (identity.kind) {
    case "arc":
      return arc(identity);
    case "managedIdentity":
      return identity.source === "imds" ? imds(identity) : appService(identity);
    case "clientCertificate":
      return certificate(identity);
    case "workloadIdentity":
      return workload(identity, cloud);
  }
}

/** Returns the command that prints the object id of an application or identity by its client id. */
function byClient(client: string): string {
  return `az ad sp show --id ${client} --query id --output tsv`;
}

function arc({ client }: { readonly client: string | undefined }): AgentIdentity {
  const host = [
    "usermod --append --groups himds linkseal    # its members may read the keys of Azure Arc",
    "systemctl restart linkseal",
  ];
  if (client !== undefined) {
    const text = `The agent is the identity ${client} of a machine in Azure Arc.`;
    return { text, unknown: [], commands: [], objectId: byClient(client), host };
  }
  return {
    text: "The agent is the identity of its host in Azure Arc.",
    unknown: [
      {
        name: "ARC_MACHINE",
        hint: "resource id of the agent's host in Azure Arc; on the host: azcmagent show",
      },
    ],
    commands: [],
    objectId: `az resource show --ids "$ARC_MACHINE" --query ${principal} --output tsv`,
    host,
  };
}

function imds({ client }: { readonly client: string | undefined }): AgentIdentity {
  const machine: Unknown = {
    name: "MACHINE",
    hint: "resource id of the agent's virtual machine: az vm show --query id",
  };
  if (client !== undefined) {
    return {
      text: `The agent is the user-assigned identity ${client} of its virtual machine.`,
      unknown: [machine, { name: "AGENT_IDENTITY", hint: "its resource id: az identity list" }],
      commands: ['az vm identity assign --ids "$MACHINE" --identities "$AGENT_IDENTITY"'],
      objectId: byClient(client),
      host: [],
    };
  }
  return {
    text: "The agent is the identity of its virtual machine.",
    unknown: [machine],
    commands: ['az vm identity assign --ids "$MACHINE"'],
    objectId: `az vm show --ids "$MACHINE" --query ${principal} --output tsv`,
    host: [],
  };
}

function appService({ client }: { readonly client: string | undefined }): AgentIdentity {
  const host = ["App Service sets IDENTITY_ENDPOINT and IDENTITY_HEADER for the agent's process"];
  const app: Unknown = {
    name: "APP",
    hint: "resource id of the App Service: az webapp show --query id",
  };
  if (client !== undefined) {
    return {
      text: `The agent is the user-assigned identity ${client} of its App Service.`,
      unknown: [app, { name: "AGENT_IDENTITY", hint: "its resource id: az identity list" }],
      commands: ['az webapp identity assign --ids "$APP" --identities "$AGENT_IDENTITY"'],
      ...{ objectId: byClient(client), host },
    };
  }
  return {
    text: "The agent is the identity of its App Service.",
    unknown: [app],
    commands: ['az webapp identity assign --ids "$APP"'],
    objectId: 'az webapp identity show --ids "$APP" --query principalId --output tsv',
    host,
  };
}

function certificate({
  client,
  certificate: reference,
}: Extract<AzureIdentity, { kind: "clientCertificate" }>): AgentIdentity {
  return {
    text: `The agent is the application ${client}, and signs in with a certificate.`,
    unknown: [
      {
        name: "CERTIFICATE",
        hint: "file with the certificate alone, in PEM, without its private key",
      },
    ],
    commands: [`az ad app credential reset --id ${client} --cert "@$CERTIFICATE" --append`],
    objectId: byClient(client),
    host: [
      reference.startsWith("credential:")
        ? `seal key and certificate as the credential ${reference.slice("credential:".length)} ` +
          "of linkseal.service (docs/install.md, Secrets)"
        : `put key and certificate into ${reference.slice("file:".length)}, mode 0600, ` +
          "owned by linkseal or root",
    ],
  };
}

/** The audience of a token that Entra exchanges, in each cloud. */
const audiences: Readonly<Record<RealAzure["cloud"], string>> = {
  public: "api://AzureADTokenExchange",
  usgovernment: "api://AzureADTokenExchangeUSGov",
  china: "api://AzureADTokenExchangeChina",
  loopback: "api://AzureADTokenExchange",
};

function workload(
  { client, tokenFile }: Extract<AzureIdentity, { kind: "workloadIdentity" }>,
  cloud: RealAzure["cloud"],
): AgentIdentity {
  const fields = [
    '"name": "linkseal"',
    '"issuer": "\'"$ISSUER"\'"',
    '"subject": "\'"$SUBJECT"\'"',
    `"audiences": ["${audiences[cloud]}"]`,
  ];
  return {
    text: `The agent is the application ${client}, and signs in with a federated token.`,
    unknown: [
      { name: "ISSUER", hint: "URL of the issuer of the token, its claim iss" },
      { name: "SUBJECT", hint: "subject of the token, its claim sub" },
    ],
    commands: [
      `az ad app federated-credential create --id ${client} --parameters '{${fields.join(", ")}}'`,
    ],
    objectId: byClient(client),
    host: [`something on the host keeps a fresh token in ${tokenFile}, readable by linkseal`],
  };
}
