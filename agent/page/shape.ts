// The JSON that the status page receives (linkseal.page/1); code in a browser reads it.

import type { LinksealEvent } from "../model/events.ts";
import type { CampaignShape } from "../rotation/campaign-shape.ts";
import type { LinkStatus, Status } from "../runtime/health/status.ts";

type PlainGroup = Status["groups"][number];
type PlainTunnel = Status["tunnels"][number];

/** One observation of a link; counters are decimal text, null = not known. */
export interface LinkSample {
  /** Unix time in milliseconds. */
  readonly at: number;
  /** Frames received and sent under MACsec. */
  readonly protected: string | null;
  /** Frames received and sent in the clear. */
  readonly clear: string | null;
  /**
   * Rate of a port without MACsec where no counter for clear frames exists: all its frames are in
   * the clear, in frames per second; null on any other port.
   */
  readonly openPps: number | null;
  /** Frames that no SA accepted, and those that were too long once protected. */
  readonly failed: string | null;
  /** Used share of the SAK's packet numbers, 0 to 1. */
  readonly pnUsed: number | null;
  /** Live MKA peers. */
  readonly livePeers: number | null;
}

/** One observation of a tunnel: the packets of its current SAs. */
export interface TunnelSample {
  /** Unix time in milliseconds. */
  readonly at: number;
  /** Packets received. */
  readonly received: string | null;
  /** Packets sent. */
  readonly sent: string | null;
  /** Used share of the 32-bit sequence numbers, 0 to 1, of the SA that has used most. */
  readonly sequenceUsed: number | null;
}

/** A campaign that works on the link, or a drain by an operator. */
export type PlannedWork = CampaignShape["kind"] | "drain";

/**
 * A time slot of a day in one letter, the worst that was in it: `-` nothing is recorded, `p`
 * protected, `m` down or degraded in planned work, `d` degraded, `u` unknown, `x` down, `o` in the
 * clear.
 */
export type SlotState = "-" | "p" | "m" | "d" | "u" | "x" | "o";

/** A day of one link or tunnel; its times rise. */
export interface PageDay<Sample> {
  /** Name and version of the schema. */
  readonly schema: "linkseal.pageDay/1";
  /** Length of a time slot in milliseconds. */
  readonly slotMs: number;
  /** Unix time in milliseconds at which the first slot begins. */
  readonly from: number;
  /** One SlotState a slot. */
  readonly states: string;
  /** The last observation of each slot, where there is one. */
  readonly samples: readonly Sample[];
}

/** A link of the status, and what the page shows beyond that; null = not known. */
export interface PageLink extends LinkStatus {
  /** link1 or link2 of the ExpressRoute port. */
  readonly azureLink: string;
  /** State of the MACsec controlled port. */
  readonly controlledPort: "secured" | "unprotected" | "blocked" | null;
  /** State of the BGP sessions over the port; null also = the port has none. */
  readonly bgp: "up" | "down" | null;
  /** True if the link is drained. */
  readonly drained: boolean | null;
  /** The work that an outage now is part of; null = an outage is not planned. */
  readonly planned: PlannedWork | null;
  /** The keys on the port. */
  readonly keys: readonly { readonly ckn: string; readonly role: string }[] | null;
  /** When the accepted key was made, Unix time in milliseconds; null = not known. */
  readonly keyCreatedAt: number | null;
  /** Age at which the key has to be rotated, in milliseconds; null = no limit. */
  readonly keyMaxAgeMs: number | null;
  /** The newest observation. */
  readonly newest: LinkSample | null;
}

/** A tunnel of the status, and what the page shows beyond that; null = not known. */
export interface PageTunnel extends PlainTunnel {
  /** Name of the device that ends it. */
  readonly device: string;
  /** Our outer address. */
  readonly local: string;
  /** The gateway's outer address. */
  readonly remote: string;
  /** The group whose MACsec it uses; null = none. */
  readonly insideMacsec: string | null;
  /** State of the IKE SA. */
  readonly ike: string | null;
  /** Number of IPsec SAs. */
  readonly saCount: number | null;
  /** The newest observation. */
  readonly newest: TunnelSample | null;
}

interface PageGroup extends PlainGroup {
  readonly links: readonly PageLink[];
}

/** The status of linkseal.status/1, its links and tunnels with what the page adds. */
interface PageStatus extends Status {
  readonly groups: readonly PageGroup[];
  readonly tunnels: readonly PageTunnel[];
}

interface PageDevice {
  readonly name: string;
  readonly driver: string;
  /** True if the newest observation succeeded and is not stale. */
  readonly seen: boolean;
  readonly lookAgeMs: number | null;
}

/** Everything that the page shows at one moment. */
export interface PageSnapshot {
  /** Name and version of the schema. */
  readonly schema: "linkseal.page/1";
  /** Unix time of the agent, in milliseconds. */
  readonly at: number;
  /** The status, with what the page adds. */
  readonly status: PageStatus;
  /** All devices of the config. */
  readonly devices: readonly PageDevice[];
  /** The last campaigns that have ended, one per group; those that run are in the status. */
  readonly ended: readonly CampaignShape[];
  /** The newest events, oldest first. */
  readonly events: readonly LinksealEvent[];
  /** How many events before these `linkseal events` still shows, and how many are lost. */
  readonly eventsBefore: { readonly kept: number; readonly lost: number };
  /** Earlier observations by link and tunnel; only in the first snapshot of a viewer. */
  readonly history?: {
    readonly links: Readonly<Record<string, readonly LinkSample[]>>;
    readonly tunnels: Readonly<Record<string, readonly TunnelSample[]>>;
  };
}
