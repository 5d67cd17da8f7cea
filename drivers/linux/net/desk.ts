// The kernel's network as a device: looks, routes, and the changes that need a capability. It holds
// the timers of what is not confirmed; of keys it knows those alone that people chose for an SA,
// and no longer than that SA takes to be made.

import { isIP } from "node:net";
import type { TransactionToken } from "#hal/device.ts";
import {
  type DeviceState,
  type IpsecTunnel,
  known,
  type PortName,
  type Reading,
  unknown,
} from "#hal/model.ts";
import type { Answer, NetlinkMessage, NetlinkSocket } from "#hal/netlink.ts";
import type { World } from "#hal/world.ts";
import { addressesNow, type KernelSockets, linksNow, lookAtKernel } from "../macsec/look.ts";
import { type KernelLook, readPort } from "../macsec/port.ts";
import { askRoute, isRouteGone, readRoute, routeKinds } from "../netlink/rtnetlink-route.ts";
import {
  dumpPolicies,
  dumpSas,
  type Policy,
  readPolicy,
  readSa,
  type Sa,
} from "../netlink/xfrm.ts";
import { type Backing, readBackings, toldBackings, waysUnderMacsec } from "./backing.ts";
import { Commits } from "./commits.ts";
import { configIdOf } from "./config-id.ts";
import { blockedAmong, blockedOut, prefixesMax, readGuard } from "./guard.ts";
import { type Hands, kernelHands } from "./hands.ts";
import type { Pending } from "./kept.ts";
import { type NetChange, previewOf } from "./part.ts";
import { portBelow, portsOf, type Subnet, subnetsOf } from "./stack.ts";
import { type SeenAround, tunnelGaps } from "./tunnel-gaps.ts";
import type { TunnelHands } from "./tunnel-hands.ts";
import { TunnelKeeper } from "./tunnel-keeper.ts";
import { readKeptLinks } from "./tunnel-links.ts";
import type { TunnelLink } from "./tunnel-part.ts";
import { waysOf } from "./tunnel-routes.ts";
import { hasTunnels, tunnelsOf } from "./tunnels.ts";

export interface DeskParts {
  readonly world: Pick<World, "clock" | "entropy" | "disk" | "log">;
  readonly sockets: KernelSockets & {
    readonly xfrm: NetlinkSocket;
    readonly filter?: NetlinkSocket;
  };
  readonly bootId: string;
  /** Absent where this process does not reach charon. */
  readonly forget?: TunnelHands["forget"];
}

/** A rate over less says little, and one over more says nothing of now. */
const rateMs = { least: 900, most: 60_000 };

interface Within {
  readonly hands: Hands;
  readonly keeper: TunnelKeeper;
  readonly commits: Commits;
}

interface Guarded extends Pick<DeviceState, "backed"> {
  readonly blocked: Reading<readonly string[]>;
}

export class NetDesk {
  readonly #parts: DeskParts;
  readonly #hands: Hands;
  readonly #commits: Commits;
  readonly #keeper: TunnelKeeper;
  readonly #closed = new AbortController();
  /** The call that is due by time. */
  #again: Promise<void> | undefined;
  /** The two newest that are far enough apart for a rate; the newer one last. */
  #looks: readonly KernelLook[] = [];
  #changes = 0;
  #changed = Promise.withResolvers<void>();

  private constructor(parts: DeskParts, { hands, keeper, commits }: Within) {
    this.#parts = parts;
    this.#hands = hands;
    this.#keeper = keeper;
    this.#commits = commits;
  }

  static async open(parts: DeskParts): Promise<NetDesk> {
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
    const hands = kernelHands(tunnels, keeper);
    const commits = await Commits.open({ world, bootId, hands });
    return new NetDesk(parts, { hands, keeper, commits });
  }

  close(): void {
    this.#closed.abort();
    this.#commits.close();
  }

  async state(device: string, signal: AbortSignal): Promise<DeviceState> {
    // What is taken back while the look goes on was seen as it stood before.
    const wasPending = this.#isPending();
    const look = await lookAtKernel(this.#parts.sockets, this.#parts.world.clock, signal);
    const before = this.#before(look);
    const { at } = look;
    const wall = this.#parts.world.clock.wall();
    const { disk, log } = this.#parts.world;
    const kept = await readGuard(disk, log);
    const isUsed = kept.length > 0 || hasTunnels(look.links);
    const policies = isUsed ? await this.#policies(signal) : undefined;
    const backings = isUsed ? await readBackings(disk, log) : [];
    const guarded =
      policies === undefined ? undefined : guardedNow(look, { kept, backings }, policies);
    const sas = await this.#sas(look, signal);
    const told = policies?.kind === "answered" ? policies.found : [];
    const made = policies?.kind === "answered" ? (await readKeptLinks(disk, log)).links : [];
    const ports = portsOf(look.links).flatMap(
      ({ name }) => readPort(name, look, before)?.port ?? [],
    );
    return {
      device,
      at,
      control: known(
        {
          wall,
          bootId: this.#parts.bootId,
          configId: configIdOf(look),
          commitPending: wasPending || this.#isPending(),
        },
        at,
      ),
      macsec: ports,
      ipsec: tunnelsOf(look.links, look.addresses, sas, { at, wall }).map((tunnel) =>
        withGaps(tunnel, made, { ...look, policies: told }),
      ),
      ...(guarded === undefined ? {} : { ...guarded, ways: waysOf(look, guarded.blocked) }),
      routing: unknown("notSupported", at),
    };
  }

  #isPending(): boolean {
    return this.#commits.kept.pending !== undefined;
  }

  async #policies(signal: AbortSignal): Promise<Answer<Policy>> {
    return await this.#parts.sockets.xfrm.ask(dumpPolicies(), readPolicy, signal);
  }

  // Dumps of SAs carry their keys, which are wiped while they are read.
  async #sas({ links }: KernelLook, signal: AbortSignal): Promise<readonly Sa[] | undefined> {
    if (!hasTunnels(links)) return [];
    const answer = await this.#parts.sockets.xfrm.ask(dumpSas(), readSa, signal);
    return answer.kind === "answered" ? answer.found : undefined;
  }

  #before(look: KernelLook): KernelLook | undefined {
    const fit = this.#looks.findLast(({ at }) => look.at - at >= rateMs.least);
    this.#looks = fit === undefined ? [...this.#looks.slice(-1), look] : [fit, look];
    return fit !== undefined && look.at - fit.at <= rateMs.most ? fit : undefined;
  }

  async subnets(signal: AbortSignal): Promise<readonly Subnet[]> {
    const { routes } = this.#parts.sockets;
    const addresses = await addressesNow(routes, signal);
    return subnetsOf(await linksNow(routes, signal), addresses);
  }

  /** The port that the kernel sends to an address by; undefined = none, or it cannot be told. */
  async routeTo(address: string, signal: AbortSignal): Promise<PortName | undefined> {
    if (isIP(address) === 0) return undefined;
    const { routes } = this.#parts.sockets;
    const answer = await routes.ask(askRoute(address), readRoute, signal);
    // ENETUNREACH and its like: there is no way.
    if (answer.kind === "refused") return undefined;
    const [route] = answer.found;
    if (route?.outputLink === undefined) return undefined;
    const isWay = route.kind === routeKinds.unicast || route.kind === routeKinds.local;
    return isWay ? portBelow(route.outputLink, await linksNow(routes, signal)) : undefined;
  }

  async prepare(
    parts: NetChange,
    signal: AbortSignal,
  ): Promise<{ readonly token: TransactionToken; readonly preview: string }> {
    const lines: string[] = [];
    for (const part of parts) {
      if ((await this.#hands.undoOf(part, this.#commits, signal)) !== undefined)
        lines.push(...previewOf(part));
    }
    const preview = lines.join("\n");
    return { token: this.#commits.prepare(parts, preview), preview };
  }

  recall(token: TransactionToken): Pending | undefined {
    return this.#commits.recall(token);
  }

  async apply(
    token: TransactionToken,
    within: number | "final",
    signal: AbortSignal,
  ): Promise<void> {
    await this.#commits.apply(token, within, signal);
    // What was made of tunnels is looked after from now on.
    void this.#raise();
  }

  confirm(token: TransactionToken): Promise<void> {
    return this.#commits.confirm(token);
  }

  rollback(token: TransactionToken, signal: AbortSignal): Promise<void> {
    return this.#commits.rollback(token, signal);
  }

  /** Something of the kernel's network is another than before. */
  noteChange(): void {
    // A port whose SecY the boot took may have come, or a SecY that tunnels stand behind, or the
    // interface of a tunnel may have gone down.
    void this.#raise();
    this.#changes += 1;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  async #raise(): Promise<void> {
    const againMs = await this.#commits.raise().catch(() => undefined);
    if (againMs === undefined || this.#again !== undefined || this.#closed.signal.aborted) return;
    const { clock } = this.#parts.world;
    this.#again = clock.sleep(againMs, this.#closed.signal).then(
      () => {
        this.#again = undefined;
        return this.#raise();
      },
      () => undefined,
    );
  }

  noteRoute(message: NetlinkMessage): void {
    if (isRouteGone(message)) this.noteRouteGone(readRoute(message)?.outputLink);
  }

  /** A route of the kernel's is gone; of the many of a routing daemon only a tunnel's count. */
  noteRouteGone(outputLink: number | undefined): void {
    if (outputLink !== undefined && this.#keeper.has(outputLink)) this.noteChange();
  }

  /** How often something changed so far, as soon as it is more than `after`, or after a wait. */
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

function withGaps(tunnel: IpsecTunnel, made: readonly TunnelLink[], seen: SeenAround): IpsecTunnel {
  const link = made.find(({ name }) => name === tunnel.name);
  const gaps = link === undefined ? [] : tunnelGaps(link, seen);
  return gaps.length === 0 ? tunnel : { ...tunnel, gaps };
}

interface Protected {
  readonly kept: readonly string[];
  readonly backings: readonly Backing[];
}

function guardedNow(
  { at, links }: KernelLook,
  { kept, backings }: Protected,
  answer: Answer<Policy>,
): Guarded {
  const isBacking = backings.some(({ ports }) => ports.length > 0);
  if (answer.kind === "refused") {
    const blind = unknown("queryFailed", at);
    return { blocked: blind, ...(isBacking ? { backed: blind } : {}) };
  }
  const policies = answer.found;
  const asked = new Set([...kept, ...blockedOut(policies)]);
  const ways = waysUnderMacsec(backings, links);
  const blocked = blockedAmong(asked, policies, links, ways).slice(0, prefixesMax);
  const backed = known(toldBackings(backings, policies, links), at);
  return { blocked: known(blocked, at), ...(isBacking ? { backed } : {}) };
}
