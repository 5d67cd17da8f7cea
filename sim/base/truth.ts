// The truth of a simulated site in plain values: the oracle checks it, and device emulators show
// parts of it.

import type { PortChange } from "#hal/device.ts";
import type { Ckn, MacsecSettings, MkaSession, PortName } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";

/** The originator of an effect; `device` means the router itself. */
export type Who = "agent" | "person" | "device";

/** One change of a running configuration, of a device or of the far end. */
export interface EffectEvent {
  /** The virtual time of the change. */
  readonly at: Instant;
  /** The originator of the change. */
  readonly by: Who;
  /** The device, or the far-end port. */
  readonly place: string;
  /** `group/link`, filled in by the site. */
  readonly link: string | undefined;
  /** The port of the router; undefined if the change concerns all of them. */
  readonly port: PortName | undefined;
  /**
   * The kind of change; `takeover` means that a standby without the newest commits runs the router
   * now.
   */
  readonly what: PortChange["kind"] | "rollback" | "takeover" | "peer.put" | "reboot";
  /** The CKN of the key that was changed. */
  readonly ckn?: Ckn;
  /** The token of the transaction that made the change. */
  readonly token?: string;
  /** The CAK version that a `peer.put` names. */
  readonly cakSecretId?: string;
}

/** The state of one link at both ends and on the wire. */
export interface LinkTruth {
  /** `group/link`. */
  readonly id: string;
  /** The edge router's name. */
  readonly device: string;
  /** The edge router's port. */
  readonly port: PortName;
  /** True if the fibre is whole, whether or not the ports are open. */
  readonly fibreUp: boolean;
  /** The edge port as configured, whether or not the router runs. */
  readonly admin: "up" | "down";
  /** True if light passes end to end: the fibre is whole and both ports are open. */
  readonly linkUp: boolean;
  /** True if a data frame offered now would be delivered, in both directions. */
  readonly carries: boolean;
  /** True if the BGP session over the link is established. */
  readonly bgpUp: boolean;
  /** True if the running configuration asks for a drain, whether or not it has settled. */
  readonly drained: boolean;
  /** The policy of the edge port; undefined if it has no MACsec. */
  readonly policy: MacsecSettings["policy"] | undefined;
  /** The CKNs that are configured on the edge port. */
  readonly edgeKeys: readonly Ckn[];
  /** The vault version whose octets each of `edgeKeys` has; undefined if no version has them. */
  readonly edgeCaks: readonly (string | undefined)[];
  /** The CKN that is configured at the far end; undefined if there is none. */
  readonly farKey: Ckn | undefined;
  /** True if a commit of the edge router waits for its confirm. */
  readonly commitPending: boolean;
  /** True if a commit of the agent waits for its confirm. */
  readonly commitArmed: boolean;
  /** The keys of this port that the commit's timer would remove. */
  readonly revertTakes: readonly Ckn[];
  /** True if the controlled ports of both ends are open under MACsec. */
  readonly secured: boolean;
  /** The CKN of the principal actor; undefined if there is none. */
  readonly principalCkn: Ckn | undefined;
  /** The data frames on the wire in the clear, both directions summed. */
  readonly clearFrames: bigint;
  /**
   * The data frames on the wire under MACsec that are authenticated and not encrypted, both
   * directions summed.
   */
  readonly readableFrames: bigint;
  /** The data frames on the wire under MACsec and encrypted, both directions summed. */
  readonly protectedFrames: bigint;
  /**
   * The SA that each end transmits under, by the name of its SAK, if the hardware has the key that
   * MKA agreed on.
   */
  readonly transmitting: readonly {
    readonly end: "edge" | "far";
    readonly keyId: string;
    readonly nextPn: number;
  }[];
  /** The data frames that were lost, both directions summed. */
  readonly lostFrames: bigint;
  /** The data frames from the edge that arrived at the far end. */
  readonly deliveredOut: bigint;
  /** The data frames from the far end that arrived at the edge. */
  readonly deliveredIn: bigint;
  /** The MKA session as the edge port sees it. */
  readonly session: MkaSession;
  /** True if data is offered to the link now, in either direction. */
  readonly offered: boolean;
}

/** The state of one group. */
export interface GroupTruth {
  /** The group's name in the plan. */
  readonly name: string;
  /** The group's links, in the order of the plan. */
  readonly links: readonly LinkTruth[];
}

/** The state of a whole site at one moment. */
export interface SiteTruth {
  /** The virtual time of the reading. */
  readonly at: Instant;
  /** All groups, in the order of the plan. */
  readonly groups: readonly GroupTruth[];
  /** All tunnels, in the order of the plan. */
  readonly tunnels: readonly TunnelTruth[];
}

/** The state of one tunnel. */
export interface TunnelTruth {
  /** The tunnel's name in the plan. */
  readonly name: string;
  /** True if the tunnel is established and packets get through. */
  readonly up: boolean;
  /** True if the protected prefix is also reachable outside the tunnel. */
  readonly clearPath: boolean;
}
