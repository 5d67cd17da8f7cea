// Front Door: TLS from client to origin, and private origins.

import { at, type Resource } from "./estate.ts";
import type { ScorecardFacts } from "./facts.ts";
import {
  failed,
  listAt,
  nameOf,
  type Outcome,
  overAll,
  proven,
  sameId,
  together,
  wordOf,
} from "./outcome.ts";

type Facts = ScorecardFacts;

export function frontDoorTls({ estate }: Facts): Outcome {
  const { routes, domains } = estate.lists;
  return together([
    overAll(routes, "Front Door route", routeTls),
    overAll(domains, "Front Door domain", (domain) => {
      const name = nameOf(domain);
      const version = at(domain, "properties", "tlsSettings", "minimumTlsVersion");
      if (version === "TLS12" || version === "TLS13") return proven(`${name} wants ${version}`);
      return failed(`${name} takes ${wordOf(version)}`, `set TLS 1.2 as minimum of ${name}`);
    }),
  ]);
}

function routeTls(route: Resource): Outcome {
  const name = nameOf(route);
  const { properties } = route;
  if (at(properties, "enabledState") === "Disabled") {
    return proven(`route ${name} is switched off`);
  }
  const protocols = listAt(properties, "supportedProtocols");
  // Azure's default is both.
  const takesHttp = protocols.length === 0 || protocols.some((each) => sameId(each, "Http"));
  if (takesHttp && at(properties, "httpsRedirect") !== "Enabled") {
    return failed(`route ${name} serves plain HTTP`, `redirect route ${name} to HTTPS`);
  }
  // Only requests over HTTPS get this far, so the protocol of the request is HTTPS.
  const forwarding = at(properties, "forwardingProtocol") ?? "MatchRequest";
  if (forwarding !== "HttpsOnly" && forwarding !== "MatchRequest") {
    return failed(`route ${name} may forward plain HTTP`, `forward HttpsOnly on route ${name}`);
  }
  return proven(`route ${name} is HTTPS at both ends`);
}

export function frontDoorOrigins({ estate }: Facts): Outcome {
  return overAll(estate.lists.origins, "Front Door origin", (origin) => {
    const name = nameOf(origin);
    const link = at(origin, "properties", "sharedPrivateLinkResource");
    const next = `reach origin ${name} over Private Link, and approve the connection`;
    if (link === undefined) return failed(`origin ${name} is public`, next);
    const status = at(link, "status");
    if (status === "Approved") return proven(`origin ${name} is reached over Private Link`);
    return failed(`the Private Link of origin ${name} is ${wordOf(status)}`, next);
  });
}
