// Finds the link over which the agent itself reaches the router, the vault and Azure.

import { isIP } from "node:net";
import { withDeadline } from "#hal/deadline.ts";
import { LinksealError } from "#hal/error.ts";
import type { World } from "#hal/world.ts";
import type { DesiredLink } from "../../model/desired.ts";
import type { PreconditionInput } from "../../rotation/preconditions.ts";
import type { DeviceCache } from "../polling/device-cache.ts";

export interface ManagementPathParts {
  readonly world: Pick<World, "clock">;
  readonly deviceCache: DeviceCache;
  /** The places that the agent must reach: `unix:PATH`, an address, a name, or `https://HOST`. */
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
    const addresses = await addressesOf(parts, place, signal);
    if (addresses === undefined) answer = "unknown";
    // Whichever of them is taken, it must not be over this link.
    for (const address of addresses ?? []) {
      const ports = await routesTo(parts, link, address, signal);
      const way = wayOf(ports ?? [], link.port);
      if (way === "overThisLink") return way;
      if (way === "unknown") answer = way;
    }
  }
  return answer;
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
  if (isIP(place) !== 0) return [place];
  const host = /^https:\/\/([^/:]+)/.exec(place)?.[1] ?? place;
  const found = await deviceCache.addresses(host, signal);
  return found.length === 0 ? undefined : found.filter((address) => !isOwn(address));
}

function isOwn(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

async function routesTo(
  { world, deviceCache }: ManagementPathParts,
  link: DesiredLink,
  address: string,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const limit = { ms: routeMsMax, where: link.device, effect: "none" } as const;
  try {
    return await withDeadline(world.clock, limit, signal, async (bounded) =>
      (await deviceCache.device(link.device, bounded)).routesTo(address, bounded),
    );
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    return undefined;
  }
}
