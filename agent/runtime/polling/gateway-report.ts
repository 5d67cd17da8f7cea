// What Azure reports about a tunnel: the status of its connection, and that of the tunnel to its
// instance of the gateway.

import type { ConnectionReport } from "#drivers/azure/connections.ts";
import type { Instant } from "#hal/world.ts";
import { sameAddress } from "../../health/prefix.ts";
import type { DesiredTunnel } from "../../model/desired.ts";

/** Reads what the connection of a tunnel reports. */
export type GatewayQuery = (signal: AbortSignal) => Promise<ConnectionReport>;

/** What Azure reports about a tunnel, and when it was read. */
export interface GatewayReport {
  /** The status of the connection, such as `Connected`. */
  readonly connection: string;
  /** That of the tunnel to this instance of the gateway; null = Azure does not report it. */
  readonly instance: string | null;
  /** When it was read. */
  readonly at: Instant;
}

/** Finds in the report of a connection what is about this tunnel. */
export function gatewayReport(
  { remoteAddress }: Pick<DesiredTunnel, "remoteAddress">,
  { status: connection, instances }: ConnectionReport,
  at: Instant,
): GatewayReport {
  const own = instances.find(({ address }) => sameAddress(address, remoteAddress));
  return { connection, instance: own?.status ?? null, at };
}
