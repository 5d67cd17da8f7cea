// What Azure has and this cloud does not: it refuses these requests with a status of its own, so
// that no client takes the refusal for one of Azure's.

import { type AzureReply, refusal } from "./http.ts";

interface Omission {
  readonly method: RegExp;
  /** Matches the path in lower case. */
  readonly path: RegExp;
  /** The words after "This cloud does not serve". */
  readonly what: string;
  readonly why: string;
}

/** The deliberate refusals, the first that fits first; docs/simulation.md lists them. */
export const omissions: readonly Omission[] = [
  {
    method: /./,
    path: /^\/v1\.0\//,
    what: "Microsoft Graph",
    why: "there is no directory of names",
  },
  {
    method: /^POST$/,
    path: /\/expressroute(ports|lags)\/[^/]+\/generateloa$/,
    what: "letters of authorization",
    why: "there is no cross-connect to order",
  },
  {
    method: /^POST$/,
    path: /\/peerings\/[^/]+\/(arptables|routetables|routetablessummary)\//,
    what: "the tables of a peering",
    why: "the site models one route and no table",
  },
  {
    method: /^GET$/,
    path: /\/expressroutecircuits\/[^/]+(\/peerings\/[^/]+)?\/stats$/,
    what: "the octets of a circuit",
    why: "the site models no volume of traffic",
  },
  {
    method: /^POST$/,
    path: /\/connections\/[^/]+\/sharedkey\/reset$/,
    what: "the reset of a shared key",
    why: "no router could learn the random key",
  },
  {
    method: /^POST$/,
    path: /\/connections\/[^/]+\/(startpacketcapture|stoppacketcapture|resetconnection)$/,
    what: "packet captures and the reset of a connection",
    why: "the site models no packets of a gateway",
  },
  {
    method: /^(PUT|PATCH|DELETE)$/,
    path: /\/(connections\/[^/]+|expressroutecircuits\/.+)$/,
    what: "changes of circuits and connections",
    why: "they are those of the site",
  },
  {
    method: /^DELETE$/,
    path: /\/expressroute(ports|lags)\/[^/]+$/,
    what: "the deletion of a port",
    why: "the site has the ports that it began with",
  },
];

/**
 * Refuses a request that this cloud leaves out on purpose; `path` is in lower case. Undefined = it
 * is none of them.
 */
export function notSimulated(method: string, path: string): AzureReply | undefined {
  const found = omissions.find((one) => one.method.test(method) && one.path.test(path));
  if (found === undefined) return undefined;
  const message = `This cloud does not serve ${found.what}: ${found.why}.`;
  // 501 is the one status of its class that Microsoft's clients do not try again.
  return refusal(501, { code: "NotSimulated", message });
}
