// User keys of NATS. The pairs were made by NATS's own library (@nats-io/nkeys 2.0.3).

import { describe, expect, it } from "vitest";
import { signerOf } from "#agent/evidence/report/sign.ts";
import { isUserPublicKey, privateOctets, seedLine, userPublicKey } from "#agent/fleet/nkey.ts";
import { publicOctets } from "#agent/host/engine-stream.ts";
import { Secret } from "#hal/secret.ts";

const seed = "SUALQEFMBEXHAHXTMZ2AOTLVEMSUKWN4MAUIRYHCQNVO22H4QSOCOYLHCY";
const publicKey = "UC5HCM75H3HBBZ4HHIGWYDC2QK2R764VOAB4YSWEQBJEVHPN75JMMLWB";
const accountSeed = "SAAPZUOZIQP5GBQ7JOPJSXEOYALUUH3I37VVM6JQUW3CNOHGXZKV4PRHRQ";
const accountKey = "AANLHEYZ2NCXRC2SCWN3EIDU77F2JERB4SRSZCKX32YNPOVEJH4RAZ46";
const signature =
  "crpEokU9Q6QALpviL3c_2Rvb3k5QxrHgMHQK6Z7leUAn_HpGMQoFyd6GjyTlsO-dfFcm72mxi6v-NDZX4AGQCw";

const line = (text: string): Secret => Secret.take("seed", Buffer.from(text));

describe("user keys of NATS", () => {
  it("a seed gives the public key and the signature that NATS's own library gives", () => {
    using octets = privateOctets(line(seed));
    if (octets === undefined) throw new Error("no key");
    const signer = signerOf(octets);
    expect(userPublicKey(publicOctets(signer.publicKey))).toBe(publicKey);
    expect(Buffer.from(signer.sign("nonce"), "base64").toString("base64url")).toBe(signature);
  });

  it("a seed is written as it was read", () => {
    using octets = privateOctets(line(seed));
    const written = octets?.use((bytes) => Buffer.from(seedLine(bytes)).toString());
    expect(written).toBe(seed);
  });

  it.each([
    ["the seed of an account", accountSeed],
    ["a public key", publicKey],
    ["a seed with another letter", seed.replace("LQEF", "LQEG")],
    ["a seed that was cut", seed.slice(0, -1)],
    ["a seed and more", `${seed}A`],
    ["lower case", seed.toLowerCase()],
    ["nothing", ""],
    ["a long text", "S".repeat(10_000)],
  ])("%s is no seed of a user", (_what, text) => {
    expect(privateOctets(line(text))).toBeUndefined();
  });

  it("a public key of a user is told from all else", () => {
    expect(isUserPublicKey(publicKey)).toBe(true);
    for (const other of [accountKey, seed, `${publicKey}A`, publicKey.replace("UC5", "UC6"), ""]) {
      expect(isUserPublicKey(other)).toBe(false);
    }
  });
});
