// Reads Key Vault by Microsoft's client: lists versions without values, and reads one value as a
// Secret. It marks versions where the identity may; it never sets a value.

import type { SecretClient, SecretProperties } from "@azure/keyvault-secrets";
import { LinksealError } from "#hal/error.ts";
import type { Secret as SecretType } from "#hal/secret.ts";
import { Secret } from "#hal/secret.ts";
import type { KeyMarker, KeyVault, SecretVersion } from "#hal/vault.ts";
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

/** The words for a write that the vault refuses. */
export interface Denied {
  readonly text: string;
  readonly next: string;
}

/** The right is Microsoft.KeyVault/vaults/secrets/update/action (docs/sources.md). */
const agentDenied: Denied = {
  text: "this identity may not mark versions here",
  next: "docs/azure.md, The right to mark a compromised key",
};

/** What marks versions of that vault; `denied` has the words for an identity that may not. */
export function azureMarker({
  base,
  client,
  denied = agentDenied,
}: AzureVaultParts & { readonly denied?: Denied }): KeyMarker {
  return {
    mark: (id, { tags, enabled }, signal) =>
      writing(id, denied, async () => {
        const [name, version] = partsOf(base, id);
        const state = enabled === undefined ? {} : { enabled };
        const options = { tags: { ...tags }, ...state, abortSignal: signal };
        await (await client()).updateSecretProperties(name, version, options);
      }),
  };
}

/**
 * Runs a write: its errors name the right that is missing, and say whether the write may have had
 * an effect.
 */
export async function writing<T>(
  where: string,
  denied: Denied,
  call: () => Promise<T>,
): Promise<T> {
  try {
    return await run(where, call);
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    if (error.code === "vault.denied" && /\(403\b/.test(error.message)) {
      throw problem("vault.denied", `${denied.text}: ${error.message}`, where, denied.next);
    }
    if (error.code !== "vault.unreachable" || neverSent(error)) throw error;
    const { code, message, next } = error;
    throw new LinksealError(code, message, { effect: "unknown", where, next, cause: error });
  }
}

function neverSent({ cause }: LinksealError): boolean {
  return cause instanceof LinksealError && cause.code === "transport.unreachable";
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
