// What the status page is sent (linkseal.page/1): plain JSON, read by code in a browser.

import type { LinksealEvent } from "../model/events.ts";
import type { CampaignShape } from "../rotation/campaign-shape.ts";
import type { Status } from "../runtime/health/status.ts";

/** One look at a link; counters are decimal text, null = nobody knows. */
export interface LinkSample {
  /** Unix milliseconds. */
  readonly at: number;
  /** Received and sent under MACsec. */
  readonly protected: string | null;
  readonly clear: string | null;
  /**
   * What passes a port without MACsec, where nothing counts clear frames: all of it in the clear,
   * in frames a second; null on any other port.
   */
  readonly openPps: number | null;
  /** Frames that no SA took, and those that were too long once protected. */
  readonly failed: string | null;
  /** Part of the packet numbers of the SAK. */
  readonly pnUsed: number | null;
  readonly livePeers: number | null;
}

/** One look at a tunnel: the packets of the SAs that were there. */
export interface TunnelSample {
  readonly at: number;
  readonly received: string | null;
  readonly sent: string | null;
  /** Part of the 32-bit sequence numbers of the SA that has used most. */
  readonly sequenceUsed: number | null;
}

export interface PageLink {
  /** `group/link`. */
  readonly id: string;
  readonly azureLink: string;
  readonly controlledPort: "secured" | "unprotected" | "blocked" | null;
  readonly respondedPeers: number | null;
  readonly bgp: "up" | "down" | null;
  readonly drained: boolean | null;
  /** Of each key on the port. */
  readonly keys: readonly { readonly ckn: string; readonly role: string }[] | null;
  /** When the accepted key was made; null = not known. */
  readonly keyCreatedAt: number | null;
  readonly keyMaxAgeMs: number | null;
  readonly newest: LinkSample | null;
}

export interface PageTunnel {
  readonly name: string;
  readonly device: string;
  readonly local: string;
  readonly remote: string;
  readonly insideMacsec: string | null;
  readonly ike: string | null;
  readonly sas: number | null;
  readonly newest: TunnelSample | null;
}

interface PageDevice {
  readonly name: string;
  readonly driver: string;
  /** The newest look succeeded and still counts. */
  readonly seen: boolean;
  readonly lookAgeMs: number | null;
}

export interface PageSnapshot {
  readonly schema: "linkseal.page/1";
  /** Unix milliseconds of the agent. */
  readonly at: number;
  readonly status: Status;
  /** The accepted intent; 0 = none. */
  readonly intent: number;
  readonly links: readonly PageLink[];
  readonly tunnels: readonly PageTunnel[];
  readonly devices: readonly PageDevice[];
  /** The last one of each group that has ended; those that run are in the status. */
  readonly ended: readonly CampaignShape[];
  /** The newest ones, oldest first. */
  readonly events: readonly LinksealEvent[];
  /** Of what was looked at before, by link and tunnel; in the first one alone. */
  readonly history?: {
    readonly links: Readonly<Record<string, readonly LinkSample[]>>;
    readonly tunnels: Readonly<Record<string, readonly TunnelSample[]>>;
  };
}
