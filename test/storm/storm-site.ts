// Builds a storm's site from one seed: pairs of routers with their far ends, the oracle beside
// them, and a log of every transition.

import type { Capabilities } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { Prng } from "#sim/base/prng.ts";
import { EventLog } from "#sim/oracle/event-log.ts";
import { type Oracle, type OracleBounds, watchSite } from "#sim/oracle/oracle.ts";
import { buildSite, type Site, type SiteOptions } from "#sim/site/site.ts";
import {
  fullCapabilities,
  planSite,
  type RouterModel,
  type RoutersPerGroup,
} from "#sim/site/site-plan.ts";

/** The size and the pace of a storm. */
export interface StormSiteOptions {
  readonly seed: string;
  /**
   * Two routers for every group, so an even number; with `perGroup: "one"` the site has half as
   * many.
   */
  readonly routers: number;
  readonly perGroup?: RoutersPerGroup;
  readonly tunnels: number;
  readonly start: "clear" | "protected";
  /** `mixed`: each router differs by seed in how it commits and what it can hold. */
  readonly models: "best" | "mixed";
  readonly bounds?: Partial<OracleBounds>;
  /** Hellos and keep-alives of the routing at each end, in packets per second. */
  readonly routingPps?: number;
  /** The time from the acceptance of a change at a far end until its hardware follows. */
  readonly farEndDelayMs?: SiteOptions["farEndDelayMs"];
  readonly writeLine: (line: string) => void;
}

/** A storm's site with its oracle and its log. */
export interface StormSite {
  readonly site: Site;
  readonly oracle: Oracle;
  readonly log: EventLog;
}

/** Builds the site of a storm; equal options give equal sites. */
export function buildStormSite(options: StormSiteOptions): StormSite {
  const { seed, routers, tunnels, start, models, farEndDelayMs, routingPps } = options;
  const { perGroup = "two" } = options;
  if (routers < 2 || routers % 2 !== 0)
    throw new RangeError("a storm has an even number of routers");
  const site = buildSite({
    seed,
    name: "fleet",
    groups: routers / 2,
    routers: perGroup,
    tunnels,
    start,
    routingPps,
    ...(farEndDelayMs === undefined ? {} : { farEndDelayMs }),
    ...(models === "mixed" ? { models: mixed(seed, routers / 2, perGroup) } : {}),
  });
  const log = new EventLog(() => site.clock.now(), options.writeLine);
  site.attach({
    effect: (effect) => log.effect(effect),
    fault: (text, link) => log.fault(text, link),
  });
  const oracle = watchSite(site, options.bounds);
  oracle.onMoment((moment) => log.moment(moment));
  return { site, oracle, log };
}

function mixed(
  seed: string,
  count: number,
  perGroup: RoutersPerGroup,
): (device: string) => RouterModel {
  const { groups } = planSite("fleet", count, 0, perGroup);
  const devices = groups.flatMap(({ links }) => links.map(({ device }) => device));
  const models = modelsOf(seed, [...new Set(devices)]);
  return (device) => {
    const model = models.get(device);
    if (model === undefined) throw new RangeError(`no router ${device}`);
    return model;
  };
}

const commits: readonly Capabilities["commit"][] = [
  { kind: "confirmed", confirmedBy: "anySession", stepMs: 1_000, maxMs: 3_600_000 },
  { kind: "confirmed", confirmedBy: "ownSession", stepMs: 60_000, maxMs: 3_600_000 },
  { kind: "armedRevert" },
  { kind: "immediate" },
];
const overlaps = ["keychain", "fallback", "none"] as const;
/**
 * One router in this many has no probe; it does not divide the other cycles, so that all pairs
 * occur.
 */
const probelessOf = 5;
/** The range reaches from a switch that writes a file to a chassis with many line cards. */
const commitMs = { low: 300, high: 20_000 };

/**
 * Returns the model of each router by seed: any twelve in a row have every commit mode with every
 * overlap, and any five include one without a probe.
 */
export function modelsOf(
  seed: string,
  devices: readonly string[],
): ReadonlyMap<string, RouterModel> {
  const { macsec, probe, ...rest } = fullCapabilities;
  if (macsec === undefined)
    throw new RangeError("a router without MACsec cannot take part in a storm");
  const start = new Prng(`${seed}/models`).between(
    0,
    commits.length * overlaps.length * probelessOf - 1,
  );
  return new Map(
    devices.map((device, place): [string, RouterModel] => {
      const index = start + place;
      const prng = new Prng(`${seed}/model ${device}`);
      const counters = prng.pick(["perSa", "perPort"] as const);
      const overlap = overlaps[index % overlaps.length] ?? "none";
      const capabilities: Capabilities = {
        ...rest,
        commit: commits[index % commits.length] ?? { kind: "immediate" },
        macsec: { ...macsec, overlap, counters },
        ...(index % probelessOf === 0 || probe === undefined ? {} : { probe }),
      };
      return [device, { capabilities, commitMs: drawCommitMs(prng) }];
    }),
  );
}

/** Draws evenly on a logarithmic scale: most routers take seconds, and some take many. */
function drawCommitMs(prng: Prng): number {
  return Math.round(commitMs.low * (commitMs.high / commitMs.low) ** prng.real());
}

/**
 * Observes every router as an agent would, until the signal aborts, and counts the observations.
 */
export class Poller {
  observations = 0;
  readonly #site: Site;
  readonly #signal: AbortSignal;

  constructor(site: Site, everyMs: number, signal: AbortSignal) {
    this.#site = site;
    this.#signal = signal;
    for (const name of site.routers.keys()) {
      const startMs = site.prng.fork(`poller ${name}`).between(0, everyMs);
      void this.#poll(name, startMs, everyMs);
    }
  }

  async #poll(name: string, startMs: number, everyMs: number): Promise<void> {
    const { clock } = this.#site;
    const device = this.#site.device(name);
    try {
      await clock.sleep(startMs, this.#signal);
      for (;;) {
        await this.#observe(device);
        await clock.sleep(everyMs, this.#signal);
      }
    } catch (error) {
      if (!this.#signal.aborted) throw error;
    }
  }

  async #observe(device: ReturnType<Site["device"]>): Promise<void> {
    try {
      await device?.observe(this.#signal);
      this.observations += 1;
    } catch (error) {
      // A router that does not answer is asked again at the next poll.
      if (!(error instanceof LinksealError)) throw error;
    }
  }
}
