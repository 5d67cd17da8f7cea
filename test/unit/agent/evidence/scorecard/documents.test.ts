// The scorecard of exported documents: their forms, what they do not contain, and hostile files.

import { describe, expect, it } from "vitest";
import { parseDocument } from "#agent/evidence/scorecard/documents.ts";
import { listNames, listTypes, type Resource } from "#agent/evidence/scorecard/estate.ts";
import { judgeDocuments } from "#agent/evidence/scorecard/scorecard.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../../../effort.ts";
import {
  port,
  portDocument,
  resource,
  rowIn,
  rowOfFiles,
  scope,
  vault,
  vaultId,
} from "../../../kit/scorecard-kit.ts";
import { hostileText } from "../../hostile-json.ts";

const at = "2026-11-28T00:00:00Z";
const cardOf = (...values: readonly unknown[]) =>
  judgeDocuments(
    values.map((value, index) => parseDocument(`${index}.json`, JSON.stringify(value))),
    at,
  );

const version = "0123456789abcdef0123456789abcdef";
const macsec = (more: object = {}) => ({
  ...{ cknSecretIdentifier: `${vault}/secrets/ckn/${version}` },
  ...{ cakSecretIdentifier: `${vault}/secrets/cak/${version}`, cipher: "GcmAesXpn256" },
  ...more,
});
const link = (name: string, macSecConfig: object, adminState = "Enabled") => ({
  ...{ name, id: `${port}/links/${name}`, etag: 'W/"0"' },
  properties: { adminState, macSecConfig, routerName: "r", interfaceName: "HundredGigE2/2/2" },
});
const protectedPort = portDocument(undefined, [link("link1", macsec()), link("link2", macsec())]);

const network = (name: string, enabled: boolean): Resource =>
  resource("Microsoft.Network/virtualNetworks", name, {
    encryption: { enabled, enforcement: "AllowUnencrypted" },
    virtualNetworkPeerings: [],
  });
const encrypted = "hub is encrypted, enforcement AllowUnencrypted";

describe("a document in the form of", () => {
  const hub = network("hub", true);
  const { properties, ...rest } = hub;
  const flat = { ...rest, ...(properties as object), provisioningState: "Succeeded" };

  it.each([
    ["a resource of ARM", hub],
    ["a list", [hub]],
    ["a list with null in it", [null, hub, null]],
    ["a page of ARM", { value: [hub], nextLink: null }],
    ["Resource Graph", { count: 1, data: [{ ...hub, type: "microsoft.network/virtualnetworks" }] }],
    ["another case", { ...hub, type: "MICROSOFT.NETWORK/VIRTUALNETWORKS" }],
    ["a resource without type", { id: hub["id"], name: "hub", properties }],
    ["the Azure CLI", flat],
    ["a list of the Azure CLI", [{ ...flat, resourceGroup: "rg1", bgpCommunities: null }]],
  ])("%s is judged", (_name, value) => {
    const card = cardOf(value);
    const row = rowIn(card, "vnet-encryption");
    expect(row).toEqual({ verdict: "proven", evidence: encrypted, next: null });
    expect(card.documents?.refused).toEqual([]);
  });

  it("the Azure CLI is judged in its parts too", () => {
    const id = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network";
    const address = { primary: true, privateIPAddress: "10.0.0.4" };
    const nic = (config: object) => ({
      ...{ id: `${id}/networkInterfaces/vm`, name: "vm", provisioningState: "Succeeded" },
      type: "Microsoft.Network/networkInterfaces",
      ipConfigurations: [{ id: `${id}/x/y`, name: "ipconfig", ...address, ...config }],
    });
    const open = { publicIpAddress: { id: `${id}/publicIPAddresses/vm`, resourceGroup: "rg" } };
    const says = (document: object) => rowOfFiles("bastion", document).evidence;
    expect(says(nic(open))).toContain("vm has a public address");
    expect(says(nic({ publicIPAddress: null }))).toContain("vm has no public address");
    const port = {
      ...{ id: `${id}/expressRoutePorts/erd`, name: "erd", provisioningState: "Succeeded" },
      ...{ type: "Microsoft.Network/expressRoutePorts", bandwidthInGbps: 100 },
      links: [
        {
          ...{ id: `${id}/expressRoutePorts/erd/links/link1`, name: "link1" },
          ...{ adminState: "Disabled", macSecConfig: macsec() },
        },
      ],
    };
    expect(rowOfFiles("macsec-on-direct", port)).toMatchObject({
      verdict: "failed",
      evidence: expect.stringContaining("the far end of erd/link1 is switched off"),
    });
  });
});

describe("parts without ids and properties, as a query of the Azure CLI leaves them", () => {
  const id = `${scope}/providers/Microsoft.Network`;
  const bare = (type: string, name: string, more: object) => ({
    ...{ id: `${id}/${type}/${name}`, name, type: `Microsoft.Network/${type}` },
    ...{ provisioningState: "Succeeded", ...more },
  });
  const host = bare("bastionHosts", "b", { ipConfigurations: [] });
  const address = { name: "ip", privateIPAddress: "10.0.0.4" };
  const nic = (config: object) => bare("networkInterfaces", "vm", { ipConfigurations: [config] });
  const ssh = {
    ...{ name: "ssh", access: "Allow", direction: "Inbound", sourceAddressPrefix: "*" },
    ...{ destinationPortRange: "22", protocol: "Tcp" },
  };
  const firewall = bare("azureFirewalls", "fw", { natRuleCollections: [], ipConfigurations: [] });
  const group = (more: object) => bare("networkSecurityGroups", "nsg", more);
  const arm = (more: object) => ({
    ...{ id: `${id}/networkSecurityGroups/nsg`, name: "nsg", properties: more },
    type: "Microsoft.Network/networkSecurityGroups",
  });
  const unreadable = "nsg has no readable securityRules: export the whole resource";

  it("closed rules and private addresses are proven", () => {
    const rules = { securityRules: [{ ...ssh, sourceAddressPrefix: "10.0.0.0/8" }] };
    for (const closed of [group(rules), arm(rules), group({ securityRules: [] })]) {
      expect(rowOfFiles("bastion", host, nic(address), closed, firewall).verdict).toBe("proven");
    }
  });

  it("Bastion is not proven over a public address", () => {
    for (const key of ["publicIPAddress", "publicIpAddress"]) {
      const open = nic({ ...address, [key]: { id: `${id}/publicIPAddresses/vm` } });
      expect(rowOfFiles("bastion", host, open, group({ securityRules: [] }))).toMatchObject({
        verdict: "failed",
        evidence: expect.stringContaining("vm has a public address"),
      });
    }
  });

  it("Bastion is not proven over open SSH", () => {
    for (const open of [group({ securityRules: [ssh] }), arm({ securityRules: [ssh] })]) {
      expect(rowOfFiles("bastion", host, nic(address), open)).toMatchObject({
        verdict: "failed",
        evidence: expect.stringContaining("nsg lets the Internet in to 22 or 3389"),
      });
    }
  });

  it.each([
    ["no rules", {}],
    ["a rule's name alone", { securityRules: [{ name: "ssh" }] }],
    ["a rule without ports", { securityRules: [{ ...ssh, destinationPortRange: undefined }] }],
    ["a rule without source", { securityRules: [{ ...ssh, sourceAddressPrefix: null }] }],
    ["a rule with empty properties", { securityRules: [{ name: "ssh", properties: {} }] }],
    ["the name of a rule as text", { securityRules: ["ssh"] }],
  ])("%s is not verifiable", (_name, rules) => {
    for (const unknown of [group(rules), arm(rules)]) {
      expect(rowOfFiles("bastion", host, nic(address), unknown)).toMatchObject({
        verdict: "notVerifiable",
        evidence: expect.stringContaining(unreadable),
      });
    }
  });

  it("an interface without the contents of its configurations is not verifiable", () => {
    for (const unknown of [
      nic({ name: "ip", id: `${id}/x` }),
      bare("networkInterfaces", "vm", {}),
    ]) {
      const row = rowOfFiles("bastion", host, unknown, group({ securityRules: [] }));
      expect(row.verdict).toBe("notVerifiable");
      expect(row.evidence).toContain("vm has no readable ipConfigurations");
    }
  });
});

describe("what documents do not contain", () => {
  it("no document proves or fails nothing", () => {
    const { counts, rows } = cardOf([]);
    expect([counts.proven, counts.failed]).toEqual([0, 0]);
    for (const { next } of rows) expect(next).toMatch(/\w{4}/);
    expect(rowIn(cardOf([]), "vnet-encryption")).toEqual({
      verdict: "notVerifiable",
      evidence: "not read: the documents contain no Microsoft.Network/virtualNetworks",
      next: "export Microsoft.Network/virtualNetworks as JSON into the folder",
    });
  });

  it("a resource that was left out does not fail the row of another", () => {
    const subnet = { id: `${scope}/providers/Microsoft.Network/virtualNetworks/a/subnets/b` };
    const gateway = (name: string, gatewayType: string, of: object): Resource =>
      resource("Microsoft.Network/virtualNetworkGateways", name, {
        ...{ gatewayType, ipConfigurations: [{ properties: { subnet: of } }] },
      });
    const er = gateway("er", "ExpressRoute", subnet);
    const elsewhere = gateway("vpn", "Vpn", { id: "/other/subnets/b" });
    expect(rowOfFiles("vpn-as-backup", er, elsewhere)).toEqual({
      verdict: "notVerifiable",
      evidence: "no VPN gateway exists beside er in the documents",
      next: "export it as JSON into the folder",
    });
    const firewall = resource("Microsoft.Network/azureFirewalls", "fw", {
      ipConfigurations: [{ properties: { privateIPAddress: "10.0.0.4" } }],
    });
    const table = resource("Microsoft.Network/routeTables", "t", { routes: [] });
    expect(rowOfFiles("central-inspection", firewall, table).verdict).toBe("notVerifiable");
  });

  it("a resource without its properties makes its row not verifiable, and is named", () => {
    const bare = { ...network("spoke", true), properties: undefined };
    const card = cardOf([network("hub", true), bare]);
    expect(rowIn(card, "vnet-encryption")).toMatchObject({
      verdict: "notVerifiable",
      evidence: "not read: spoke has no properties: export the whole resource",
    });
    expect(card.documents).toEqual({
      ...{ files: 1, resources: 1, others: 0 },
      refused: [{ file: "0.json", why: "spoke has no properties: export the whole resource" }],
    });
  });

  it.each([
    ["value", { nextLink: "https://management.azure.com/x?$skiptoken=1" }],
    ["value", { "@odata.nextLink": "https://management.azure.com/x?$skiptoken=1" }],
    ["data", { count: 1, skip_token: "t", total_records: 1 }],
    ["data", { count: 1, $skipToken: "t" }],
    ["data", { count: 1, skip_token: null, total_records: 2500 }],
    ["data", { count: 1, totalRecords: 2, resultTruncated: "false" }],
    ["data", { count: 1, resultTruncated: "true" }],
  ])("an incomplete page (%s, %j) proves nothing, and is named", (key, rest) => {
    const card = cardOf({ [key]: [network("hub", true)], ...rest }, network("spoke", true));
    expect(rowIn(card, "vnet-encryption")).toMatchObject({
      verdict: "notVerifiable",
      evidence: expect.stringMatching(/0\.json: it .*: export all pages$/),
    });
    expect(card.documents?.refused).toEqual([
      { file: "0.json", why: expect.stringContaining("export all pages") },
    ]);
  });

  it("the only page of Resource Graph is complete", () => {
    const only = { count: 1, data: [network("hub", true)], skip_token: null, total_records: 1 };
    expect(rowIn(cardOf(only), "vnet-encryption").verdict).toBe("proven");
  });

  it("resources that no row judges are counted", () => {
    const others = [resource("Microsoft.Compute/virtualMachines", "vm", {}), network("hub", true)];
    expect(cardOf(others, []).documents).toEqual({
      ...{ files: 2, resources: 1, others: 1, refused: [] },
    });
  });
});

describe("the links of an exported port", () => {
  it("a link with MACsec is not proven, for the router's end is not in a document", () => {
    const card = cardOf(protectedPort);
    expect(rowIn(card, "macsec-on-direct")).toMatchObject({
      verdict: "notVerifiable",
      evidence: expect.stringContaining("the far end of erd/link2 names its CAK and CKN"),
      next: "run linkseal scorecard beside an agent",
    });
    expect(rowIn(card, "ipsec-over-private-peering").evidence).toContain("the routes at the edge");
    expect(card.site).toBeNull();
  });

  it.each([
    ["macsec-on-direct", link("link1", {}), "the far end of erd/link1 has MACsec off"],
    [
      "macsec-on-direct",
      link("link1", macsec({ cknSecretIdentifier: null })),
      "the far end of erd/link1 has MACsec off",
    ],
    ["macsec-on-direct", link("link1", macsec(), "Disabled"), "erd/link1 is switched off"],
    ["macsec-keys-in-vault", link("link1", {}), "names no version of a secret in the vault"],
    [
      "macsec-keys-in-vault",
      link("link1", macsec({ cakSecretIdentifier: `${vault}/secrets/cak` })),
      "names no version of a secret in the vault",
    ],
  ])("a row %s fails for a port with a bad link", (row, bad, says) => {
    const port = portDocument(undefined, [bad, link("link2", macsec())]);
    const found = rowOfFiles(row, port);
    expect(found).toMatchObject({ verdict: "failed", evidence: expect.stringContaining(says) });
    expect(found.next).not.toContain("linkseal links");
  });

  it("the vault that a link names is judged, and another is not", () => {
    const named = resource("Microsoft.KeyVault/vaults", "kv-1", { vaultUri: `${vault}/` });
    const other = resource("Microsoft.KeyVault/vaults", "kv-2", { vaultUri: "https://kv-2.x/" });
    const row = rowOfFiles("macsec-keys-in-vault", protectedPort, named, other);
    expect(row.evidence).toContain("kv-1 does not show its enableSoftDelete");
    expect(row.evidence).not.toContain("kv-2");
  });
});

describe("roles in documents", () => {
  const principalId = "11111111-aaaa-bbbb-cccc-000000000001";
  const type = "Microsoft.ManagedIdentity/userAssignedIdentities";
  const identity = resource(type, "erd-macsec", { principalId });
  const port = {
    ...protectedPort,
    identity: { type: "userAssigned", userAssignedIdentities: { [String(identity["id"])]: {} } },
  };
  const kv = resource("Microsoft.KeyVault/vaults", "kv-1", { vaultUri: `${vault}/` });
  const role = (definition: string, more: object = {}) => ({
    ...{ id: `${vaultId}/providers/Microsoft.Authorization/roleAssignments/${definition}` },
    ...{ name: definition, type: "Microsoft.Authorization/roleAssignments" },
    ...{ principalId, principalType: "ServicePrincipal", scope: vaultId },
    roleDefinitionId: `/subscriptions/s/providers/x/roleDefinitions/${definition}`,
    ...more,
  });
  const secretsUser = "4633458b-17de-408a-b874-0445c86b69e6";
  const contributor = "b24988ac-6180-42a0-ab88-20f7382dd24c";

  it.each([
    ["notVerifiable", [role(secretsUser)], "others may not be in them"],
    ["failed", [role(contributor)], "may do more than read secrets"],
    ["failed", [role(secretsUser), role(contributor, { scope })], "may do more than read secrets"],
    ["notVerifiable", [role(secretsUser), role("owner", { principalId: "b" })], "others may not"],
    ["notVerifiable", [role("owner", { scope: `${scope}/providers/x/y/z` })], "no role of the"],
    [
      "notVerifiable",
      [role("owner", { principalId: "g", principalType: "Group" })],
      "a group has a role on the vault, and its members are not shown",
    ],
  ])("roles are %s", (verdict, roles, says) => {
    const row = rowOfFiles("macsec-least-privilege", port, identity, kv, ...roles);
    expect(row).toMatchObject({ verdict, evidence: expect.stringContaining(says) });
  });
});

describe("a file that is no document", () => {
  const why = (text: string) => parseDocument("a.json", text).refused.map((each) => each.why);

  it.each([
    ["", "it is not JSON, or too long or too deep"],
    ["{", "it is not JSON, or too long or too deep"],
    [`${"[".repeat(100)}${"]".repeat(100)}`, "it is not JSON, or too long or too deep"],
    ['"text"', "it contains no resource and no list of resources"],
    ["null", "it contains no resource and no list of resources"],
    ['{"value":{}}', "it contains no resource and no list of resources"],
    ['{"data":{"columns":[],"rows":[]}}', "it contains no resource and no list of resources"],
    ['[{"name":"a"}]', "item 1 has no type and no resource id"],
    ["[1]", "item 1 has no type and no resource id"],
  ])("a file with %j is refused", (text, says) => {
    expect(why(text)).toEqual([says]);
  });

  it("a file with very many resources is refused, and many bad items are one line", () => {
    expect(why(JSON.stringify(Array(20_001).fill({})))).toEqual([
      "it has more than 20000 resources",
    ]);
    expect(why(JSON.stringify(Array(50).fill({})))).toEqual([
      "item 1 has no type and no resource id",
      "item 2 has no type and no resource id",
      "48 more items like these",
    ]);
  });

  it("a bad file leaves the others as they are", () => {
    const documents = [
      parseDocument("bad.json", "{"),
      parseDocument("good.json", JSON.stringify(network("hub", true))),
    ];
    const card = judgeDocuments(documents, at);
    expect(rowIn(card, "vnet-encryption").verdict).toBe("proven");
    expect(card.documents?.refused).toEqual([
      { file: "bad.json", why: "it is not JSON, or too long or too deep" },
    ]);
  });

  it("the key of a peering, and texts of a document, are not printed", () => {
    const peering = { peeringType: "\u001b[31m", sharedKey: "a-bgp-md5-key" };
    const circuit = {
      ...resource("Microsoft.Network/expressRouteCircuits", "c", {
        peerings: [{ properties: peering }],
      }),
      name: "\u202e; stolen",
    };
    const text = JSON.stringify(cardOf(circuit));
    expect(text).toContain("a resource something else has a shared key");
    expect(text).not.toMatch(/a-bgp-md5-key|u001b|\u202e|stolen/);
  });
});

const seed = process.env["LINKSEAL_SEED"] ?? "documents";

/** One document of each type that a row judges, with parts that rows look into. */
const everything = listNames.map((name) =>
  resource(listTypes[name], listTypes[name].split("/").slice(1).join("/"), {
    ...{ vaultUri: `${vault}/`, peerings: [{ properties: { sharedKey: "x" } }] },
    ...{ gatewayType: "Vpn", connectionType: "IPsec", scopes: [scope], actions: [{}] },
    ...{ securityRules: [], httpListeners: [{ properties: { protocol: "Http" } }] },
    ipConfigurations: [{ properties: { privateIPAddress: "10.0.0.4" } }],
    condition: { allOf: [{ field: "category", equals: "ServiceHealth" }] },
    ...{ testGroups: [{ sources: ["a"], destinations: ["b"] }], endpoints: [{ name: "a" }] },
  }),
);

describe(`documents that were spoiled (LINKSEAL_SEED=${seed})`, () => {
  it("a spoiled document throws nothing", () => {
    const runs = effort(300, 20_000);
    console.log(`spoiled documents: LINKSEAL_SEED=${seed}, ${runs} runs`);
    const prng = new Prng(seed);
    const whole = [protectedPort, ...everything];
    for (let run = 0; run < runs; run += 1) {
      const parsed = parseDocument("a.json", hostileText(whole, prng));
      const { counts, rows } = judgeDocuments([parsed], at);
      expect(counts.proven + counts.failed + counts.notVerifiable).toBe(rows.length);
    }
  });
});
