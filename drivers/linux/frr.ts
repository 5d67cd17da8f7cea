// BGP of this host through FRR's shell: what it says about the ports that we look after, and how
// traffic is led off one of them and back.

import type { BgpSession, PortName, Routing } from "#hal/model.ts";
import type { Dialer } from "#hal/world.ts";

/** How FRR is reached. */
export interface Frr {
  readonly exec: Dialer["exec"];
  /** The shell and its options: `vtysh`, or that with `-N` and the name of an instance. */
  readonly shell: readonly string[];
}

/** A port and the sessions that are ours to move; the rest of the router is somebody else's. */
export interface BgpPort {
  readonly port: PortName;
  /** The far end's peering addresses. */
  readonly neighbours: readonly string[];
  /** undefined = FRR's default instance. */
  readonly vrf?: string;
}

/** RFC 4271 8.2.2, as FRR writes them. */
export type SessionState =
  | "Idle"
  | "Connect"
  | "Active"
  | "OpenSent"
  | "OpenConfirm"
  | "Established"
  /** One of FRR's own, such as one that is being cleared. */
  | "other"
  /** FRR knows no such neighbour. */
  | "absent";

export interface SessionLook extends BgpSession {
  readonly state: SessionState;
  /** Shut by configuration. */
  readonly shut: boolean;
  /** RFC 2385: a password is configured. */
  readonly signed: boolean;
  /** Why it ended last, in FRR's words; undefined = it never did. */
  readonly lastReset: string | undefined;
  readonly prefixesReceived: number | undefined;
  readonly prefixesSent: number | undefined;
}

/** RFC 2385 counters of this network; a session is told from the others by its state. */
export interface Md5Counters {
  /** A segment came whose signature is wrong. */
  readonly failed: bigint;
  /** A segment came without the signature that a session asks for. */
  readonly missing: bigint;
  /** A segment came with a signature that no session asks for. */
  readonly unexpected: bigint;
}

export interface RoutingLook {
  readonly routing: Routing;
  readonly sessions: readonly SessionLook[];
  readonly md5: Md5Counters | undefined;
}
