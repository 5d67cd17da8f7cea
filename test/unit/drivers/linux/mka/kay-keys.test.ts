import { describe, expect, it } from "vitest";
import {
  caKeys,
  derive,
  hasIcv,
  keyIdOf,
  macOf,
  makeSak,
  saltOf,
  unwrapSak,
  wrapSak,
} from "#drivers/linux/mka/keys.ts";
import type { Ckn } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import { Prng } from "#sim/base/prng.ts";

const octets = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));
const secret = (hex: string): Secret => Secret.take("test", octets(hex));
const shown = (key: Secret): string => key.use((bytes) => Buffer.from(bytes).toString("hex"));
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const counted = (length: number): string =>
  Array.from({ length }, (_, index) => index.toString(16).padStart(2, "0")).join("");

describe("FCS_COP.1: AES-CMAC", () => {
  // RFC 4493 4 and NIST SP 800-38B D.1, D.3.
  const key128 = "2b7e151628aed2a6abf7158809cf4f3c";
  const key256 = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
  const message =
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411" +
    "e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
  const rows = [
    [key128, 0, "bb1d6929e95937287fa37d129b756746"],
    [key128, 16, "070a16b46b4d4144f79bdd9dd04a287c"],
    [key128, 40, "dfa66747de9ae63030ca32611497c827"],
    [key128, 64, "51f0bebf7e3b9d92fc49741779363cfe"],
    [key256, 0, "028962f61b7bf89efc6b551f4667d983"],
    [key256, 16, "28a7023f452e8f82bd4bf28d8c37c35c"],
    [key256, 40, "aaf3d8f1de5640c232f5b169b9c911e6"],
    [key256, 64, "e1992190549f6ed5696a2c056c315410"],
  ] as const;
  it.each(rows)("AES-CMAC under the key %s of %i octets is the standard's", (key, length, tag) => {
    const text = octets(message).subarray(0, length);
    expect(hexOf(macOf(secret(key), text))).toBe(tag);
    expect(hasIcv(secret(key), text, octets(tag))).toBe(true);
  });

  it("a CMAC with any wrong bit is refused", () => {
    const tag = octets("bb1d6929e95937287fa37d129b756746");
    for (let bit = 0; bit < 128; bit += 1) {
      const forged = Uint8Array.from(tag);
      forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(hasIcv(secret(key128), new Uint8Array(0), forged), `bit ${bit}`).toBe(false);
    }
  });
});

describe("FCS_COP.1: key derivation of IEEE Std 802.1X-2020 6.2.1", () => {
  it("128 and 256 bits are derived as in the standard's examples", () => {
    const context = octets("01020104");
    const key = secret("1ab9024fa04a03feb9024fa04a03fe11");
    expect(shown(derive(key, "HI THERE", context, 16))).toBe("b57a0b05f43e9600c3c4d15c1e3c26e8");
    const long = secret("3946ec36f59017f1267e914abed2dbf6633f52ae7e20309d3eefdda4073adfad");
    expect(shown(derive(long, "HI THERE", context, 32))).toBe(
      "0efd01e5b03a0951a6df9bbffe419016ee40fdbfc3335ebf92ea03802214a307",
    );
  });

  // Annex G, then names of other lengths.
  const rows = [
    {
      cak: "135bd758b0ee5c11c55ff6ab19fdb199",
      ckn: "96437a93ccf10d9dfe347846cce52c7d",
      ick: "8f1c5cb1c8ed2e5f047906e0473aad4d",
      kek: "8f5a384c15d6ae9302b462e363d03ca6",
    },
    {
      cak: "a29efdb63d6fba73c65daab2295340a837a8886e94a905b5c9c7ef1d9dbb297e",
      ckn: "7888f5d48ba8b24e96bb95bd8c7304ec",
      ick: "98b8544d7390a41e50ef72e25b4a036523c919e812918871949b48123eab526e",
      kek: "71340e454c84a1232aa7977d5ed86f78f250f3f9d53584b9337ff0c6dfdc9f96",
    },
    {
      cak: "0123456789abcdef0123456789abcdef",
      ckn: "31",
      ick: "938e1de635d51e828f6152c97280e47d",
      kek: "48d734689b51c8387f24d568e56f0bbe",
    },
    {
      cak: "0123456789abcdef0123456789abcdef",
      ckn: "11223344",
      ick: "f5aa766a264af422b9e0d365907eb73b",
      kek: "10dd5a2651e635ea0f699cc3c3c75512",
    },
    {
      cak: "0123456789abcdef0123456789abcdef",
      ckn: "6162636465666768696a6b6c6d6e6f70ffffffffffffffffffffffffffffffff",
      ick: "daf4c372bc50b80a86a39eb12b360517",
      kek: "d1eed7b4638f373c9b5891bb6342cdb8",
    },
  ] as const;
  it.each(rows)(
    "ICK and KEK of the CAK $cak under the CKN $ckn are the standard's",
    ({ cak, ckn, ick, kek }) => {
      const keys = caKeys(secret(cak), ckn as Ckn);
      expect(shown(keys.ick)).toBe(ick);
      expect(shown(keys.kek)).toBe(kek);
    },
  );

  it("the derivation leaves the CAK to its owner", () => {
    const cak = secret("0123456789abcdef0123456789abcdef");
    caKeys(cak, "31" as Ckn);
    expect(shown(cak)).toBe("0123456789abcdef0123456789abcdef");
  });
});

describe("FCS_COP.1: key wrap of RFC 3394", () => {
  const sak = "00112233445566778899aabbccddeeff";
  const rows = [
    [counted(16), sak, "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"],
    [counted(32), sak, "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7"],
    [
      counted(32),
      sak + counted(16),
      "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21",
    ],
  ] as const;
  it.each(rows)("the KEK %s wraps the key %s as in RFC 3394", (kek, key, wrapped) => {
    expect(hexOf(wrapSak(secret(kek), secret(key)))).toBe(wrapped);
    const back = unwrapSak(secret(kek), octets(wrapped));
    expect(back && shown(back)).toBe(key);
  });

  it("a wrapped key with any wrong octet, or under another KEK, is refused", () => {
    const wrapped = octets(rows[0][2]);
    for (let at = 0; at < wrapped.length; at += 1) {
      const forged = Uint8Array.from(wrapped);
      forged[at] = (forged[at] ?? 0) ^ 1;
      expect(unwrapSak(secret(rows[0][0]), forged), `octet ${at}`).toBeUndefined();
    }
    expect(unwrapSak(secret(counted(32)), wrapped)).toBeUndefined();
    expect(unwrapSak(secret(rows[0][0]), wrapped.subarray(0, 16))).toBeUndefined();
    expect(unwrapSak(secret(rows[0][0]), new Uint8Array(0))).toBeUndefined();
  });
});

describe("names of SAKs", () => {
  it.each([
    ["1fe2fae14ef6ccf6448cf084", 1, "1fe3fae14ef6ccf6448cf084"],
    ["25ff3668387012613c5a653e", 1, "25fe3668387012613c5a653e"],
    ["000102030405060708090a0b", 0xa1b2c3d4, "c3d5a3b10405060708090a0b"],
  ])("the salt of the SAK %s/%i is the standard's", (mi, kn, salt) => {
    expect(shown(saltOf({ mi, kn }))).toBe(salt);
  });

  it("the kernel's key identifier ends with the key number in little-endian", () => {
    const key = { mi: "000102030405060708090a0b", kn: 0xa1b2c3d4 };
    expect(keyIdOf(key)).toBe("000102030405060708090a0bd4c3b2a1");
  });
});

it("FCS_MACSEC_EXT.3: SAKs come from the given entropy and from nothing else", () => {
  const made = new Set<string>();
  for (const size of [16, 32]) {
    const sak = makeSak(new Prng("sak"), size);
    expect(shown(sak)).toBe(hexOf(new Prng("sak").bytes(size)));
    expect(sak.byteLength).toBe(size);
  }
  const prng = new Prng("many");
  for (let count = 0; count < 10_000; count += 1) made.add(shown(makeSak(prng, 16)));
  expect(made.size).toBe(10_000);
});
