// The checks before the agent writes a newer pre-shared key to a gateway.

import { type DeviceState, strongValue } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { silenceText } from "../../health/delivery.ts";
import { siblingsOf, whyNot } from "../../health/tunnel-bundle.ts";
import type { Desired, DesiredTunnel } from "../../model/desired.ts";
import type { RoundTrips } from "../../model/health.ts";
import { causeText } from "../../model/reason-text.ts";
import { sharersOf } from "../../model/tunnel-pair.ts";
import { type WindowState, windowAt } from "../../rotation/window.ts";
import { type Memory, type NextAuthState, named } from "../../store/journal/memory.ts";

/** Who asks for the change: a policy respects windows, and changes only a tunnel that is up. */
export type Asked = "policy" | "person";

interface TunnelPreconditionInput {
  readonly desired: Pick<Desired, "groups" | "tunnels">;
  readonly tunnel: DesiredTunnel;
  readonly asked: Asked;
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

interface UnmetPrecondition {
  readonly code: "gate.busy" | "gate.stale" | "gate.siblingUnhealthy" | "gate.window";
  readonly why: string;
  readonly next: string;
}

const underWay: ReadonlySet<NextAuthState> = new Set(["giving", "switching", "returning"]);

/** Returns true while the ends of a tunnel may have different keys. */
export function isKeyChanging({ auths }: Memory, tunnel: string): boolean {
  return underWay.has(named(auths, tunnel)?.next?.state ?? "waiting");
}

/** Returns the first failed check; undefined = all passed. */
export function unmetTunnelPrecondition(
  input: TunnelPreconditionInput,
): UnmetPrecondition | undefined {
  const { tunnel, inCampaign, asked } = input;
  if (inCampaign(tunnel.device)) {
    const why = `a campaign runs on ${tunnel.device}`;
    return { code: "gate.busy", why, next: "linkseal rotation show" };
  }
  const window = asked === "policy" ? closedWindow(input) : undefined;
  return window ?? otherOfGateway(input) ?? notUp(input) ?? noSibling(input);
}

/**
 * The window of a tunnel's group. For a tunnel outside every group, each freeze of the site counts,
 * and no window.
 */
export function tunnelWindow(
  { groups }: Pick<Desired, "groups">,
  { insideMacsec }: DesiredTunnel,
  wall: WallTime,
): WindowState {
  const group = groups.find(({ name }) => name === insideMacsec);
  if (group !== undefined) return windowAt(group.rotate.windows, group.freezes, wall);
  const freezes = groups.flatMap((each) => each.freezes);
  return windowAt(anyTime, freezes, wall);
}

const anyTime = [] as const;

function closedWindow({
  desired,
  tunnel,
  wall,
}: TunnelPreconditionInput): UnmetPrecondition | undefined {
  const window = tunnelWindow(desired, tunnel, wall);
  if (window.kind === "open") return undefined;
  const next = `linkseal psk proceed ${tunnel.name}`;
  return { code: "gate.window", why: causeText(window.why), next };
}

/** Changes run one at a time per gateway: a change of one connection may affect the others. */
function otherOfGateway({
  desired,
  tunnel,
  memory,
}: TunnelPreconditionInput): UnmetPrecondition | undefined {
  const siblings = new Set(siblingsOf(desired.tunnels, tunnel));
  const other = desired.tunnels.find(
    (each) =>
      each.name !== tunnel.name &&
      (siblings.has(each) || each.remoteAddress === tunnel.remoteAddress) &&
      isKeyChanging(memory, each.name),
  );
  if (other === undefined) return undefined;
  const why = `the key of ${other.name} is being changed, and one of a gateway changes at a time`;
  return { code: "gate.busy", why, next: `linkseal psk show ${other.name}` };
}

function notUp({ tunnel, state, asked }: TunnelPreconditionInput): UnmetPrecondition | undefined {
  const observed = state.ipsec.find(({ name }) => name === tunnel.name);
  const isUp = observed !== undefined && strongValue(observed.ike) === "established";
  if (isUp || asked === "person") return undefined;
  const why = "it is not up, and nothing would be left to go on with";
  return { code: "gate.busy", why, next: `linkseal tunnels ${tunnel.name}` };
}

function noSibling({
  desired,
  tunnel,
  asked,
  state,
  lastState,
  memory,
  trips,
}: TunnelPreconditionInput): UnmetPrecondition | undefined {
  // The tunnel with the same key changes too: a person decides for both.
  const sharers: readonly DesiredTunnel[] =
    asked === "person" ? sharersOf(desired.tunnels, tunnel) : [];
  const siblings = siblingsOf(desired.tunnels, tunnel).filter((each) => !sharers.includes(each));
  const lost = siblings.map((each) => {
    const observed = each.device === tunnel.device ? state : lastState(each.device);
    if (observed === undefined) return `${each.device} cannot be read`;
    return named(memory.drains, each.name) === undefined
      ? (whyNot(each, observed) ?? silenceText(trips(each.name)))
      : `${each.name} is drained`;
  });
  if (lost.length === 0 || lost.includes(undefined)) return undefined;
  const next = "linkseal tunnels";
  return { code: "gate.siblingUnhealthy", why: lost.join(", "), next };
}
