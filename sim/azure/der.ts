// X.509 certificates (RFC 5280) as DER: just the parts that a simulated authority, its server and
// its clients need. The encoder is written here because Node reads certificates but writes none,
// and the packages that do bring fifteen others into a bundle that also contains keys.

import { createHash } from "node:crypto";

export interface CertificateFields {
  /** The serial number: positive, at most 20 octets. */
  readonly serial: Uint8Array;
  /** The common name of the issuer. */
  readonly issuer: string;
  /** The common name of the subject. */
  readonly subject: string;
  /** The start of validity in Unix ms; before 2050. */
  readonly notBefore: number;
  /** The end of validity in Unix ms; before 2050. */
  readonly notAfter: number;
  /** The subject's public key: SubjectPublicKeyInfo as DER. */
  readonly publicKey: Uint8Array;
  /** The issuer's public key: SubjectPublicKeyInfo as DER. */
  readonly issuerKey: Uint8Array;
  /** The purpose of the certificate, with the names that a server answers to. */
  readonly role:
    | { readonly kind: "authority" }
    | { readonly kind: "server"; readonly dns: readonly string[]; readonly ip: readonly string[] }
    | { readonly kind: "client" }
    | { readonly kind: "gateway"; readonly dns: readonly string[] };
}

const tag = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  sequence: 0x30,
  set: 0x31,
};
const ecdsaWithSha256 = "1.2.840.10045.4.3.2";
const commonName = "2.5.4.3";
const extension = {
  subjectKey: "2.5.29.14",
  keyUsage: "2.5.29.15",
  names: "2.5.29.17",
  constraints: "2.5.29.19",
  authorityKey: "2.5.29.35",
  extendedUsage: "2.5.29.37",
};
const purpose = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" };
/**
 * The key usage bits digitalSignature, and keyCertSign with cRLSign; each is preceded by its count
 * of unused bits.
 */
const usage = { leaf: [7, 0x80], authority: [1, 0x06] };

/** Returns the octets that the issuer signs, with ECDSA and SHA-256. */
export function toBeSigned(fields: CertificateFields): Uint8Array {
  const { serial, issuer, subject, notBefore, notAfter, publicKey } = fields;
  return sequence(
    der(0xa0, der(tag.integer, Uint8Array.of(2))),
    der(tag.integer, serial),
    algorithm(),
    nameOf(issuer),
    sequence(time(notBefore), time(notAfter)),
    nameOf(subject),
    publicKey,
    der(0xa3, sequence(...extensionsOf(fields))),
  );
}

/** Returns the whole certificate once its first part is signed; `signature` is DER. */
export function certificateOf(signed: Uint8Array, signature: Uint8Array): Uint8Array {
  return sequence(signed, algorithm(), der(tag.bits, Uint8Array.of(0), signature));
}

/** Returns a DER certificate as PEM. */
export function pemOf(certificate: Uint8Array): string {
  const lines =
    Buffer.from(certificate)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function extensionsOf({ role, publicKey, issuerKey }: CertificateFields): Uint8Array[] {
  const isAuthority = role.kind === "authority";
  const keyUsage = der(tag.bits, Uint8Array.from(isAuthority ? usage.authority : usage.leaf));
  const constraints = sequence(...(isAuthority ? [der(tag.boolean, Uint8Array.of(0xff))] : []));
  const common = [
    critical(extension.constraints, constraints),
    critical(extension.keyUsage, keyUsage),
    plain(extension.subjectKey, der(tag.octets, keyId(publicKey))),
    plain(extension.authorityKey, sequence(der(0x80, keyId(issuerKey)))),
  ];
  switch (role.kind) {
    case "authority":
      return common;
    case "client":
      return [...common, plain(extension.extendedUsage, sequence(oid(purpose.client)))];
    case "gateway": {
      const both = sequence(oid(purpose.server), oid(purpose.client));
      const dns = role.dns.map((name) => der(0x82, Buffer.from(name)));
      const names = dns.length === 0 ? [] : [plain(extension.names, sequence(...dns))];
      return [...common, plain(extension.extendedUsage, both), ...names];
    }
    case "server": {
      const dns = role.dns.map((name) => der(0x82, Buffer.from(name)));
      const ip = role.ip.map((address) => der(0x87, addressOf(address)));
      return [
        ...common,
        plain(extension.extendedUsage, sequence(oid(purpose.server))),
        plain(extension.names, sequence(...dns, ...ip)),
      ];
    }
  }
}

function critical(id: string, value: Uint8Array): Uint8Array {
  return sequence(oid(id), der(tag.boolean, Uint8Array.of(0xff)), der(tag.octets, value));
}

function plain(id: string, value: Uint8Array): Uint8Array {
  return sequence(oid(id), der(tag.octets, value));
}

function keyId(publicKey: Uint8Array): Uint8Array {
  return createHash("sha1").update(publicKey).digest();
}

function algorithm(): Uint8Array {
  return sequence(oid(ecdsaWithSha256));
}

function nameOf(text: string): Uint8Array {
  return sequence(der(tag.set, sequence(oid(commonName), der(tag.utf8, Buffer.from(text)))));
}

function time(at: number): Uint8Array {
  const digits = new Date(at).toISOString().replace(/\..*/, "").replaceAll(/[-T:]/g, "");
  return der(tag.utcTime, Buffer.from(`${digits.slice(2)}Z`));
}

/** Returns the octets of an IPv4 address, or of the IPv6 loopback. */
function addressOf(address: string): Uint8Array {
  if (address === "::1") return Uint8Array.from({ length: 16 }, (_, at) => (at === 15 ? 1 : 0));
  return Uint8Array.from(address.split(".").map(Number));
}

function oid(text: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  return der(tag.oid, Uint8Array.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) digits.unshift(0x80 | (rest & 0x7f));
  return digits;
}

function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return der(tag.sequence, ...parts);
}

function der(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.from([type, ...size]), content]);
}
