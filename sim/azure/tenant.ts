// What a client reads before it knows any resource: the endpoints of this cloud, its tenant and the
// subscriptions that the client may read.

import { type AzureReply, type JsonObject, reply } from "./http.ts";

/** The identifiers and addresses of one simulated cloud. */
export interface TenantOptions {
  /** The base URL of the management API. */
  readonly base: string;
  /** The base URL of Entra ID. */
  readonly authority: string;
  readonly tenant: string;
  /** The subscription ids. */
  readonly subscriptions: readonly string[];
}

/** The path at which a client asks for the endpoints of a cloud; it needs no token. */
export const endpointsPath = "/metadata/endpoints";

/**
 * Returns the endpoints of this cloud: one object from version 2022-09-01 on, a list before. It
 * names no address outside this cloud, so that a client that obeys it reaches nothing else.
 */
export function endpointsReply({ base, authority }: TenantOptions, version: string): AzureReply {
  const audiences = ["https://management.core.windows.net/", "https://management.azure.com/"];
  const cloud = {
    name: "LinksealSimulation",
    resourceManager: base,
    portal: base,
    gallery: base,
    graph: base,
    graphAudience: base,
    microsoftGraphResourceId: base,
    authentication: {
      ...{ loginEndpoint: authority, audiences, tenant: "common", identityProvider: "AAD" },
    },
    suffixes: { keyVaultDns: "vault.localhost" },
  };
  return reply(200, version >= "2022-09-01" ? cloud : [cloud]);
}

/**
 * Answers a GET of the tenants and subscriptions, `path` in lower case; undefined if it is about
 * something else. Every client sees all of them: each has a role at the subscriptions.
 */
export function tenantReply(options: TenantOptions, path: string): AzureReply | undefined {
  const { tenant, subscriptions } = options;
  if (path === "/tenants") {
    const id = `/tenants/${tenant}`;
    return listed([{ id, tenantId: tenant, tenantCategory: "Home", displayName: "Simulation" }]);
  }
  const all = subscriptions.map((id) => subscriptionDocument(id, tenant));
  if (path === "/subscriptions") return listed(all);
  const one = all.find(({ id }) => String(id).toLowerCase() === path);
  return one === undefined ? undefined : reply(200, one);
}

function listed(value: readonly JsonObject[]): AzureReply {
  return reply(200, { value, count: { type: "Total", value: value.length } });
}

function subscriptionDocument(subscriptionId: string, tenantId: string): JsonObject {
  return {
    id: `/subscriptions/${subscriptionId}`,
    ...{ subscriptionId, tenantId, displayName: "Simulation", state: "Enabled" },
    ...{ authorizationSource: "RoleBased", managedByTenants: [] },
    subscriptionPolicies: {
      locationPlacementId: "Public_2014-09-01",
      quotaId: "PayAsYouGo_2014-09-01",
      spendingLimit: "Off",
    },
  };
}
