// A script with Microsoft's unchanged clients against the simulated cloud. It prints its results as
// JSON.

import {
  ClientCertificateCredential,
  ManagedIdentityCredential,
  type TokenCredential,
  WorkloadIdentityCredential,
} from "@azure/identity";
import { SecretClient } from "@azure/keyvault-secrets";

export interface ClientOrder {
  readonly credential: "certificate" | "chain" | "managedIdentity" | "workload" | "wrongClient";
  readonly vault: string;
  /** Secrets to read; the last one is written as well. */
  readonly names: readonly string[];
}

export interface ClientNews {
  readonly values: Readonly<Record<string, string>>;
  readonly versions: Readonly<Record<string, readonly string[]>>;
  readonly written: { readonly value?: string; readonly tags?: Readonly<Record<string, string>> };
  readonly old: string | undefined;
  readonly armToken: boolean;
}

export interface ClientTrouble {
  readonly trouble: string;
  readonly status: number | undefined;
  readonly inner: string | undefined;
}

const authority = { disableInstanceDiscovery: true } as const;

function credentialOf(order: ClientOrder): TokenCredential {
  const { AZURE_TENANT_ID: tenant = "", AZURE_CLIENT_ID: client = "" } = process.env;
  const certificatePath = process.env["AZURE_CLIENT_CERTIFICATE_PATH"] ?? "";
  switch (order.credential) {
    case "certificate":
      return new ClientCertificateCredential(tenant, client, { certificatePath }, authority);
    case "chain": {
      const options = { ...authority, sendCertificateChain: true };
      return new ClientCertificateCredential(tenant, client, { certificatePath }, options);
    }
    case "wrongClient": {
      const other = client.replace(/^./, (first) => (first === "0" ? "1" : "0"));
      return new ClientCertificateCredential(tenant, other, { certificatePath }, authority);
    }
    case "managedIdentity":
      return new ManagedIdentityCredential();
    case "workload":
      return new WorkloadIdentityCredential(authority);
  }
}

async function run(order: ClientOrder): Promise<ClientNews> {
  const credential = credentialOf(order);
  const client = new SecretClient(order.vault, credential, {
    disableChallengeResourceVerification: true,
    retryOptions: { maxRetries: 0 },
  });
  const values: Record<string, string> = {};
  const versions: Record<string, string[]> = {};
  for (const name of order.names) {
    values[name] = (await client.getSecret(name)).value ?? "";
    versions[name] = [];
    for await (const { id = "" } of client.listPropertiesOfSecretVersions(name)) {
      versions[name].push(id);
    }
  }
  const last = order.names.at(-1) ?? "";
  const before = versions[last]?.at(0)?.split("/").at(-1) ?? "";
  const tags = { "linkseal-generation": "9" };
  const { properties } = await client.setSecret(last, "0123", { tags, enabled: true });
  await client.updateSecretProperties(last, properties.version ?? "", {
    expiresOn: new Date(Date.UTC(2040, 0, 1)),
  });
  const written = await client.getSecret(last);
  const token = await credential.getToken("https://management.azure.com/.default");
  const news = { value: written.value, tags: written.properties.tags };
  return {
    values,
    versions,
    written: JSON.parse(JSON.stringify(news)) as ClientNews["written"],
    old: (await client.getSecret(last, { version: before })).value,
    armToken: token !== null && token.token !== "",
  };
}

function troubleOf(error: unknown): ClientTrouble {
  const { statusCode, details } = error as {
    readonly statusCode?: number;
    readonly details?: { readonly error?: { readonly innerError?: { readonly code?: string } } };
  };
  const trouble = error instanceof Error ? error.message : "no error";
  return { trouble, status: statusCode, inner: details?.error?.innerError?.code };
}

if (process.argv[2] !== undefined) {
  const order = JSON.parse(process.argv[2]) as ClientOrder;
  const news: ClientNews | ClientTrouble = await run(order).catch(troubleOf);
  process.stdout.write(`${JSON.stringify(news)}\n`);
}
