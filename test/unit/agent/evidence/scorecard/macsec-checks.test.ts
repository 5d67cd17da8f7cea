// The port's identity with its rights, the vault, and its perimeter, in the forms that Azure shows.

import { describe, expect, it } from "vitest";
import type { Resource } from "#agent/evidence/scorecard/estate.ts";
import {
  cardOn,
  portDocument,
  type Refusing,
  readerOf,
  resource,
  rowIn,
  rowOf,
  rowOn,
  scope,
  subscription,
  vault,
  vaultId,
} from "../../../kit/scorecard-kit.ts";

const principalId = "11111111-aaaa-bbbb-cccc-000000000001";
const identityId = `${scope}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/erd-macsec`;
const identity = resource("Microsoft.ManagedIdentity/userAssignedIdentities", "erd-macsec", {
  ...{ tenantId: "22222222-aaaa-bbbb-cccc-000000000002", principalId },
  clientId: "33333333-aaaa-bbbb-cccc-000000000003",
});
const secretsUser = "4633458b-17de-408a-b874-0445c86b69e6";
const contributor = "b24988ac-6180-42a0-ab88-20f7382dd24c";

const definitions = `${subscription}/providers/Microsoft.Authorization/roleDefinitions`;

function role(definition: string, more: object = {}): Resource {
  const properties = {
    roleDefinitionId: `${definitions}/${definition}`,
    ...{ principalId, principalType: "ServicePrincipal", scope: vaultId, ...more },
  };
  const path = `${vaultId}/providers/Microsoft.Authorization/roleAssignments/${definition}`;
  const name = definition;
  return { id: path, name, type: "Microsoft.Authorization/roleAssignments", properties };
}

const settings = {
  ...{ vaultUri: `${vault}/`, enableSoftDelete: true, enablePurgeProtection: true },
  ...{ enableRbacAuthorization: true, sku: { family: "A", name: "standard" } },
};
const closed = { bypass: "AzureServices", defaultAction: "Deny", ipRules: [] };
const vaultDocument = (more: object = { networkAcls: closed }): Resource =>
  resource("Microsoft.KeyVault/vaults", "kv-1", { ...settings, ...more });

async function leastPrivilege(own: object, documents: readonly Resource[], how: Refusing = {}) {
  const port = portDocument(own);
  const { read, asked } = readerOf([port, vaultDocument(), ...documents], how);
  return { row: await rowOn("macsec-least-privilege", { read }), asked };
}

describe("the identity of a port", () => {
  const assigned = { [identityId]: {} };

  it.each([
    ["userAssigned", "proven"],
    ["UserAssigned", "proven"],
    ["SystemAssigned, UserAssigned", "proven"],
    ["systemAssigned,userAssigned", "proven"],
    ["SystemAssigned", "failed"],
    ["None", "failed"],
  ])("an identity of type %s, which shows no principalId, is %s", async (type, verdict) => {
    const own = { type, userAssignedIdentities: assigned };
    const { row } = await leastPrivilege(own, [identity, role(secretsUser)]);
    expect(row.verdict).toBe(verdict);
    expect(row.evidence).toContain(
      verdict === "proven" ? "erd has one user-assigned identity" : "has no user-assigned identity",
    );
  });

  it("an identity's roles are asked with those that it has through groups", async () => {
    const own = { type: "userAssigned", userAssignedIdentities: assigned };
    const group = role(contributor, { principalId: "a-group", principalType: "Group" });
    const { row, asked } = await leastPrivilege(own, [identity, role(secretsUser), group]);
    const roles = asked.filter((path) => path.includes("/roleAssignments"));
    expect(roles).toEqual([
      `${vaultId}/providers/Microsoft.Authorization/roleAssignments?assignedTo('${principalId}')`,
    ]);
    expect(row).toMatchObject({
      verdict: "failed",
      evidence: expect.stringContaining("may do more than read secrets"),
    });
  });

  it("an identity whose object id the port shows is not asked for", async () => {
    const own = { type: "UserAssigned", userAssignedIdentities: { [identityId]: { principalId } } };
    const { row, asked } = await leastPrivilege(own, [role(secretsUser)]);
    expect(row.verdict).toBe("proven");
    expect(asked.join()).not.toContain("userAssignedIdentities");
  });

  it("an identity that may not be read makes the row not verifiable", async () => {
    const own = { type: "userAssigned", userAssignedIdentities: assigned };
    const how = { refused: /userAssignedIdentities/ };
    const { row } = await leastPrivilege(own, [identity, role(secretsUser)], how);
    expect(row).toMatchObject({
      verdict: "notVerifiable",
      evidence: expect.stringMatching(/not read: .*erd-macsec: no right here \(peer\.denied\)/),
      next: "give the agent's identity Reader on these scopes",
    });
  });

  it("an identity beside a second one, or without a role, is not proven", async () => {
    const two = { ...assigned, [`${identityId}-2`]: { principalId } };
    const both = { type: "userAssigned", userAssignedIdentities: two };
    const found = await leastPrivilege(both, [identity, role(secretsUser)]);
    expect(found.row).toMatchObject({
      verdict: "notVerifiable",
      evidence: expect.stringContaining("erd has 2 user-assigned identities"),
    });
    const one = { type: "userAssigned", userAssignedIdentities: assigned };
    expect((await leastPrivilege(one, [identity])).row.verdict).toBe("notVerifiable");
  });

  it.each([
    { definition: contributor, scope: vaultId, verdict: "failed" },
    { definition: secretsUser, scope, verdict: "failed" },
    { definition: secretsUser, scope: subscription, verdict: "failed" },
    { definition: secretsUser, scope: vaultId.toUpperCase(), verdict: "proven" },
    { definition: secretsUser, scope: `${vaultId}/secrets/cak`, verdict: "proven" },
    { definition: secretsUser, scope: `${vaultId}-2`, verdict: "failed" },
  ])("a role $definition on $scope is $verdict", async ({ definition, verdict, ...more }) => {
    const own = { type: "userAssigned", userAssignedIdentities: assigned };
    const { row } = await leastPrivilege(own, [identity, role(definition, more)]);
    expect(row.verdict).toBe(verdict);
  });
});

function perimeter(accessMode: string | undefined): Resource {
  const type = "Microsoft.KeyVault/vaults/networkSecurityPerimeterConfigurations";
  return resource(type, "kv-1/00000000.kv-1", {
    provisioningState: "Succeeded",
    networkSecurityPerimeter: { id: `${scope}/providers/x/networkSecurityPerimeters/nsp` },
    resourceAssociation: { name: "kv-1", accessMode },
    profile: { name: "defaultprofile", accessRulesVersion: 1, accessRules: [] },
  });
}

const about = async (row: string, name: string, ...documents: readonly Resource[]) => {
  const { evidence } = await rowOf(row, ...documents);
  return evidence.split("; ").filter((each) => each.includes(name));
};

describe("who reaches the vault over public networks", () => {
  const good = expect.stringContaining("kv-1 has soft delete, purge protection, Azure RBAC");
  const secured = expect.stringContaining("kv-1 is secured by a perimeter");

  it.each([
    ["a firewall", { networkAcls: closed }, good],
    ["public access disabled", { publicNetworkAccess: "Disabled", networkAcls: closed }, good],
    ["the other case", { publicNetworkAccess: "disabled", networkAcls: closed }, good],
    [
      "no word about trusted services",
      { publicNetworkAccess: "Disabled" },
      "kv-1 does not show its bypass",
    ],
    [
      "public access disabled and no bypass",
      { publicNetworkAccess: "Disabled", networkAcls: { ...closed, bypass: "None" } },
      "kv-1 lacks the bypass for trusted services",
    ],
    [
      "a firewall that allows",
      { publicNetworkAccess: "Enabled", networkAcls: { ...closed, defaultAction: "Allow" } },
      "kv-1 lacks a firewall that denies by default",
    ],
    [
      "rules that admit the whole Internet",
      { networkAcls: { ...closed, ipRules: [{ value: "0.0.0.0/1" }, { value: "128.0.0.0/1" }] } },
      "kv-1 lacks a firewall that denies by default",
    ],
    [
      "a rule for one address",
      { networkAcls: { ...closed, ipRules: [{ value: "192.0.2.1/32" }] } },
      good,
    ],
    [
      "no default action",
      { networkAcls: { ...closed, defaultAction: undefined } },
      "kv-1 lacks a firewall that denies by default",
    ],
    [
      "no bypass",
      { networkAcls: { ...closed, bypass: "None" } },
      "kv-1 lacks the bypass for trusted services",
    ],
    ["a perimeter", { publicNetworkAccess: "SecuredByPerimeter" }, secured],
    [
      "a perimeter and no bypass",
      {
        publicNetworkAccess: "SecuredByPerimeter",
        networkAcls: { ...closed, bypass: "None" },
      },
      secured,
    ],
    ["the perimeter in another case", { publicNetworkAccess: "SecuredbyPerimeter" }, secured],
  ])("a vault with %s is judged by it", async (_name, more, says) => {
    expect(await about("macsec-keys-in-vault", "kv-1", vaultDocument(more))).toEqual([says]);
  });

  it("a vault's firewall proves nothing once a perimeter is enforced", async () => {
    const documents = [vaultDocument(), perimeter("Enforced")];
    expect(await about("macsec-keys-in-vault", "kv-1", ...documents)).toEqual([secured]);
    const learning = [vaultDocument(), perimeter("Learning")];
    expect(await about("macsec-keys-in-vault", "kv-1", ...learning)).toEqual([good]);
  });
});

describe("a network security perimeter of the vault", () => {
  const byPerimeter = { publicNetworkAccess: "SecuredByPerimeter" };

  it.each([
    [{ networkAcls: closed }, "Enforced", "proven", "the network security perimeter of kv-1 is in"],
    [byPerimeter, "Learning", "proven", "the network security perimeter of kv-1 is in force"],
    [{ networkAcls: closed }, "Learning", "failed", "is in mode Learning, which denies nothing"],
    [{ networkAcls: closed }, undefined, "notVerifiable", "kv-1 shows no access mode"],
  ])("a vault with %j in mode %s is %s", async (more, mode, verdict, says) => {
    const row = await rowOf("vault-perimeter", vaultDocument(more), perimeter(mode));
    expect(row).toMatchObject({ verdict, evidence: expect.stringContaining(says) });
  });

  it("a vault that belongs to none is not verifiable, and fails if it wants one", async () => {
    const none = await rowOf("vault-perimeter", vaultDocument());
    expect(none).toMatchObject({
      verdict: "notVerifiable",
      evidence: "kv-1 belongs to no network security perimeter",
    });
    const wanting = await rowOf("vault-perimeter", vaultDocument(byPerimeter));
    expect(wanting).toMatchObject({ verdict: "failed" });
  });
});

describe("a simulated site without a management API", () => {
  it("a scorecard of the demo fails no row for it, and names a next step that exists", async () => {
    const status = () => ({
      at: "2026-11-28T00:00:00Z",
      groups: [],
      tunnels: [{ name: "hub-1", verdict: "protected", reasons: [] }],
    });
    const azure = { cloud: "sim", vault: "unix:/run/site.sock" };
    const card = await cardOn({ status, azure, read: undefined });
    expect(card.counts).toMatchObject({ proven: 0, failed: 0 });
    expect(rowIn(card, "macsec-keys-in-vault")).toEqual({
      verdict: "notVerifiable",
      evidence: expect.stringContaining("has no address in Azure"),
      next: "linkseal sim azure",
    });
    expect(rowIn(card, "bastion")).toEqual({
      verdict: "notVerifiable",
      evidence: "not read: the simulated cloud of this config has no management API",
      next: "linkseal sim azure, or linkseal scorecard --documents FOLDER",
    });
  });
});
