// Static keys in a config: which algorithms, under which risk, and on which device.

import { describe, expect, it } from "vitest";
import { formatComplaint, parseConfig } from "#agent/config/index.ts";
import { tunnelRisk } from "#agent/model/desired.ts";
import { siteConfig } from "../../kit/site-config.ts";

const auth = "    auth: { psk: hub-1-psk }";
const own = {
  ipsecEncryption: "AES256",
  ipsecIntegrity: "SHA256",
  saLifeTimeSeconds: "86400",
  saDataSizeKilobytes: "1048576",
};
const risk = "  - { risk: staticKeys, until: 2027-01-31 }\n";

function textOf(policy: string, more = "{ staticKeys: hub-1-keys }", ending = risk): string {
  if (!siteConfig.includes(auth)) throw new Error("the sample has another tunnel");
  const tunnel = `    auth: ${more}\n    policy: ${policy}`;
  const text = siteConfig.replace(auth, tunnel).replace("driver: sim", "driver: linux");
  return `${text}${ending}`;
}

const mapOf = (change: Partial<Record<string, string>> = {}): string =>
  `{ ${Object.entries({ ...own, ...change })
    .map(([field, value]) => `${field}: ${value}`)
    .join(", ")} }`;

function said(text: string): readonly string[] {
  const result = parseConfig(text, "f");
  return result.kind === "ok" ? [] : result.complaints.map(formatComplaint);
}

describe("static keys in a config", () => {
  it("are AES-CBC with HMAC-SHA-2, and need no charon", () => {
    const result = parseConfig(textOf(mapOf()), "f");
    if (result.kind !== "ok") throw new Error(result.complaints.map(formatComplaint).join("\n"));
    const [tunnel] = result.desired.tunnels;
    expect(tunnel).toMatchObject({
      auth: { kind: "static", secret: "hub-1-keys" },
      ike: { encryption: "none", integrity: "none", prf: "none", dhGroup: "none" },
      transforms: { encryption: "aes-256-cbc", integrity: "sha256", dhGroup: "none" },
      life: { seconds: 86_400, kilobytes: 1_048_576 },
      weaknesses: ["static keys (RFC 8221, 3: SHOULD NOT)"],
    });
    expect(tunnel === undefined ? undefined : tunnelRisk(tunnel)).toBe("staticKeys");
    for (const ipsecEncryption of ["AES128", "AES192", "AES256"]) {
      for (const ipsecIntegrity of ["SHA256", "SHA384", "SHA512"]) {
        expect(said(textOf(mapOf({ ipsecEncryption, ipsecIntegrity })))).toEqual([]);
      }
    }
  });

  it.each([
    ["GCMAES256", "RFC 4106, 2"],
    ["GCMAES192", "RFC 4106, 2"],
    ["GCMAES128", "RFC 4106, 2"],
    ["GMACAES256", "RFC 4543, 2"],
    ["CCMAES128", "RFC 4309, 2"],
    ["CTRAES256", "RFC 3686, 2.1"],
    ["aes-256-ctr", "RFC 3686, 2.1"],
    ["DES3", "RFC 8221, 5 and 6"],
    ["CHACHA20POLY1305", "RFC 8221, 5 and 6"],
    ["None", "RFC 8221, 5 and 6"],
  ])("are refused with %s, by %s", (algorithm, clause) => {
    const [first, ...more] = said(textOf(mapOf({ ipsecEncryption: algorithm })));
    expect(first).toContain(`tunnels[0].policy.ipsecEncryption: is ${algorithm}`);
    expect(first).toContain(clause);
    expect(first).toContain("ipsecEncryption: AES256");
    expect(more).toEqual([]);
  });

  it.each([
    ["GCMAES256", "RFC 4106, 2"],
    ["GMACAES128", "RFC 4543, 2"],
    ["SHA1", "RFC 8221, 5 and 6"],
    ["MD5", "RFC 8221, 5 and 6"],
    ["None", "RFC 8221, 5 and 6"],
  ])("are refused with %s for integrity, by %s", (algorithm, clause) => {
    const [first] = said(textOf(mapOf({ ipsecIntegrity: algorithm })));
    expect(first).toContain(`policy.ipsecIntegrity: is ${algorithm}`);
    expect(first).toContain(clause);
  });

  it.each(["strong", "cnsa", "azureDefault"])("are refused under the profile %s", (profile) => {
    const [first] = said(textOf(profile));
    expect(first).toContain(`tunnels[0].policy: is ${profile}`);
    expect(first).toContain("RFC 4106, 2");
    expect(first).toContain("policy: { ipsecEncryption: AES256, ipsecIntegrity: SHA256, ");
  });

  it("know nothing of IKE, and leave nothing to be agreed on", () => {
    const [ike] = said(textOf(mapOf({ dhGroup: "ECP384" })));
    expect(ike).toContain("policy.dhGroup: is set, with static keys there is no IKE");
    const [lacks] = said(textOf("{ ipsecEncryption: AES256, ipsecIntegrity: SHA256 }"));
    expect(lacks).toContain("tunnels[0].policy: lacks saLifeTimeSeconds");
    const [life] = said(textOf(mapOf({ saLifeTimeSeconds: "200000" })));
    expect(life).toContain("saLifeTimeSeconds: is out of range");
  });

  it("need their risk, the driver linux, a peer that is none of Azure's, and stand alone", () => {
    const [risky] = said(textOf(mapOf(), undefined, ""));
    expect(risky).toContain("auth.staticKeys: is set, RFC 8221, 3: manual keying SHOULD NOT be");
    const router = textOf(mapOf()).replace("driver: linux", "driver: sim");
    expect(said(router)).toEqual([expect.stringContaining("edge-a is keyed by IKE alone")]);
    const [both] = said(textOf(mapOf(), "{ staticKeys: hub-1-keys, psk: hub-1-psk }"));
    expect(both).toContain("auth.staticKeys: is set, with static keys nobody proves anything");
    const id = "/subscriptions/1/resourceGroups/r/providers/Microsoft.Network/connections/hub-1";
    const azure = textOf(mapOf()).replace(
      "remote: { address: 203.0.113.1 }",
      `remote: { address: 203.0.113.1, azureConnection: ${id} }`,
    );
    expect(said(azure)[0]).toContain("azureConnection: is set, a gateway of Azure has IKE and no");
  });

  it("are no other tunnel's, and no link's", () => {
    const text = textOf(mapOf());
    const [, tunnels = ""] = /tunnels:\n([\s\S]*)repair/.exec(text) ?? [];
    const second = tunnels.replace("hub-1\n", "hub-2\n").replace("203.0.113.1", "203.0.113.2");
    const [twice] = said(text.replace(tunnels, `${tunnels}${second}`));
    expect(twice).toContain('"hub-1-keys" stands twice');
  });
});
