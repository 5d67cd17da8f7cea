// A certificate with its private key, and certificates of authorities, as PEM in one secret each:
// reads what they contain and checks whether a gateway of Azure would accept it.

import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { Secret } from "#hal/secret.ts";

export interface CertifiedKey extends Disposable {
  /** The private key as PEM. */
  readonly key: Secret;
  /** The certificates as PEM: ours first, then those between it and the root. */
  readonly certificates: readonly [string, ...string[]];
  /** The name that charon gives the key: SHA-1 of the RSA public key (RFC 8017), in hex. */
  readonly keyId: string;
}

/** Sanity limits for PEM: no real chain is longer, and no real key is larger. */
const pemBytesMax = 64_000;
const certificatesMax = 8;
const rsaBitsMin = 2048;
const usages = { "1.3.6.1.5.5.7.3.1": "serverAuth", "1.3.6.1.5.5.7.3.2": "clientAuth" } as const;

const block = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;
const keyBlock = /-----BEGIN ((?:RSA )?PRIVATE KEY)-----[^-]+-----END \1-----/;

/** Returns the certificates of `pem`, or the reason why they cannot be used. */
export function readAuthorities(pem: Secret): readonly string[] | { readonly why: string } {
  const found = lend(pem, certificatesIn);
  if ("why" in found) return found;
  const strange = found.find((text) => !new X509Certificate(text).ca);
  return strange === undefined
    ? found
    : { why: `${nameOf(new X509Certificate(strange))} is not a certificate of an authority` };
}

/**
 * Reads our own certificate and key, or returns the reason why they cannot be used: RSA of 2048
 * bits at least, a subject, both usages, and now within its dates, as Azure requires of the
 * certificate of a site-to-site connection; and `identity` (an address or a domain name) among its
 * alternative names, because charon would otherwise show its subject. The caller wipes the key.
 */
export function readCertifiedKey(
  pem: Secret,
  nowMs: number,
  identity?: string,
): CertifiedKey | { readonly why: string } {
  const certificates = lend(pem, certificatesIn);
  if ("why" in certificates) return certificates;
  const [own, ...between] = certificates;
  if (own === undefined) return { why: "it contains no certificate" };
  const certificate = new X509Certificate(own);
  const why = faultOf(certificate, nowMs);
  if (why !== undefined) return { why };
  if (identity !== undefined && !isNamed(certificate, identity)) {
    return { why: `its certificate is not for ${identity}, which local.id names` };
  }
  const key = lend(pem, keyIn);
  if (key === undefined) return { why: "it contains no private key that is not encrypted" };
  if (!lend(key, (octets) => isKeyOf(octets, certificate))) {
    key[Symbol.dispose]();
    return { why: "its private key is of another certificate" };
  }
  const octets = certificate.publicKey.export({ type: "pkcs1", format: "der" });
  const keyId = createHash("sha1").update(octets).digest("hex");
  return {
    ...{ key, certificates: [own, ...between], keyId },
    [Symbol.dispose]: () => key[Symbol.dispose](),
  };
}

function lend<T>(secret: Secret, use: (octets: Readonly<Uint8Array>) => T): T {
  return secret.use(use);
}

function certificatesIn(octets: Readonly<Uint8Array>): string[] | { readonly why: string } {
  if (octets.byteLength > pemBytesMax) return { why: `it has ${octets.byteLength} octets` };
  const text = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString("latin1");
  const found = text.match(block) ?? [];
  if (found.length === 0) {
    return { why: "it is not PEM with certificates; in Key Vault that is application/x-pem-file" };
  }
  if (found.length > certificatesMax) return { why: `it contains ${found.length} certificates` };
  try {
    for (const pem of found) new X509Certificate(pem);
    return found;
  } catch {
    return { why: "one of its certificates cannot be read" };
  }
}

function keyIn(octets: Readonly<Uint8Array>): Secret | undefined {
  const text = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString("latin1");
  const found = keyBlock.exec(text);
  if (found === null) return undefined;
  return Secret.take("private key", octets.slice(found.index, found.index + found[0].length));
}

function isKeyOf(octets: Readonly<Uint8Array>, certificate: X509Certificate): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(Buffer.from(octets)));
  } catch {
    return false;
  }
}

function isNamed(certificate: X509Certificate, identity: string): boolean {
  if (isIP(identity) !== 0) return certificate.checkIP(identity) !== undefined;
  const exact = { subject: "never", wildcards: false } as const;
  return certificate.checkHost(identity, exact) !== undefined;
}

const nameOf = ({ subject }: X509Certificate): string => subject.replaceAll("\n", ", ");

function faultOf(certificate: X509Certificate, nowMs: number): string | undefined {
  const { publicKey, subject, keyUsage: extended } = certificate;
  if (subject === "") return "its certificate has no subject";
  const bits = publicKey.asymmetricKeyDetails?.modulusLength ?? 0;
  if (publicKey.asymmetricKeyType !== "rsa" || bits < rsaBitsMin) {
    return `its key is not an RSA key of ${rsaBitsMin} bits or more`;
  }
  const given: readonly string[] = extended ?? [];
  const missing = Object.entries(usages).find(([oid]) => !given.includes(oid));
  if (missing !== undefined) return `its certificate is not for ${missing[1]}`;
  if (nowMs < certificate.validFromDate.getTime()) return "its certificate is not valid yet";
  if (nowMs > certificate.validToDate.getTime()) return "its certificate has expired";
  return undefined;
}
