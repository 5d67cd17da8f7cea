// Real time, and the time of a simulated site that an agent follows.

import { uptime } from "node:os";
import { LinksealError } from "#hal/error.ts";
import { decodeJson } from "#hal/json.ts";
import { alarmOf, type Clock, type Dialer, type Instant, type WallTime } from "#hal/world.ts";

/** Readings of the clocks of a host, in milliseconds. */
export interface HostReadings {
  /** CLOCK_MONOTONIC of clock_gettime(2): it stops while the host is suspended. */
  readonly monotonic: () => number;
  /** The wall clock, which may be set. */
  readonly wall: () => number;
  /** The time since the boot (CLOCK_BOOTTIME), which counts a suspend. */
  readonly sinceBoot: () => number;
}

/** A wall clock that is slewed stays within this of the monotonic clock for minutes. */
const driftMsMax = 250;

/**
 * Makes a monotonic clock that counts the time in which the host was suspended, so that no
 * observation from before a suspend looks new after it. The time since the boot is read only when
 * the wall clock has moved: a suspend moves it too.
 */
export function countingSuspends({ monotonic, wall, sinceBoot }: HostReadings): () => number {
  const bootedMs = sinceBoot() - monotonic();
  let driftMs = wall() - monotonic();
  let suspendedMs = 0;
  return () => {
    const now = monotonic();
    const nextDriftMs = wall() - now;
    if (Math.abs(nextDriftMs - driftMs) > driftMsMax) {
      driftMs = nextDriftMs;
      suspendedMs = Math.max(suspendedMs, sinceBoot() - now - bootedMs);
    }
    return now + suspendedMs;
  };
}

const hostNow = countingSuspends({
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  sinceBoot: () => uptime() * 1000,
});

/** A timer stops while the host is suspended, so a long sleep compares the time this often. */
const napMsMax = 60_000;

/** This host's clocks. */
export const hostClock: Clock = {
  now: () => hostNow() as Instant,
  wall: () => Date.now() as WallTime,
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      const cancel = hostClock.alarm(ms, () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      });
      const abort = (): void => {
        cancel();
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", abort, { once: true });
    }),
  alarm(ms, ring) {
    const end = hostNow() + ms;
    const nap = (left: number): NodeJS.Timeout =>
      setTimeout(
        () => {
          if (left <= napMsMax) ring();
          else timer = nap(end - hostNow());
        },
        Math.min(left, napMsMax),
      );
    let timer = nap(ms);
    return () => clearTimeout(timer);
  },
};

const syncMs = 200;
const unpacedSyncMs = 2;
/** Sleepers that wake together share one request, in milliseconds. */
const freshMs = 1;
const replyMsMax = 2000;
const replyBytesMax = 1000;

/** A site's reply; `speed` is virtual ms per real ms, 0 for a site that jumps ahead. */
interface SiteTime {
  readonly now: number;
  readonly wall: number;
  readonly speed: number;
  /** Virtual ms after which a site waits for the next request; Infinity = it never waits. */
  readonly leash: number;
  readonly atReal: number;
}

/**
 * Makes a clock that follows a simulated site, read with GET /clock and continued at its speed in
 * between, so that instants compare with the site's own. It never goes back, and gets no further
 * ahead of the last reply than the site's leash. A site that left two requests in a row unanswered
 * counts as gone, and its last speed continues. While `isHeld` returns true the clock sends no
 * request, so that a site with a leash waits: the real time that a busy disk needs must cost no
 * time of the site.
 * @throws LinksealError of the dialer, or with `device.unparsed`, if the site does not answer the
 * first request
 */
export async function followingClock(
  dial: Dialer,
  address: string,
  isHeld: () => boolean = () => false,
): Promise<Clock> {
  const ask = (): Promise<SiteTime> => askSite(dial, address);
  let site = await ask();
  let last = site.now;
  let asking: Promise<void> | undefined;
  let askedAt = performance.now();
  // A process that gets no CPU core for seconds misses a reply that arrived in time.
  let missed = 0;
  const isGone = (): boolean => missed > 1;
  // Two requests within each leash, so that the site need not wait.
  const stepMs = (): number => {
    if (site.leash === Number.POSITIVE_INFINITY) return syncMs;
    return site.speed === 0 ? unpacedSyncMs : Math.min(syncMs, site.leash / site.speed / 2);
  };
  const sync = async (): Promise<void> => {
    if (isHeld()) return;
    const fresh = site.leash === Number.POSITIVE_INFINITY ? freshMs : stepMs() / 4;
    if (performance.now() - askedAt < Math.max(freshMs, fresh)) return;
    asking ??= ask()
      .then(
        (time) => {
          site = time;
          missed = 0;
        },
        () => {
          missed += 1;
        },
      )
      .finally(() => {
        askedAt = performance.now();
        asking = undefined;
      });
    await asking;
  };
  const now = (): Instant => {
    const real = performance.now();
    if (real - askedAt > stepMs()) void sync();
    const since = (real - site.atReal) * site.speed;
    last = Math.max(last, site.now + (isGone() ? since : Math.min(since, site.leash)));
    return last as Instant;
  };
  const sleep: Clock["sleep"] = async (ms, signal) => {
    for (let end = now() + ms; now() < end; await sync()) {
      const realMs = site.speed === 0 ? unpacedSyncMs : (end - now()) / site.speed;
      await hostClock.sleep(Math.max(Math.min(realMs, stepMs()), 1), signal);
    }
  };
  // Whole milliseconds, as on any host: records of others that lack them are not believed.
  const wall = (): WallTime => Math.round(site.wall + (now() - site.now)) as WallTime;
  return { now, wall, sleep, alarm: alarmOf(sleep) };
}

async function askSite(dial: Dialer, address: string): Promise<SiteTime> {
  const request = { to: address, method: "GET", path: "/clock", replyBytesMax } as const;
  const reply = await dial.http(request, AbortSignal.timeout(replyMsMax));
  const time = reply.status === 200 ? parseTime(new TextDecoder().decode(reply.body)) : undefined;
  if (time !== undefined) return { ...time, atReal: performance.now() };
  throw new LinksealError("device.unparsed", "the simulated site does not report its time", {
    effect: "none",
    where: address,
    next: "start `linkseal sim serve` of the same version",
  });
}

function parseTime(text: string): Omit<SiteTime, "atReal"> | undefined {
  let value: unknown;
  try {
    value = decodeJson(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  if (!("now" in value && "wall" in value && "speed" in value)) return undefined;
  const { now, wall, speed } = value;
  const leash = "leash" in value ? value.leash : Number.POSITIVE_INFINITY;
  const pace = speed === "max" ? 0 : speed;
  if (typeof now !== "number" || typeof wall !== "number" || typeof pace !== "number") {
    return undefined;
  }
  if (typeof leash !== "number" || !(leash > 0)) return undefined;
  return pace >= 0 && pace <= 1e6 ? { now, wall, speed: pace, leash } : undefined;
}
