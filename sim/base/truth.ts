// The truth of a simulated site in plain values: what the oracle judges and the faces may show.

import type { PortChange } from "#hal/device.ts";
import type { Ckn, MacsecSettings, MkaSession, PortName } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";

export type Who = "agent" | "person" | "device";

/** One change of a running configuration, of a device or of the far end. */
export interface EffectEvent {
  readonly at: Instant;
  readonly by: Who;
  /** The device, or the far-end port. */
  readonly place: string;
  /** `group/link`, filled by the site. */
  readonly link: string | undefined;
  readonly port: PortName | undefined;
  /** `takeover`: a standby that did not have the newest commits runs the router now. */
  readonly what: PortChange["kind"] | "rollback" | "takeover" | "peer.put" | "reboot";
  readonly ckn?: Ckn;
  /** Of the transaction that brought it. */
  readonly token?: string;
  /** The CAK version that a `peer.put` names. */
  readonly cakSecretId?: string;
}

export interface LinkTruth {
  /** `group/link`. */
  readonly id: string;
  readonly device: string;
  readonly port: PortName;
  readonly fibreUp: boolean;
  /** As the edge router is configured, whether or not it runs. */
  readonly admin: "up" | "down";
  readonly linkUp: boolean;
  /** A data frame offered now would be delivered, in both directions. */
  readonly carries: boolean;
  readonly bgpUp: boolean;
  readonly drained: boolean;
  /** undefined = the edge port has no MACsec. */
  readonly policy: MacsecSettings["policy"] | undefined;
  readonly edgeKeys: readonly Ckn[];
  /** The vault version whose octets stand under each of `edgeKeys`; undefined = of none. */
  readonly edgeCaks: readonly (string | undefined)[];
  readonly farKey: Ckn | undefined;
  readonly commitPending: boolean;
  /** One of the agent waits for its confirm. */
  readonly commitArmed: boolean;
  /** The keys of this port that its timer would take away. */
  readonly revertTakes: readonly Ckn[];
  /** The controlled ports of both ends are open under MACsec. */
  readonly secured: boolean;
  readonly principalCkn: Ckn | undefined;
  /** Data frames in the clear on the wire, both directions summed. */
  readonly clearFrames: bigint;
  readonly protectedFrames: bigint;
  readonly lostFrames: bigint;
  /** Data frames that arrived at the other end, from the edge and towards it. */
  readonly deliveredOut: bigint;
  readonly deliveredIn: bigint;
  readonly session: MkaSession;
  /** Data is offered to the link now, in either direction. */
  readonly offered: boolean;
}

export interface GroupTruth {
  readonly name: string;
  readonly links: readonly LinkTruth[];
}

export interface SiteTruth {
  readonly at: Instant;
  readonly groups: readonly GroupTruth[];
  readonly tunnels: readonly TunnelTruth[];
}

export interface TunnelTruth {
  readonly name: string;
  readonly up: boolean;
  /** The protected prefix is also reachable outside the tunnel. */
  readonly clearPath: boolean;
}
