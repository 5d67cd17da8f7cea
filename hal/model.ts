// The nouns of IEEE 802.1X, 802.1AE and RFC 4301 that drivers read and the agent decides on.

import type { Obstacle } from "./obstacle.ts";
import type { DeviceId } from "./target.ts";
import type { Instant, WallTime } from "./world.ts";

/** Name of a port as its device spells it, such as `HundredGigE0/0/0`. */
export type PortName = string;

/** A MACsec cipher suite of IEEE 802.1AE. */
export type CipherSuite = "gcm-aes-128" | "gcm-aes-256" | "gcm-aes-xpn-128" | "gcm-aes-xpn-256";

/** A CKN (IEEE 802.1X): canonical lower-case hex of 1 to 32 octets. */
export type Ckn = string & { readonly noun: "ckn" };

/** Lower-cases and checks a CKN of any legal length; undefined = not a CKN. */
export function parseCkn(text: string): Ckn | undefined {
  const lower = text.toLowerCase();
  return /^(?:[0-9a-f]{2}){1,32}$/.test(lower) ? (lower as Ckn) : undefined;
}

/** Names one key for ever. It is safe to log and store: it contains nothing of the key itself. */
export interface KeyRef {
  /** The CKN, by which both ends name the key in MKA. */
  readonly ckn: Ckn;
  /** Versioned Key Vault id of the CAK. */
  readonly cakSecretId: string;
  /** Versioned Key Vault id of the CKN. */
  readonly cknSecretId: string;
}

/** A value from a device, or why it is missing; `weak` ones (SNMP v2c) never prove anything. */
export type Reading<T> =
  | { readonly kind: "known"; readonly value: T; readonly at: Instant; readonly weak?: true }
  /** `query`: the query whose reply is missing; absent = it is of several, or not known. */
  | {
      readonly kind: "unknown";
      readonly why: UnknownWhy;
      readonly at: Instant;
      readonly query?: string;
    };

/** Why a value is missing; `contradicted`: two replies of the device exclude each other. */
export type UnknownWhy = "notSupported" | "queryFailed" | "unparsed" | "contradicted";

/** Returns a known reading of the value. */
export function known<T>(value: T, at: Instant): Reading<T> {
  return { kind: "known", value, at };
}

/** Returns an unknown reading with its reason; `query` names the query that it is of. */
export function unknown(why: UnknownWhy, at: Instant, query?: string): Reading<never> {
  return { kind: "unknown", why, at, ...(query !== undefined && { query }) };
}

/** Returns the value of a strong reading; undefined where it is unknown or weak. */
export function strongValue<T>(reading: Reading<T> | undefined): T | undefined {
  return reading?.kind === "known" && reading.weak !== true ? reading.value : undefined;
}

/** The MACsec state of one port, as its device reports it. */
export interface MacsecPort {
  /** The port. */
  readonly port: PortName;
  /** The configured state; "down" = the port was shut by configuration and sends no light. */
  readonly admin: Reading<"up" | "down">;
  /** Whether the port has a link. */
  readonly linkUp: Reading<boolean>;
  /** The aggregate (IEEE 802.1AX) that the port is a member of; absent = none is known. */
  readonly aggregate?: Reading<Aggregate>;
  /** The configured settings; a known `undefined` means that MACsec is not configured. */
  readonly settings: Reading<MacsecSettings | undefined>;
  /** The cipher suite of the SA in use; a known `undefined` means that no SA is in use. */
  readonly liveSuite: Reading<CipherSuite | undefined>;
  /** The configured keys, by CKN only; a driver never reads a CAK back. */
  readonly keys: Reading<readonly KeySlot[]>;
  /** `restart`: the process with the keys restarted, and none were removed. Absent = not known. */
  readonly keyLoss?: Reading<"restart">;
  /** The MKA session. */
  readonly session: Reading<MkaSession>;
  /** Counters of MKPDUs. */
  readonly mkpdus: Reading<MkpduCounters>;
  /** Counters of the SecY. */
  readonly frames: Reading<MacsecFrames>;
  /** Data rates of the port. */
  readonly rate: Reading<PortRate>;
  /** Settings that let data pass in clear; absent where must-secure alone prevents that. */
  readonly failOpen?: Reading<readonly FailOpen[]>;
  /** Agreement of the SAs in a SecY, where a platform shows them; absent where there is no SecY. */
  readonly keyAgreement?: Reading<KeyAgreement>;
  /** Obstacles to a secured port, a sentence each; absent where they are not reported. */
  readonly troubles?: Reading<readonly string[]>;
  /** What other programs changed in the SecY; absent where they changed nothing, or unreported. */
  readonly secyChanges?: Reading<SecyChanges>;
}

/** Changes of a SecY by programs other than its MKA participant, which mends them. */
export interface SecyChanges {
  /** How many since the participant began. */
  readonly count: bigint;
  /** The last one, and what became of it, as a sentence. */
  readonly last: string;
}

/** An aggregate as it is configured; the addresses and BGP of its members belong to it. */
export interface Aggregate {
  /** Its name, as the device spells it. */
  readonly name: string;
  /** Its members. */
  readonly members: readonly PortName[];
}

/**
 * Whether both directions use the same SAK. `same` requires that the transmitting SAK is also on a
 * channel of the peer; `different` = the peer's channels are open only under other keys; `oneWay` =
 * only one direction has a key.
 */
export type KeyAgreement = (typeof keyAgreements)[number];

/** The values of `KeyAgreement`. */
export const keyAgreements = ["same", "different", "oneWay", "none"] as const;

/** A setting that lets data pass a port in the clear, whatever its keys are. */
export type FailOpen = (typeof failOpenWays)[number];

/** The values of `FailOpen`. */
export const failOpenWays = [
  "validateNotStrict",
  "protectOff",
  "encryptOff",
  "addressOnUncontrolledPort",
  "routeOnUncontrolledPort",
] as const;

/** MACsec settings of a port. */
export interface MacsecSettings {
  /** The configured cipher suite. */
  readonly suite: CipherSuite;
  /** `shouldSecure` is only read, never written. */
  readonly policy: "mustSecure" | "shouldSecure";
  /** Whether frames contain an SCI. */
  readonly includeSci: boolean;
  /** Octets of each frame that stay in the clear. */
  readonly confidentialityOffset: 0 | 30 | 50;
  /** Key server priority of IEEE 802.1X; the lowest number wins. */
  readonly keyServerPriority: number;
  /** Packet numbers that may arrive late; undefined = replay protection is off. */
  readonly replayWindow: number | undefined;
  /** Longest life of a SAK, in milliseconds; undefined = rekeyed by packet number only. */
  readonly sakRekeyMs: number | undefined;
}

/** Settings that may be requested of a port; its policy is always must-secure. */
export type WantedSettings = Omit<MacsecSettings, "policy">;

/** One configured key of a port. */
export interface KeySlot {
  /** The key's CKN. */
  readonly ckn: Ckn;
  /** Whether the key is the primary, the fallback, or one that starts later. */
  readonly role: "primary" | "fallback" | "scheduled";
  /** When the key becomes usable; absent = at once, or not reported. */
  readonly startsAt?: WallTime;
}

/** An MKA session of a port (IEEE 802.1X). */
export interface MkaSession {
  /** `secured` = open under MACsec, `unprotected` = open without it, `blocked` = closed. */
  readonly controlledPort: "secured" | "unprotected" | "blocked";
  /** CKN of the principal actor; undefined = there is none. */
  readonly principalCkn: Ckn | undefined;
  /** The participants on the port, one for each CKN. */
  readonly participants: readonly MkaParticipant[];
  /** Live peers of the principal actor. */
  readonly livePeers: number;
  /** Live peers that have responded to this end's MKPDUs. */
  readonly respondedPeers: number;
  /** Which end is the key server. */
  readonly keyServer: "self" | "peer" | "none";
  /** Key server priority of this end; undefined = not reported. */
  readonly keyServerPriority: number | undefined;
  /** The latest SAK; undefined = there is none. */
  readonly latestSak: Sak | undefined;
  /** The previous SAK; undefined = there is none. */
  readonly oldSak: Sak | undefined;
}

/** An MKA participant per CKN; an `active` one sends MKPDUs, a `live` one has a live peer. */
export interface MkaParticipant {
  /** The participant's CKN. */
  readonly ckn: Ckn;
  /** Whether it has a live peer, only sends, or does neither. */
  readonly state: "live" | "active" | "none";
  /** Peers that have proven to be live. */
  readonly livePeers: number;
  /** Peers that have been heard but not proven to be live. */
  readonly potentialPeers: number;
}

/** A SAK in a session. */
export interface Sak {
  /** Association number; undefined = the platform does not report it. */
  readonly an: number | undefined;
  /** Key identifier: the key server's MI in hex and the key number in decimal, `mi/kn`. */
  readonly keyId: string;
  /** Whether frames are received under it. */
  readonly receive: boolean;
  /** Whether frames are sent under it. */
  readonly transmit: boolean;
}

/** Counters of MKPDUs; a counter that a platform lacks is `undefined`, never 0. */
export interface MkpduCounters {
  /** MKPDUs sent. */
  readonly sent: bigint;
  /** MKPDUs received. */
  readonly received: bigint;
  /** MKPDUs with a wrong ICV: the same CKN with another CAK, or damage. */
  readonly icvFailed: bigint | undefined;
  /** MKPDUs with a CKN that is not configured. */
  readonly unknownCkn: bigint | undefined;
  /** MKPDUs whose MN is not higher than one already received. */
  readonly replayed: bigint | undefined;
}

/**
 * SecY counters of a port, summed over all SAs and SCs (IEEE 802.1AE). A counter that a platform
 * lacks is `undefined`, never 0. `rxClear` counts clear *data*: a driver whose counter includes
 * EAPOL subtracts the MKPDUs it counted, or leaves it undefined.
 */
export interface MacsecFrames {
  /** Frames sent encrypted; on Linux, whose SecY reports `encryptOff`, also authenticated ones. */
  readonly txProtected: bigint;
  /** Frames sent in the clear. */
  readonly txClear: bigint | undefined;
  /** Frames that were too long once protected. */
  readonly txTooLong: bigint | undefined;
  /** Frames received and accepted. */
  readonly rxOk: bigint;
  /**
   * Octets of received frames that were authenticated and not encrypted (E = 0), refused frames
   * included. Absent with `rxOctetsDecrypted` where a platform does not show both, or where no
   * public source says that one frame never counts in both.
   */
  readonly rxOctetsValidated?: bigint | undefined;
  /** Octets of received frames that were encrypted (E = 1), refused frames included. */
  readonly rxOctetsDecrypted?: bigint | undefined;
  /** Data frames received in the clear. */
  readonly rxClear: bigint | undefined;
  /** Frames received with an invalid SecTAG. */
  readonly rxBadTag: bigint | undefined;
  /** Frames that failed validation. */
  readonly rxNotValid: bigint | undefined;
  /** Frames outside the replay window. */
  readonly rxLate: bigint | undefined;
  /** Frames dropped because their SCI is unknown or missing. */
  readonly rxNoSci: bigint | undefined;
  /** Frames with an unknown SCI that were not dropped. */
  readonly rxUnknownSci: bigint | undefined;
  /** Frames dropped because their SA is not in use. */
  readonly rxNotUsingSa: bigint | undefined;
  /** Frames of an unused SA that were not dropped. */
  readonly rxUnusedSa: bigint | undefined;
  /** Next packet number of the transmit SA. */
  readonly nextPn: bigint | undefined;
}

/** Data rates of a port. */
export interface PortRate {
  /** Packets received per second. */
  readonly rxPps: number;
  /** Packets sent per second. */
  readonly txPps: number;
  /** Bits received per second. */
  readonly rxBps: number;
  /** Bits sent per second. */
  readonly txBps: number;
  /** Line rate in bits per second. */
  readonly lineBps: number;
}

/**
 * State of an IKE SA. `forgotten`: the daemon lost the connection, and its SAs are gone.
 * `unloaded`: the daemon lost the connection, and its SAs go on until they end.
 */
export type IkeState = (typeof ikeStates)[number];

/** The values of `IkeState`. */
export const ikeStates = ["established", "connecting", "down", "forgotten", "unloaded"] as const;

/** Ends of a tunnel that may be behind a NAT. */
export const natPlaces = ["none", "local", "remote", "both"] as const;

/** The state of one tunnel, as its device reports it. */
export interface IpsecTunnel {
  /** The tunnel's name in the config. */
  readonly name: string;
  /** State of its IKE SA. */
  readonly ike: Reading<IkeState>;
  /**
   * Why IKE or a child of it is refused or silent, in one sentence; absent = nothing is, or the
   * device does not report it.
   */
  readonly trouble?: string;
  /**
   * True if IKE is up, the gateway answers none of its requests, and no packet comes through the
   * tunnel; absent = it lives, or it is not reported.
   */
  readonly isSilent?: boolean;
  /** Which ends are behind a NAT, so that ESP travels in UDP (RFC 3948); absent = not reported. */
  readonly nat?: (typeof natPlaces)[number];
  /** What it lacks on its device; absent = nothing, or it is not reported. */
  readonly gaps?: readonly TunnelGap[];
  /** Its IPsec SAs. */
  readonly sas: Reading<readonly IpsecSa[]>;
  /** Whether its IKE SA was made with a PPK; absent = IKE is not up, or it is not reported. */
  readonly ppk?: "used" | "unused";
}

/**
 * What a tunnel lacks on its own device: `closed` = some traffic is kept out of the tunnel, `mtu` =
 * it has another MTU, `outer` = what the tunnel protects cannot leave the device, whatever the
 * gateway does.
 */
export interface TunnelGap {
  /** The kind of the gap. */
  readonly kind: "closed" | "mtu" | "outer";
  /** The difference, in one sentence. */
  readonly text: string;
}

/** Algorithms of an SA, by the names that strongSwan uses. */
export interface Transforms {
  /** The cipher. */
  readonly encryption: string;
  /** The integrity algorithm; `none` for an AEAD. */
  readonly integrity: string;
  /** The Diffie-Hellman group. */
  readonly dhGroup: string;
}

/** One IPsec SA (RFC 4301). */
export interface IpsecSa {
  /** Its SPI. */
  readonly spi: number;
  /** Whether it receives or sends. */
  readonly direction: "in" | "out";
  /** A rekeyed SA is healthy, not down. */
  readonly phase: "installed" | "rekeying" | "rekeyed" | "deleting";
  /** The negotiated algorithms, from the data plane where it can be read. */
  readonly transforms: Transforms;
  /** Packets that it has carried. */
  readonly packets: bigint;
  /** Its sequence number; undefined = not reported. */
  readonly sequence: bigint | undefined;
  /** Replay protection of an SA that receives; absent = the device does not report it. */
  readonly antiReplay?: "on" | "off";
  /** Milliseconds to its hard lifetime (RFC 4301, 4.4.2.1); absent = not reported. */
  readonly endsInMs?: number;
}

/** How traffic is moved away from a port. */
export type DrainMeans = "prepend" | "gracefulShutdown" | "peeringShutdown";

/** BFD of a session; `down` = it is configured and has no session of its own (RFC 5880). */
export type BfdState = (typeof bfdStates)[number];

/** The values of `BfdState`. */
export const bfdStates = ["up", "down", "off"] as const;

/** The BGP session with the neighbour on a port. */
export interface BgpSession {
  /** The port. */
  readonly port: PortName;
  /** Address of the neighbour. */
  readonly peer: string;
  /** The routing instance of the session; absent = the device's default one. */
  readonly vrf?: string;
  /** Whether it is established. */
  readonly up: boolean;
  /** Why it is not up, in one sentence; absent where the device does not report it. */
  readonly trouble?: string;
  /** BFD of a session that is up; absent where the device does not report it. */
  readonly bfd?: BfdState;
  /**
   * The longest hold time that a session that is up may have, in milliseconds; 0 = it never
   * expires. Absent where the device does not report it.
   */
  readonly holdMs?: number;
}

/** A BGP session with the neighbour behind a tunnel. */
export interface TunnelSession {
  /** The tunnel's name in the config. */
  readonly tunnel: string;
  /** Address of the neighbour. */
  readonly peer: string;
  /** AS number of the neighbour, as configured. */
  readonly asn: number;
  /** Whether it is established. */
  readonly up: boolean;
  /** Why it is not up, in one sentence; absent where the device does not report it. */
  readonly trouble?: string;
}

/** A prefix advertised on a port to another AS, which may then send its traffic there. */
export interface OpenAdvertisement {
  /** The port. */
  readonly port: PortName;
  /** Address of the neighbour. */
  readonly peer: string;
  /** The prefix in CIDR notation. */
  readonly prefix: string;
}

/** How the device reaches a prefix: through a port in the open, or into a tunnel. */
export interface Route {
  /** The prefix in CIDR notation. */
  readonly prefix: string;
  /** The port or tunnel that it leads to. */
  readonly via:
    | { readonly kind: "port"; readonly port: PortName }
    | { readonly kind: "tunnel"; readonly name: string };
  /** Whether the device uses it for forwarding. */
  readonly best: boolean;
}

/** The BGP sessions and routes that a device reports. */
export interface Routing {
  /** BGP sessions on ports. */
  readonly sessions: readonly BgpSession[];
  /** Routes to the prefixes behind the links. */
  readonly routes: readonly Route[];
  /** Ports that are drained. The interface of a tunnel is drained as a port is. */
  readonly drains: readonly { readonly port: PortName; readonly means: DrainMeans }[];
  /** Absent where the device has no BGP inside tunnels. */
  readonly tunnelSessions?: readonly TunnelSession[];
  /** Absent where the device does not report what it advertises. */
  readonly advertised?: readonly OpenAdvertisement[];
}

/** The device's own clock and the state of its configuration. */
export interface ControlPlane {
  /** The device's clock. */
  readonly wall: WallTime;
  /** Changes when the device boots. */
  readonly bootId: string;
  /** Changes with every change of the running configuration. */
  readonly configId: string;
  /** Whether a confirmed commit, ours or another's, waits for its confirm. */
  readonly commitPending: boolean;
}

/** A prefix that a tunnel protects as the backup of links that are under MACsec. */
export interface BackedPrefix {
  /** The prefix in CIDR notation. */
  readonly prefix: string;
  /** Ports under whose MACsec it may travel. */
  readonly ports: readonly PortName[];
  /** Those of the ports that let it pass now, because a strict SecY is there. */
  readonly open: readonly PortName[];
}

/** A prefix that is not blocked although its block is there. */
export interface OpenedPrefix {
  /** The prefix in CIDR notation. */
  readonly prefix: string;
  /** The policy that precedes the block, as text. */
  readonly by: string;
}

/** One observation of a device. */
export interface DeviceState {
  /** The device's id in the config. */
  readonly device: DeviceId;
  /** When it was read, on the agent's monotonic clock. */
  readonly at: Instant;
  /** Its clock and the state of its configuration. */
  readonly control: Reading<ControlPlane>;
  /** Its ports that are in the config. */
  readonly macsec: readonly MacsecPort[];
  /** Its tunnels that are in the config. */
  readonly ipsec: readonly IpsecTunnel[];
  /** Prefixes that pass only in tunnels, whatever routes say; absent = it cannot enforce that. */
  readonly blocked?: Reading<readonly string[]>;
  /** Those of `blocked` that may also travel under MACsec; absent where there are none. */
  readonly backed?: Reading<readonly BackedPrefix[]>;
  /** Prefixes whose block another policy precedes; absent where there are none. */
  readonly opened?: readonly OpenedPrefix[];
  /** Forwarding routes to prefixes protected by tunnels; absent where `routing` reports them. */
  readonly ways?: Reading<readonly Route[]>;
  /** Its BGP sessions and routes. */
  readonly routing: Reading<Routing>;
  /**
   * Ports without an interface of their name in its SNMP agent; absent = each port has one, or no
   * agent is asked.
   */
  readonly snmpUnmatched?: readonly PortName[];
  /** What keeps changes from having their whole effect there; absent = nothing was found. */
  readonly obstacles?: readonly Obstacle[];
}
