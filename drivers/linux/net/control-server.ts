// The control server of linkseal-net: the kernel's network as a device, with observations, routes,
// and the changes that need a capability. It runs the timers of unconfirmed changes. The only keys
// that it handles are those that an operator chose for an SA, and only while that SA is made.

import { isIP } from "node:net";
import type { TransactionToken } from "#hal/device.ts";
import {
  type DeviceState,
  type IpsecTunnel,
  known,
  type PortName,
  type Reading,
  type Route,
  unknown,
} from "#hal/model.ts";
import type { Answer, NetlinkMessage, NetlinkSocket } from "#hal/netlink.ts";
import type { World } from "#hal/world.ts";
import {
  addressesNow,
  type KernelSockets,
  linksNow,
  observeKernel,
} from "../macsec/kernel-observation.ts";
import { type KernelObservation, readPort } from "../macsec/port.ts";
import { askRoute, isRouteGone, readRoute, routeKinds } from "../netlink/rtnetlink-route.ts";
import {
  dumpPolicies,
  dumpSas,
  type Policy,
  readPolicy,
  readSa,
  type Sa,
} from "../netlink/xfrm.ts";
import { Commits } from "./commits.ts";
import { configIdOf } from "./config-id.ts";
import {
  type ExemptPrefix,
  exemptPrefixStates,
  readExemptPrefixes,
  waysUnderMacsec,
} from "./exempt-prefixes.ts";
import { blockedAmong, blockedOut, openedAmong, prefixesMax } from "./guard.ts";
import { readGuard } from "./guard-file.ts";
import { type KernelApplier, kernelApplier } from "./kernel-applier.ts";
import { type NetChange, previewOf } from "./operation.ts";
import { portBelow, portsOf, type Subnet, subnetsOf } from "./stack.ts";
import type { Pending } from "./stored-state.ts";
import type { TunnelContext } from "./tunnel-applier.ts";
import { type TunnelSurroundings, tunnelGaps } from "./tunnel-gaps.ts";
import { TunnelKeeper } from "./tunnel-keeper.ts";
import { readStoredLinks } from "./tunnel-links.ts";
import type { TunnelLink } from "./tunnel-operation.ts";
import { waysOf } from "./tunnel-routes.ts";
import { hasTunnels, tunnelsOf } from "./tunnels.ts";
import { underlayGap } from "./underlay.ts";

export interface ControlServerParts {
  readonly world: Pick<World, "clock" | "entropy" | "disk" | "log">;
  readonly sockets: KernelSockets & {
    readonly xfrm: NetlinkSocket;
    readonly filter?: NetlinkSocket;
  };
  readonly bootId: string;
  /** Absent if this process does not reach charon. */
  readonly forget?: TunnelContext["forget"];
}

/**
 * A rate over a shorter time is inaccurate, and one over a longer time does not describe the
 * present.
 */
const rateMs = { least: 900, most: 60_000 };

/** The wait after the kernel or the disk refused to be read. */
const raiseFailedMs = 60_000;

interface Within {
  readonly applier: KernelApplier;
  readonly keeper: TunnelKeeper;
  readonly commits: Commits;
}

interface Guarded extends Pick<DeviceState, "backed" | "opened"> {
  readonly blocked: Reading<readonly string[]>;
  readonly ways: Reading<readonly Route[]>;
}

/** Answers observations and carries out changes; one for each process. */
export class NetControlServer {
  readonly #parts: ControlServerParts;
  readonly #applier: KernelApplier;
  readonly #commits: Commits;
  readonly #keeper: TunnelKeeper;
  #isClosed = false;
  /** Ends the wait for the next call that is due by time. */
  #again = (): void => undefined;
  /** The two newest observations that are far enough apart for a rate; the newer one last. */
  #observations: readonly KernelObservation[] = [];
  #changes = 0;
  #changed = Promise.withResolvers<void>();

  private constructor(parts: ControlServerParts, { applier, keeper, commits }: Within) {
    this.#parts = parts;
    this.#applier = applier;
    this.#keeper = keeper;
    this.#commits = commits;
  }

  /**
   * Opens the control server and ends what a predecessor left unfinished.
   * @throws LinksealError if the undo log cannot be read or written
   */
  static async open(parts: ControlServerParts): Promise<NetControlServer> {
    const { world, bootId, sockets } = parts;
    const { routes, xfrm, filter } = sockets;
    const { disk, log } = world;
    const { forget } = parts;
    const tunnels = {
      ...{ routes, xfrm, disk, log, bootId },
      ...(filter === undefined ? {} : { filter }),
      ...(forget === undefined ? {} : { forget }),
    };
    const keeper = new TunnelKeeper(tunnels, world);
    const applier = kernelApplier(tunnels, keeper, world);
    const commits = await Commits.open({ world, bootId, applier });
    const server = new NetControlServer(parts, { applier, keeper, commits });
    // What failed while it was opened is tried again, even if no link changes.
    void server.#raise();
    return server;
  }

  /** Ends the timers; a pending change is left to the successor. */
  close(): void {
    this.#isClosed = true;
    this.#again();
    this.#commits.close();
  }

  /**
   * Takes one observation of the kernel.
   * @throws LinksealError `device.rejected` if the kernel refuses a dump
   */
  async state(device: string, signal: AbortSignal): Promise<DeviceState> {
    // A change that is reverted during the observation counts as pending in it.
    const wasPending = this.#isPending();
    const observation = await observeKernel(this.#parts.sockets, this.#parts.world.clock, signal);
    const before = this.#before(observation);
    const { at } = observation;
    const wall = this.#parts.world.clock.wall();
    const { disk, log } = this.#parts.world;
    const { prefixes: stored } = await readGuard(disk, log);
    const isUsed = stored.length > 0 || hasTunnels(observation.links);
    const policies = isUsed ? await this.#policies(signal) : undefined;
    const exemptPrefixes = isUsed ? await readExemptPrefixes(disk, log) : [];
    const guarded =
      policies === undefined
        ? undefined
        : guardedNow(observation, { stored, exemptPrefixes }, policies);
    const sas = await this.#sas(observation, signal);
    const reported = policies?.kind === "answered" ? policies.found : [];
    const made = policies?.kind === "answered" ? (await readStoredLinks(disk, log)).links : [];
    const ports = portsOf(observation.links).flatMap(
      ({ name }) => readPort(name, observation, before)?.port ?? [],
    );
    const surroundings = { ...observation, policies: reported };
    const ipsec: IpsecTunnel[] = [];
    for (const tunnel of tunnelsOf(observation.links, observation.addresses, sas, { at, wall })) {
      ipsec.push(await this.#withGaps(tunnel, made, surroundings, signal));
    }
    return {
      device,
      at,
      control: known(
        {
          wall,
          bootId: this.#parts.bootId,
          configId: configIdOf(observation),
          commitPending: wasPending || this.#isPending(),
        },
        at,
      ),
      macsec: ports,
      ipsec,
      ...guarded,
      routing: unknown("notSupported", at),
    };
  }

  async #withGaps(
    tunnel: IpsecTunnel,
    made: readonly TunnelLink[],
    observed: TunnelSurroundings,
    signal: AbortSignal,
  ): Promise<IpsecTunnel> {
    const { name } = tunnel;
    const link = made.find((one) => one.name === name);
    const ifId = observed.links.find((one) => one.name === name)?.info?.xfrm?.ifId;
    const outer = await underlayGap(ifId, observed, this.#parts.sockets.routes, signal);
    const gaps = [
      ...(outer === undefined ? [] : [outer]),
      ...(link === undefined ? [] : tunnelGaps(link, observed)),
    ];
    return gaps.length === 0 ? tunnel : { ...tunnel, gaps };
  }

  #isPending(): boolean {
    return this.#commits.state.pending !== undefined;
  }

  async #policies(signal: AbortSignal): Promise<Answer<Policy>> {
    return await this.#parts.sockets.xfrm.ask(dumpPolicies(), readPolicy, signal);
  }

  // Dumps of SAs carry their keys, which are wiped while they are read.
  async #sas(
    { links }: KernelObservation,
    signal: AbortSignal,
  ): Promise<readonly Sa[] | undefined> {
    if (!hasTunnels(links)) return [];
    const answer = await this.#parts.sockets.xfrm.ask(dumpSas(), readSa, signal);
    return answer.kind === "answered" ? answer.found : undefined;
  }

  #before(observation: KernelObservation): KernelObservation | undefined {
    const fit = this.#observations.findLast(({ at }) => observation.at - at >= rateMs.least);
    this.#observations =
      fit === undefined ? [...this.#observations.slice(-1), observation] : [fit, observation];
    return fit !== undefined && observation.at - fit.at <= rateMs.most ? fit : undefined;
  }

  /**
   * Returns the subnets on ports and in tunnels.
   * @throws LinksealError `device.rejected` if the kernel refuses a dump
   */
  async subnets(signal: AbortSignal): Promise<readonly Subnet[]> {
    const { routes } = this.#parts.sockets;
    const addresses = await addressesNow(routes, signal);
    return subnetsOf(await linksNow(routes, signal), addresses);
  }

  /**
   * Returns the port that the kernel sends to an address by; undefined = none, or it is not known.
   */
  async routeTo(address: string, signal: AbortSignal): Promise<PortName | undefined> {
    if (isIP(address) === 0) return undefined;
    const { routes } = this.#parts.sockets;
    const answer = await routes.ask(askRoute(address), readRoute, signal);
    // ENETUNREACH and similar errors mean that there is no route.
    if (answer.kind === "refused") return undefined;
    const [route] = answer.found;
    if (route?.outputLink === undefined) return undefined;
    const isWay = route.kind === routeKinds.unicast || route.kind === routeKinds.local;
    return isWay ? portBelow(route.outputLink, await linksNow(routes, signal)) : undefined;
  }

  /**
   * Prepares a change, which has no effect yet; the preview lists what it would change.
   * @throws LinksealError `device.rejected` if it cannot be carried out
   */
  async prepare(
    parts: NetChange,
    signal: AbortSignal,
  ): Promise<{ readonly token: TransactionToken; readonly preview: string }> {
    const lines: string[] = [];
    for (const operation of parts) {
      if ((await this.#applier.undoOf(operation, this.#commits, signal)) !== undefined)
        lines.push(...previewOf(operation));
    }
    const preview = lines.join("\n");
    return { token: this.#commits.prepare(parts, preview), preview };
  }

  /** Returns the change that waits for its confirmation under this token. */
  recall(token: TransactionToken): Pending | undefined {
    return this.#commits.recall(token);
  }

  /**
   * Applies a prepared change, which is reverted `within` ms unless it is confirmed. An abort
   * reverts it.
   * @throws LinksealError `device.locked` while another change waits; `device.rejected`
   */
  async apply(
    token: TransactionToken,
    within: number | "final",
    signal: AbortSignal,
  ): Promise<void> {
    await this.#commits.apply(token, within, signal);
    // The keeper of tunnel interfaces takes over what the change made.
    void this.#raise();
  }

  /**
   * Confirms a change.
   * @throws LinksealError `device.commitExpired` if it was reverted; `device.rejected` if it was
   * interrupted
   */
  confirm(token: TransactionToken): Promise<void> {
    return this.#commits.confirm(token);
  }

  /**
   * Reverts a change that waits, or drops a prepared one.
   * @throws LinksealError `device.rejected` for a final change, or if the kernel refuses
   */
  rollback(token: TransactionToken, signal: AbortSignal): Promise<void> {
    return this.#commits.rollback(token, signal);
  }

  /** Records that the kernel's network changed. */
  noteChange(): void {
    // The change may be a port whose SecY was lost in the boot, a SecY that exempt prefixes use, or
    // the interface of a tunnel that went down.
    void this.#raise();
    this.#changes += 1;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  async #raise(): Promise<void> {
    const againMs = await this.#commits.raise().catch(() => raiseFailedMs);
    // The newest answer counts all that waits.
    this.#again();
    if (againMs === undefined || this.#isClosed) return;
    this.#again = this.#parts.world.clock.alarm(againMs, () => void this.#raise());
  }

  /** Records a change of routes. */
  noteRoute(message: NetlinkMessage): void {
    if (isRouteGone(message)) this.noteRouteGone(readRoute(message)?.outputLink);
  }

  /**
   * Records that a route is gone; among the many of a routing daemon only those into a tunnel
   * count.
   */
  noteRouteGone(outputLink: number | undefined): void {
    if (outputLink !== undefined && this.#keeper.has(outputLink)) this.noteChange();
  }

  /**
   * Returns how many changes happened so far, as soon as there are more than `after`, or after the
   * wait.
   */
  async changes(after: number, waitMs: number, signal: AbortSignal): Promise<number> {
    const over = new AbortController();
    const leave = (): void => over.abort();
    signal.addEventListener("abort", leave, { once: true });
    const late = this.#parts.world.clock.sleep(waitMs, over.signal).catch(() => undefined);
    if (this.#changes <= after) await Promise.race([this.#changed.promise, late]);
    over.abort();
    signal.removeEventListener("abort", leave);
    return this.#changes;
  }
}

interface Protected {
  readonly stored: readonly string[];
  readonly exemptPrefixes: readonly ExemptPrefix[];
}

function guardedNow(
  observation: KernelObservation,
  { stored, exemptPrefixes }: Protected,
  answer: Answer<Policy>,
): Guarded {
  const { at, links } = observation;
  const isAnyExempt = exemptPrefixes.some(({ ports }) => ports.length > 0);
  if (answer.kind === "refused") {
    const blind = unknown("queryFailed", at);
    return { blocked: blind, ways: blind, ...(isAnyExempt ? { backed: blind } : {}) };
  }
  const policies = answer.found;
  const asked = [...new Set([...stored, ...blockedOut(policies)])];
  const exempt = waysUnderMacsec(exemptPrefixes, links);
  const blocked = blockedAmong(asked, policies, links, exempt).slice(0, prefixesMax);
  const backed = known(exemptPrefixStates(exemptPrefixes, policies, links), at);
  // A route matters the more where something lets packets past the block.
  const ways = waysOf(observation, known(asked, at));
  const opened = openedAmong(asked, policies, links, exempt).slice(0, prefixesMax);
  return {
    ...{ blocked: known(blocked, at), ways },
    ...(opened.length === 0 ? {} : { opened }),
    ...(isAnyExempt ? { backed } : {}),
  };
}
