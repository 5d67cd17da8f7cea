// Finds the link over which the agent itself reaches the router, the vault and Azure.

import { isIP } from "node:net";
import { withDeadline } from "#hal/deadline.ts";
import type { Device } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { hostOfPeer } from "#hal/target.ts";
import type { World } from "#hal/world.ts";
import type { DesiredLink } from "../../model/desired.ts";
import type { PreconditionInput } from "../../rotation/preconditions.ts";
import type { DeviceCache } from "../polling/device-cache.ts";

export interface ManagementPathParts {
  readonly world: Pick<World, "clock">;
  readonly deviceCache: DeviceCache;
  /**
   * The places that the agent must reach: `unix:PATH`, `ssh://HOST`, an address, a name, or
   * `https://HOST`.
   */
  readonly managementAddresses: readonly string[];
}

const routeMsMax = 10_000;

/**
 * Returns whether the agent reaches its places over the link that is about to be changed. It only
 * reads.
 */
export async function managementPathOf(
  parts: ManagementPathParts,
  link: DesiredLink,
  signal: AbortSignal,
): Promise<PreconditionInput["managementPath"]> {
  let answer: "elsewhere" | "unknown" = "elsewhere";
  for (const place of parts.managementAddresses) {
    for (const ports of await waysOver(parts, link, place, signal)) {
      const way = wayOf(ports ?? [], link.port);
      if (way === "overThisLink") return way;
      if (way === "unknown") answer = way;
    }
  }
  return answer;
}

type Ports = readonly string[] | undefined;

/**
 * Returns the ports of the link's device on the way to each address of a place; on the way back to
 * this host if the place is the device itself.
 */
async function waysOver(
  parts: ManagementPathParts,
  link: DesiredLink,
  place: string,
  signal: AbortSignal,
): Promise<readonly Ports[]> {
  if (hostOfPeer(place) !== undefined) {
    const back = await asked(parts, link, signal, async (device, bounded) =>
      device.back?.address === place ? { ports: await device.back.routes(bounded) } : undefined,
    );
    if (back !== undefined) return [back.ports];
  }
  const addresses = await addressesOf(parts, place, signal);
  if (addresses === undefined) return [undefined];
  const ways: Ports[] = [];
  // Whichever of them is taken, it must not be over this link.
  for (const address of addresses) {
    ways.push(
      await asked(parts, link, signal, (device, bounded) => device.routesTo(address, bounded)),
    );
  }
  return ways;
}

/**
 * Which of several ways the agent's own packets take depends on the routing instance in which they
 * reach the router, and on its choice among equal next hops. `ports` empty = none is known.
 */
function wayOf(ports: readonly string[], port: string): PreconditionInput["managementPath"] {
  const others = ports.filter((one) => one !== port);
  if (ports.length === 0) return "unknown";
  if (others.length === 0) return "overThisLink";
  return others.length === ports.length ? "elsewhere" : "unknown";
}

/** Returns the addresses of a place; empty = it is on this host, undefined = not known. */
async function addressesOf(
  { deviceCache }: ManagementPathParts,
  place: string,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  if (place.startsWith("unix:")) return [];
  const host = /^https:\/\/([^/:]+)/.exec(place)?.[1] ?? hostOfPeer(place) ?? place;
  if (isIP(host) !== 0) return [host];
  const found = await deviceCache.addresses(host, signal);
  return found.length === 0 ? undefined : found.filter((address) => !isOwn(address));
}

function isOwn(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

/** Returns what the link's device answers; undefined = it does not answer in time. */
async function asked<T>(
  { world, deviceCache }: ManagementPathParts,
  link: DesiredLink,
  signal: AbortSignal,
  ask: (device: Device, bounded: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const limit = { ms: routeMsMax, where: link.device, effect: "none" } as const;
  try {
    return await withDeadline(world.clock, limit, signal, async (bounded) =>
      ask(await deviceCache.device(link.device, bounded), bounded),
    );
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    return undefined;
  }
}
