// Reads Key Vault by Microsoft's client: lists versions without values, and reads one value as a
// Secret; never writes.

import type { SecretClient, SecretProperties } from "@azure/keyvault-secrets";
import type { Secret as SecretType } from "#hal/secret.ts";
import { Secret } from "#hal/secret.ts";
import type { KeyVault, SecretVersion } from "#hal/vault.ts";
import type { WallTime } from "#hal/world.ts";
import { problem } from "./answers.ts";
import { run } from "./sdk-transport.ts";

/** Version of the Key Vault REST API. Newer ones exist; every cloud has this one. */
export const serviceVersion = "7.5";
/** Limits of Key Vault itself. */
const versionsMax = 500;
const pageMax = 25;
const valueBytesMax = 25 * 1024;

export interface AzureVaultParts {
  /** Origin of the vault. */
  readonly base: string;
  /** Makes the client at the first call: a config may name a vault that nothing needs. */
  readonly client: () => Promise<SecretClient>;
}

/**
 * The vault as the agent reads it. Both operations only read, so an abort leaves nothing behind.
 * @throws LinksealError (from both) with a `vault.*` code
 */
export function azureVault({ base, client }: AzureVaultParts): KeyVault {
  return {
    versions: (name, signal) =>
      run(`${base}/secrets/${name}`, async () => versionsOf(await client(), base, name, signal)),
    read: (id, signal) =>
      run(id, async () => {
        const [name, version] = partsOf(base, id);
        return await readOne(await client(), id, { name, version }, signal);
      }),
  };
}

async function versionsOf(
  client: SecretClient,
  base: string,
  name: string,
  signal: AbortSignal,
): Promise<readonly SecretVersion[]> {
  const where = `${base}/secrets/${name}`;
  const found: SecretVersion[] = [];
  const pages = client
    .listPropertiesOfSecretVersions(name, { abortSignal: signal })
    .byPage({ maxPageSize: pageMax });
  let turns = 0;
  for await (const page of pages) {
    turns += 1;
    found.push(...page.map((properties) => versionOf(properties, where)));
    // Empty pages that link to each other would never end.
    if (found.length > versionsMax || turns > versionsMax / pageMax + 20) {
      throw problem("vault.malformedKey", `it has more than ${versionsMax} versions`, where);
    }
  }
  return found;
}

function versionOf(properties: SecretProperties, where: string): SecretVersion {
  const { id, enabled, createdOn, notBefore, expiresOn, tags = {} } = properties;
  const version = id?.startsWith(`${where}/`) === true ? id.slice(where.length + 1) : "";
  if (id === undefined || !/^[0-9a-f]{32}$/.test(version)) {
    throw problem(
      "vault.unreachable",
      "the list contains an id of something else than this secret",
      where,
    );
  }
  if (enabled === undefined || !(createdOn instanceof Date)) {
    throw problem("vault.unreachable", "the list lacks age or state of a version", where);
  }
  return {
    id,
    enabled,
    created: createdOn.getTime() as WallTime,
    notBefore: notBefore?.getTime() as WallTime | undefined,
    expires: expiresOn?.getTime() as WallTime | undefined,
    tags,
  };
}

/** Returns name and version of an id in this vault; a request never goes to another vault. */
function partsOf(base: string, id: string): readonly [string, string] {
  const rest = id.startsWith(`${base}/secrets/`) ? id.slice(`${base}/secrets/`.length) : "";
  const found = /^([0-9A-Za-z-]{1,127})\/([0-9a-f]{32})$/.exec(rest);
  const [, name, version] = found ?? [];
  if (name !== undefined && version !== undefined) return [name, version];
  throw problem("vault.malformedKey", "this is not a versioned id of the vault in the config", id);
}

async function readOne(
  client: SecretClient,
  id: string,
  { name, version }: { readonly name: string; readonly version: string },
  signal: AbortSignal,
): Promise<SecretType> {
  // The library returns a string, which cannot be wiped: it is kept for this statement only.
  const secret = Secret.take(
    name,
    octetsOf(await client.getSecret(name, { version, abortSignal: signal }), id),
  );
  if (secret.byteLength > 0 && secret.byteLength <= valueBytesMax) return secret;
  secret[Symbol.dispose]();
  throw problem("vault.malformedKey", "the value is empty or too long", id);
}

function octetsOf(
  answer: { readonly value?: string; readonly properties: SecretProperties },
  id: string,
): Uint8Array {
  if (answer.properties.id !== id) {
    throw problem("vault.unreachable", "the vault answers with another version", id);
  }
  return new TextEncoder().encode(answer.value ?? "");
}
