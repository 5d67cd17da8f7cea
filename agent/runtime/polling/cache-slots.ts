// What the device cache keeps of each device and of each link.

import type { Device, PeerPort, PeerState, PeerTelemetry } from "#hal/device.ts";
import type { DeviceState, MacsecPort } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import type { DesiredDevice, DesiredLink } from "../../model/desired.ts";
import type { Failure, LinkSnapshot } from "../../model/link-snapshot.ts";

/** A device, its session, and what was last read of it. */
export interface DeviceSlot {
  readonly wanted: DesiredDevice;
  device: Device | undefined;
  state: DeviceState | undefined;
  failure: Failure | undefined;
  /** Observations that failed since the last that did not. */
  failures: number;
}

/** A link, and what was last read of both of its ends. */
export interface LinkSlot {
  readonly link: DesiredLink;
  readonly history: MacsecPort[];
  /** The newest state of its device that lacks nothing of the link. */
  whole: DeviceState | undefined;
  readonly peerPort: PeerPort;
  /** The document that describes its far end. */
  readonly resource: string;
  peer: PeerReading | undefined;
  peerFailure: Failure | undefined;
  peerTriedAt: Instant | undefined;
  telemetry: TimedTelemetry | undefined;
  telemetryTriedAt: Instant | undefined;
  probe: LinkSnapshot["probe"];
}

/** A far end as it was read, and when that read began and ended. */
export interface PeerReading {
  readonly state: PeerState;
  readonly begunAt: Instant;
  readonly at: Instant;
}

/** The readings of the far end's own meters, and when they were read. */
export interface TimedTelemetry {
  /** The readings. */
  readonly telemetry: PeerTelemetry;
  /** When they were read. */
  readonly at: Instant;
}

/** Returns the slot of a link of which nothing was read yet. */
export function slotOf(link: DesiredLink, peerPort: PeerPort, resource: string): LinkSlot {
  return {
    ...{ link, peerPort, resource, history: [] },
    whole: undefined,
    peer: undefined,
    peerFailure: undefined,
    peerTriedAt: undefined,
    telemetry: undefined,
    telemetryTriedAt: undefined,
    probe: undefined,
  };
}
