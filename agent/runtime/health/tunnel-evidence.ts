// What the health of a tunnel is derived from.

import type { LinksealError } from "#hal/error.ts";
import type { Instant } from "#hal/world.ts";
import {
  type DesiredGroup,
  type DesiredLink,
  type DesiredTunnel,
  linkId,
} from "../../model/desired.ts";
import type {
  CarrierLink,
  DeviceContact,
  LinkHealth,
  Reason,
  TunnelEvidence,
} from "../../model/health.ts";
import { warningRows } from "../../model/warning-rows.ts";
import { backupEvidence } from "./backup-report.ts";
import { causeOf } from "./causes.ts";
import type { SiteView } from "./site-view.ts";

/** What is known at a moment beside the observations. */
interface Known {
  readonly now: Instant;
  readonly health: (link: DesiredLink) => LinkHealth;
  /** When BGP last offered the link to traffic; undefined = never seen. */
  readonly offered: (link: DesiredLink) => Instant | undefined;
  readonly contact: DeviceContact;
  readonly waiver: "stands" | "over";
}

/** Returns the evidence of a tunnel from the newest observations and the last failures. */
export function tunnelEvidence(
  supervisor: SiteView,
  tunnel: DesiredTunnel,
  { now, health, offered, contact, waiver }: Known,
): TunnelEvidence {
  const { deviceCache, intent } = supervisor;
  const { device, name, insideMacsec } = tunnel;
  const carrier = intent.desired.groups.find((group) => group.name === insideMacsec);
  const own = supervisor.trouble(device, name);
  const shared = supervisor.trouble(device);
  const refusal = own?.message;
  const state = deviceCache.state(device);
  return {
    tunnel,
    ...(refusal === undefined ? {} : { refusal }),
    causes: [
      ...(own === undefined ? [] : causesOfSetUp(own, name)),
      ...(shared === undefined ? [] : causeOf(shared.code, shared.message, insideMacsec ?? name)),
    ],
    settings: intent.desired.health,
    now,
    observations: deviceCache.tunnelHistory(name),
    trips: deviceCache.roundTrips.of(name),
    silence: deviceCache.roundTrips.silence(intent.desired.tunnels.map((each) => each.name)),
    ...{ routing: state?.routing, ways: state?.ways, blocked: state?.blocked },
    opened: state?.opened,
    device: contact,
    carriers: carrier && carriersOf(carrier, device, { now, health, offered }),
    backup: backupEvidence(supervisor, tunnel, health),
    ...(tunnel.weaknesses.length === 0 ? {} : { waiver }),
  };
}

/**
 * How long after the end of BGP on a link a tunnel that went over it is still lost with it, in
 * milliseconds: IKE detects a dead path only by its liveness checks (RFC 7296, section 2.4), after
 * 45 s in Azure, and then sets the tunnel up anew.
 */
const afterPathMs = 60_000;

/**
 * Returns the links of a group as they are judged, those of the device first. A router prefers its
 * own link: it takes a sibling's once BGP offers none of its own.
 */
function carriersOf(
  { links }: DesiredGroup,
  device: string,
  { now, health, offered }: Pick<Known, "now" | "health" | "offered">,
): readonly CarrierLink[] {
  const isOffered = (link: DesiredLink): boolean => {
    const at = offered(link);
    return at !== undefined && now - at <= afterPathMs;
  };
  const own = links.filter((link) => link.device === device);
  const others = links.filter((link) => link.device !== device);
  const taken = new Set((own.some(isOffered) ? own : others).filter(isOffered));
  return [...own, ...others].map((link) => {
    const { verdict, reasons } = health(link);
    const path = taken.has(link) ? ({ path: "taken" } as const) : {};
    return { id: linkId(link), verdict, reason: firstOf(reasons), ...path };
  });
}

/** A failed effect explains a verdict, and what keeps frames from passing makes it. */
function firstOf(reasons: readonly Reason[]): Reason | undefined {
  return reasons.find(({ code }) => warningRows[code].impactsTraffic) ?? reasons[0];
}

/**
 * Returns what the last set-up explains of the verdict. A set-up that did not end in time says
 * nothing of its device, which answers observations; its text is in the verdict's own reason.
 */
function causesOfSetUp({ code, message }: LinksealError, name: string): readonly Reason[] {
  return causeOf(code, message, name).filter((one) => one.code !== "device-unreachable");
}
