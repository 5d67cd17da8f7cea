// The checks before a tunnel is touched: before the agent writes a newer key to its gateway, and
// before its traffic is led away.

import type { ErrorCode } from "#hal/error.ts";
import { type DeviceState, strongValue } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { silenceOn } from "../health/delivery.ts";
import { bundleOf, siblingsOf, whyNot } from "../health/tunnel-bundle.ts";
import type { Desired, DesiredTunnel } from "../model/desired.ts";
import type { RoundTrips } from "../model/health.ts";
import { drainOf } from "../model/link-snapshot.ts";
import type { Cause } from "../model/reason.ts";
import type { TunnelChangeState, TunnelFacts } from "../model/tunnel-change.ts";
import { sharersOf } from "../model/tunnel-pair.ts";
import { type Memory, named } from "../store/journal/memory.ts";
import { type WindowState, windowAt } from "./window.ts";

/** Why nothing is done now: the code of the error, and the operator's next command. */
export interface Obstacle {
  readonly code: Extract<ErrorCode, `gate.${string}`> | "device.unsupported";
  readonly cause: Cause;
  readonly next: string;
}

interface GateInput {
  readonly desired: Pick<Desired, "groups" | "tunnels">;
  readonly tunnel: DesiredTunnel;
  /** A policy respects windows, and changes only a tunnel that is up. */
  readonly asked: TunnelFacts["asked"];
  readonly wall: WallTime;
  readonly memory: Memory;
  /** A fresh observation of its device. */
  readonly state: DeviceState;
  /** The last observation of a device; undefined = none, or too old. */
  readonly lastState: (device: string) => DeviceState | undefined;
  readonly inCampaign: (device: string) => boolean;
  /** The round trips through a tunnel; undefined = none was tried. */
  readonly trips: (tunnel: string) => RoundTrips | undefined;
}

const underWay: ReadonlySet<TunnelChangeState> = new Set(["giving", "switching", "returning"]);

/** Returns true while the ends of a tunnel may have different keys. */
export function isKeyChanging({ auths }: Memory, tunnel: string): boolean {
  return underWay.has(named(auths, tunnel)?.next?.state ?? "waiting");
}

/** Why the gateway of a tunnel may not be given a newer key now; undefined = it may. */
export function keyObstacle(input: GateInput): Obstacle | undefined {
  const { tunnel, inCampaign, asked } = input;
  const { device } = tunnel;
  if (inCampaign(device)) {
    const cause = { code: "device.inCampaign", device } as const;
    return { code: "gate.busy", cause, next: "linkseal rotation show" };
  }
  const window = asked === "policy" ? closedWindow(input) : undefined;
  return window ?? otherOfGateway(input) ?? notUp(input) ?? noSibling(input);
}

/**
 * The window of a tunnel's group. For a tunnel outside every group, each freeze of the site counts,
 * and no window.
 */
function tunnelWindow({ desired: { groups }, tunnel, wall }: GateInput): WindowState {
  const group = groups.find(({ name }) => name === tunnel.insideMacsec);
  if (group !== undefined) return windowAt(group.rotate.windows, group.freezes, wall);
  const freezes = groups.flatMap((each) => each.freezes);
  return windowAt(anyTime, freezes, wall);
}

const anyTime = [] as const;

function closedWindow(input: GateInput): Obstacle | undefined {
  const window = tunnelWindow(input);
  if (window.kind === "open") return undefined;
  const next = `linkseal psk proceed ${input.tunnel.name}`;
  return { code: "gate.window", cause: window.why, next };
}

/** Changes run one at a time per gateway: a change of one connection may affect the others. */
function otherOfGateway({ desired, tunnel, memory }: GateInput): Obstacle | undefined {
  const siblings = new Set(siblingsOf(desired.tunnels, tunnel));
  const other = desired.tunnels.find(
    (each) =>
      each.name !== tunnel.name &&
      (siblings.has(each) || each.remoteAddress === tunnel.remoteAddress) &&
      isKeyChanging(memory, each.name),
  );
  if (other === undefined) return undefined;
  const cause = { code: "tunnel.otherChanging", tunnel: other.name } as const;
  return { code: "gate.busy", cause, next: `linkseal psk show ${other.name}` };
}

function notUp({ tunnel, state, asked }: GateInput): Obstacle | undefined {
  const observed = state.ipsec.find(({ name }) => name === tunnel.name);
  const isUp = observed !== undefined && strongValue(observed.ike) === "established";
  if (isUp || asked === "person") return undefined;
  const next = `linkseal tunnels ${tunnel.name}`;
  return { code: "gate.busy", cause: { code: "tunnel.notUp" }, next };
}

/** The first sibling that does not carry stands for all of them. */
function noSibling(input: GateInput): Obstacle | undefined {
  const { desired, tunnel, asked, state, lastState, memory, trips } = input;
  // The tunnel with the same key changes too: a person decides for both.
  const sharers: readonly DesiredTunnel[] =
    asked === "person" ? sharersOf(desired.tunnels, tunnel) : [];
  const siblings = siblingsOf(desired.tunnels, tunnel).filter((each) => !sharers.includes(each));
  const lost = siblings.map((each): Cause | undefined => {
    const observed = each.device === tunnel.device ? state : lastState(each.device);
    if (observed === undefined) return { code: "device.unread", device: each.device };
    return named(memory.drains, each.name) === undefined
      ? (whyNot(each, observed) ?? silenceOn(trips(each.name)))
      : { code: "tunnel.drained", tunnel: each.name };
  });
  const [cause] = lost;
  if (cause === undefined || lost.includes(undefined)) return undefined;
  return { code: "gate.siblingUnhealthy", cause, next: "linkseal tunnels" };
}

interface DrainInput extends Pick<GateInput, "tunnel" | "memory" | "trips"> {
  readonly tunnels: readonly DesiredTunnel[];
  /** A fresh observation of its device. */
  readonly state: DeviceState;
  /** True if the device can move traffic from one tunnel to another. */
  readonly canDrain: boolean;
}

/** The other tunnels of its bundle. */
export function bundledWith(
  tunnels: readonly DesiredTunnel[],
  tunnel: DesiredTunnel,
): readonly DesiredTunnel[] {
  return bundleOf(tunnels, tunnel).filter(({ name }) => name !== tunnel.name);
}

/** Why a tunnel must stay in service; undefined = it may be drained. */
export function drainObstacle(input: DrainInput): Obstacle | undefined {
  const { tunnels, tunnel, state, memory, canDrain, trips } = input;
  const { name, device } = tunnel;
  const siblings = bundledWith(tunnels, tunnel);
  const unhealthy = { code: "gate.siblingUnhealthy", next: "linkseal tunnels" } as const;
  if (siblings.length === 0) return { ...unhealthy, cause: { code: "tunnel.alone" } };
  if (!canDrain) {
    const cause = { code: "device.noDrain", device } as const;
    return { code: "device.unsupported", cause, next: "linkseal driver list" };
  }
  if (drainOf(state, name) === "on") {
    const next = `linkseal undrain ${name}`;
    return { code: "gate.busy", cause: { code: "link.drainedAlready" }, next };
  }
  const other = siblings.find(
    (each) => drainOf(state, each.name) === "on" || named(memory.drains, each.name) !== undefined,
  );
  if (other !== undefined) {
    const cause = { code: "tunnel.otherDrained", tunnel: other.name } as const;
    return { code: "gate.busy", cause, next: `linkseal undrain ${other.name}` };
  }
  // What is lost on the way out takes no traffic of others; what goes back is never held by it.
  const lost = siblings.map((each) => whyNot(each, state) ?? silenceOn(trips(each.name)));
  const [cause] = lost;
  return cause === undefined || lost.includes(undefined) ? undefined : { ...unhealthy, cause };
}
