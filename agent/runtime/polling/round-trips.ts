// The round trips over each link and tunnel, with the settings that each was tried under and
// whether its path was known to be open.

import type { ProbeResult } from "#hal/device.ts";
import { type DeviceState, strongValue } from "#hal/model.ts";
import type { Clock } from "#hal/world.ts";
import { advanceTrips, type RoundTrip, silenceOf } from "../../health/delivery.ts";
import { isOpenTunnel } from "../../health/tunnel-bundle.ts";
import type { DesiredLink, DesiredTunnel } from "../../model/desired.ts";
import type { RoundTrips, Silence } from "../../model/health.ts";
import { portOf } from "../../model/link-snapshot.ts";

/** Where packets of our own are sent. */
export interface Path {
  readonly device: string;
  /** The port, or the tunnel. */
  readonly port: string;
  /** The link as `group/link`, or the tunnel. */
  readonly about: string;
}

/** The state of a path as it is probed. */
export type Way = Pick<RoundTrip, "under" | "isOpen">;

export const tunnelProbeMsMax = 20_000;

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : 1;

/** undefined = the settings cannot be read now, so nothing can be compared with this round trip. */
export function linkWay(link: DesiredLink, state: DeviceState | undefined): Way | undefined {
  const port = portOf(state, link.port);
  const settings = port && strongValue(port.settings);
  const session = port && strongValue(port.session);
  const routing = state && strongValue(state.routing);
  if (settings === undefined || session === undefined || routing === undefined) return undefined;
  const peers = routing.sessions.flatMap((one) => (one.port === link.port ? [one.peer] : []));
  return {
    under: JSON.stringify([Object.entries(settings).toSorted(byName), peers.toSorted()]),
    isOpen: session.controlledPort === "secured" && session.livePeers > 0,
  };
}

/** A tunnel is under what its config says: a change of that makes new SAs. */
export function tunnelWay(tunnel: DesiredTunnel, state: DeviceState | undefined): Way {
  const { localAddress, remoteAddress, localPrefixes, remotePrefixes, ...rest } = tunnel;
  const { ike, transforms, bgp } = rest;
  const ends = [localAddress, remoteAddress, localPrefixes, remotePrefixes, bgp];
  return {
    under: JSON.stringify([ends, ike, transforms]),
    isOpen: state !== undefined && isOpenTunnel(tunnel.name, state),
  };
}

/** The round trips of a process: another one has seen no answer yet. */
export class RoundTripLog {
  readonly #clock: Pick<Clock, "now" | "wall">;
  readonly #trips = new Map<string, RoundTrips>();

  constructor(clock: Pick<Clock, "now" | "wall">) {
    this.#clock = clock;
  }

  /** undefined = none under the present settings counts. */
  of(about: string): RoundTrips | undefined {
    return this.#trips.get(about);
  }

  /** Whether all of these paths are silent at once. */
  silence(paths: readonly string[]): Silence {
    return silenceOf(paths.map((about) => this.of(about)));
  }

  /** Adds one that has ended now; without a way it is compared with nothing, and left out. */
  add(about: string, way: Way | undefined, result: ProbeResult): void {
    if (way === undefined) return;
    const ended = { at: this.#clock.now(), wall: this.#clock.wall() };
    this.#keep(about, advanceTrips(this.of(about), { ...way, ...result, ...ended }));
  }

  /** Takes over what a predecessor saw of a path; `under` = only under these settings. */
  inherit(before: RoundTripLog, about: string, under?: string): void {
    const trips = before.of(about);
    if (under === undefined || trips?.under === under) this.#keep(about, trips);
  }

  #keep(about: string, trips: RoundTrips | undefined): void {
    if (trips === undefined) this.#trips.delete(about);
    else this.#trips.set(about, trips);
  }
}
