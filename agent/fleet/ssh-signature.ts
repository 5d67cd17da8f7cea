// Verifies signatures in OpenSSH's format (PROTOCOL.sshsig), as `ssh-keygen -Y sign` makes them.
// The text of a signature is hostile until it is verified: each length is checked before it is
// used, and nothing but the exact form is accepted.

import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";

/** Characters of the longest signature that is read; one by RSA with 8,192 bits has 3,000. */
export const signatureLengthMax = 8_192;
/** Characters of the longest public key; one of RSA with 8,192 bits has 1,400. */
const keyLineMax = 2_000;
const rsaBits = { least: 2_048, most: 8_192 };

/** A public key that may sign. */
export interface SignerKey {
  /** The key as OpenSSH sends it; two keys are the same if these octets are. */
  readonly wire: Uint8Array;
  /** `SHA256:` and the digest, as `ssh-keygen -lf` prints it. */
  readonly fingerprint: string;
  /** Verifies what is behind the name of the algorithm in a signature. */
  readonly verify: (signed: Uint8Array, signature: SshFields) => boolean;
}

/** Why a signature does not count. */
export type SignatureFault =
  /** It is not a signature in OpenSSH's format, or of another version of it. */
  | "form"
  /** It was made for another purpose. */
  | "namespace"
  /** It names another digest than SHA-256 or SHA-512. */
  | "digest"
  /** None of the keys has made it. */
  | "signer"
  /** The key that it names has not signed this text. */
  | "text";

/** The outcome of a verification. */
export type Verification<K extends SignerKey> =
  | { readonly kind: "signed"; readonly by: K }
  | { readonly kind: "refused"; readonly fault: SignatureFault };

/**
 * Verifies a signature. `armor`: the text between BEGIN and END, both included; `text`: exactly
 * what was signed; `keys`: those that count.
 */
export function verifySignature<K extends SignerKey>(
  armor: string,
  text: Uint8Array,
  { namespace, keys }: { readonly namespace: string; readonly keys: readonly K[] },
): Verification<K> {
  const refused = (fault: SignatureFault) => ({ kind: "refused", fault }) as const;
  const octets = octetsIn(armor);
  const parts = octets && partsOf(octets);
  if (parts === undefined) return refused("form");
  if (parts.namespace !== namespace) return refused("namespace");
  const { digest } = parts;
  if (digest !== "sha256" && digest !== "sha512") return refused("digest");
  const by = keys.find(({ wire }) => isSame(wire, parts.key));
  if (by === undefined) return refused("signer");
  const signed = Buffer.concat([
    magic,
    ...[namespace, "", digest].map((each) => sized(Buffer.from(each))),
    sized(createHash(digest).update(text).digest()),
  ]);
  const isSigned = tried(() => by.verify(signed, new SshFields(parts.signature))) === true;
  return isSigned ? { kind: "signed", by } : refused("text");
}

/**
 * Reads a public key as it is in a `.pub` file, without its comment: `ssh-ed25519`,
 * `ecdsa-sha2-nistp256`, `ssh-rsa` of 2,048 to 8,192 bits, and the first two on a security key;
 * undefined = it is none of these.
 */
export function parseSignerKey(line: string): SignerKey | undefined {
  if (line.length > keyLineMax) return undefined;
  const [type = "", base64 = "", ...more] = line.split(" ");
  const wire = more.length === 0 ? fromBase64(base64) : undefined;
  if (wire === undefined || !Object.hasOwn(readers, type)) return undefined;
  return tried(() => {
    const fields = new SshFields(wire);
    if (fields.text() !== type) throw new SshFault();
    const verifies = readers[type as keyof typeof readers](fields);
    fields.end();
    const digest = createHash("sha256").update(wire).digest("base64").replace(/=+$/, "");
    return { wire, fingerprint: `SHA256:${digest}`, verify: verifies };
  });
}

type Verifies = SignerKey["verify"];

/** Each reads a key behind the name of its type. */
const readers = {
  "ssh-ed25519": (fields) => {
    const key = ed25519Key(fields);
    return (signed, signature) => {
      const octets = only(signature, "ssh-ed25519");
      return verify(null, signed, key, octets);
    };
  },
  "ecdsa-sha2-nistp256": (fields) => {
    const key = p256Key(fields);
    return (signed, signature) => isBy256(key, signed, only(signature, "ecdsa-sha2-nistp256"));
  },
  "ssh-rsa": (fields) => {
    const key = rsaKey(fields);
    return (signed, signature) => verify("sha512", signed, key, only(signature, "rsa-sha2-512"));
  },
  "sk-ssh-ed25519@openssh.com": (fields) => {
    const key = ed25519Key(fields);
    const application = fields.octets();
    return (signed, signature) => {
      const octets = typed(signature, "sk-ssh-ed25519@openssh.com");
      return verify(null, onToken(application, signed, signature), key, octets);
    };
  },
  "sk-ecdsa-sha2-nistp256@openssh.com": (fields) => {
    const key = p256Key(fields);
    const application = fields.octets();
    return (signed, signature) => {
      const octets = typed(signature, "sk-ecdsa-sha2-nistp256@openssh.com");
      return isBy256(key, onToken(application, signed, signature), octets);
    };
  },
} as const satisfies Readonly<Record<string, (fields: SshFields) => Verifies>>;

function ed25519Key(fields: SshFields): KeyObject {
  const x = fields.octets();
  if (x.length !== 32) throw new SshFault();
  return publicKey({ kty: "OKP", crv: "Ed25519", x: url(x) });
}

function p256Key(fields: SshFields): KeyObject {
  const curve = fields.text();
  const point = fields.octets();
  // An uncompressed point (SEC 1); Node refuses one that is not on the curve.
  if (curve !== "nistp256" || point.length !== 65 || point[0] !== 4) throw new SshFault();
  const [x, y] = [url(point.subarray(1, 33)), url(point.subarray(33))];
  return publicKey({ kty: "EC", crv: "P-256", x, y });
}

function rsaKey(fields: SshFields): KeyObject {
  const [e, n] = [fields.positive(), fields.positive()];
  const bits = n.length * 8 - Math.clz32(n[0] ?? 0) + 24;
  if (bits < rsaBits.least || bits > rsaBits.most) throw new SshFault();
  // 65537, as ssh-keygen makes every key; a small exponent has attacks of its own.
  if (!isSame(e, Uint8Array.of(1, 0, 1))) throw new SshFault();
  return publicKey({ kty: "RSA", e: url(e), n: url(n) });
}

const publicKey = (key: Readonly<Record<string, string>>): KeyObject =>
  createPublicKey({ key, format: "jwk" });

/** Returns the octets behind the name of the algorithm, which are all that follows. */
function only(signature: SshFields, algorithm: string): Uint8Array {
  const octets = typed(signature, algorithm);
  signature.end();
  return octets;
}

function typed(signature: SshFields, algorithm: string): Uint8Array {
  if (signature.text() !== algorithm) throw new SshFault();
  return signature.octets();
}

/** Verifies by ECDSA on P-256 with SHA-256 (RFC 5656). */
function isBy256(key: KeyObject, signed: Uint8Array, octets: Uint8Array): boolean {
  const fields = new SshFields(octets);
  const both = Buffer.alloc(64);
  for (const end of [32, 64]) {
    const number = fields.positive();
    if (number.length > 32) return false;
    both.set(number, end - number.length);
  }
  fields.end();
  return verify("sha256", signed, { key, dsaEncoding: "ieee-p1363" }, both);
}

/** What a security key signs (PROTOCOL.u2f); a person must have touched it. */
function onToken(application: Uint8Array, signed: Uint8Array, signature: SshFields): Uint8Array {
  const [flags, counter] = [signature.take(1), signature.take(4)];
  signature.end();
  if (((flags[0] ?? 0) & 1) === 0) throw new SshFault();
  const digest = (octets: Uint8Array): Uint8Array => createHash("sha256").update(octets).digest();
  return Buffer.concat([digest(application), flags, counter, digest(signed)]);
}

const magic = Buffer.from("SSHSIG");

interface SignatureParts {
  readonly key: Uint8Array;
  readonly namespace: string;
  readonly digest: string;
  readonly signature: Uint8Array;
}

function partsOf(octets: Uint8Array): SignatureParts | undefined {
  return tried(() => {
    const fields = new SshFields(octets);
    const isVersion = isSame(fields.take(6), magic) && fields.number() === 1;
    if (!isVersion) throw new SshFault();
    const key = fields.octets();
    const namespace = fields.text();
    // A reader ignores it, and a signer leaves it empty; what is signed has it empty.
    if (fields.octets().length > 0) throw new SshFault();
    const digest = fields.text();
    const signature = fields.octets();
    fields.end();
    return { key, namespace, digest, signature };
  });
}

const begin = "-----BEGIN SSH SIGNATURE-----\n";
const end = "\n-----END SSH SIGNATURE-----\n";

function octetsIn(armor: string): Uint8Array | undefined {
  if (armor.length > signatureLengthMax) return undefined;
  if (!armor.startsWith(begin) || !armor.endsWith(end)) return undefined;
  const lines = armor.slice(begin.length, -end.length).split("\n");
  return lines.every((line) => line.length > 0 && line.length <= 76)
    ? fromBase64(lines.join(""))
    : undefined;
}

/** Only the one text that these octets have. */
function fromBase64(text: string): Uint8Array | undefined {
  const octets = Buffer.from(text, "base64");
  return text !== "" && octets.toString("base64") === text ? octets : undefined;
}

const url = (octets: Uint8Array): string => Buffer.from(octets).toString("base64url");

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

function sized(octets: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(octets.length);
  return Buffer.concat([length, octets]);
}

/** The octets are not what they should be. */
class SshFault extends Error {}

/** Returns undefined for octets that cannot be read, by us or by the library. */
function tried<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Reads the fields of RFC 4251, section 5, in their order. */
class SshFields {
  readonly #octets: Uint8Array;
  #at = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  /** Returns this many octets. Throws SshFault. */
  take(length: number): Uint8Array {
    const to = this.#at + length;
    if (to > this.#octets.length) throw new SshFault();
    const taken = this.#octets.subarray(this.#at, to);
    this.#at = to;
    return taken;
  }

  /** Reads a `uint32`. Throws SshFault. */
  number(): number {
    return Buffer.from(this.take(4)).readUInt32BE();
  }

  /** Reads a `string`. Throws SshFault. */
  octets(): Uint8Array {
    return this.take(this.number());
  }

  /** Reads a `string` that is a name. Throws SshFault. */
  text(): string {
    const octets = this.octets();
    if (octets.length > 64) throw new SshFault();
    return Buffer.from(octets).toString("latin1");
  }

  /** Reads an `mpint` above 0, without a leading zero. Throws SshFault. */
  positive(): Uint8Array {
    const octets = this.octets();
    const [first = 0x80, second = 0] = octets;
    const isPadded = first === 0 && second >= 0x80;
    if (first >= 0x80 || (first === 0 && !isPadded)) throw new SshFault();
    return isPadded ? octets.subarray(1) : octets;
  }

  /** Throws SshFault if anything follows. */
  end(): void {
    if (this.#at !== this.#octets.length) throw new SshFault();
  }
}
