// What the health of a tunnel is derived from.

import type { Instant } from "#hal/world.ts";
import type { DesiredLink, DesiredTunnel } from "../../model/desired.ts";
import {
  type DeviceContact,
  type LinkHealth,
  type TunnelEvidence,
  worstOf,
} from "../../model/health.ts";
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
  const trouble = supervisor.trouble(device);
  const refusal = supervisor.trouble(device, name)?.message;
  const state = deviceCache.state(device);
  return {
    tunnel,
    ...(refusal === undefined ? {} : { refusal }),
    causes:
      trouble === undefined ? [] : causeOf(trouble.code, trouble.message, insideMacsec ?? name),
    settings: intent.desired.health,
    now,
    observations: deviceCache.tunnelHistory(name),
    ...{ routing: state?.routing, ways: state?.ways, blocked: state?.blocked },
    device: contact,
    carrier: carrier && worstOf(carrier.links.map((link) => health(link).verdict)),
    backup: backupEvidence(supervisor, tunnel, health),
    ...(tunnel.weaknesses.length === 0 ? {} : { waiver }),
  };
}
