// The rights in Azure that a config needs.

import { describe, expect, it } from "vitest";
import { type NeededRight, resourceGroupOf, rightsOf } from "#agent/compare/azure-rights.ts";
import type { Desired, DesiredTunnel, RealAzure } from "#agent/model/desired.ts";
import { desired as simulated } from "../../kit/snapshot-kit.ts";

const group = "/subscriptions/s/resourceGroups/rg-edge";
const port = `${group}/providers/Microsoft.Network/expressRoutePorts/erd`;
const vpnGroup = "/subscriptions/s/resourceGroups/rg-vpn";
const connection = `${vpnGroup}/providers/Microsoft.Network/connections/hub-1`;
const vault = "https://kv-demo.vault.azure.net";

const [sampleTunnel] = simulated.tunnels;
if (sampleTunnel === undefined) throw new Error("the sample config has a tunnel");

const azureWith = (farEnd: RealAzure["farEnd"]): RealAzure => ({
  ...{ cloud: "public", vault, farEnd, identity: { kind: "arc", client: undefined } },
  ...{ scopes: [], privateEndpoints: [], authority: undefined, arm: undefined },
});

function configOf(farEnd: RealAzure["farEnd"], over: Partial<Desired> = {}): Desired {
  const groups = simulated.groups.map((each) => ({ ...each, expressRoutePort: port }));
  return { ...simulated, azure: azureWith(farEnd), groups, tunnels: [], ...over };
}

const tunnelWith = (farEnd: "manual" | "agent"): DesiredTunnel => ({
  ...sampleTunnel,
  azureConnection: connection,
  auth: { kind: "psk", secret: "hub-1-psk", farEnd },
});

const whereOf = ({ scope }: NeededRight): string => {
  switch (scope.kind) {
    case "resource":
    case "resourceGroup":
      return scope.id;
    case "identityOfPort":
    case "circuitsOfPort":
      return `${scope.kind} ${scope.port}`;
    case "vault":
      return scope.url;
  }
};

const rows = (config: Desired, isWanted: (right: NeededRight) => boolean): readonly string[] =>
  rightsOf(config)
    .filter(isWanted)
    .map((right) => `${right.action} at ${whereOf(right)}`);

const gates = ({ gate }: NeededRight): boolean => gate.kind !== "nothing";

describe("the rights that a config needs", () => {
  it("a simulated site needs none", () => {
    expect(rightsOf(simulated)).toEqual([]);
  });

  it("a campaign of the agent needs read, write, assign and the operations of the group", () => {
    const needed = rightsOf(configOf("agent")).filter(gates);
    expect(rows(configOf("agent"), gates)).toEqual([
      `Microsoft.Network/expressRoutePorts/read at ${port}`,
      `Microsoft.Network/expressRoutePorts/write at ${port}`,
      `Microsoft.ManagedIdentity/userAssignedIdentities/assign/action at identityOfPort ${port}`,
      `Microsoft.Network/locations/operations/read at ${group}`,
      `Microsoft.Network/locations/operationResults/read at ${group}`,
    ]);
    expect(needed.map(({ gate }) => gate)).toEqual(
      needed.map(() => ({ kind: "campaign", group: "erd-demo" })),
    );
    expect(new Set(needed.map(({ plane }) => plane))).toEqual(new Set(["management"]));
  });

  it("a far end that a person changes holds up nothing, and no right to write is needed", () => {
    const manual = configOf("manual");
    expect(rows(manual, gates)).toEqual([]);
    expect(rows(manual, () => true).join("\n")).not.toMatch(/\/write|assign\/action/);
    expect(rows(manual, () => true)).toContain(
      `Microsoft.Network/expressRoutePorts/read at ${port}`,
    );
  });

  it("a LAG has the actions of its own type", () => {
    const lag = `${group}/providers/Microsoft.Network/expressRouteLags/erd`;
    const groups = simulated.groups.map((each) => ({ ...each, expressRoutePort: lag }));
    expect(rows(configOf("agent", { groups }), gates).slice(0, 2)).toEqual([
      `Microsoft.Network/expressRouteLags/read at ${lag}`,
      `Microsoft.Network/expressRouteLags/write at ${lag}`,
    ]);
  });

  it("a key that the agent gives to a gateway needs sharedKey/write and the operations", () => {
    const config = configOf("manual", { tunnels: [tunnelWith("agent")] });
    expect(rows(config, gates)).toEqual([
      `Microsoft.Network/connections/sharedKey/write at ${connection}`,
      `Microsoft.Network/locations/operations/read at ${vpnGroup}`,
      `Microsoft.Network/locations/operationResults/read at ${vpnGroup}`,
    ]);
    expect(rows(config, () => true).join("\n")).not.toContain("sharedKey/read");
    const manual = configOf("manual", { tunnels: [tunnelWith("manual")] });
    expect(rows(manual, gates)).toEqual([]);
    expect(rows(manual, () => true)).toContain(
      `Microsoft.Network/connections/read at ${connection}`,
    );
    const unknown = { ...tunnelWith("manual"), azureConnection: undefined };
    expect(
      rows(configOf("manual", { tunnels: [unknown] }), ({ action }) =>
        action.includes("connections"),
      ),
    ).toEqual([]);
  });

  it("the key of a link connection needs the actions of its own type", () => {
    const gateway = `${vpnGroup}/providers/Microsoft.Network/vpnGateways/g`;
    const link = `${gateway}/vpnConnections/c/vpnLinkConnections/l`;
    const tunnels = [{ ...tunnelWith("agent"), azureConnection: link }];
    const type = "Microsoft.Network/vpnGateways/vpnConnections/vpnLinkConnections";
    const config = configOf("manual", { tunnels });
    expect(rows(config, gates)[0]).toBe(`${type}/sharedKeys/write at ${link}`);
    expect(rows(config, () => true)).toContain(`${type}/read at ${link}`);
  });

  it("agent and port each need the data actions that read secrets of the vault", () => {
    const data = rightsOf(configOf("agent")).filter(({ plane }) => plane === "data");
    expect(data.map(({ action, holder }) => [action.split("/").at(-2), holder.kind])).toEqual([
      ["getSecret", "agent"],
      ["readMetadata", "agent"],
      ["getSecret", "identityOfPort"],
      ["readMetadata", "identityOfPort"],
    ]);
    expect(new Set(data.map(whereOf))).toEqual(new Set([vault]));
  });

  it("the agent may read its rights wherever it asks for them", () => {
    const config = configOf("agent", { tunnels: [tunnelWith("agent")] });
    const asked = new Set(rows(config, gates).map((row) => row.split(" at ")[1]));
    const isRead = ({ action }: NeededRight): boolean =>
      action === "Microsoft.Authorization/permissions/read";
    const readable = new Set(rows(config, isRead).map((row) => row.split(" at ")[1]));
    expect(readable).toEqual(asked);
  });
});

describe("the resource group of a resource", () => {
  it("the group is taken from the id, whatever the case", () => {
    expect(resourceGroupOf(port)).toBe(group);
    expect(resourceGroupOf(port.toLowerCase())).toBe(group.toLowerCase());
    expect(() => resourceGroupOf("erd-demo")).toThrow("has no resource group");
  });
});
