// Where agent, drivers and simulated site meet in one process: `npm start`, fleets, rehearsals and
// kill tests.

import { fillCommand } from "#drivers/index.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import type { Dialer, Disk, HttpReply, HttpRequest, Log, World } from "#hal/world.ts";

import { type SiteHandler, siteHandler } from "#sim/faces/site.ts";
import type { Prng } from "#sim/prng.ts";
import type { Site } from "#sim/site.ts";
import type { Agent } from "./agent.ts";
import { openAgent } from "./open.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * The site's protocol without a socket; the address names no place, because there is only one site.
 */
export function simulatedDialer(handler: SiteHandler): Dialer {
  return {
    async http(request: HttpRequest, signal: AbortSignal): Promise<HttpReply> {
      const bytes = request.body === undefined ? undefined : fillCommand(request.body);
      const body = bytes === undefined ? "" : decoder.decode(bytes);
      bytes?.fill(0);
      const { method, path } = request;
      const reply = await handler({ method, path, body }, signal);
      const answer = encoder.encode(reply.body);
      if (answer.length > request.replyBytesMax) {
        throw new LinksealError("transport.closed", "the reply is longer than allowed", {
          effect: "unknown",
          where: request.to,
          next: "linkseal status",
        });
      }
      return { status: reply.status, body: answer };
    },
    async routeTo() {
      return undefined;
    },
    async resolve(host) {
      return [host];
    },
  };
}

export interface SimulatedParts {
  readonly site: Site;
  readonly disk: Disk;
  readonly log: Log;
  readonly prng: Prng;
}

/** The World of an agent that lives inside the simulation, on the site's own clock. */
export function simulatedWorld({ site, disk, log, prng }: SimulatedParts): World {
  return {
    clock: site.clock,
    entropy: prng,
    disk,
    dial: simulatedDialer(siteHandler(site)),
    log,
  };
}

/**
 * An agent with a fixed identity: a restart on the same disk reads the journal of its predecessor.
 */
export async function simulatedAgent(world: World): Promise<Agent> {
  const hostKey = Secret.take("host-key", new Uint8Array(32).fill(0x5a));
  return await openAgent(world, { hostKey, host: "simulated-host" });
}
export type { Site } from "#sim/site.ts";
