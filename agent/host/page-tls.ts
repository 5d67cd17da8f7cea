// Certificate and key of the status page: files of this host, looked at again while it is served.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { unusable } from "../azure/identity.ts";
import { type OwnFile, readReference } from "./credentials.ts";

export interface PagePair {
  readonly certificate: string;
  readonly key: string;
  /** Whether the certificate is good for a name or an address. */
  readonly certifies: (name: string) => boolean;
}

export interface PageReferences {
  readonly certificate: string;
  readonly key: string;
}

/** Throws `transport.authentication` with what is wrong; nothing that it says quotes the key. */
export async function pagePair(references: PageReferences, now: number): Promise<PagePair> {
  const read = (which: keyof PageReferences, file: OwnFile): Promise<string> =>
    readReference(references[which], file);
  const [certificate, key] = [await read("certificate", "open"), await read("key", "secret")];
  const found = certificateOf(certificate);
  if (found === undefined) throw unusable(references.certificate, "it holds no certificate");
  if (!isPair(found, key)) throw unusable(references.key, "it is no key of that certificate");
  const ends = found.validToDate;
  if (ends.getTime() <= now) {
    throw unusable(references.certificate, `it expired at ${ends.toISOString()}`);
  }
  const certifies = (name: string): boolean =>
    (isIP(name) === 0 ? found.checkHost(name) : found.checkIP(name)) !== undefined;
  return { certificate, key, certifies };
}

function certificateOf(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function isPair(certificate: X509Certificate, key: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    // What the parser says may quote the key.
    return false;
  }
}
