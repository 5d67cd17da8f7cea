// A certificate authority for one run of the simulated cloud, with its server and its clients.
// Every key is generated at the start and exists only in this process.

import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { type CertificateFields, certificateOf, pemOf, toBeSigned } from "../azure/der.ts";

export interface Certified {
  /** The private key: PKCS #8 as PEM. */
  readonly key: string;
  /** The certificate as PEM. */
  readonly certificate: string;
}

export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export class Authority {
  readonly certificate: string;
  readonly #name: string;
  readonly #keys = newKeys("ec");

  constructor(name: string, validity: Validity) {
    this.#name = name;
    this.certificate = this.#issue(name, this.#keys, validity, { kind: "authority" });
  }

  server(validity: Validity, dns: readonly string[], ip: readonly string[]): Certified {
    const keys = newKeys("ec");
    const role = { kind: "server", dns, ip } as const;
    const certificate = this.#issue(dns[0] ?? "server", keys, validity, role);
    return { key: pemOfKey(keys), certificate };
  }

  /** Issues a client certificate with an RSA key, as Microsoft's clients sign their assertions. */
  client(name: string, validity: Validity): Certified {
    const keys = newKeys("rsa");
    const certificate = this.#issue(name, keys, validity, { kind: "client" });
    return { key: pemOfKey(keys), certificate };
  }

  /** Issues a certificate for either end of a tunnel; `dns` are further names of it. */
  gateway(name: string, validity: Validity, dns: readonly string[] = []): Certified {
    const keys = newKeys("rsa");
    const certificate = this.#issue(name, keys, validity, { kind: "gateway", dns });
    return { key: pemOfKey(keys), certificate };
  }

  #issue(
    subject: string,
    { publicKey }: KeyPair,
    validity: Validity,
    role: CertificateFields["role"],
  ): string {
    const serial = randomBytes(16);
    serial.writeUInt8((serial.readUInt8() & 0x7f) | 0x40);
    const signed = toBeSigned({
      ...validity,
      serial,
      issuer: this.#name,
      subject,
      publicKey: publicKey.export({ type: "spki", format: "der" }),
      issuerKey: this.#keys.publicKey.export({ type: "spki", format: "der" }),
      role,
    });
    return pemOf(certificateOf(signed, sign("sha256", signed, this.#keys.privateKey)));
  }
}

export interface AssertionKey {
  /** The public key (SPKI) as PEM. */
  readonly publicKey: string;
  /** Returns a JWT with these claims. */
  signed(claims: Readonly<Record<string, unknown>>): string;
}

/** Generates the signing key of an identity provider outside Azure. */
export function newAssertionKey(): AssertionKey {
  const { publicKey, privateKey } = newKeys("ec");
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return {
    publicKey: publicKey.export({ type: "spki", format: "pem" }).toString(),
    signed(claims) {
      const text = `${part({ typ: "JWT", alg: "ES256", kid: "sim" })}.${part(claims)}`;
      const key = { key: privateKey, dsaEncoding: "ieee-p1363" } as const;
      return `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
    },
  };
}

function newKeys(type: "ec" | "rsa"): KeyPair {
  return type === "ec"
    ? generateKeyPairSync("ec", { namedCurve: "P-256" })
    : generateKeyPairSync("rsa", { modulusLength: 2048 });
}

function pemOfKey({ privateKey }: KeyPair): string {
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}
