import { describe, expect, it } from "vitest";
import { formatComplaint, parseConfig } from "#agent/config/index.ts";
import {
  type AzurePolicy,
  azureFields,
  azureOf,
  ifIdOf,
  policyFaults,
  policyProfiles,
  profiles,
  transformsOf,
  weaknesses,
} from "#agent/config/ipsec-policy.ts";
import { siteConfig } from "../../kit/site-config.ts";

const { strong } = profiles;
const faultsOf = (change: Partial<Record<keyof AzurePolicy, string | number | undefined>>) =>
  policyFaults({ ...strong, ...change }).map(({ field, rule }) => [field, rule] as const);

// The table of Azure's documents (cryptographic requirements of VPN gateways).
const azure = {
  ikeEncryption: ["GCMAES256", "GCMAES128", "AES256", "AES192", "AES128", "DES3", "DES"],
  ikeIntegrity: ["GCMAES256", "GCMAES128", "SHA384", "SHA256", "SHA1", "MD5"],
  dhGroup: [
    ...["DHGroup24", "ECP384", "ECP256", "DHGroup14", "DHGroup2048", "DHGroup2", "DHGroup1"],
    "None",
  ],
  ipsecEncryption: [
    ...["GCMAES256", "GCMAES192", "GCMAES128", "AES256", "AES192", "AES128", "DES3", "DES"],
    "None",
  ],
  ipsecIntegrity: ["GCMAES256", "GCMAES192", "GCMAES128", "SHA256", "SHA1", "MD5"],
  pfsGroup: ["PFS24", "ECP384", "ECP256", "PFS2048", "PFS2", "PFS1", "None"],
};

/** Every set of Azure's names, lifetimes aside. */
function* everySet(): Generator<AzurePolicy> {
  for (const ikeEncryption of azure.ikeEncryption) {
    for (const ikeIntegrity of azure.ikeIntegrity) {
      for (const dhGroup of azure.dhGroup) {
        const ike = { ikeEncryption, ikeIntegrity, dhGroup };
        for (const ipsecEncryption of azure.ipsecEncryption) {
          for (const ipsecIntegrity of azure.ipsecIntegrity) {
            for (const pfsGroup of azure.pfsGroup) {
              const esp = { ipsecEncryption, ipsecIntegrity, pfsGroup };
              yield { ...strong, ...ike, ...esp };
            }
          }
        }
      }
    }
  }
}

describe("a policy of IPsec", () => {
  it("an IPsec policy accepts every algorithm name of Azure and no other", () => {
    for (const [field, names] of Object.entries(azure)) {
      for (const name of names) {
        const unknown = faultsOf({ [field]: name }).filter(([, rule]) =>
          rule.startsWith("Azure's names"),
        );
        expect([name, unknown]).toEqual([name, []]);
      }
      const rules = faultsOf({ [field]: "AES512" }).map(([, rule]) => rule);
      expect(rules).toEqual([expect.stringContaining("Azure's names here are")]);
    }
  });

  it("an IPsec policy without faults is the same after translation and back", () => {
    let whole = 0;
    let refused = 0;
    for (const policy of everySet()) {
      if (policyFaults({ ...policy }).length > 0) {
        refused += 1;
        continue;
      }
      whole += 1;
      // Azure has two names for group 14.
      const dhGroup = policy.dhGroup === "DHGroup2048" ? "DHGroup14" : policy.dhGroup;
      expect(azureOf(transformsOf(policy))).toEqual({ ...policy, dhGroup });
    }
    // 6 ciphers x 3 hashes x 6 groups; 3 GCMs alone and 4 others with 2 hashes; 6 groups.
    expect(whole).toBe(6 * 3 * 6 * (3 + 4 * 2) * 6);
    expect(refused).toBeGreaterThan(0);
  });

  it("an algorithm that Azure does not know has no Azure name", () => {
    const { ike, esp, life } = transformsOf(strong);
    const chacha = { ...esp, encryption: "chacha20-poly1305" };
    expect(azureOf({ ike, esp: chacha, life })).toBeUndefined();
    expect(azureOf({ ike, esp: { ...esp, dhGroup: "curve25519" }, life })).toBeUndefined();
  });

  it("an IPsec policy that lacks one of the eight properties, or has a ninth, is refused", () => {
    for (const field of azureFields) {
      const [fault] = policyFaults({ ...strong, [field]: undefined });
      expect(fault?.what).toBe(`lacks ${field}`);
      expect(fault?.rule).toContain("all eight");
    }
    expect(policyFaults({ ...strong, dpdTimeoutSeconds: 45 })[0]?.field).toBe("dpdTimeoutSeconds");
  });

  it.each([
    ["another GCM for integrity", { ipsecIntegrity: "GCMAES128" }, "ipsecIntegrity", "same name"],
    ["a hash beside GCM", { ipsecIntegrity: "SHA256" }, "ipsecIntegrity", "same name"],
    ["GCM beside CBC", { ipsecEncryption: "AES256" }, "ipsecIntegrity", "same name"],
    ["a GCM as PRF", { ikeIntegrity: "GCMAES256" }, "ikeIntegrity", "PRF"],
    ["IKE without a group", { dhGroup: "None" }, "dhGroup", "RFC 7296"],
    ["no encryption", { ipsecEncryption: "None", ipsecIntegrity: "SHA256" }, "ipsecEncryption", ""],
    ["DES in IKE", { ikeEncryption: "DES" }, "ikeEncryption", "RFC 8247, 2.1: MUST NOT"],
    ["MD5 in IKE", { ikeIntegrity: "MD5" }, "ikeIntegrity", "RFC 8247, 2.3: MUST NOT"],
    ["group 1", { dhGroup: "DHGroup1" }, "dhGroup", "RFC 8247, 2.4: MUST NOT"],
    ["group 1 for PFS", { pfsGroup: "PFS1" }, "pfsGroup", "RFC 8247, 2.4: MUST NOT"],
    [
      "MD5 in ESP",
      { ipsecEncryption: "AES256", ipsecIntegrity: "MD5" },
      "ipsecIntegrity",
      "RFC 8221, 6: MUST NOT",
    ],
    ["299 seconds", { saLifeTimeSeconds: 299 }, "saLifeTimeSeconds", "from 300"],
    ["half a second", { saLifeTimeSeconds: 300.5 }, "saLifeTimeSeconds", "whole number"],
    ["1023 kilobytes", { saDataSizeKilobytes: 1023 }, "saDataSizeKilobytes", "from 1024"],
  ])("an IPsec policy is refused for %s, with the rule", (_what, change, field, rule) => {
    expect(faultsOf(change)).toEqual([[field, expect.stringContaining(rule)]]);
  });

  it("forbidden algorithms are named beside a lifetime out of range (C13)", () => {
    const worst = { ikeEncryption: "DES", ikeIntegrity: "MD5", dhGroup: "DHGroup1" };
    const fields = faultsOf({ ...worst, saLifeTimeSeconds: 1 }).map(([field]) => field);
    expect(new Set(fields)).toEqual(new Set([...Object.keys(worst), "saLifeTimeSeconds"]));
  });

  it("the IPsec policy of each profile has no fault, and only those of Azure are weak", () => {
    for (const name of policyProfiles) {
      expect(policyFaults({ ...profiles[name] })).toEqual([]);
      expect(weaknesses(profiles[name]).length > 0).toBe(name.startsWith("azure"));
    }
    expect(transformsOf(strong)).toEqual({
      ike: { encryption: "aes-256-gcm", integrity: "none", prf: "sha384", dhGroup: "ecp-384" },
      esp: { encryption: "aes-256-gcm", integrity: "none", dhGroup: "ecp-384" },
      life: { seconds: 27_000, kilobytes: 102_400_000 },
    });
  });

  it.each([
    [{ dhGroup: "DHGroup2" }, "dhGroup DHGroup2 (RFC 8247, 2.4: SHOULD NOT)"],
    [{ pfsGroup: "PFS24" }, "pfsGroup PFS24 (RFC 8247, 2.4: SHOULD NOT)"],
    [{ ikeIntegrity: "SHA1" }, "ikeIntegrity SHA1 (RFC 8247, 2.3: MUST-)"],
    [
      { ipsecEncryption: "DES3", ipsecIntegrity: "SHA256" },
      "ipsecEncryption DES3 (RFC 8221, 5: SHOULD NOT)",
    ],
    [{ ikeEncryption: "DES3" }, "ikeEncryption DES3 (blocks of 64 bits)"],
    [{ pfsGroup: "None" }, "pfsGroup None (one stolen key opens all that was recorded)"],
  ])("an IPsec policy is weak for %j", (change, why) => {
    expect(policyFaults({ ...strong, ...change })).toEqual([]);
    expect(weaknesses({ ...strong, ...change })).toEqual([why]);
  });

  it("any policy is weak under IKEv1, which is deprecated", () => {
    expect(weaknesses(strong, "v1")).toEqual(["ike v1 (RFC 9395: deprecated)"]);
    expect(weaknesses(strong, "v2")).toEqual([]);
  });

  it("every tunnel name gives the same interface number each time, never 0", () => {
    const numbers = Array.from({ length: 1_000 }, (_, i) => ifIdOf(`hub-${i}`));
    expect(new Set(numbers).size).toBe(1_000);
    expect(Math.min(...numbers)).toBeGreaterThan(0);
    expect(Math.max(...numbers)).toBeLessThan(2 ** 32);
    // From the tables of FNV-1a.
    expect(ifIdOf("foobar")).toBe(0xbf9cf968);
  });
});

const auth = "    auth: { psk: hub-1-psk }";
const own =
  "{ ikeEncryption: AES256, ikeIntegrity: SHA384, dhGroup: DHGroup14, ipsecEncryption: AES256, " +
  "ipsecIntegrity: SHA256, pfsGroup: PFS2048, saLifeTimeSeconds: 3600, saDataSizeKilobytes: 2048 }";
const risk = "  - { risk: weakTunnel, until: 2027-01-31 }\n";

function complaints(text: string): readonly string[] {
  const result = parseConfig(text, "f");
  return result.kind === "ok" ? [] : result.complaints.map(formatComplaint);
}

/** The sample with more in its tunnel, and with more tunnels behind it. */
function siteOf(more: string, others = "") {
  const [, tunnels = ""] = /tunnels:\n([\s\S]*)repair/.exec(siteConfig) ?? [];
  const changed = tunnels.replace(auth, `${more}${auth}`);
  return { tunnels, text: siteConfig.replace(tunnels, `${changed}${others}`) };
}

function parsed(more: string, ending = "") {
  if (!siteConfig.includes(auth)) throw new Error("the sample has another tunnel");
  const text = `${siteConfig.replace(auth, `${auth}\n    ${more}`)}${ending}`;
  return parseConfig(text, "f");
}

function complaintsOf(more: string, ending = ""): readonly string[] {
  const result = parsed(more, ending);
  return result.kind === "ok" ? [] : result.complaints.map(formatComplaint);
}

describe("the policy of a tunnel in a config", () => {
  it("a tunnel's policy is a profile, or Azure's eight properties", () => {
    const result = parsed(`policy: ${own}\n    mtu: 1350\n    ifId: 7`);
    if (result.kind !== "ok") throw new Error(result.complaints.map(formatComplaint).join("\n"));
    expect(result.desired.tunnels[0]).toMatchObject({
      ike: { encryption: "aes-256-cbc", integrity: "sha384", prf: "sha384", dhGroup: "modp-2048" },
      transforms: { encryption: "aes-256-cbc", integrity: "sha256", dhGroup: "modp-2048" },
      life: { seconds: 3_600, kilobytes: 2_048 },
      weaknesses: [],
      mtu: 1_350,
      ifId: 7,
    });
    expect(complaintsOf("policy: cnsa1")).toEqual([]);
  });

  it("the old name of cnsa1 is read with a warning that says which CNSA it is", () => {
    const [before, after] = [parsed("policy: cnsa"), parsed("policy: cnsa1")];
    if (before.kind !== "ok" || after.kind !== "ok") throw new Error("refused");
    expect(before.desired.tunnels).toEqual(after.desired.tunnels);
    expect(before.warnings.map(formatComplaint)).toEqual([
      expect.stringMatching(
        /tunnels\[0\]\.policy: is cnsa, it means CNSA 1\.0, .*; to correct it: policy: cnsa1$/,
      ),
    ]);
    expect(after.warnings).toEqual([]);
  });

  // A gateway that was set so could not be described.
  it("PFSMM is the group of IKE, and as weak as that one is", () => {
    const policy = own.replace(/pfsGroup: \w+/, "pfsGroup: PFSMM");
    const result = parsed(`policy: ${policy}`);
    expect(result.kind === "ok" && result.desired.tunnels[0]?.transforms.dhGroup).toBe("modp-2048");
    const weak = policy.replace(/dhGroup: \w+/, "dhGroup: DHGroup2");
    expect(complaintsOf(`policy: ${weak}`)[0]).toContain("is weak, it has dhGroup DHGroup2");
    const none = policy.replace(/dhGroup: \w+/, "dhGroup: None");
    expect(complaintsOf(`policy: ${none}`)[0]).toContain("dhGroup: is None");
  });

  it("GCM as the integrity of IKE is refused, because it does not name the PRF", () => {
    const policy = own.replace(/ikeIntegrity: \w+/, "ikeIntegrity: GCMAES256");
    expect(complaintsOf(`policy: ${policy}`)[0]).toMatch(
      /GCM is not a PRF .*; to correct it: ikeIntegrity: SHA384$/,
    );
  });

  it("a tunnel's policy is refused with the rule that it breaks", () => {
    const [lacks] = complaintsOf("policy: { ikeEncryption: AES256 }");
    expect(lacks).toContain("tunnels[0].policy: lacks ikeIntegrity, Azure takes a custom policy");
    const [gcm] = complaintsOf(
      `policy: ${own.replace("ion: AES256, ipsecI", "ion: GCMAES256, ipsecI")}`,
    );
    expect(gcm).toContain("policy.ipsecIntegrity: is SHA256 beside GCMAES256, with GCM Azure");
    expect(complaintsOf("policy: strange")[0]).toContain("one of strong, cnsa1, azureDefault");
    expect(complaintsOf("policy: { strange: 1 }")[0]).toContain("policy");
  });

  it("a tunnel's policy may be weak only while its risk is accepted", () => {
    const [weak] = complaintsOf("policy: azureDefault");
    expect(weak).toContain("tunnels[0].policy: is weak, it has dhGroup DHGroup2");
    expect(complaintsOf("policy: azureDefault", risk)).toEqual([]);
    const result = parsed("policy: azureDefault", risk);
    expect(result.kind === "ok" && result.desired.tunnels[0]?.weaknesses.length).toBe(2);
  });

  it("has a neighbour for BGP of its own, where a gateway of Azure may have one", () => {
    const { tunnels } = siteOf("");
    const host = "driver: linux\n    charon: unix:/run/charon.vici";
    const messages = (bgp: string, more = "") =>
      complaints(siteOf(`    bgp: { ${bgp} }\n`, more).text.replace("driver: sim", host));
    expect(messages("local: 169.254.21.2, peer: 169.254.22.1")).toEqual([]);
    expect(messages("local: 10.1.255.1, peer: 10.100.255.30")).toEqual([]);
    expect(messages("local: 169.254.21.2, peer: 169.254.23.1")).toEqual([
      expect.stringContaining("tunnels[0].bgp.peer: is 169.254.23.1"),
    ]);
    expect(messages("local: 169.254.0.2, peer: 10.100.255.30")).toEqual([
      expect.stringContaining("tunnels[0].bgp.local: is 169.254.0.2"),
    ]);
    for (const peer of ["169.254.21.2", '"2001:db8::1"']) {
      expect(messages(`local: 169.254.21.2, peer: ${peer}`)).toEqual([
        expect.stringContaining("two addresses of the tunnel's family"),
      ]);
    }
    const own = "    bgp: { local: 169.254.21.2, peer: 169.254.21.1 }\n";
    const second = tunnels
      .replace("hub-1\n", "hub-2\n")
      .replace("203.0.113.1", "203.0.113.2")
      .replace("    auth", `${own}    auth`);
    expect(messages("local: 169.254.21.6, peer: 169.254.21.1", second)).toEqual([
      expect.stringContaining("hub-1 on edge-a leads to it already"),
    ]);
    const elsewhere = siteOf(own).text.replace("driver: sim", "driver: junos");
    expect(complaints(elsewhere)).toContainEqual(expect.stringContaining("bgp: is set"));
  });

  // With an AS that Azure reserves, BGP never came up, and nothing said why.
  it.each([
    ...[8074, 8075, 12_076, 65_517, 65_520].map((asn) => [asn, "Azure"] as const),
    ...[23_456, 64_496, 64_511, 65_535, 65_551, 4_294_967_295].map((asn) => [asn, "IANA"] as const),
  ])("has no gateway with the AS %i, which %s reserves", (asn, owner) => {
    const own = `    bgp: { local: 169.254.21.2, peer: 169.254.21.1, asn: ${asn} }\n`;
    expect(complaints(siteOf(own).text)).toContainEqual(
      expect.stringContaining(`bgp.asn: is ${asn}, ${owner} reserves it`),
    );
  });

  it.each([1, 8073, 8076, 64_495, 64_512, 65_514, 65_515, 65_516, 65_521, 65_534, 65_552])(
    "may have a gateway with the AS %i",
    (asn) => {
      const own = `    bgp: { local: 169.254.21.2, peer: 169.254.21.1, asn: ${asn} }\n`;
      expect(complaints(siteOf(own).text)).toEqual([]);
    },
  );

  it("shares no interface's number with another one, and on Linux gives it its name", () => {
    const { tunnels } = siteOf("");
    const second = tunnels.replace("hub-1\n", "hub-2\n").replace("203.0.113.1", "203.0.113.2");
    const twice = siteOf("    ifId: 7\n", second.replace("    auth", "    ifId: 7\n    auth"));
    expect(complaints(twice.text)).toEqual([expect.stringContaining("tunnels[1].ifId: is 7")]);
    const bare = siteConfig.replace("driver: sim", "driver: linux");
    expect(complaints(bare)).toEqual([expect.stringContaining("device: is a Linux host")]);
    const linux = bare.replace("driver: linux", "driver: linux\n    charon: unix:/run/charon.vici");
    const elsewhere = linux.replace("driver: linux", "driver: sim");
    expect(complaints(elsewhere)).toEqual([expect.stringContaining("devices[0].charon: is set")]);
    const named = linux.replace("name: hub-1", "name: hub-with-16-char");
    expect(complaints(linux)).toEqual([]);
    expect(complaints(named)).toEqual([expect.stringContaining("tunnels[0].name: has 16 ")]);
    const open = linux.replace("remote: [10.100.0.0/16]", "remote: [0.0.0.0/0]");
    expect(complaints(open)).toEqual([expect.stringContaining("protects.remote[0]: is 0.0.0.0/0")]);
  });
});
