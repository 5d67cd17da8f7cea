// The one list of rights in Azure that a config needs: what the agent's identity and the identities
// of the ports must be allowed to do, and at which scope. It is pure.

import { isLinkConnection } from "#drivers/azure/connections.ts";
import type { Desired, DesiredGroup, DesiredTunnel, RealAzure } from "../model/desired.ts";

/**
 * The place at which a right must be given. Only `resource` and `resourceGroup` are known from the
 * config alone.
 */
export type RightScope =
  | { readonly kind: "resource"; readonly id: string }
  | { readonly kind: "resourceGroup"; readonly id: string }
  /** The managed identities that the document of this port names. */
  | { readonly kind: "identityOfPort"; readonly port: string }
  /** The circuits that the document of this port names. */
  | { readonly kind: "circuitsOfPort"; readonly port: string }
  /** A vault by its address; the config does not know its resource id. */
  | { readonly kind: "vault"; readonly url: string };

/** The party that must have a right: the agent's identity, or those that a port carries. */
export type RightHolder =
  | { readonly kind: "agent" }
  | { readonly kind: "identityOfPort"; readonly port: string };

/** What waits while the right is missing; `nothing` = something is not seen, and no more. */
export type RightGate =
  | { readonly kind: "campaign"; readonly group: string }
  | { readonly kind: "preSharedKey"; readonly tunnel: string }
  | { readonly kind: "nothing" };

/** One action that one identity must be allowed to do at one scope. */
export interface NeededRight {
  /** Name of the action, such as `Microsoft.Network/expressRoutePorts/write`. */
  readonly action: string;
  /** The place at which it must be allowed. */
  readonly scope: RightScope;
  /** `management` = an action of Azure Resource Manager; `data` = a data action of the vault. */
  readonly plane: "management" | "data";
  /** The identity that needs it. */
  readonly holder: RightHolder;
  /** What waits while it is missing. */
  readonly gate: RightGate;
  /** What it is good for: a sentence about the agent or the port, without a full stop. */
  readonly purpose: string;
}

const network = "Microsoft.Network";
const nothing = { kind: "nothing" } as const;
const agent = { kind: "agent" } as const;

/**
 * Returns every right that a config needs; one that several groups or tunnels need is repeated,
 * each time with its own gate. A simulated site needs none.
 */
export function rightsOf(desired: Desired): readonly NeededRight[] {
  const { azure, groups, tunnels } = desired;
  if (azure.cloud === "sim") return [];
  return [
    ...groups.flatMap((group) => [...portRights(group, azure), ...portReads(group)]),
    ...tunnels.flatMap(tunnelRights),
    ...vaultRights(azure, groups),
  ];
}

/**
 * Returns the id of the resource group of a resource, spelled as in the id.
 * @throws Error if the id has no resource group; the rules of the config let none pass.
 */
export function resourceGroupOf(id: string): string {
  const [found] = /^\/subscriptions\/[^/]+\/resourceGroups\/[^/]+(?=\/)/i.exec(id) ?? [];
  if (found === undefined) throw new Error(`${id} has no resource group`);
  return found;
}

function agentRight(
  action: string,
  scope: RightScope,
  gate: RightGate,
  purpose: string,
): NeededRight {
  return { action, scope, plane: "management", holder: agent, gate, purpose };
}

/** A LAG is a resource type of its own, so its actions have its name. */
function typeOf(port: string): string {
  const isLag = /\/expressRouteLags\//i.test(port);
  return `${network}/${isLag ? "expressRouteLags" : "expressRoutePorts"}`;
}

const resource = (id: string): RightScope => ({ kind: "resource", id });
const groupOf = (id: string): RightScope => ({ kind: "resourceGroup", id: resourceGroupOf(id) });

/** The rights without which a campaign of the group cannot end. */
function portRights(
  { name, expressRoutePort: port }: DesiredGroup,
  { farEnd }: RealAzure,
): readonly NeededRight[] {
  const type = typeOf(port);
  const isOurs = farEnd === "agent";
  const gate: RightGate = isOurs ? { kind: "campaign", group: name } : nothing;
  const read = agentRight(`${type}/read`, resource(port), gate, "the agent reads the port");
  if (!isOurs) return [read];
  const identity: RightScope = { kind: "identityOfPort", port };
  return [
    read,
    agentRight(`${type}/write`, resource(port), gate, "the agent changes a link of the port"),
    agentRight(
      "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
      identity,
      gate,
      "each write of the port names the identity that it carries",
    ),
    ...operationRights(port, gate),
    permissionsRead(resource(port)),
    permissionsRead(groupOf(port)),
    permissionsRead(identity),
  ];
}

/** An operation is no part of the resource that it changes, so its right is at the group. */
function operationRights(id: string, gate: RightGate): readonly NeededRight[] {
  return ["operations", "operationResults"].map((type) =>
    agentRight(
      `${network}/locations/${type}/read`,
      groupOf(id),
      gate,
      "the agent sees how a change ends that it started",
    ),
  );
}

function permissionsRead(scope: RightScope): NeededRight {
  const purpose = "the agent sees before a change whether a right is missing";
  return agentRight("Microsoft.Authorization/permissions/read", scope, nothing, purpose);
}

function portReads({ expressRoutePort: port }: DesiredGroup): readonly NeededRight[] {
  const circuits: RightScope = { kind: "circuitsOfPort", port };
  const meters = "Microsoft.Insights/metrics/read";
  return [
    agentRight(meters, resource(port), nothing, "the agent shows light and line of the port"),
    agentRight(meters, circuits, nothing, "the agent shows ARP and BGP as Azure measures them"),
    agentRight(
      `${network}/expressRouteCircuits/peerings/read`,
      circuits,
      nothing,
      "the agent shows the state of the peerings",
    ),
    agentRight(
      "Microsoft.ManagedIdentity/userAssignedIdentities/read",
      { kind: "identityOfPort", port },
      nothing,
      "the scorecard sees which principal the port's identity is",
    ),
  ];
}

const linkType = "vpnGateways/vpnConnections/vpnLinkConnections";

function tunnelRights({ name, auth, azureConnection: id }: DesiredTunnel): readonly NeededRight[] {
  if (id === undefined) return [];
  const isLink = isLinkConnection(id);
  const type = `${network}/${isLink ? linkType : "connections"}`;
  const isOurs = auth.kind === "psk" && auth.farEnd === "agent";
  const gate: RightGate = isOurs ? { kind: "preSharedKey", tunnel: name } : nothing;
  const read = agentRight(`${type}/read`, resource(id), nothing, "the agent shows the connection");
  if (!isOurs) return [read];
  return [
    read,
    agentRight(
      `${type}/${isLink ? "sharedKeys" : "sharedKey"}/write`,
      resource(id),
      gate,
      "the agent gives the pre-shared key to the gateway",
    ),
    ...operationRights(id, gate),
    permissionsRead(resource(id)),
    permissionsRead(groupOf(id)),
  ];
}

/** Data actions; linkseal proves its own by reading, and cannot ask about those of a port. */
function vaultRights({ vault: url }: RealAzure, groups: readonly DesiredGroup[]) {
  const ports = [...new Set(groups.map(({ expressRoutePort }) => expressRoutePort))];
  const holders: readonly RightHolder[] = [
    agent,
    ...ports.map((port) => ({ kind: "identityOfPort", port }) as const),
  ];
  const secrets = "Microsoft.KeyVault/vaults/secrets";
  return holders.flatMap((holder) =>
    ["getSecret", "readMetadata"].map(
      (name): NeededRight => ({
        action: `${secrets}/${name}/action`,
        scope: { kind: "vault", url },
        plane: "data",
        holder,
        gate: nothing,
        purpose: vaultPurpose(holder, name),
      }),
    ),
  );
}

function vaultPurpose({ kind }: RightHolder, name: string): string {
  const verb = name === "getSecret" ? "reads keys" : "sees which versions of a secret there are";
  return kind === "agent" ? `the agent ${verb}` : `the port ${verb}`;
}
