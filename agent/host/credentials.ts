// Credentials of this host: files that only their owner reads, and the environment that tells
// Microsoft's library where this host's identity endpoint is.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { access, constants, lstat, readFile } from "node:fs/promises";
import type { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import type { WallTime } from "#hal/world.ts";
import type { CredentialHost } from "../azure/identity.ts";
import { unusable } from "../azure/identity.ts";
import type { AzureIdentity } from "../model/desired.ts";
import { credentialPath, type FileAccess, isPassedByAcl } from "./credential-path.ts";
import { errnoOf, ownUid } from "./folder.ts";

const fileBytesMax = 64 * 1024;
/**
 * The folder that the Arc agent uses; a challenge that names another one is an attempt to read a
 * file.
 */
const arcFolder = "/var/opt/azcmagent/tokens/";
const arcKeyBytesMax = 4_096;
const arcEndpoint = "http://127.0.0.1:40342/metadata/identity/oauth2/token";

interface FileRule {
  readonly bytesMax: number;
  readonly owners: readonly number[];
  /** Mode bits that must not be set. */
  readonly forbidden: number;
}

/**
 * The credentials of this host, from files and environment.
 * @throws LinksealError (from each method) with `vault.denied` if the credential cannot be used
 */
export const hostCredentials: CredentialHost = {
  certificate: async (reference) => {
    const rule = { bytesMax: fileBytesMax, owners: [0, ownUid()], forbidden: 0o077 };
    const pem = await readOwn(await pathOf(reference), rule);
    const why = pemFault(pem, Date.now());
    if (why !== undefined) throw unusable(reference, `the certificate cannot be used: ${why}`);
    return pem;
  },
  federatedToken: async (path) => {
    const rule = { bytesMax: fileBytesMax, owners: [0, ownUid()], forbidden: 0o027 };
    return (await readOwn(path, rule)).trim();
  },
  checkArcKey: (path) => checkArcKey(path),
  pinEndpoint,
};

const pathOf = (reference: string): Promise<string> =>
  credentialPath(reference, (text, next) => unusable(reference, text, next));

async function checkFile(path: string, rule: FileRule): Promise<void> {
  const stat = await lstat(path).catch((error: unknown) => {
    throw unusable(path, `the credential cannot be read (${errnoOf(error)})`);
  });
  const why = await secretFault(path, stat, rule);
  if (why !== undefined) throw unusable(path, `the credential is not used: ${why}`);
}

/**
 * Returns why a file must not be used, by its path too: the service manager passes secrets whose
 * mode says less than it seems to.
 */
export async function secretFault(
  path: string,
  stat: Parameters<typeof fileFault>[0] & FileAccess,
  rule: FileRule,
): Promise<string | undefined> {
  const isPassed = await isPassedByAcl(path, stat);
  const forbidden = isPassed ? rule.forbidden & ~0o040 : rule.forbidden;
  return fileFault(stat, { ...rule, forbidden });
}

/** Returns why a file must not be used; undefined = it may be used. */
export function fileFault(
  stat: {
    isFile(): boolean;
    isSymbolicLink(): boolean;
    readonly uid: number;
    readonly mode: number;
    readonly size: number;
  },
  rule: FileRule,
): string | undefined {
  if (stat.isSymbolicLink()) return "it is a symbolic link";
  if (!stat.isFile()) return "it is not a file";
  if (!rule.owners.includes(stat.uid)) return `it belongs to uid ${stat.uid}`;
  if ((stat.mode & rule.forbidden) !== 0) {
    return `other users may access it (mode ${(stat.mode & 0o777).toString(8)})`;
  }
  if (stat.size === 0 || stat.size > rule.bytesMax) return `it has ${stat.size} bytes`;
  return undefined;
}

/**
 * Reads a key of this host from `credential:NAME` or `file:PATH`, which must have exactly `bytes`
 * octets.
 * @throws LinksealError with `vault.denied`
 */
export async function hostSecret(reference: string, bytes: number): Promise<Secret> {
  if (!/^(?:credential|file):./.test(reference)) {
    throw unusable(reference, "a key is named credential:NAME or file:PATH");
  }
  const path = await pathOf(reference);
  await checkFile(path, { bytesMax: bytes, owners: [0, ownUid()], forbidden: 0o077 });
  const octets = await readFile(path).catch((error: unknown) => {
    throw unusable(path, `the credential cannot be read (${errnoOf(error)})`);
  });
  if (octets.length === bytes) return Secret.take("cache key", octets);
  octets.fill(0);
  throw unusable(path, `it has ${octets.length} bytes, and the key has ${bytes}`);
}

/**
 * Access that a file may allow: `secret` = only its owner reads it; `open` = others may read it,
 * but not write to it.
 */
export type OwnFile = "secret" | "open";

/**
 * Reads the text of `credential:NAME` or `file:PATH`, which must belong to root or to this
 * process's user.
 * @throws LinksealError with `vault.denied`
 */
export async function readReference(reference: string, file: OwnFile): Promise<string> {
  const forbidden = file === "secret" ? 0o077 : 0o022;
  const rule = { bytesMax: fileBytesMax, owners: [0, ownUid()], forbidden };
  return await readOwn(await pathOf(reference), rule);
}

async function readOwn(path: string, rule: FileRule): Promise<string> {
  await checkFile(path, rule);
  return await readFile(path, "utf8").catch((error: unknown) => {
    throw unusable(path, `the credential cannot be read (${errnoOf(error)})`);
  });
}

const certificateIn = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/;

/** Returns why a PEM cannot prove an identity to Entra; undefined = it can. */
export function pemFault(pem: string, now: number): string | undefined {
  const found = certificateIn.exec(pem)?.[0];
  if (found === undefined) return "the PEM contains no certificate";
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----/.test(pem)) return "its private key has a passphrase";
  const secret = /-----BEGIN (?:RSA )?PRIVATE KEY-----[^-]+-----END (?:RSA )?PRIVATE KEY-----/;
  const key = secret.exec(pem)?.[0];
  if (key === undefined) return "the PEM contains no private key that Entra accepts";
  try {
    const certificate = new X509Certificate(found);
    if (!certificate.checkPrivateKey(createPrivateKey(key)))
      return "the key belongs to another certificate";
    const ends = certificate.validToDate;
    return ends.getTime() > now ? undefined : `it expired at ${ends.toISOString()}`;
  } catch {
    // The parser's message may quote the key.
    return "its PEM cannot be read";
  }
}

/** Returns the end of the certificate in a PEM that `pemFault` accepted. */
export function certificateEnd(pem: string): WallTime | undefined {
  const found = certificateIn.exec(pem)?.[0];
  return found === undefined
    ? undefined
    : (new X509Certificate(found).validToDate.getTime() as WallTime);
}

/** Refuses every path that is not a key file of the Arc agent; the library then reads the file. */
async function checkArcKey(path: string): Promise<void> {
  if (!isArcKeyPath(path)) {
    const text = `the identity endpoint names a file outside ${arcFolder}, which is not read`;
    throw unusable("azure.identity", text);
  }
  const folder = await lstat(arcFolder).catch((error: unknown) => {
    throw arcUnreadable(arcFolder, "the Arc agent's folder", error);
  });
  if (!folder.isDirectory() || (folder.mode & 0o002) !== 0) {
    throw unusable(
      arcFolder,
      "the Arc agent's folder is not a folder, or other users may write to it",
    );
  }
  // Microsoft's library reads the file, and its error for a file that it may not read says nothing.
  await access(path, constants.R_OK).catch((error: unknown) => {
    throw arcUnreadable(path, "the key of Azure Arc", error);
  });
  // The Arc agent writes its keys as root or as its own user, who owns the folder.
  await checkFile(path, { bytesMax: arcKeyBytesMax, owners: [0, folder.uid], forbidden: 0o022 });
}

/**
 * Makes the error for a path of the Arc agent that cannot be read: only root and the members of its
 * group himds may.
 */
export function arcUnreadable(path: string, what: string, error: unknown): LinksealError {
  const code = errnoOf(error);
  const next =
    code === "EACCES" || code === "EPERM"
      ? "usermod --append --groups himds linkseal, then systemctl restart linkseal"
      : "azcmagent show: connect this host to Azure Arc, or correct azure.identity";
  return unusable(path, `${what} cannot be read (${code})`, next);
}

/** True for one name below the fixed folder, as the Arc agent forms it. */
export function isArcKeyPath(path: string): boolean {
  const name = path.startsWith(arcFolder) ? path.slice(arcFolder.length) : "";
  return /^[0-9A-Za-z][0-9A-Za-z-]{0,126}\.key$/.test(name);
}

/** The libraries read environment variables with these prefixes, in an order of their own. */
const selector = /^(AZURE|MSAL|MSI|IDENTITY|IMDS)_/;
const given = Object.entries(process.env).filter(([name]) => selector.test(name));

// Removes what the config did not choose, so that the libraries cannot find it.
function pinEndpoint(identity: AzureIdentity): string | undefined {
  const { env } = process;
  for (const name of Object.keys(env)) if (selector.test(name)) delete env[name];
  const keep = (...names: readonly string[]): void => {
    for (const [name, value] of given) if (names.includes(name)) env[name] = value;
  };
  switch (identity.kind) {
    case "arc": {
      keep("IDENTITY_ENDPOINT", "IMDS_ENDPOINT");
      env["IDENTITY_ENDPOINT"] ??= arcEndpoint;
      env["IMDS_ENDPOINT"] ??= new URL(arcEndpoint).origin;
      return localOrigin(env["IDENTITY_ENDPOINT"]);
    }
    case "managedIdentity": {
      if (identity.source === "imds") return "http://169.254.169.254";
      keep("IDENTITY_ENDPOINT", "IDENTITY_HEADER");
      const { IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: header } = env;
      if (endpoint !== undefined && header !== undefined) return localOrigin(endpoint);
      throw unusable("azure.identity", "IDENTITY_ENDPOINT and IDENTITY_HEADER are not set");
    }
    case "clientCertificate":
    case "workloadIdentity":
      return undefined;
  }
}

// A token goes over plain HTTP only within the host.
function localOrigin(endpoint: string): string {
  const found = /^http:\/\/(?:127\.0\.0\.1|localhost|169\.254\.169\.254)(:\d{1,5})?(?:\/|$)/.exec(
    endpoint,
  );
  if (found === null) throw unusable("azure.identity", "IDENTITY_ENDPOINT is not on this host");
  return new URL(endpoint).origin.replace("//localhost", "//127.0.0.1");
}
