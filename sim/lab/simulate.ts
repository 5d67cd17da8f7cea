// Joins agent, drivers and simulated site in one process: for `npm start`, storms, rehearsals and
// kill tests.

import type { OnDecision } from "#agent/model/decision.ts";
import { cloudsOf, type Identity, openAgent } from "#agent/operate/open.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import { fillCommand } from "#drivers/index.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import {
  type Dialer,
  type Disk,
  type HttpReply,
  type HttpRequest,
  type Log,
  noChannels,
  noFrames,
  noPrograms,
  noSnmp,
  noStreams,
  type World,
} from "#hal/world.ts";
import type { Prng } from "../base/prng.ts";
import { FaultConsole } from "../faults/fault-console.ts";
import { type DemoFault, demoFaults } from "../faults/faults.ts";
import { type Oracle, watchSite } from "../oracle/oracle.ts";
import { type SiteHandler, siteHandler } from "../site/protocol.ts";
import { buildSite, type Site, type SiteOptions } from "../site/site.ts";
import { type Overlap, routerWith } from "../site/site-plan.ts";

const decoder = new TextDecoder();

/**
 * A dialer that calls the site's protocol handler without a socket; it ignores the address, because
 * there is only one site.
 */
export function simulatedDialer(handler: SiteHandler): Dialer {
  return {
    async http(request: HttpRequest, signal: AbortSignal): Promise<HttpReply> {
      const bytes = request.body === undefined ? undefined : fillCommand(request.body);
      const body = bytes === undefined ? "" : decoder.decode(bytes);
      bytes?.fill(0);
      const { method, path } = request;
      const reply = await handler({ method, path, body }, signal);
      const answer = Buffer.from(reply.body);
      if (answer.length > request.replyBytesMax) {
        throw new LinksealError("transport.closed", "the reply is longer than allowed", {
          effect: "unknown",
          where: request.to,
          next: "linkseal status",
        });
      }
      return { status: reply.status, headers: {}, body: answer };
    },
    async routeTo() {
      return undefined;
    },
    async resolve(host) {
      return [host];
    },
    exec: noPrograms,
    framed: noFrames,
    stream: noStreams,
    channel: noChannels,
    snmp: noSnmp,
  };
}

export interface SimulatedParts {
  readonly site: Site;
  readonly disk: Disk;
  readonly log: Log;
  readonly prng: Prng;
}

/** The World of an agent inside the simulation, on the site's own clock. */
export function simulatedWorld({ site, disk, log, prng }: SimulatedParts): World {
  return {
    clock: site.clock,
    entropy: prng,
    disk,
    dial: simulatedDialer(siteHandler(site)),
    log,
  };
}

/** A fixed identity: a restart on the same disk can read the journal of the process before. */
export function simulatedIdentity(): Identity {
  return {
    hostKey: Secret.take("host-key", new Uint8Array(32).fill(0x5a)),
    reportKey: Secret.take("report-key", new Uint8Array(32).fill(0xa5)),
    host: "simulated-host",
  };
}

/** A config may name a real cloud all the same; nothing of this World reaches one. */
const credentials = () => import("#agent/host/credentials.ts");

export async function simulatedAgent(world: World, onDecision?: OnDecision): Promise<Agent> {
  return await openAgent(world, simulatedIdentity(), cloudsOf(world, credentials), onDecision);
}

export type { EffectEvent } from "../base/truth.ts";
export { routerPlatforms } from "../emulators/platforms.ts";
export { formatViolation } from "../oracle/oracle.ts";
export { type AzureServed, serveAzure } from "../serve/azure.ts";
export { leashClock, paceClock, serveSite } from "../serve/site.ts";
export { type SnmpServed, serveSnmp } from "../serve/snmp.ts";
export { type SshServed, type SshServeOptions, serveSsh } from "../serve/ssh.ts";
export type { Site };

/** A site with its oracle and its fault console. */
export interface StaffedSite {
  readonly site: Site;
  readonly oracle: Oracle;
  readonly faultConsole: FaultConsole;
}

/**
 * Builds the demo: two links, two tunnels if both routers can end tunnels, and an oracle that
 * checks the promises against the true state.
 */
export function demoSite(
  seed: string,
  start: SiteOptions["start"],
  own: Pick<SiteOptions, "vaultBase" | "models" | "wallStart"> = {},
): StaffedSite {
  const edges = ["edge-a", "edge-b"].map((edge) => own.models?.(edge).capabilities);
  const tunnels = edges.every((one) => one === undefined || one.ipsec !== undefined) ? 2 : 0;
  const site = buildSite({ seed, name: "demo", groups: 1, tunnels, start, ...own });
  const oracle = watchSite(site);
  return { site, oracle, faultConsole: new FaultConsole(site, oracle) };
}

/** Returns routers with every capability, and with the given way to keep keys. */
export function routersThatHold(overlap: Overlap): Pick<SiteOptions, "models"> {
  const model = { capabilities: routerWith(overlap) };
  return { models: () => model };
}

/** Returns what `--list-faults` shows. */
export function faultList(): readonly Pick<DemoFault, "name" | "title" | "when">[] {
  return demoFaults.map(({ name, title, when }) => ({ name, title, when }));
}
