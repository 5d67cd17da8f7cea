// Limits connections to the services of Azure that the config needs. Every URL that a client
// library builds is checked here, so that no reply of a server can redirect a token elsewhere.

import type { AzureEndpoints } from "#drivers/azure/azure-url.ts";
import { LinksealError } from "#hal/error.ts";
import {
  type Dialer,
  type HttpRequest,
  noChannels,
  noFrames,
  noPrograms,
  noSnmp,
  noStreams,
  type Reach,
} from "#hal/world.ts";
import type { RealAzure } from "../model/desired.ts";

type Service = LibraryService | "arm";
/** The services that Microsoft's libraries use; our own client uses the management API. */
export type LibraryService = "vault" | "authority" | "identity";

/** Returns the service that a URL belongs to, by host and path; undefined = none that we use. */
export function serviceAt(
  { to, path }: Pick<HttpRequest, "to" | "path">,
  endpoints: AzureEndpoints,
  identityOrigin: string | undefined,
): Service | undefined {
  if (to === identityOrigin) return "identity";
  if (to === endpoints.vault && /^\/secrets[/?]/.test(path)) return "vault";
  if (to === endpoints.arm && /^\/(subscriptions|providers)\//.test(path)) return "arm";
  // The path of a sign-in begins with the tenant.
  const signIn = /^\/[0-9A-Za-z.-]{1,80}\/(v2\.0|oauth2|discovery)\//.test(path);
  return to === endpoints.authority && signIn ? "authority" : undefined;
}

/**
 * Returns where an address may be: vault and management API may have private endpoints, but the
 * service that issues tokens is always public.
 */
function reachOf(service: Service, azure: RealAzure): Reach {
  if (azure.cloud === "loopback") return { kind: "loopback" };
  if (service === "authority" || azure.privateEndpoints.length === 0) return { kind: "public" };
  return { kind: "private", ranges: azure.privateEndpoints };
}

/** Reaches the services of the config, and no other host. */
export interface GuardedDialer extends Dialer {
  /** How many requests with a token were answered with 401 so far. */
  readonly refusedTokens: () => number;
}

/**
 * Wraps a dialer so that it refuses every other host, and limits the addresses that a host name may
 * resolve to.
 * @throws LinksealError (from `http`) with `vault.denied` and effect `none` for any other host
 */
export function guardedDialer(
  dial: Dialer,
  endpoints: AzureEndpoints,
  azure: RealAzure,
  identityOrigin: string | undefined,
): GuardedDialer {
  let refused = 0;
  return {
    refusedTokens: () => refused,
    async http(request: HttpRequest, signal: AbortSignal) {
      const service = serviceAt(request, endpoints, identityOrigin);
      if (service === undefined) throw elsewhere(request.to);
      const reply = await dial.http({ ...request, reach: reachOf(service, azure) }, signal);
      if (reply.status === 401 && request.headers?.["authorization"] !== undefined) refused += 1;
      return reply;
    },
    routeTo: (address, signal) => dial.routeTo(address, signal),
    resolve: (host, signal) => dial.resolve(host, signal),
    exec: noPrograms,
    framed: noFrames,
    stream: noStreams,
    channel: noChannels,
    snmp: noSnmp,
  };
}

/** Makes the error for a host to which nothing is sent. */
export function elsewhere(to: string): LinksealError {
  const text = "this is not a host of azure.cloud or azure.vault: nothing is sent there";
  return new LinksealError("vault.denied", text, {
    effect: "none",
    where: to.slice(0, 200).replaceAll(/[^\x21-\x7e]/g, "?"),
    next: "linkseal keys check",
  });
}
