// The lines that may read the bytes of a Secret; all other code prints labels.

import type { Rule } from "./source.ts";

interface Lending {
  readonly path: string;
  /** The line as written, without indentation. */
  readonly line: string;
  readonly why: string;
}

export const lendings: readonly Lending[] = [
  {
    path: "hal/secret.ts",
    line: "return this.use((bytes) => new Secret(this.label, Uint8Array.from(bytes)));",
    why: "a copy with its own lifetime",
  },
  {
    path: "hal/secret.ts",
    line: "return this.use((mine) =>",
    why: "comparison in constant time",
  },
  {
    path: "hal/secret.ts",
    line: "other.use((theirs) => {",
    why: "comparison in constant time",
  },
  {
    path: "hal/sent-secrets.ts",
    line: "for (const { written, length } of secret.use(writingsOf)) {",
    why: "what a device says is compared with pieces of the key, which are wiped at once",
  },
  {
    path: "drivers/platform/tunnel-change.ts",
    line: "return psk.use((octets) => octets.every((octet) => plainOctets.has(octet)));",
    why: "whether a PSK is of characters that a terminal takes for themselves; nothing is kept",
  },
  {
    path: "drivers/transport/fill.ts",
    line: "return secret.use((bytes) => written(bytes, as));",
    why: "the one place where a hole becomes bytes on their way to the wire",
  },
  {
    path: "drivers/transport/netlink-wire.ts",
    line: "else part.use((bytes) => octets.set(bytes, place));",
    why: "a key on its way into the kernel; the message is wiped as soon as it is sent",
  },
  {
    path: "drivers/transport/octets.ts",
    line: "else part.use((bytes) => room.set(bytes, place));",
    why: "keys on their way to linkseal-net or the MKA process, and from there to its successor",
  },
  {
    path: "drivers/linux/mka/keys.ts",
    line: "return secret.use(use);",
    why: "MAC, derivation and wrapping with ICK, KEK and CAK; nothing else of MKA sees an octet",
  },
  {
    path: "drivers/linux/ipsec/certificate.ts",
    line: "return secret.use(use);",
    why: "a certificate and its private key stand in one PEM and go to charon apart",
  },
  {
    path: "agent/store/journal/chain-file.ts",
    line: "const key = secret.use((bytes) => createSecretKey(bytes));",
    why: "HMAC over each record",
  },
  {
    path: "agent/evidence/report/sign.ts",
    line: "const der = secret.use((seed) => Buffer.concat([pkcs8, seed]));",
    why: "the private key of reports on its way into the library's key object; the copy is wiped",
  },
  {
    path: "agent/fleet/nkey.ts",
    line: "const octets = seed.byteLength === seedCharacters ? seed.use(fromBase32) : undefined;",
    why: "the user key of the engine, from text to octets that are wiped",
  },
  {
    path: "agent/runtime/polling/vault.ts",
    line: "return value.use((bytes) => parseCkn(new TextDecoder().decode(bytes)));",
    why: "a CKN is public; the vault serves it as a secret",
  },
  {
    path: "agent/runtime/polling/vault.ts",
    line: "const octets = text.use(octetsOfHex);",
    why: "hexadecimal text of a CAK becomes octets, checked before use",
  },
  {
    path: "agent/runtime/polling/vault.ts",
    line: "return cak.use((octets) => digestKey.use((key) => hmac(key, octets)));",
    why: "compares CAKs in memory without keeping one; the digest is shown nowhere",
  },
  {
    path: "agent/runtime/polling/vault.ts",
    line: "return value.use((bytes) => bytes.some((byte) => byte >= 0x61 && byte <= 0x66));",
    why: "tells the case of digits and nothing else",
  },
  {
    path: "agent/runtime/polling/vault.ts",
    line: "return secret.use((bytes) => bytes.every(isTaken));",
    why: "tells whether the alphabet of a PSK or PPK was kept and nothing else",
  },
  {
    path: "agent/cli/keys-azure.ts",
    line: 'return octets.use((bytes) => Buffer.from(bytes).toString("hex").toUpperCase());',
    why: "the library of the vault takes the value of a new version as a string",
  },
  {
    path: "sim/site/device-hal.ts",
    line: "secret.use((bytes) => Uint8Array.from(bytes)),",
    why: "plays the hardware that takes the key",
  },
];

export const secretRule: Rule = {
  name: "secret bytes",
  check: ({ path, text, code }) => {
    if (path.startsWith("test/")) return [];
    const lines = text.split("\n");
    const used = code.filter((token, index) => {
      const before = code[index - 1]?.text ?? "";
      const after = code[index + 1]?.text ?? "";
      const bound = after === "." && /^(call|apply|bind)$/.test(code[index + 2]?.text ?? "");
      return token.text === "use" && /^\??\.$/.test(before) && (/^(\(|\?\.)$/.test(after) || bound);
    });
    return used.flatMap(({ line }) => {
      const written = (lines[line - 1] ?? "").trim();
      const listed = lendings.some((row) => row.path === path && row.line === written);
      return listed ? [] : [{ line, text: `list it with its reason: ${written}` }];
    });
  },
};
