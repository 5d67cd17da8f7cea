// What this host hands to Entra as a proof: which PEM is one, and what speaks against the others.

import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { fileFault, isArcKeyPath, pemFault } from "#agent/host/credentials.ts";
import { Authority } from "#sim/serve/certificates.ts";

const now = Date.UTC(2026, 10, 24);
const day = 86_400_000;
const validity = { notBefore: now - day, notAfter: now + day };
const authority = new Authority("test", validity);
const { key, certificate } = authority.client("agent", validity);
const other = authority.client("other", validity);
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const pkcs1 = privateKey.export({ type: "pkcs1", format: "pem" }).toString();
const locked = privateKey
  .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" })
  .toString();

describe("a PEM", () => {
  it.each([
    ["key first", key + certificate],
    ["certificate first", certificate + key],
    ["with the chain behind it", key + certificate + authority.certificate],
    ["with text around it", `Bag Attributes\n${key}\nsubject=x\n${certificate}\n`],
  ])("a PEM with %s is accepted", (_name, pem) => {
    expect(pemFault(pem, now)).toBeUndefined();
  });

  it.each([
    ["empty", "", "the PEM contains no certificate"],
    ["a key alone", key, "the PEM contains no certificate"],
    ["a certificate alone", certificate, "the PEM contains no private key that Entra accepts"],
    ["a key with a passphrase", locked + certificate, "its private key has a passphrase"],
    ["another one's key", other.key + certificate, "the key belongs to another certificate"],
    [
      "another one's key in its old form",
      pkcs1 + certificate,
      "the key belongs to another certificate",
    ],
    [
      "the chain before its own",
      key + authority.certificate + certificate,
      "the key belongs to another certificate",
    ],
    ["spoilt", key + certificate.replace(/\n[^-]{30}/, "\n"), "its PEM cannot be read"],
    ["a spoilt key", key.replace(/\n[^-]{30}/, "\n") + certificate, "its PEM cannot be read"],
  ])("a PEM with %s is refused, and the text says why", (_name, pem, why) => {
    expect(pemFault(pem, now)).toBe(why);
  });

  it("a PEM is refused once its certificate has expired", () => {
    expect(pemFault(key + certificate, now + day - 1)).toBeUndefined();
    expect(pemFault(key + certificate, now + day)).toBe("it expired at 2026-11-25T00:00:00.000Z");
  });
});

describe("a key file of the Arc agent", () => {
  const folder = "/var/opt/azcmagent/tokens/";
  it.each(["a.key", "5f3c.key", "0123456789-abcdef-01.key"])(
    "%s is a name of a key file of the Arc agent",
    (name) => {
      expect(isArcKeyPath(folder + name)).toBe(true);
    },
  );

  it.each([
    ...["/etc/shadow", "/etc/passwd.key", "a.key", "", folder, `${folder}a.pem`, `${folder}a.key/`],
    ...[`${folder}../a.key`, `${folder}../../../../etc/a.key`, `${folder}./a.key`, `${folder}.key`],
    ...[`${folder}a/b.key`, `${folder}/a.key`, `/${folder}a.key`, `${folder}a.key\0.txt`],
    ...[`${folder}a.key\n`, ` ${folder}a.key`, `${folder}a b.key`, `${folder}a%2e.key`],
    ...[`${folder}..key`, `${folder}-a.key`, `${folder}a.KEY`, `${folder}${"a".repeat(128)}.key`],
    ...["/var/opt/azcmagent/tokens-evil/a.key", "/VAR/opt/azcmagent/tokens/a.key"],
    ...["C:\\ProgramData\\AzureConnectedMachineAgent\\Tokens\\a.key", `file://${folder}a.key`],
    ...[`${folder}a.key, Basic realm=/etc/shadow`, "/proc/self/environ", `"${folder}a.key"`],
  ])("%j is not a path of a key file of the Arc agent", (path) => {
    expect(isArcKeyPath(path)).toBe(false);
  });
});

describe("a file with a credential", () => {
  const rule = { bytesMax: 100, owners: [0, 7], forbidden: 0o077 };
  const plain = {
    uid: 7,
    mode: 0o100600,
    size: 50,
    isFile: () => true,
    isSymbolicLink: () => false,
  };
  it.each([
    ["of the agent's user", {}, undefined],
    ["of root", { uid: 0 }, undefined],
    ["of the longest size", { size: 100 }, undefined],
    ["of another user", { uid: 8 }, "it belongs to uid 8"],
    ["for a group to read", { mode: 0o100640 }, "other users may access it (mode 640)"],
    ["for all to run", { mode: 0o100601 }, "other users may access it (mode 601)"],
    ["that is empty", { size: 0 }, "it has 0 bytes"],
    ["that is too long", { size: 101 }, "it has 101 bytes"],
    ["that is a link", { isSymbolicLink: () => true }, "it is a symbolic link"],
    ["that is a folder", { isFile: () => false }, "it is not a file"],
  ])("a file with a credential %s is refused", (_name, more, why) => {
    expect(fileFault({ ...plain, ...more }, rule)).toBe(why);
  });
});
