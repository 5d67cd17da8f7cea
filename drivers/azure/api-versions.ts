// The versions of the management API that linkseal requests, and the ends that Microsoft has
// published for versions.

import type { WallTime } from "#hal/world.ts";

/** A version of the management API for one type of resource. */
export interface ApiVersion {
  /** `PROVIDER/TYPE`, in the spelling of Microsoft. */
  readonly type: string;
  /** A date such as `2024-05-01`. */
  readonly version: string;
}

/** The versions that are requested; the scorecard has more. That of ports has all of MACsec. */
export const armVersions = {
  port: { type: "Microsoft.Network/expressRoutePorts", version: "2024-05-01" },
  lag: { type: "Microsoft.Network/expressRouteLags", version: "2026-01-01" },
  circuit: { type: "Microsoft.Network/expressRouteCircuits", version: "2024-05-01" },
  connection: { type: "Microsoft.Network/connections", version: "2024-05-01" },
  linkConnection: { type: "Microsoft.Network/vpnGateways", version: "2024-05-01" },
  metrics: { type: "Microsoft.Insights/metrics", version: "2018-01-01" },
  vault: { type: "Microsoft.KeyVault/vaults", version: "2026-02-01" },
  permissions: { type: "Microsoft.Authorization/permissions", version: "2022-04-01" },
  roles: { type: "Microsoft.Authorization/roleAssignments", version: "2022-04-01" },
  identity: { type: "Microsoft.ManagedIdentity/userAssignedIdentities", version: "2023-01-31" },
} as const satisfies Readonly<Record<string, ApiVersion>>;

/** Returns the version for the document of a port or LAG, by its resource id. */
export function portVersionOf(resource: string): string {
  const { port, lag } = armVersions;
  return /\/expressRouteLags\//i.test(resource) ? lag.version : port.version;
}

/** A published end: from `day` (UTC) on, Azure serves no version of the type before `before`. */
interface End {
  readonly type: string;
  readonly before: string;
  readonly day: string;
}

/** Source of each row: docs/sources.md. A type without a row has no published end. */
const ends: readonly End[] = [
  { type: "Microsoft.KeyVault/vaults", before: "2026-02-01", day: "2027-02-27" },
];

/**
 * Returns the start of the first day on which a version is not served any more; undefined = no end
 * is published.
 */
export function endOf({ type, version }: ApiVersion): WallTime | undefined {
  const row = ends.find((one) => one.type.toLowerCase() === type.toLowerCase());
  // Versions are dates, so that they sort as text.
  if (row === undefined || version >= row.before) return undefined;
  return Date.parse(`${row.day}T00:00:00Z`) as WallTime;
}
