// Keys and signatures in OpenSSH's formats, made without OpenSSH: also such as it would not make.

import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

/** What a signature is made from; each part may be wrong. */
export interface SignatureRecipe {
  readonly namespace: string;
  readonly digest: string;
  readonly reserved: string;
  readonly version: number;
  /** What is signed, if it is not what the signature claims. */
  readonly signedDigest: "sha256" | "sha512";
  /** Flags of a security key; 1 = it was touched. */
  readonly flags: number;
  /** Name of the algorithm in the signature; absent = the right one. */
  readonly algorithm: string;
}

const text = (value: string): Uint8Array => Buffer.from(value, "latin1");

export function field(octets: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(octets.length);
  return Buffer.concat([length, octets]);
}

/** A positive number as an `mpint`. */
function mpint(octets: Uint8Array): Buffer {
  const first = octets.findIndex((octet) => octet !== 0);
  const bare = octets.subarray(first);
  const [octet = 0] = bare;
  return field(octet >= 0x80 ? Buffer.concat([Uint8Array.of(0), bare]) : bare);
}

export function armored(octets: Uint8Array): string {
  const lines =
    Buffer.from(octets)
      .toString("base64")
      .match(/.{1,70}/g) ?? [];
  return ["-----BEGIN SSH SIGNATURE-----", ...lines, "-----END SSH SIGNATURE-----", ""].join("\n");
}

export type SshKeyKind =
  | "ssh-ed25519"
  | "ecdsa-sha2-nistp256"
  | "ssh-rsa"
  | "sk-ssh-ed25519@openssh.com"
  | "sk-ecdsa-sha2-nistp256@openssh.com";

export const sshKeyKinds: readonly SshKeyKind[] = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ssh-rsa",
  "sk-ssh-ed25519@openssh.com",
  "sk-ecdsa-sha2-nistp256@openssh.com",
];

const application = text("ssh:");

/** A key that signs as ssh-keygen, or a security key, does. */
export class SshSigner {
  readonly kind: SshKeyKind;
  readonly wire: Buffer;
  readonly #key: KeyObject;

  constructor(kind: SshKeyKind, rsaBits = 2_048) {
    this.kind = kind;
    const { publicKey, privateKey } = pairOf(kind, rsaBits);
    this.#key = privateKey;
    const { x = "", y = "", n = "", e = "" } = publicKey.export({ format: "jwk" });
    const raw = (part: string): Buffer => Buffer.from(part, "base64url");
    const point = field(Buffer.concat([Uint8Array.of(4), raw(x), raw(y)]));
    const parts: Readonly<Record<SshKeyKind, readonly Buffer[]>> = {
      "ssh-ed25519": [field(raw(x))],
      "ecdsa-sha2-nistp256": [field(text("nistp256")), point],
      "ssh-rsa": [mpint(raw(e)), mpint(raw(n))],
      "sk-ssh-ed25519@openssh.com": [field(raw(x)), field(application)],
      "sk-ecdsa-sha2-nistp256@openssh.com": [field(text("nistp256")), point, field(application)],
    };
    this.wire = Buffer.concat([field(text(kind)), ...parts[kind]]);
  }

  /** The public key as its `.pub` file has it, without a comment. */
  get line(): string {
    return `${this.kind} ${this.wire.toString("base64")}`;
  }

  sign(message: string, wrong: Partial<SignatureRecipe> = {}): string {
    return armored(this.octets(message, wrong));
  }

  /** The signature without its armor. */
  octets(message: string, wrong: Partial<SignatureRecipe> = {}): Buffer {
    const {
      namespace = "linkseal-proposal",
      digest = "sha512",
      reserved = "",
      version = 1,
    } = wrong;
    const hash = createHash(wrong.signedDigest ?? "sha512")
      .update(message)
      .digest();
    const head = [namespace, reserved, digest].map((each) => field(text(each)));
    const signed = Buffer.concat([text("SSHSIG"), ...head, field(hash)]);
    const numbered = Buffer.alloc(4);
    numbered.writeUInt32BE(version);
    const made = this.#made(signed, wrong);
    const all = [numbered, field(this.wire), ...head, field(made)];
    return Buffer.concat([text("SSHSIG"), ...all]);
  }

  #made(signed: Buffer, { flags = 1, algorithm }: Partial<SignatureRecipe>): Buffer {
    const name = algorithm ?? (this.kind === "ssh-rsa" ? "rsa-sha2-512" : this.kind);
    const isToken = this.kind.startsWith("sk-");
    const counter = Uint8Array.of(0, 0, 0, 7);
    const digest = (octets: Uint8Array): Buffer => createHash("sha256").update(octets).digest();
    const touched = Buffer.concat([
      digest(application),
      Uint8Array.of(flags),
      counter,
      digest(signed),
    ]);
    const raw = this.#raw(isToken ? touched : signed);
    const more = isToken ? [Uint8Array.of(flags), counter] : [];
    return Buffer.concat([field(text(name)), field(raw), ...more]);
  }

  #raw(signed: Buffer): Buffer {
    if (this.kind.includes("ed25519")) return sign(null, signed, this.#key);
    if (this.kind === "ssh-rsa") return sign("sha512", signed, this.#key);
    const both = sign("sha256", signed, { key: this.#key, dsaEncoding: "ieee-p1363" });
    return Buffer.concat([mpint(both.subarray(0, 32)), mpint(both.subarray(32))]);
  }
}

function pairOf(kind: SshKeyKind, modulusLength: number) {
  if (kind.includes("ed25519")) return generateKeyPairSync("ed25519");
  if (kind === "ssh-rsa") return generateKeyPairSync("rsa", { modulusLength });
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}
