// Warnings about a device as a whole, beside its links and tunnels. None of them changes a verdict.

import type { Clock } from "#hal/world.ts";
import { type Raised, raise } from "../../health/warnings.ts";
import { isoTime } from "../../model/iso-time.ts";
import { clockOffsetMs, clockSkewMs, fresh } from "../../model/link-snapshot.ts";
import type { SiteView } from "./site-view.ts";

/** Warns of clocks that differ too much from this host's, and of changes that a boot may lose. */
export function deviceWarnings(site: SiteView, clock: Clock): Raised[] {
  return site.intent.desired.devices.flatMap(({ name }) => [
    ...clockWarnings(site, name, clock),
    ...unsavedWarnings(site, name),
  ]);
}

function clockWarnings({ intent, deviceCache }: SiteView, name: string, clock: Clock): Raised[] {
  const state = fresh(deviceCache.state(name), intent.desired.health, clock.now());
  const offsetMs = state === undefined ? undefined : clockOffsetMs(state, clock);
  if (offsetMs === undefined || Math.abs(offsetMs) <= clockSkewMs.warning) return [];
  const seconds = Math.round(Math.abs(offsetMs) / 1_000);
  const way = offsetMs > 0 ? "ahead of" : "behind";
  return [raise("clock-skew", name, `the clock of ${name} is ${seconds} s ${way} this host's`)];
}

function unsavedWarnings({ unsavedCommits }: SiteView, name: string): Raised[] {
  const [oldest] = unsavedCommits.left(name);
  if (oldest === undefined) return [];
  const failure = unsavedCommits.failure(name);
  const why = failure === undefined ? "" : `; the last try: ${failure.message}`;
  const text = `a boot of ${name} may take back what was changed at ${isoTime(oldest.since)}`;
  return [raise("commit-unsaved", name, `${text}: it is not known to be saved${why}`)];
}
