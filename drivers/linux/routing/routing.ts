// The routing of this host over successive observations: what FRR reports, and what is wrong with a
// session, which only the comparison of two observations shows.

import { withDeadline } from "#hal/deadline.ts";
import { LinksealError } from "#hal/error.ts";
import {
  type DrainMeans,
  known,
  type PortName,
  type Reading,
  type Route,
  type Routing,
  unknown,
} from "#hal/model.ts";
import type { Clock, Instant } from "#hal/world.ts";
import { type Subnet, subnetOf, vrfsOf } from "../netlink/subnet.ts";
import { drainGaps, md5Rise, sessionTrouble } from "./bgp-trouble.ts";
import {
  type BgpPort,
  type BgpScope,
  type Frr,
  findPort,
  hasNoSession,
  interfaceOf,
  type RoutingObservation,
  readAdvertisements,
  readOpenAdvertisements,
  readRouting,
  reportedSessions,
  type SessionObservation,
} from "./frr.ts";
import type { Md5Counters } from "./frr-parsers.ts";

/** Longer than the longest wait of a session for its next try to connect (RFC 4271 10). */
const rememberMs = 150_000;
/**
 * After this time a change of policy has gone out to every neighbour; FRR delays it by up to 5 s.
 */
const markedMs = 20_000;

/**
 * Well inside the longest observation: a shell that hangs must not hide what the kernel reports.
 */
const answerMsMax = 6_000;
const kernelMsMax = 1_000;

interface Counted {
  readonly at: Instant;
  readonly rise: Md5Counters;
}

/** Derives from the host's subnets which BGP sessions are ours. */
export function scopeOf(subnets: readonly Subnet[]): BgpScope {
  return {
    vrfs: vrfsOf(subnets),
    viaOf: (vrf, address) => subnetOf(subnets, vrf, address)?.via,
  };
}

/**
 * Adds the kernel's own routes around what tunnels protect, if it reports them, to FRR's routing.
 */
export function withKernelRoutes(
  reported: Reading<Routing>,
  ways: Reading<readonly Route[]> | undefined,
): Reading<Routing> {
  if (reported.kind === "unknown" || ways?.kind !== "known") return reported;
  const routes = ways.value;
  const own = new Set(routes.map(({ prefix }) => prefix));
  const isThere = ({ prefix, via }: Route): boolean =>
    routes.some((one) => one.prefix === prefix && interfaceOf(one.via) === interfaceOf(via));
  // The kernel knows nothing of a route that waits to take over, though BGP may call it the best.
  const others = reported.value.routes.flatMap((route) => {
    if (!own.has(route.prefix)) return [route];
    return isThere(route) ? [] : [{ ...route, best: false }];
  });
  return { ...reported, value: { ...reported.value, routes: [...others, ...routes] } };
}

/** Remembers counters and drains from one observation to the next. */
export class RoutingObserver {
  readonly #frr: Frr;
  readonly #clock: Clock;
  #md5: Md5Counters | undefined;
  /** The last rise: a session that waits for its next try has the same trouble meanwhile. */
  #counted: Counted | undefined;
  /** A neighbour may keep the routes of an FRR that has died (RFC 4724, section 4.2). */
  #hadSession = false;
  /** The moment since when a drain is configured, by port. */
  #drained = new Map<PortName, Instant>();

  constructor(frr: Frr, clock: Clock) {
    this.#frr = frr;
    this.#clock = clock;
  }

  /**
   * Returns unknown if FRR does not answer, or in words that are not understood. Where FRR does not
   * run, the kernel lists no BGP connection and none was seen before, this host has no BGP
   * (`notSupported`). `beside`: what this host protects by other means than MACsec, past which
   * nothing may be advertised.
   */
  async observe(
    subnets: readonly Subnet[],
    beside: "tunnels" | "none",
    signal: AbortSignal,
  ): Promise<Reading<Routing>> {
    const at = this.#clock.now();
    try {
      const scope = scopeOf(subnets);
      const limit = { ms: answerMsMax, where: "FRR", effect: "none" } as const;
      const [observation, gaps, sent] = await withDeadline(
        this.#clock,
        limit,
        signal,
        async (bounded) => {
          const reported = await readRouting(this.#frr, scope, bounded);
          const advertised =
            beside === "none"
              ? {}
              : { advertised: await readOpenAdvertisements(this.#frr, reported.sessions, bounded) };
          return [reported, await this.#gaps(reported, scope, at, bounded), advertised] as const;
        },
      );
      this.#hadSession ||= observation.sessions.length > 0;
      const rise = this.#rise(observation.md5, at);
      const troubleOf = (session: SessionObservation): string | undefined =>
        sessionTrouble(session, rise) ?? gaps.get(interfaceOf(session.via));
      return known(
        { ...observation.routing, ...reportedSessions(observation.sessions, troubleOf), ...sent },
        at,
      );
    } catch (error) {
      if (!(error instanceof LinksealError) || signal.aborted) throw error;
      const mayBeNone = error.code === "transport.unreachable" && !this.#hadSession;
      if (mayBeNone && (await this.#isMute(signal))) return unknown("notSupported", at);
      return unknown(error.code === "device.unparsed" ? "unparsed" : "queryFailed", at);
    }
  }

  async #isMute(signal: AbortSignal): Promise<boolean> {
    const limit = { ms: kernelMsMax, where: "ss", effect: "none" } as const;
    try {
      return await withDeadline(this.#clock, limit, signal, (bounded) =>
        hasNoSession(this.#frr, bounded),
      );
    } catch (error) {
      if (!(error instanceof LinksealError) || signal.aborted) throw error;
      return false;
    }
  }

  #rise(md5: Md5Counters | undefined, at: Instant): Md5Counters | undefined {
    const rise = md5Rise(this.#md5, md5);
    this.#md5 = md5;
    const rose = rise !== undefined && Object.values(rise).some((count) => count > 0n);
    if (rose) this.#counted = { at, rise };
    const last = this.#counted;
    return last !== undefined && at - last.at <= rememberMs ? last.rise : rise;
  }

  /** Returns, by port, what a drain that is old enough still lets out unmarked. */
  async #gaps(
    { routing }: RoutingObservation,
    scope: BgpScope,
    at: Instant,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<PortName, string>> {
    const since = (port: PortName): Instant => this.#drained.get(port) ?? at;
    this.#drained = new Map(routing.drains.map(({ port }) => [port, since(port)]));
    const gaps = new Map<PortName, string>();
    for (const { port, means } of routing.drains) {
      if (at - since(port) < markedMs) continue;
      const [gap] = await this.#unmarked(port, means, scope, signal);
      if (gap !== undefined) gaps.set(port, gap);
    }
    return gaps;
  }

  async #unmarked(
    port: PortName,
    means: DrainMeans,
    scope: BgpScope,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const ports: readonly BgpPort[] = await findPort(this.#frr, port, scope, signal);
    const sent = await Promise.all(ports.map((one) => readAdvertisements(this.#frr, one, signal)));
    return drainGaps(sent.flat(), means);
  }
}
