// The versions of the management API that Azure has published for each type that is served here
// (docs/sources.md). A version that it never published, or has retired, is refused as Azure does.

import type { WallTime } from "#hal/world.ts";

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}

const network = words(`
  2015-05-01-preview 2015-06-15 2016-03-30 2016-06-01 2016-09-01 2016-12-01 2017-03-01
  2017-03-30 2017-06-01 2017-08-01 2017-09-01 2017-10-01 2017-11-01 2018-01-01 2018-02-01
  2018-04-01 2018-06-01 2018-07-01 2018-08-01 2018-10-01 2018-11-01 2018-12-01 2019-02-01
  2019-04-01 2019-06-01 2019-07-01 2019-08-01 2019-09-01 2019-11-01 2019-12-01 2020-03-01
  2020-04-01 2020-05-01 2020-06-01 2020-07-01 2020-08-01 2020-11-01 2021-02-01 2021-03-01
  2021-05-01 2021-08-01 2022-01-01 2022-05-01 2022-07-01 2022-09-01 2022-11-01 2023-02-01
  2023-04-01 2023-05-01 2023-06-01 2023-09-01 2023-11-01 2024-01-01 2024-03-01 2024-05-01
  2024-07-01 2024-10-01 2025-01-01 2025-03-01 2025-05-01 2025-07-01 2025-09-01 2026-01-01
`);

const vaults = words(`
  2015-06-01 2016-10-01 2018-02-14-preview 2018-02-14 2019-09-01 2020-04-01-preview
  2021-04-01-preview 2021-06-01-preview 2021-10-01 2021-11-01-preview 2022-02-01-preview
  2022-07-01 2022-11-01 2023-02-01 2023-07-01 2024-04-01-preview 2024-11-01
  2024-12-01-preview 2025-05-01 2026-02-01 2026-03-01-preview 2026-04-01-preview 2026-05-15
  2026-06-01-preview
`);

const profiles = words(`
  2015-06-01 2016-04-02 2016-10-02 2017-04-02 2017-10-12 2019-04-15 2019-06-15-preview
  2019-06-15 2019-12-31 2020-04-15 2020-09-01 2021-06-01 2022-05-01-preview
  2022-11-01-preview 2023-05-01 2023-07-01-preview 2024-02-01 2024-05-01-preview
  2024-06-01-preview 2024-09-01 2025-01-01-preview 2025-04-15 2025-05-01-preview 2025-06-01
  2025-07-01-preview 2025-09-01-preview 2025-12-01 2026-04-01-preview
`);

const frontDoorPolicies = words(`
  2018-08-01 2019-03-01 2019-10-01 2020-04-01 2020-11-01 2021-06-01 2022-05-01 2024-02-01
  2025-03-01 2025-10-01 2025-11-01
`);

const roleAssignments = words(`
  2015-07-01 2017-10-01-preview 2018-01-01-preview 2018-09-01-preview 2020-03-01-preview
  2020-04-01-preview 2020-08-01-preview 2020-10-01-preview 2022-04-01
`);

const permissions = words(`
  2015-07-01 2018-01-01-preview 2022-04-01 2022-05-01-preview
`);

const identities = words(`
  2015-08-31-preview 2018-11-30 2021-09-30-preview 2022-01-31-preview 2023-01-31
  2023-07-31-preview 2024-11-30 2025-01-31-preview 2025-05-31-preview
`);

const metrics = words(`
  2016-09-01 2017-05-01-preview 2018-01-01 2019-07-01 2021-05-01 2023-10-01 2024-02-01
`);

const since = (first: string, all = network): readonly string[] => all.slice(all.indexOf(first));

/**
 * The versions by provider and type in lower case; a type that is not listed has the versions of
 * the type above it.
 */
const published: Readonly<Record<string, readonly string[]>> = {
  "microsoft.network/locations": network,
  "microsoft.network/virtualnetworks": network,
  "microsoft.network/virtualnetworkgateways": network,
  "microsoft.network/connections": network,
  "microsoft.network/expressroutecircuits": network,
  "microsoft.network/networkinterfaces": network,
  "microsoft.network/networksecuritygroups": network,
  "microsoft.network/routetables": network,
  "microsoft.network/applicationgateways": network,
  "microsoft.network/azurefirewalls": since("2018-04-01"),
  "microsoft.network/expressrouteports": since("2018-08-01"),
  "microsoft.network/expressrouteportslocations": since("2018-08-01"),
  "microsoft.network/bastionhosts": ["2018-10-01", ...since("2019-04-01")],
  "microsoft.network/applicationgatewaywebapplicationfirewallpolicies": [
    "2018-10-01",
    ...since("2018-12-01"),
  ],
  "microsoft.network/expressroutelags": since("2025-09-01"),
  "microsoft.network/vpngateways": since("2018-04-01"),
  "microsoft.network/virtualhubs": since("2018-04-01"),
  "microsoft.network/virtualhubs/routingintent": since("2021-05-01"),
  "microsoft.network/frontdoorwebapplicationfirewallpolicies": frontDoorPolicies,
  "microsoft.keyvault/vaults": vaults,
  "microsoft.keyvault/vaults/networksecurityperimeterconfigurations": since(
    "2026-04-01-preview",
    vaults,
  ),
  "microsoft.managedidentity/userassignedidentities": identities,
  "microsoft.cdn/profiles": profiles,
  "microsoft.cdn/profiles/afdendpoints": since("2020-09-01", profiles),
  "microsoft.cdn/profiles/customdomains": since("2020-09-01", profiles),
  "microsoft.cdn/profiles/securitypolicies": since("2020-09-01", profiles),
  "microsoft.cdn/profiles/origingroups": since("2020-09-01", profiles),
  "microsoft.cdn/profiles/rulesets": since("2020-09-01", profiles),
  "microsoft.insights/metricalerts": ["2018-03-01", "2024-03-01-preview", "2026-01-01"],
  "microsoft.insights/metrics": metrics,
  "microsoft.insights/metricdefinitions": metrics,
  "microsoft.authorization/roleassignments": roleAssignments,
  "microsoft.authorization/roledefinitions": permissions,
  "microsoft.authorization/permissions": permissions,
};

const vaultsLeft = { first: "2026-02-01", from: Date.UTC(2027, 1, 27) } as const;

/** Returns the versions of a type at a time; undefined if nothing of that type is served. */
export function versionsOf(type: string, now: WallTime): readonly string[] | undefined {
  for (let name = type; name.includes("/"); name = name.slice(0, name.lastIndexOf("/"))) {
    const all = Object.hasOwn(published, name) ? published[name] : undefined;
    if (all === undefined) continue;
    return all === vaults && now >= vaultsLeft.from ? since(vaultsLeft.first, vaults) : all;
  }
  return undefined;
}

/** Returns the `provider/type/type` of a resource or list, from its path in lower case. */
export function typeOf(path: string): string {
  const [provider = "", ...rest] = path.split("/providers/").at(-1)?.split("/") ?? [];
  return [provider, ...rest.filter((_name, index) => index % 2 === 0)].join("/");
}
