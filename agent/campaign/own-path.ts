// Over which link the agent itself reaches the router, the vault and Azure.

import { withDeadline } from "#hal/deadline.ts";
import { LinksealError } from "#hal/error.ts";
import type { World } from "#hal/world.ts";
import type { DesiredLink } from "../desired.ts";
import type { Lookout } from "../lookout.ts";
import type { GateInput } from "./gates.ts";

export interface OwnPathParts {
  readonly world: Pick<World, "clock">;
  readonly lookout: Lookout;
  /** Addresses that the agent itself must reach. */
  readonly ownAddresses: readonly string[];
}

const routeMsMax = 10_000;

/** Is it the very link that is about to be touched? */
export async function ownPathOf(
  parts: OwnPathParts,
  link: DesiredLink,
  signal: AbortSignal,
): Promise<GateInput["ownPath"]> {
  let answer: "elsewhere" | "unknown" = "elsewhere";
  for (const address of parts.ownAddresses) {
    // A socket of this host crosses no link.
    if (address.startsWith("unix:")) continue;
    const port = await routeTo(parts, link, address, signal);
    if (port === link.port) return "overThisLink";
    if (port === undefined) answer = "unknown";
  }
  return answer;
}

async function routeTo(
  { world, lookout }: OwnPathParts,
  link: DesiredLink,
  address: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const limit = { ms: routeMsMax, where: link.device, effect: "none" } as const;
  try {
    return await withDeadline(world.clock, limit, signal, async (bounded) =>
      (await lookout.device(link.device, bounded)).routeTo(address, bounded),
    );
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    return undefined;
  }
}
