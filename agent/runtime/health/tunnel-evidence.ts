// What the health of a tunnel is derived from.

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
  readonly contact: DeviceContact;
  readonly waiver: "stands" | "over";
}

/** Returns the evidence of a tunnel from the newest observations and the last failures. */
export function tunnelEvidence(
  supervisor: SiteView,
  tunnel: DesiredTunnel,
  { now, health, contact, waiver }: Known,
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
      ...(own === undefined ? [] : causeOf(own.code, own.message, name)),
      ...(shared === undefined ? [] : causeOf(shared.code, shared.message, insideMacsec ?? name)),
    ],
    settings: intent.desired.health,
    now,
    observations: deviceCache.tunnelHistory(name),
    ...{ routing: state?.routing, ways: state?.ways, blocked: state?.blocked },
    device: contact,
    carriers: carrier && carriersOf(carrier, device, health),
    backup: backupEvidence(supervisor, tunnel, health),
    ...(tunnel.weaknesses.length === 0 ? {} : { waiver }),
  };
}

/** Returns the links of a group as they are judged, those of the device first. */
function carriersOf(
  { links }: DesiredGroup,
  device: string,
  health: Known["health"],
): readonly CarrierLink[] {
  const isOther = (link: DesiredLink): number => Number(link.device !== device);
  return links
    .toSorted((a, b) => isOther(a) - isOther(b))
    .map((link) => {
      const { verdict, reasons } = health(link);
      return { id: linkId(link), verdict, reason: firstOf(reasons) };
    });
}

/** A failed effect explains a verdict, and what keeps frames from passing makes it. */
function firstOf(reasons: readonly Reason[]): Reason | undefined {
  return reasons.find(({ code }) => warningRows[code].impactsTraffic) ?? reasons[0];
}
