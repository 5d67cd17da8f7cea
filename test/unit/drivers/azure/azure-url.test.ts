// Where a token may go: hostile URLs, addresses and challenges, each refused before a byte leaves.

import { describe, expect, it } from "vitest";
import { parseConfig } from "#agent/config/index.ts";
import {
  azureEndpoints,
  checkAddress,
  checkArm,
  checkAuthority,
  checkChallenge,
  checkPrivateRange,
  checkVaultUrl,
  type RealCloud,
} from "#drivers/azure/azure-url.ts";
import type { Reach, WallTime } from "#hal/world.ts";
import { siteConfig } from "../../kit/site-config.ts";

const good: readonly (readonly [RealCloud, string])[] = [
  ["public", "https://kv-erd.vault.azure.net"],
  ["public", "https://kv-erd.vault.azure.net/"],
  ["public", "https://abc.vault.azure.net"],
  ["public", "https://a23456789-123456789-1234.vault.azure.net"],
  ["usgovernment", "https://kv-erd.vault.usgovcloudapi.net"],
  ["china", "https://kv-erd.vault.azure.cn"],
  ["loopback", "https://localhost:8443"],
  ["loopback", "https://127.0.0.1:8443"],
  ["loopback", "https://kv.vault.localhost:65535"],
];

const host = "kv-erd.vault.azure.net";
/** Of the public cloud where no other is named. */
const hostile: readonly (string | readonly [RealCloud, string])[] = [
  "",
  "kv-erd.vault.azure.net",
  `http://${host}`,
  `HTTPS://${host}`,
  `ftp://${host}`,
  `//${host}`,
  `https:/${host}`,
  `https:\\\\${host}`,
  ` https://${host}`,
  `https://${host} `,
  `https://${host}\n`,
  `https://${host}\u0000`,
  `https://\t${host}`,
  // User names and what hides a host.
  `https://admin@${host}`,
  `https://${host}@evil.example`,
  `https://${host}:443@evil.example`,
  `https://evil.example\\@${host}`,
  `https://evil.example#@${host}`,
  `https://evil.example?@${host}`,
  `https://evil.example/.${host}`,
  `https://evil.example%2f.${host}`,
  `https://evil.example%00.${host}`,
  `https://evil.example;.${host}`,
  // Ports, paths, queries, fragments.
  `https://${host}:443`,
  `https://${host}:8443`,
  `https://${host}:0`,
  `https://${host}:`,
  `https://${host}/secrets`,
  `https://${host}//`,
  `https://${host}/../`,
  `https://${host}?x`,
  `https://${host}#x`,
  // Tricks with the suffix.
  "https://vault.azure.net",
  "https://.vault.azure.net",
  "https://evilvault.azure.net",
  "https://kv-erd.vault.azure.net.evil.example",
  "https://kv-erd.vault-azure.net",
  "https://kv-erd.vault.azure.net.",
  "https://kv-erd..vault.azure.net",
  "https://a.kv-erd.vault.azure.net",
  "https://kv-erd.privatelink.vaultcore.azure.net",
  "https://kv-erd.vault.azure.com",
  "https://kv-erd.vault.azure.cn",
  "https://kv-erd.vault.usgovcloudapi.net",
  ["china", `https://${host}`],
  ["usgovernment", `https://${host}`],
  // What is no name of a vault.
  "https://KV-ERD.vault.azure.net",
  "https://kv_erd.vault.azure.net",
  "https://-kv.vault.azure.net",
  "https://kv-.vault.azure.net",
  "https://1kv.vault.azure.net",
  "https://k--v.vault.azure.net",
  "https://kv.vault.azure.net",
  `https://${"k".repeat(25)}.vault.azure.net`,
  `https://${"k.".repeat(50)}vault.azure.net`,
  "https://xn--kv-erd-4ya.vault.azure.net",
  "https://kv-erd.vault.xn--azure-n0a.net",
  "https://kv-\u0435rd.vault.azure.net",
  "https://kv-erd.vault.azure\u3002net",
  "https://kv-erd\u00ad.vault.azure.net",
  // Addresses in every spelling.
  "https://127.0.0.1",
  "https://127.1",
  "https://2130706433",
  "https://0x7f000001",
  "https://0x7f.0.0.1",
  "https://0177.0.0.1",
  "https://169.254.169.254",
  "https://2852039166",
  "https://168.63.129.16",
  "https://10.0.0.4",
  "https://[::1]",
  "https://[::ffff:127.0.0.1]",
  "https://[fe80::1%25eth0]",
  "https://[fd00:ec2::254]",
  "https://0",
  "https://localhost",
  "https://localhost:8443",
  "https://metadata.google.internal",
  // On this host alone is on this host alone.
  ["loopback", "https://localhost"],
  ["loopback", "https://localhost:0"],
  ["loopback", "https://localhost:65536"],
  ["loopback", "https://localhost.evil.example:8443"],
  ["loopback", "https://notlocalhost:8443"],
  ["loopback", "https://127.0.0.2:8443"],
  ["loopback", "https://[::1]:8443"],
  ["loopback", "https://169.254.169.254:80"],
  ["loopback", `https://${host}`],
  ["loopback", "http://localhost:8443"],
];

const cases = hostile.map((each): readonly [RealCloud, string] =>
  typeof each === "string" ? ["public", each] : each,
);

describe("a vault's URL", () => {
  it.each(good)("in the cloud %s the vault %s may receive requests", (cloud, url) => {
    expect(checkVaultUrl(url, cloud)).toBeUndefined();
  });

  it("a vault's URL is tried in more than sixty hostile ways, no two alike", () => {
    expect(new Set(cases.map((each) => each.join(" "))).size).toBe(cases.length);
    expect(cases.length).toBeGreaterThan(60);
  });

  it.each(cases)("in the cloud %s the vault %j is refused with a reason", (cloud, url) => {
    expect(checkVaultUrl(url, cloud)).toMatch(/\w/);
  });

  it.each(cases)("in the cloud %s no config with the vault %j is accepted", (cloud, url) => {
    const services =
      cloud === "loopback" ? "authority: https://localhost:1\n  arm: https://localhost:1\n  " : "";
    const azure = `  cloud: ${cloud}\n  ${services}identity: { kind: arc }\n  farEnd: manual\n`;
    const vault = `  vault: ${JSON.stringify(url)}\n`;
    const text = siteConfig.replace(/(?<=^azure:\n)(?: .*\n)+/m, `${azure}${vault}`);
    const parsed = parseConfig(text, "x.yaml", Date.UTC(2026, 10, 24) as WallTime);
    if (parsed.kind === "ok") throw new Error("it was accepted");
    expect(parsed.complaints.map(({ path }) => path)).toContain("azure.vault");
  });
});

describe("an authority and a management endpoint", () => {
  const clouds = [
    ["public", "https://login.microsoftonline.com", "https://management.azure.com"],
    ["usgovernment", "https://login.microsoftonline.us", "https://management.usgovcloudapi.net"],
    ["china", "https://login.chinacloudapi.cn", "https://management.chinacloudapi.cn"],
    ["loopback", "https://localhost:8443", "https://localhost:8443"],
  ] as const;

  it.each(clouds)(
    "the cloud %s has its own authority and management endpoint",
    (cloud, authority, arm) => {
      expect([checkAuthority(authority, cloud), checkArm(arm, cloud)]).toEqual([
        undefined,
        undefined,
      ]);
      for (const [other, foreign, theirs] of clouds) {
        if (other === cloud) continue;
        expect(checkAuthority(foreign, cloud)).toMatch(/\w/);
        expect(checkArm(theirs, cloud)).toMatch(/\w/);
      }
    },
  );

  const names = ["login.microsoftonline.com", "management.azure.com"];
  const spoilt = (name: string): readonly string[] => [
    `http://${name}`,
    `https://${name}:443`,
    `https://${name}/tenant`,
    `https://${name}.evil.example`,
    `https://${name}@evil.example`,
    `https://evil.example@${name}`,
    `https://evil-${name}`,
    `https://${name}.`,
    `https://${name.toUpperCase()}`,
    `https://${name}?x`,
    `https://${name}%2f`,
    `https://xn--${name}`,
    `https://a.${name}`,
    "https://login.windows.net.evil.example",
    "https://169.254.169.254",
    "https://localhost:8443",
  ];
  it.each(names.flatMap(spoilt))("%j is neither an authority nor a management endpoint", (url) => {
    expect(checkAuthority(url, "public")).toMatch(/\w/);
    expect(checkArm(url, "public")).toMatch(/\w/);
  });
});

const privateMode: Reach = { kind: "private", ranges: ["10.20.0.0/24", "fd12:3456::/32"] };
const publicMode: Reach = { kind: "public" };
const loopbackMode: Reach = { kind: "loopback" };

describe("an address that a name resolves to", () => {
  it.each<readonly [string, Reach]>([
    ["20.36.12.4", publicMode],
    ["2603:1030:800:5::bfee:a418", publicMode],
    ["20.36.12.4", privateMode],
    ["10.20.0.9", privateMode],
    ["fd12:3456::9", privateMode],
    ["127.0.0.1", loopbackMode],
    ["127.8.8.8", loopbackMode],
    ["::1", loopbackMode],
  ])("a connection to %s is made with the reach %o", (address, reach) => {
    expect(checkAddress(address, reach)).toBeUndefined();
  });

  const everywhere = [
    ...["0.0.0.0", "127.0.0.1", "127.255.0.1", "169.254.169.254", "169.254.0.1", "168.63.129.16"],
    ...["172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.100.100.200"],
    ...["192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1"],
    ...["240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1"],
    ...["0:0:0:0:0:ffff:7f00:1", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1"],
    ...["64:ff9b:1::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "fe80::1"],
    ...["fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "100::1", "5f00::1"],
    ...["127.1", "2130706433", "0x7f.0.0.1", "localhost", "", "20.36.12.4 ", "20.36.12"],
  ];
  it.each(everywhere)(
    "no connection is made to %j, with or without private endpoints",
    (address) => {
      expect(checkAddress(address, publicMode)).toMatch(/\w/);
      expect(checkAddress(address, privateMode)).toMatch(/\w/);
    },
  );

  it.each(["10.20.1.1", "10.0.0.1", "fd12:3457::1"])(
    "%s is outside the named prefixes of private endpoints",
    (address) => {
      expect(checkAddress(address, privateMode)).toContain("nor in privateEndpoints");
    },
  );

  it.each(["10.20.0.9", "fd12:3456::9"])(
    "%s is refused as private if no prefix is named",
    (address) => {
      expect(checkAddress(address, publicMode)).toBe("it is not public");
    },
  );

  it.each(["::ffff:10.20.0.9", "0:0:0:0:0:ffff:a14:9"])(
    "%s is refused although the address that it wraps is in a named prefix",
    (one) => {
      expect(checkAddress(one, privateMode)).toBe("it wraps another address");
    },
  );

  it.each(["20.36.12.4", "10.0.0.1", "169.254.169.254", "::2", "::ffff:127.0.0.1"])(
    "%s is refused in the loopback cloud",
    (address) => {
      expect(checkAddress(address, loopbackMode)).toMatch(/\w/);
    },
  );
});

describe("a prefix of private endpoints", () => {
  it.each(["10.0.0.0/8", "10.20.0.0/24", "192.168.1.4/32", "172.16.0.0/12", "fd00::/8"])(
    "%s is a prefix of private endpoints",
    (prefix) => {
      expect(checkPrivateRange(prefix)).toBeUndefined();
    },
  );

  it.each([
    ...["0.0.0.0/0", "10.0.0.0/7", "127.0.0.0/8", "169.254.0.0/16", "169.254.169.254/32"],
    ...["20.0.0.0/8", "168.63.129.16/32", "::/0", "::1/128", "fe80::/10", "fc00::/6", "2603::/16"],
    ...["::ffff:10.0.0.0/104", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-9", "10/8", "/8"],
    ...["fd00::/129", "10.0.0.0/8 ", "10.0.0.0/1e1", "10.0.0.0/0x9"],
  ])("%j is not a prefix of private endpoints", (prefix) => {
    expect(checkPrivateRange(prefix)).toMatch(/private endpoints are in/);
  });
});

const endpoints = azureEndpoints({ cloud: "public", vault: `https://${host}` });
const login = "https://login.microsoftonline.com";
const tenant = "11111111-2222-3333-4444-555555555555";
const wanted = 'resource="https://vault.azure.net"';
const ours = `authorization="${login}/${tenant}"`;

describe("a vault's challenge", () => {
  it.each([
    `Bearer authorization="${login}/${tenant}", ${wanted}`,
    `Bearer authorization="${login}/${tenant}/", ${wanted}`,
    `Bearer authorization="${login}/${tenant}", scope="https://vault.azure.net/.default"`,
    `bearer authorization_uri="${login}/${tenant}", ${wanted}`,
    `Bearer ${wanted}, ${ours}, error="insufficient_claims", claims="eyJ9"`,
  ])("a vault's challenge %j is answered", (header) => {
    expect(checkChallenge(header, endpoints)).toBeUndefined();
  });

  // MSAL's instance metadata: the names of each cloud's authority.
  const authorities = {
    public: [
      "login.microsoftonline.com",
      "login.windows.net",
      "login.microsoft.com",
      "sts.windows.net",
    ],
    usgovernment: ["login.microsoftonline.us", "login.usgovcloudapi.net"],
    china: ["login.chinacloudapi.cn", "login.partner.microsoftonline.cn"],
  } as const;
  const suffixes = {
    public: "vault.azure.net",
    usgovernment: "vault.usgovcloudapi.net",
    china: "vault.azure.cn",
  } as const;
  const clouds = ["public", "usgovernment", "china"] as const;
  const challenges = clouds.flatMap((cloud) =>
    clouds.flatMap((named) => authorities[named].map((name) => [cloud, named, name] as const)),
  );

  // A vault of China that names its authority by its second name was never read.
  it.each(challenges)(
    "a vault of the cloud %s is answered for the authority of %s by the name %s, if it is the same",
    (cloud, named, name) => {
      const own = azureEndpoints({ cloud, vault: `https://erd-kv.${suffixes[cloud]}` });
      const resource = `resource="https://${suffixes[cloud]}"`;
      const header = `Bearer authorization="https://${name}/${tenant}", ${resource}`;
      expect(checkChallenge(header, own) === undefined).toBe(cloud === named);
      // The alias is never where the token comes from.
      expect(own.authority).toBe(`https://${authorities[cloud][0]}`);
    },
  );

  it.each<readonly [string, string]>([
    ["another authority", `Bearer authorization="https://evil.example/${tenant}", ${wanted}`],
    ["a longer name", `Bearer authorization="${login}.evil.example/${tenant}", ${wanted}`],
    ["a user name", `Bearer authorization="${login}@evil.example/${tenant}", ${wanted}`],
    ["another port", `Bearer authorization="${login}:8443/${tenant}", ${wanted}`],
    ["plain http", `Bearer authorization="${login.replace("s:", ":")}/${tenant}", ${wanted}`],
    ["a backslash", `Bearer authorization="${login}\\${tenant}", ${wanted}`],
    ["a deeper path", `Bearer authorization="${login}/${tenant}/oauth2", ${wanted}`],
    ["a way up", `Bearer authorization="${login}/../${tenant}", ${wanted}`],
    ["a query", `Bearer authorization="${login}/${tenant}?x", ${wanted}`],
    ["a fragment", `Bearer authorization="${login}/${tenant}#x", ${wanted}`],
    ["no tenant", `Bearer authorization="${login}", ${wanted}`],
    ["another cloud", `Bearer authorization="https://login.chinacloudapi.cn/${tenant}", ${wanted}`],
    [
      "the management API",
      `Bearer authorization="${login}/${tenant}", resource="https://management.azure.com"`,
    ],
    [
      "a host that ends like ours",
      `Bearer authorization="${login}/${tenant}", resource="https://evilvault.azure.net"`,
    ],
    ["a suffix alone", `Bearer authorization="${login}/${tenant}", resource="https://azure.net"`],
    [
      "a resource in another place",
      `Bearer authorization="${login}/${tenant}", scope="https://graph.microsoft.com/.default"`,
    ],
    ["two authorities", `Bearer ${ours}, authorization="https://evil.example/x", ${wanted}`],
    ["two resources", `Bearer ${ours}, ${wanted}, resource="https://management.azure.com"`],
    [
      "two spellings of one name",
      `Bearer authorization="${login}/${tenant}", ${wanted}, Resource="https://x.example"`,
    ],
    ["two challenges", `Bearer authorization="${login}/${tenant}", ${wanted}, Basic realm="x"`],
    ["bare values", `Bearer authorization=${login}/${tenant}, resource=https://vault.azure.net`],
    ["one bare value", `Bearer authorization="${login}/${tenant}", ${wanted}, claims=x`],
    ["an open quote", `Bearer authorization="${login}/${tenant}, ${wanted}`],
    ["nothing", "Bearer "],
    ["no scheme", `authorization="${login}/${tenant}", ${wanted}`],
    ["another scheme", `Basic realm="${login}/${tenant}"`],
    ["an empty header", ""],
  ])("a vault's challenge that names %s is not answered", (_name, header) => {
    expect(checkChallenge(header, endpoints)).toMatch(/\w/);
  });
});
