// The role assignments of the simulated subscription: they allow and refuse as Azure does.

import { describe, expect, it } from "vitest";
import { neededFor, neededToFollow, Roles } from "#sim/azure/roles.ts";

const group = "/subscriptions/s/resourceGroups/rg";
const port = `${group}/providers/Microsoft.Network/expressRoutePorts/erd`;
const identity = `${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/erd-macsec`;
const write = "Microsoft.Network/expressRoutePorts/write";
const assign = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action";
const follow = "Microsoft.Network/locations/operations/read";

const rolesOf = (): Roles => new Roles([{ id: port, identities: [identity] }], () => []);

describe("the roles of the simulated subscription", () => {
  it.each([
    [write, port, true],
    [write.toLowerCase(), port.toUpperCase(), true],
    [write, "/subscriptions/s", false],
    [write, `${group}-other/providers/Microsoft.Network/expressRoutePorts/erd`, false],
    [assign, identity, true],
    [assign, group, false],
    [follow, group, true],
    [follow, "/subscriptions/t/resourceGroups/rg", false],
    ["Microsoft.Network/expressRoutePorts/delete", port, false],
  ])("%s at %s is allowed: %s", (action, scope, isAllowed) => {
    expect(rolesOf().allows({ action, scope })).toBe(isAllowed);
  });

  it("a right that is withheld is gone from every role, at its scope and below it", () => {
    const roles = rolesOf();
    roles.withhold(follow, group);
    roles.withhold(write);
    expect(roles.allows({ action: follow, scope: group })).toBe(false);
    expect(roles.allows({ action: follow, scope: "/subscriptions/s" })).toBe(true);
    expect(roles.refuse({ action: write, scope: port })?.status).toBe(403);
    roles.restore();
    expect(roles.allows({ action: write, scope: port })).toBe(true);
  });

  it("a role on the port alone does not reach the operations of its group", () => {
    const roles = rolesOf();
    roles.assignments = [{ scope: port, role: { actions: ["*"], notActions: [] } }];
    expect(roles.allows({ action: write, scope: port })).toBe(true);
    const operation = "/subscriptions/s/providers/microsoft.network/locations/westus/operations/7";
    expect(roles.refuse(neededToFollow(port, operation))?.body).toContain("AuthorizationFailed");
  });

  it("a write that names an identity which may not be assigned is refused as linked", () => {
    const roles = rolesOf();
    expect(roles.refuseLinked(port, [identity])).toBeUndefined();
    roles.withhold(assign);
    expect(roles.refuseLinked(port, [identity])?.body).toContain("LinkedAuthorizationFailed");
  });

  it("the list of permissions has pages, and all of them are what is allowed", () => {
    const roles = rolesOf();
    const base = "https://management.azure.com";
    const first = JSON.parse(roles.permissionsAt(identity, base, 0).body);
    expect(first.value).toHaveLength(2);
    expect(first.nextLink).toMatch(/^https:\/\/management\.azure\.com\/.*skiptoken=1$/);
    const last = JSON.parse(roles.permissionsAt(identity, base, 1).body);
    expect([last.value.length, last.nextLink]).toEqual([1, undefined]);
    expect(JSON.parse(roles.permissionsAt("/subscriptions/t", base, 0).body)).toEqual({
      value: [],
    });
  });

  it.each([
    ["GET", port, "microsoft.network/expressrouteports/read", port],
    ["PUT", port, "microsoft.network/expressrouteports/write", port],
    ["GET", `${port}/links`, "microsoft.network/expressrouteports/links/read", port],
    [
      "GET",
      `${group}/providers/Microsoft.KeyVault/vaults`,
      "microsoft.keyvault/vaults/read",
      group,
    ],
    [
      "GET",
      `${port}/providers/Microsoft.Insights/metrics`,
      "microsoft.insights/metrics/read",
      port,
    ],
    [
      "GET",
      `${group}/providers/Microsoft.Authorization/permissions`,
      "microsoft.authorization/permissions/read",
      group,
    ],
    [
      "PUT",
      `${group}/providers/Microsoft.Network/connections/hub-1/sharedkey`,
      "microsoft.network/connections/sharedkey/write",
      `${group}/providers/Microsoft.Network/connections/hub-1`,
    ],
  ])("%s %s needs %s at %s", (method, path, action, scope) => {
    const needed = neededFor(method, path.toLowerCase());
    expect([needed.action.toLowerCase(), needed.scope]).toEqual([action, scope.toLowerCase()]);
  });
});
