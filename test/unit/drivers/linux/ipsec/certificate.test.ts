import { describe, expect, it } from "vitest";
import { readAuthorities, readCertifiedKey } from "#drivers/linux/ipsec/certificate.ts";
import { Secret } from "#hal/secret.ts";
import { Prng } from "#sim/base/prng.ts";
import { Authority } from "#sim/serve/certificates.ts";

const now = Date.UTC(2026, 10, 1);
const yearMs = 365 * 86_400_000;
const validity = { notBefore: now - yearMs, notAfter: now + yearMs };
const roots = new Authority("roots", validity);
const own = roots.gateway("edge-1", validity);
const other = roots.gateway("edge-2", validity);

const secret = (text: string): Secret => Secret.take("pem", new TextEncoder().encode(text));

function why(text: string, at = now): string | undefined {
  const found = readCertifiedKey(secret(text), at);
  if ("why" in found) return found.why;
  found[Symbol.dispose]();
  return undefined;
}

describe("a certificate with its key", () => {
  it("a certificate with its key and chain is parsed, whatever text is around", () => {
    const text = `subject=CN = edge-1\n${own.certificate}\n${own.key}${roots.certificate}`;
    const found = readCertifiedKey(secret(text), now);
    if ("why" in found) throw new Error(found.why);
    expect(found.certificates.map((pem) => `${pem}\n`)).toEqual([
      own.certificate,
      roots.certificate,
    ]);
    expect(found.key.use((octets) => `${Buffer.from(octets).toString()}\n`)).toBe(own.key);
    expect(found.keyId).toMatch(/^[0-9a-f]{40}$/);
  });

  it.each<{ what: string; pem: string; reason: RegExp; at?: number }>([
    { what: "a PFX", pem: "MIIKZAIBAzCC", reason: /application\/x-pem-file/ },
    { what: "no key", pem: own.certificate, reason: /no private key/ },
    {
      what: "an encrypted key",
      pem: own.certificate + own.key.replaceAll("PRIVATE", "ENCRYPTED PRIVATE"),
      reason: /no/,
    },
    { what: "another's key", pem: own.certificate + other.key, reason: /of another certificate/ },
    {
      what: "a broken key",
      pem: own.certificate + own.key.replace(/MII/, "AAA"),
      reason: /of another certificate/,
    },
    {
      what: "a broken certificate",
      pem: own.certificate.replace(/MII/, "AAA") + own.key,
      reason: /cannot be read/,
    },
    { what: "an authority first", pem: roots.certificate + own.key, reason: /not an RSA key/ },
    {
      what: "a client's alone",
      pem: pemOf(roots.client("edge-1", validity)),
      reason: /not for serverAuth/,
    },
    { what: "one of tomorrow", pem: pemOf(own), reason: /not valid yet/, at: now - 2 * yearMs },
    { what: "one of last year", pem: pemOf(own), reason: /has expired/, at: now + 2 * yearMs },
    { what: "too many", pem: own.certificate.repeat(9) + own.key, reason: /9 certificates/ },
    { what: "too much", pem: own.certificate + "x".repeat(64_000), reason: /octets/ },
  ])("a certificate is refused: $what", ({ pem, reason, at }) => {
    expect(why(pem, at)).toMatch(reason);
  });

  it("a certificate is refused unless it has the identity that the tunnel shows", () => {
    const named = pemOf(roots.gateway("edge-3", validity, ["edge.example", "*.wild.example"]));
    const whyNot = (identity: string): string | undefined => {
      const found = readCertifiedKey(secret(named), now, identity);
      if ("why" in found) return found.why;
      found[Symbol.dispose]();
      return undefined;
    };
    expect(whyNot("edge.example")).toBeUndefined();
    for (const identity of ["edge-3", "other.example", "a.wild.example", "198.51.100.1"]) {
      expect(whyNot(identity)).toBe(`its certificate is not for ${identity}, which local.id names`);
    }
  });

  it("damaged PEM is read or refused, and never shown (seed pem)", () => {
    const prng = new Prng("pem");
    const whole = new TextEncoder().encode(pemOf(own));
    const reasons = new Set<string>();
    for (let turn = 0; turn < 300; turn += 1) {
      const octets = Uint8Array.from(whole);
      for (let hit = prng.between(0, 3); hit >= 0; hit -= 1) {
        octets[prng.between(0, octets.length - 1)] = prng.between(0, 255);
      }
      const found = readCertifiedKey(Secret.take("pem", octets), now);
      if ("why" in found) reasons.add(found.why);
      else found[Symbol.dispose]();
    }
    expect(reasons.size).toBeGreaterThan(3);
    expect([...reasons].join()).not.toContain(own.key.slice(100, 140));
  });
});

describe("authorities", () => {
  it("authorities are read, and a certificate that is not one is refused", () => {
    const second = new Authority("second", validity);
    const text = roots.certificate + second.certificate;
    expect(readAuthorities(secret(text))).toHaveLength(2);
    expect(readAuthorities(secret(own.certificate))).toEqual({
      why: "CN=edge-1 is not a certificate of an authority",
    });
    expect(readAuthorities(secret("nothing"))).toHaveProperty("why");
  });
});

function pemOf({ certificate, key }: { certificate: string; key: string }): string {
  return certificate + key;
}
