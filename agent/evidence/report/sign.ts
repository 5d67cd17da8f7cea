// The only code that signs: Ed25519 under a key that never leaves the state folder.

import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import type { Secret } from "#hal/secret.ts";
import type { Signer } from "../../model/signer.ts";
import type { Report } from "./document.ts";
import { keyIdOf, type SignedReport, statementOf } from "./statement.ts";

/** The DER prefix of the 32 octets of a private key (RFC 8410, section 7). */
const pkcs8 = Buffer.from("302e020100300506032b657004220420", "hex");

/** Makes a signer. `secret`: the 32 random octets that are a whole Ed25519 key. */
export function signerOf(secret: Secret): Signer {
  const der = secret.use((seed) => Buffer.concat([pkcs8, seed]));
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  der.fill(0);
  const publicKey = createPublicKey(privateKey);
  const keyId = keyIdOf(publicKey);
  return {
    publicKey: publicKey.export({ type: "spki", format: "pem" }).toString(),
    keyId,
    sign: (text) => sign(null, Buffer.from(text), privateKey).toString("base64"),
  };
}

export function signReport(report: Report, signer: Signer): SignedReport {
  const statement = statementOf(report, signer.keyId);
  return { ...report, seal: { statement, signature: signer.sign(statement) } };
}
