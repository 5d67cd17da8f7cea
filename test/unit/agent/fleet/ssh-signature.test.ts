// Signatures in OpenSSH's format: those that ssh-keygen made count, and nothing beside the exact
// form of one by a key that is listed.

import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  parseSignerKey,
  type SignerKey,
  signatureLengthMax,
  verifySignature,
} from "#agent/fleet/ssh-signature.ts";
import { armored, field, type SignatureRecipe, SshSigner, sshKeyKinds } from "../../kit/ssh-kit.ts";

const namespace = "linkseal-proposal";
const message = "a text that was signed\n";

interface Recorded {
  readonly key: string;
  readonly signature: string;
}

/** By `ssh-keygen -Y sign -n linkseal-proposal` of OpenSSH 10.0, with keys that are thrown away. */
const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, "openssh-signatures.json"), "utf8"),
) as Readonly<Record<"ed25519" | "ecdsa" | "rsa", Recorded>>;

function keyOf(line: string): SignerKey {
  const key = parseSignerKey(line);
  if (key === undefined) throw new Error(`${line} is no key`);
  return key;
}

const verified = (armor: string, keys: readonly SignerKey[], text = message) => {
  const found = verifySignature(armor, Buffer.from(text), { namespace, keys });
  return found.kind === "signed" ? found.by.fingerprint : found.fault;
};

const signers = sshKeyKinds.map((kind) => new SshSigner(kind));
const [ed25519 = new SshSigner("ssh-ed25519")] = signers;
const keys = signers.map(({ line }) => keyOf(line));

describe("a signature that OpenSSH made", () => {
  it.each(["ed25519", "ecdsa", "rsa"] as const)("counts if it is by a listed %s key", (kind) => {
    const { key, signature } = recorded[kind];
    const listed = [...keys, keyOf(key)];
    expect(verified(signature, listed)).toBe(keyOf(key).fingerprint);
    expect(verified(signature, keys)).toBe("signer");
    expect(verified(signature, listed, `${message} `)).toBe("text");
  });

  it("counts in no other octet than those that it has", () => {
    const { key, signature } = recorded.ed25519;
    const lines = signature.split("\n").slice(1, -2);
    const octets = Buffer.from(lines.join(""), "base64");
    for (let at = 0; at < octets.length; at += 1) {
      const changed = Buffer.from(octets);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at & 7));
      expect(verified(armored(changed), [keyOf(key)]), `octet ${at}`).not.toMatch(/^SHA256:/);
    }
    for (let length = 0; length < octets.length; length += 1) {
      expect(verified(armored(octets.subarray(0, length)), [keyOf(key)])).toBe("form");
    }
    expect(verified(armored(Buffer.concat([octets, Buffer.of(0)])), [keyOf(key)])).toBe("form");
  });
});

describe("a signature by a listed key", () => {
  it.each(signers.map((signer) => [signer.kind, signer] as const))("%s counts", (_kind, signer) => {
    expect(verified(signer.sign(message), keys)).toBe(keyOf(signer.line).fingerprint);
    expect(verified(signer.sign(`${message}x`), keys)).toBe("text");
    const digest = { digest: "sha256", signedDigest: "sha256" } as const;
    expect(verified(signer.sign(message, digest), keys)).toBe(keyOf(signer.line).fingerprint);
  });

  const wrong: readonly (readonly [string, Partial<SignatureRecipe>, string])[] = [
    ["for another purpose", { namespace: "file" }, "namespace"],
    ["for no purpose", { namespace: "" }, "namespace"],
    ["of another version", { version: 2 }, "form"],
    ["with something reserved", { reserved: "x" }, "form"],
    ["by MD5", { digest: "md5" }, "digest"],
    ["whose digest is another than it says", { signedDigest: "sha256" }, "text"],
  ];
  it.each(wrong)("%s does not count", (_what, recipe, fault) => {
    for (const signer of signers) expect(verified(signer.sign(message, recipe), keys)).toBe(fault);
  });

  it("names the algorithm of its key: no RSA with SHA-1 or SHA-256, no certificate", () => {
    for (const signer of signers) {
      for (const algorithm of [
        ...["ssh-rsa", "rsa-sha2-256", "ssh-ed25519", "ecdsa-sha2-nistp384", "", "ssh-dss"],
        ...["ssh-ed25519-cert-v01@openssh.com", "webauthn-sk-ecdsa-sha2-nistp256@openssh.com"],
      ]) {
        if (algorithm === signer.kind && signer.kind !== "ssh-rsa") continue;
        expect(verified(signer.sign(message, { algorithm }), keys), algorithm).toBe("text");
      }
    }
  });

  it("on a security key needs a touch", () => {
    for (const signer of signers.filter(({ kind }) => kind.startsWith("sk-"))) {
      expect(verified(signer.sign(message, { flags: 0 }), keys)).toBe("text");
      expect(verified(signer.sign(message, { flags: 5 }), keys)).toMatch(/^SHA256:/);
    }
  });
});

describe("a text that is no signature", () => {
  const good = ed25519.sign(message);

  it.each([
    ["nothing", ""],
    ["a line before it", `x\n${good}`],
    ["a line after it", `${good}x\n`],
    ["no end", good.slice(0, -5)],
    ["another kind of armor", good.replaceAll("SSH SIGNATURE", "PGP SIGNATURE")],
    ["carriage returns", good.replaceAll("\n", "\r\n")],
    ["base64 of URLs", good.replace("U1NIU0lH", "U1NIU0l-")],
    ["an empty line", good.replace("\n", "\n\n")],
    ["a long line", good.replaceAll(/(?<=[A-Za-z0-9+/]{70})\n/g, "")],
    ["more than is read", armored(new Uint8Array(signatureLengthMax))],
  ])("with %s it is refused", (_what, armor) => {
    expect(verified(armor, keys)).toBe("form");
  });

  it("any octets are refused, and lengths beyond the end reserve nothing", () => {
    const octets = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.tuple(fc.nat(0xffff_ffff), fc.uint8Array({ maxLength: 60 })).map(([length, rest]) => {
        const number = Buffer.alloc(4);
        number.writeUInt32BE(length);
        const head = Buffer.concat([Buffer.from("SSHSIG"), Buffer.of(0, 0, 0, 1)]);
        return Buffer.concat([head, number, rest]);
      }),
    );
    fc.assert(
      fc.property(octets, (each) => {
        expect(verified(armored(each), keys)).toBe("form");
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (each) => {
        expect(verified(each, keys)).toBe("form");
      }),
    );
  });

  it("any octets in the place of what a key has signed are refused", () => {
    const head = Buffer.concat([Buffer.from("SSHSIG"), Buffer.of(0, 0, 0, 1), field(ed25519.wire)]);
    const names = [namespace, "", "sha512"].map((each) => field(Buffer.from(each)));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (each) => {
        expect(verified(armored(Buffer.concat([head, ...names, field(each)])), keys)).toBe("text");
      }),
    );
  });
});

describe("the key of a signer", () => {
  it("has the digest that ssh-keygen prints", () => {
    const { key } = recorded.ed25519;
    expect(keyOf(key).fingerprint).toBe("SHA256:Qjsxa+RBa7ZErk40+1LALTmSCyqNsenvZ/yx1UKaHPk");
  });

  const { publicKey: p384 } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const point = p384.export({ format: "der", type: "spki" }).subarray(-97);
  const other = (name: string, ...parts: readonly Uint8Array[]): string =>
    `${name} ${Buffer.concat([Buffer.from(name), ...parts].map(field)).toString("base64")}`;
  const line = ed25519.line;
  const at = (name: "ssh-rsa", bits: number): string => new SshSigner(name, bits).line;

  it.each([
    ["nothing", ""],
    ["a type alone", "ssh-ed25519"],
    ["a comment", `${line} anna`],
    ["options", `restrict ${line}`],
    ["a type that is not the key's", line.replace("ssh-ed25519", "ssh-rsa")],
    ["P-384", other("ecdsa-sha2-nistp384", Buffer.from("nistp384"), point)],
    ["DSA", other("ssh-dss", Buffer.of(3), Buffer.of(3))],
    [
      "a point that is not on its curve",
      other(
        "ecdsa-sha2-nistp256",
        Buffer.from("nistp256"),
        Buffer.concat([Buffer.of(4), new Uint8Array(64).fill(1)]),
      ),
    ],
    ["RSA of 1,024 bits", at("ssh-rsa", 1_024)],
    ["RSA with the exponent 3", other("ssh-rsa", Buffer.of(3), new Uint8Array(256).fill(0x55))],
    ["31 octets", other("ssh-ed25519", new Uint8Array(31))],
    ["octets after it", other("ssh-ed25519", new Uint8Array(32), Buffer.of(1))],
    ["a name of every object", "constructor AAAA"],
    ["2,000 characters", `ssh-ed25519 ${"A".repeat(2_000)}`],
  ])("is not read from %s", (_what, text) => {
    expect(parseSignerKey(text)).toBeUndefined();
  });

  it("any text is read or refused", () => {
    const texts = fc
      .tuple(fc.constantFrom(...sshKeyKinds), fc.base64String())
      .map(([kind, more]) => {
        return `${kind} ${more}`;
      });
    fc.assert(
      fc.property(texts, (text) => {
        expect(parseSignerKey(text)).toBeUndefined();
      }),
    );
  });
});
