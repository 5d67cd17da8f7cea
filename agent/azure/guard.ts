// The way to Azure and to nothing else: every URL that a client library makes up passes here, so
// that no answer of a server can send a token elsewhere.

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
/** What Microsoft's libraries ask; the management API is asked by a client of our own. */
export type LibraryService = "vault" | "authority" | "identity";

/** Which service a URL is of, by host and path; undefined = none of ours. */
export function serviceAt(
  { to, path }: Pick<HttpRequest, "to" | "path">,
  endpoints: AzureEndpoints,
  identityOrigin: string | undefined,
): Service | undefined {
  if (to === identityOrigin) return "identity";
  if (to === endpoints.vault && /^\/secrets[/?]/.test(path)) return "vault";
  if (to === endpoints.arm && /^\/(subscriptions|providers)\//.test(path)) return "arm";
  // The tenant, then its sign-in.
  const signIn = /^\/[0-9A-Za-z.-]{1,80}\/(v2\.0|oauth2|discovery)\//.test(path);
  return to === endpoints.authority && signIn ? "authority" : undefined;
}

/** Vault and management API may be private endpoints; whoever gives tokens is public. */
function reachOf(service: Service, azure: RealAzure): Reach {
  if (azure.cloud === "loopback") return { kind: "loopback" };
  if (service === "authority" || azure.privateEndpoints.length === 0) return { kind: "public" };
  return { kind: "private", ranges: azure.privateEndpoints };
}

/** Refuses every other place with effect "none"; says which addresses a name may stand for. */
export function guardedDialer(
  dial: Dialer,
  endpoints: AzureEndpoints,
  azure: RealAzure,
  identityOrigin: string | undefined,
): Dialer {
  return {
    async http(request: HttpRequest, signal: AbortSignal) {
      const service = serviceAt(request, endpoints, identityOrigin);
      if (service === undefined) throw elsewhere(request.to);
      return await dial.http({ ...request, reach: reachOf(service, azure) }, signal);
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

/** Where nothing is sent. */
export function elsewhere(to: string): LinksealError {
  const text = "this is no place of azure.cloud and azure.vault: nothing is sent there";
  return new LinksealError("vault.denied", text, {
    effect: "none",
    where: to.slice(0, 200).replaceAll(/[^\x21-\x7e]/g, "?"),
    next: "linkseal keys check",
  });
}
