// A fleet from one seed: pairs of routers with their far ends, the oracle beside them, and a log of
// every transition.

import type { Capabilities } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { EventLog } from "./event-log.ts";
import { type Oracle, type OracleBounds, watchSite } from "./oracle.ts";
import { Prng } from "./prng.ts";
import { buildSite, type Site } from "./site.ts";
import { fullCapabilities } from "./site-plan.ts";

export interface FleetOptions {
  readonly seed: string;
  /** Even: every group has two. */
  readonly routers: number;
  readonly tunnels: number;
  readonly start: "clear" | "protected";
  /** `mixed`: each router differs by seed in how it commits and what it can hold. */
  readonly models: "best" | "mixed";
  readonly bounds?: Partial<OracleBounds>;
  readonly writeLine: (line: string) => void;
}

export interface Fleet {
  readonly site: Site;
  readonly oracle: Oracle;
  readonly log: EventLog;
}

export function buildFleet(options: FleetOptions): Fleet {
  const { seed, routers, tunnels, start, models } = options;
  if (routers < 2 || routers % 2 !== 0)
    throw new RangeError("a fleet has an even number of routers");
  const site = buildSite({
    seed,
    name: "fleet",
    groups: routers / 2,
    tunnels,
    start,
    ...(models === "mixed" ? { capabilities: (device) => modelOf(seed, device) } : {}),
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

const commits: readonly Capabilities["commit"][] = [
  { kind: "confirmed", survivesDisconnect: true, stepMs: 1_000, maxMs: 3_600_000 },
  { kind: "confirmed", survivesDisconnect: false, stepMs: 60_000, maxMs: 3_600_000 },
  { kind: "armedRevert" },
];

function modelOf(seed: string, device: string): Capabilities {
  const prng = new Prng(`${seed}/model ${device}`);
  const { macsec } = fullCapabilities;
  if (macsec === undefined) throw new RangeError("a router without MACsec has no place in a fleet");
  const overlap = prng.pick(["keychain", "fallback", "none"] as const);
  const counters = prng.pick(["perSa", "perPort"] as const);
  return {
    ...fullCapabilities,
    commit: prng.pick(commits),
    macsec: { ...macsec, overlap, counters },
  };
}

/** Looks at every router as an agent would, until the signal aborts; counts its looks. */
export class Poller {
  looks = 0;
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
        await this.#look(device);
        await clock.sleep(everyMs, this.#signal);
      }
    } catch (error) {
      if (!this.#signal.aborted) throw error;
    }
  }

  async #look(device: ReturnType<Site["device"]>): Promise<void> {
    try {
      await device?.observe(this.#signal);
      this.looks += 1;
    } catch (error) {
      // A router that does not answer is asked again at the next poll.
      if (!(error instanceof LinksealError)) throw error;
    }
  }
}
