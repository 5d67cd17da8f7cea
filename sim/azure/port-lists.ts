// Lists of ports, LAGs and the places where ports are.

import { LinksealError } from "#hal/error.ts";
import { type AzureReply, type JsonObject, notFound, type Route, refusal, reply } from "./http.ts";
import { type PortRecord, peeringLocation, portDocument } from "./port-document.ts";
import { isWithin } from "./roles.ts";

const lists =
  /^(.*)\/providers\/microsoft\.network\/(expressroute(?:ports|lags|portslocations))(\/[^/]+)?$/;

/**
 * Answers a GET of the ports or LAGs of a subscription or group, or of the places of ports, `path`
 * in lower case; undefined if it is about something else.
 */
export function portsReply(
  { method }: Route,
  path: string,
  records: Iterable<PortRecord>,
): AzureReply | undefined {
  const [, scope = "", kind, below = ""] = lists.exec(path) ?? [];
  if (method !== "GET" || kind === undefined) return undefined;
  if (kind === "expressrouteportslocations") return placesReply(scope, below) ?? notFound(path);
  if (below !== "") return undefined;
  const found = [...records].filter(
    (record) => record.kind.toLowerCase() === kind && isWithin(record.id, scope),
  );
  const unread = found.map(unreadable).find((refused) => refused !== undefined);
  return unread ?? reply(200, { value: found.map(portDocument) });
}

/** Returns the refusal while the far end cannot be read; undefined if it can. */
export function unreadable({ msee }: Pick<PortRecord, "msee">): AzureReply | undefined {
  try {
    msee.observe("link1");
    return undefined;
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    return refusal(503, { code: "ServiceUnavailable", message: error.message });
  }
}

// A list shows no bandwidths.
function placesReply(scope: string, below: string): AzureReply | undefined {
  const type = "Microsoft.Network/expressRoutePortsLocations";
  const document = (availableBandwidths: readonly JsonObject[]): JsonObject => ({
    ...{ id: `${scope}/providers/${type}/${peeringLocation}`, name: peeringLocation, type },
    properties: {
      ...{ provisioningState: "Succeeded", address: "2001 Sixth Avenue, Seattle" },
      ...{ contact: "support@equinix.com", availableBandwidths },
    },
  });
  if (below === "") return reply(200, { value: [document([])] });
  if (below !== `/${peeringLocation.toLowerCase()}`) return undefined;
  const offers = [10, 100].map((gbps) => ({ offerName: `${gbps} Gbps`, valueInGbps: gbps }));
  return reply(200, document(offers));
}
