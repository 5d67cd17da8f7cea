// Which far ends of a config may be read or changed, whatever its cloud offers.

import type { PeerPort, PeerSecret } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { Cloud } from "../model/cloud.ts";
import { type Desired, type DesiredLink, type DesiredTunnel, linkId } from "../model/desired.ts";
import { type Memory, named } from "../store/journal/memory.ts";
import type { FarEndWrites } from "./polling/far-end-writes.ts";
import type { GatewayQuery } from "./polling/gateway-report.ts";

interface FarEndParts {
  readonly desired: Desired;
  readonly cloud: Pick<Cloud, "farEnd">;
  readonly memory: () => Pick<Memory, "operations">;
  readonly writes: FarEndWrites;
}

/** Returns the far end of a link, as this config may use it. */
export function farEndPort(
  { desired, cloud, memory, writes }: FarEndParts,
  link: DesiredLink,
): PeerPort {
  const { azure, groups, rotation } = desired;
  const resource = farEndResource(desired, link);
  const beside = groups
    .filter(({ expressRoutePort }) => expressRoutePort.toLowerCase() === resource.toLowerCase())
    .flatMap((group) => group.links.filter((each) => each !== link));
  const last = (of: DesiredLink) => named(memory().operations, linkId(of));
  const operations = () => ({
    own: last(link),
    others: beside.flatMap((each) => last(each) ?? []),
  });
  const { putGraceMs } = rotation;
  const peer = cloud.farEnd({ resource, link: link.azureLink, operations, putGraceMs });
  return azure.farEnd === "agent"
    ? writes.watched(peer, resource, putGraceMs)
    : onlyRead(peer, linkId(link));
}

/** Returns the resource whose document describes a link's far end. */
function farEndResource(
  { groups }: Pick<Desired, "groups">,
  { group }: Pick<DesiredLink, "group">,
): string {
  return groups.find(({ name }) => name === group)?.expressRoutePort ?? "";
}

/**
 * Refuses every write (`farEnd: manual`): even if the agent has a fault, an operator makes the
 * change.
 */
function onlyRead(peer: PeerPort, where: string): PeerPort {
  return {
    ...peer,
    async put() {
      const text = "the far end is changed by a person (farEnd: manual): nothing was written";
      const next = "linkseal rotation show, which prints the command for it once it is time";
      throw new LinksealError("device.unsupported", text, { effect: "none", where, next });
    },
  };
}

/** Returns a reader of the gateway's side of a tunnel; undefined = it cannot be queried. */
export function gatewayQuery(
  { connection }: Pick<Cloud, "connection">,
  { azureConnection }: DesiredTunnel,
): GatewayQuery | undefined {
  if (connection === undefined || azureConnection === undefined) return undefined;
  return (signal) => connection(azureConnection, signal);
}

/**
 * Returns the writer of a gateway's key if the agent may change it; undefined = an operator does.
 */
export function gatewayKey(
  cloud: Pick<Cloud, "gatewayKey">,
  { auth, azureConnection }: DesiredTunnel,
): PeerSecret | undefined {
  if (auth.kind !== "psk" || auth.farEnd !== "agent" || azureConnection === undefined) {
    return undefined;
  }
  return cloud.gatewayKey?.(azureConnection);
}
