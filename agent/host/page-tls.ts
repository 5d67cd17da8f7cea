// Certificate and key of the status page: files of this host, which are read again while the page
// is served.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { unusable } from "../azure/identity.ts";
import { type OwnFile, readReference } from "./credentials.ts";

export interface PagePair {
  readonly certificate: string;
  readonly key: string;
  /** True if the certificate is valid for a name or an address. */
  readonly certifies: (name: string) => boolean;
}

export interface PageReferences {
  readonly certificate: string;
  readonly key: string;
}

/**
 * Reads and checks the pair.
 * @throws LinksealError with `transport.authentication`; its text never quotes the key
 */
export async function pagePair(references: PageReferences, now: number): Promise<PagePair> {
  const read = (which: keyof PageReferences, file: OwnFile): Promise<string> =>
    readReference(references[which], file);
  const [certificate, key] = [await read("certificate", "open"), await read("key", "secret")];
  const found = certificateOf(certificate);
  if (found === undefined) throw unusable(references.certificate, "it contains no certificate");
  if (!isPair(found, key)) throw unusable(references.key, "it is not the key of that certificate");
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
    // The parser's message may quote the key.
    return false;
  }
}
