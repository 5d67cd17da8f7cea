import { describe, expect, it } from "vitest";
import { withoutKeys } from "#hal/key-lines.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../effort.ts";
import { drawFrom, leakOf, nine, type7 } from "../kit/echo-forms.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "key lines";
const runs = effort(2_000, 200_000);
const ckn = "AABBCCDDEEFF00112233445566778899aabbccddeeff00112233445566778899";

/** Lines that hold a key (`KEY`), and what is shown of them. */
const withKey: readonly (readonly [line: string, shown: string])[] = [
  [
    "% Failed to commit: key-string KEY is weak",
    "% Failed to commit: key-string [withheld] is weak",
  ],
  [" key-string password6 KEY cryptographic-algorithm aes-256-cmac", ""],
  ["key-octet-string 7 KEY cryptographic-algorithm AES_128_CMAC", ""],
  [`pre-shared-key ckn ${ckn} cak "KEY"`, `pre-shared-key ckn ${ckn} cak [withheld]`],
  [`key ${ckn} 7 KEY fallback`, `key ${ckn} 7 [withheld] fallback`],
  [`key chain K macsec key ${ckn} key-string KEY`, ""],
  [`ckn ${ckn} cak KEY`, `ckn ${ckn} cak [withheld]`],
  ["<cak>KEY</cak>", "<cak>[withheld]</cak>"],
  ['{"secret": "KEY"}', '{"secret": [withheld]}'],
  ["neighbor 192.0.2.1 password 7 KEY", "neighbor 192.0.2.1 password 7 [withheld]"],
  ["crypto isakmp key 6 KEY address 192.0.2.1", ""],
  ["pre-shared-key address 192.0.2.1 key KEY", ""],
  ["set security ike policy P pre-shared-key ascii-text KEY", ""],
  ["shared-key 7 KEY", "shared-key 7 [withheld]"],
  ['192.0.2.1 : PSK "KEY"', "192.0.2.1 : PSK [withheld]"],
  ["the passphrase was KEY", ""],
  [`mka_cak=KEY mka_ckn=${ckn}`, `mka_cak=[withheld] mka_ckn=${ckn}`],
];

const plain: readonly string[] = [
  `CAK Name (CKN): ${ckn}`,
  `key ${ckn}`,
  `no key ${ckn}`,
  `  pre-shared-key ckn ${ckn}`,
  `%MKA-5-CAK_REKEY: (Gi0/0/1 : 11) RxSCI 0011.2233.4455/0001, AuditSessionID , CKN ${ckn}`,
  "no shared key found for '192.0.2.1' - 'gw-1.example'",
  "tried 1 shared key for 'a@b1' - '192.0.2.1', but MAC mismatched",
  "% Password required, but none set",
  "macsec psk-keychain KC fallback-psk-keychain KC2",
  "security-mode static-cak;",
  "00:11:22:33:44:55 0011.2233.4455 2001:db8:0:1:2:3:4:5 SCI 0011223344550001",
  "InPktsOK 18446744073709551615 1234 5678 9012 3456 7890 1234 5678 9012",
  "subject 3f2504e0-4f89-11d3-9a0c-0305e82c3301 MI 0123456789abcdef01234567",
];

describe("a line of which it is not known whether it has a key", () => {
  it.each(withKey)("%s: its key is withheld, in each form that platforms write", (line, wanted) => {
    const prng = new Prng(seed);
    const hex = prng.hex(32);
    const salts = drawFrom(prng);
    for (const key of [hex, hex.toUpperCase(), type7(hex, salts(16)), nine(hex, salts(65))]) {
      const shown = withoutKeys(line.replace("KEY", () => key));
      expect(leakOf(shown, key)).toBeUndefined();
      if (wanted !== "") expect(shown).toBe(wanted);
      expect(shown).toContain("withheld");
    }
  });

  it.each(plain)("a line without a key stays as it is: %s", (line) => {
    expect(withoutKeys(line)).toBe(line);
  });

  it("a key that goes on in the next line is withheld there too", () => {
    const shown = withoutKeys("key-string 0123456789abcdef\r\n  0123456789ABCDEF rejected");
    expect(shown).toBe("key-string [withheld]\r\n[withheld] rejected");
  });

  it("digits that no grammar calls a CKN are withheld, without a word for keys too", () => {
    expect(withoutKeys(`refused: ${ckn} is weak`)).toBe("refused: [withheld] is weak");
    expect(withoutKeys(`weak key ${ckn}`)).toBe("weak key [withheld]");
  });

  it("a line that may have a key behind a word for one is withheld as a whole", () => {
    const shown = withoutKeys("up\nthe passphrase was Hunter-2222, refused\nup");
    expect(shown).toBe("up\n[a line was withheld, as it may contain a key]\nup");
  });

  it("any line with a key around any text shows nothing of it", () => {
    console.log(`key lines: LINKSEAL_SEED=${seed}, ${runs} lines`);
    const prng = new Prng(seed);
    for (let run = 0; run < runs; run += 1) {
      const hex = prng.hex(prng.pick([32, 64]));
      const key = prng.pick([hex, type7(hex, prng.between(0, 15)), nine(hex, prng.between(0, 64))]);
      const around = (): string => prng.pick([...plain, "", "% Failed", "^", "commit:"]);
      const [line] = prng.pick(withKey);
      const text = `${around()} ${line.replace("KEY", () => key)} ${around()}`;
      const shown = withoutKeys(text);
      const leak = leakOf(shown, key);
      expect(leak === undefined ? [] : [text, shown]).toEqual([]);
    }
  });
});
