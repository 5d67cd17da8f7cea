// The connections of VPN gateways: those of a virtual network's gateway, and the link connections
// of a gateway in a Virtual WAN hub. Each has one key, also for two tunnels to the two instances of
// its gateway.

import type { Command, Secret } from "#hal/secret.ts";
import { armVersions } from "./api-versions.ts";

/** What a connection reports of itself. */
export interface ConnectionReport {
  /** Such as `Connected`; `Unknown` = Azure does not name it, or names it in another form. */
  readonly status: string;
  /** Its tunnels, by instance; a Virtual WAN reports none. */
  readonly instances: readonly InstanceReport[];
}

/** The tunnel of a connection to one instance of its gateway. */
interface InstanceReport {
  /** The public address of the instance. */
  readonly address: string;
  /** As `ConnectionReport.status`. */
  readonly status: string;
}

/** Where the key of a connection is written. */
interface KeyPlace {
  readonly path: string;
  readonly version: string;
  /** The document around the key, with the key's octets in its hole. */
  readonly body: (secret: Secret) => Command;
}

/** Returns true for the link connection of a gateway in a Virtual WAN hub. */
export function isLinkConnection(resource: string): boolean {
  return /\/vpnLinkConnections\/[^/]+$/i.test(resource);
}

/** Returns the version for the document of a connection. */
export function connectionVersionOf(resource: string): string {
  const { connection, linkConnection } = armVersions;
  return isLinkConnection(resource) ? linkConnection.version : connection.version;
}

/** Returns where and how the key of a connection is written. */
export function keyPlaceOf(resource: string): KeyPlace {
  const version = connectionVersionOf(resource);
  if (!isLinkConnection(resource)) {
    const body = (secret: Secret): Command => ['{"value":"', { secret, as: "json" }, '"}'];
    return { path: `${resource}/sharedkey`, version, body };
  }
  const body = (secret: Secret): Command => [
    '{"properties":{"sharedKey":"',
    { secret, as: "json" },
    '"}}',
  ];
  return { path: `${resource}/sharedKeys/default`, version, body };
}
