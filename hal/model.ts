// The nouns of IEEE 802.1X, 802.1AE and RFC 4301 that drivers read and the agent decides on.

import type { DeviceId } from "./target.ts";
import type { Instant, WallTime } from "./world.ts";

export type PortName = string;

export type CipherSuite = "gcm-aes-128" | "gcm-aes-256" | "gcm-aes-xpn-128" | "gcm-aes-xpn-256";

/** Canonical lower-case hex of 1 to 32 octets. */
export type Ckn = string & { readonly noun: "ckn" };

/** Lower-cases and checks a CKN of any legal length; undefined if it is none. */
export function parseCkn(text: string): Ckn | undefined {
  const lower = text.toLowerCase();
  return /^(?:[0-9a-f]{2}){1,32}$/.test(lower) ? (lower as Ckn) : undefined;
}

/**
 * Names one key for ever. Safe to log, compare and journal: no key bytes, nothing derived from
 * them.
 */
export interface KeyRef {
  readonly ckn: Ckn;
  /** Always a versioned Key Vault id. */
  readonly cakSecretId: string;
  readonly cknSecretId: string;
}

/**
 * A value a device told us, or the reason we do not have it.
 * `weak` evidence (SNMP v2c) never satisfies a gate, a proof or a verdict.
 */
export type Reading<T> =
  | { readonly kind: "known"; readonly value: T; readonly at: Instant; readonly weak?: true }
  | { readonly kind: "unknown"; readonly why: UnknownWhy; readonly at: Instant };

/** `contradicted`: two of the device's own answers exclude each other. */
export type UnknownWhy = "notSupported" | "queryFailed" | "unparsed" | "contradicted";

export function known<T>(value: T, at: Instant): Reading<T> {
  return { kind: "known", value, at };
}

export function unknown(why: UnknownWhy, at: Instant): Reading<never> {
  return { kind: "unknown", why, at };
}

/** The value of a strong reading; undefined where it is unknown or weak. */
export function strongValue<T>(reading: Reading<T>): T | undefined {
  return reading.kind === "known" && reading.weak !== true ? reading.value : undefined;
}

export interface MacsecPort {
  readonly port: PortName;
  /** As configured; "down" = somebody shut the port, and no light comes from it. */
  readonly admin: Reading<"up" | "down">;
  readonly linkUp: Reading<boolean>;
  /**
   * As configured; `undefined` inside a known reading means MACsec is not configured on the port.
   */
  readonly settings: Reading<MacsecSettings | undefined>;
  /** The suite of the SA in use. */
  readonly liveSuite: Reading<CipherSuite | undefined>;
  /** CKNs only; a driver never reads a CAK back. */
  readonly keys: Reading<readonly KeySlot[]>;
  /** Why it has none: who held them began anew, and nobody took them away. Absent = not known. */
  readonly keyLoss?: Reading<"restart">;
  readonly session: Reading<MkaSession>;
  readonly mkpdus: Reading<MkpduCounters>;
  readonly frames: Reading<MacsecFrames>;
  readonly rate: Reading<PortRate>;
  /** Absent where a platform keeps data off the wire by must-secure alone. */
  readonly failOpen?: Reading<readonly FailOpen[]>;
  /** Of the SAs in a SecY, where a platform shows them; absent where there is no SecY. */
  readonly keyAgreement?: Reading<KeyAgreement>;
  /** What stands in the way of a secured port, a sentence each; absent where nobody tells. */
  readonly troubles?: Reading<readonly string[]>;
}

/**
 * Whether both directions use the same SAK: `same` needs the transmitting one on a channel of the
 * peer; `different` = the peer's channels are open under other keys alone; `oneWay` = only one
 * direction has a key at all.
 */
export type KeyAgreement = (typeof keyAgreements)[number];

export const keyAgreements = ["same", "different", "oneWay", "none"] as const;

/** What lets data pass a port in the clear, whatever its keys are. */
export type FailOpen = (typeof failOpenWays)[number];

export const failOpenWays = [
  "validateNotStrict",
  "protectOff",
  "encryptOff",
  "addressOnUncontrolledPort",
  "routeOnUncontrolledPort",
] as const;

export interface MacsecSettings {
  readonly suite: CipherSuite;
  /** `shouldSecure` is only ever read, never written. */
  readonly policy: "mustSecure" | "shouldSecure";
  readonly includeSci: boolean;
  readonly confidentialityOffset: 0 | 30 | 50;
  readonly keyServerPriority: number;
  /** undefined = replay protection off. */
  readonly replayWindow: number | undefined;
  /** undefined = rekeyed by packet number only. */
  readonly sakRekeyMs: number | undefined;
}

/** What may be wanted of a port: there is no way to want anything but must-secure. */
export type WantedSettings = Omit<MacsecSettings, "policy">;

export interface KeySlot {
  readonly ckn: Ckn;
  readonly role: "primary" | "fallback" | "scheduled";
  readonly startsAt?: WallTime;
}

export interface MkaSession {
  /** `secured` = open under MACsec, `unprotected` = open without, `blocked` = closed. */
  readonly controlledPort: "secured" | "unprotected" | "blocked";
  readonly principalCkn: Ckn | undefined;
  readonly participants: readonly MkaParticipant[];
  readonly livePeers: number;
  readonly respondedPeers: number;
  readonly keyServer: "self" | "peer" | "none";
  readonly keyServerPriority: number | undefined;
  readonly latestSak: Sak | undefined;
  readonly oldSak: Sak | undefined;
}

/** One per configured CKN; an `active` participant talks, a `live` one has a live peer. */
export interface MkaParticipant {
  readonly ckn: Ckn;
  readonly state: "live" | "active" | "none";
  readonly livePeers: number;
  readonly potentialPeers: number;
}

export interface Sak {
  /** undefined = the platform does not tell it. */
  readonly an: number | undefined;
  /** Key identifier: the key server's MI and the key number, hex and decimal, `mi/kn`. */
  readonly keyId: string;
  readonly receive: boolean;
  readonly transmit: boolean;
}

/** An absent counter is `undefined`, never 0. */
export interface MkpduCounters {
  readonly sent: bigint;
  readonly received: bigint;
  /** Same CKN, different CAK, or damage. */
  readonly icvFailed: bigint | undefined;
  readonly unknownCkn: bigint | undefined;
  /** MN not higher than seen before. */
  readonly replayed: bigint | undefined;
}

/**
 * SecY counters of a port, all SAs and SCs summed. An absent counter is `undefined`, never 0.
 * `rxClear` is clear *data*: a driver whose counter includes EAPOL subtracts the MKPDUs it counted,
 * or leaves it undefined.
 */
export interface MacsecFrames {
  readonly txProtected: bigint;
  readonly txClear: bigint | undefined;
  readonly txTooLong: bigint | undefined;
  readonly rxOk: bigint;
  readonly rxClear: bigint | undefined;
  readonly rxBadTag: bigint | undefined;
  readonly rxNotValid: bigint | undefined;
  readonly rxLate: bigint | undefined;
  readonly rxNoSci: bigint | undefined;
  readonly rxUnknownSci: bigint | undefined;
  readonly rxNotUsingSa: bigint | undefined;
  readonly rxUnusedSa: bigint | undefined;
  /** Next packet number of the transmit SA. */
  readonly nextPn: bigint | undefined;
}

export interface PortRate {
  readonly rxPps: number;
  readonly txPps: number;
  readonly rxBps: number;
  readonly txBps: number;
  readonly lineBps: number;
}

/**
 * `forgotten`: the daemon has no such connection any more; what it held ended with it.
 */
export type IkeState = (typeof ikeStates)[number];

export const ikeStates = ["established", "connecting", "down", "forgotten"] as const;

export interface IpsecTunnel {
  readonly name: string;
  readonly ike: Reading<IkeState>;
  /** Why it is not established, in one sentence, where the device can tell. */
  readonly trouble?: string;
  /** Absent = its interface and what leads into it are as they were made, or nothing tells. */
  readonly gaps?: readonly TunnelGap[];
  readonly sas: Reading<readonly IpsecSa[]>;
}

/** What is not as it was made; `closed` = something of what it protects does not get into it. */
export interface TunnelGap {
  readonly kind: "closed" | "mtu";
  readonly text: string;
}

export interface Transforms {
  readonly encryption: string;
  /** `none` for an AEAD. */
  readonly integrity: string;
  readonly dhGroup: string;
}

export interface IpsecSa {
  readonly spi: number;
  readonly direction: "in" | "out";
  /** A rekeyed SA is healthy, not down. */
  readonly phase: "installed" | "rekeying" | "rekeyed" | "deleting";
  /** As negotiated, from the data plane where it can be read. */
  readonly transforms: Transforms;
  readonly packets: bigint;
  readonly sequence: bigint | undefined;
  /** Of an SA that receives; absent = the device does not tell. */
  readonly antiReplay?: "on" | "off";
  /** Until its hard lifetime is over (RFC 4301, 4.4.2.1); absent = the device does not tell. */
  readonly endsInMs?: number;
}

/** With an AEAD the PRF stands alone: it is never part of the cipher. */
export interface IkeTransforms extends Transforms {
  readonly prf: string;
}

/** Of a pair of IPsec SAs; each end has its own (RFC 7296, 2.8). */
export interface SaLife {
  readonly seconds: number;
  readonly kilobytes: number;
}

/** How the ends prove who they are; what is secret is named, never held. */
export type TunnelAuth =
  | { readonly kind: "psk"; readonly secretId: string }
  | {
      readonly kind: "certificate";
      /** Our certificate and its private key. */
      readonly secretId: string;
      /** The authorities that the gateway's certificate may come from. */
      readonly authoritiesId: string;
      /** Subject of the gateway's certificate. */
      readonly peer: string;
    };

/** The two ends of BGP inside a tunnel, each reached by the other through it alone. */
export interface TunnelBgp {
  /** On the tunnel's interface. */
  readonly local: string;
  readonly peer: string;
  readonly asn: number;
}

/** What a person wants of one tunnel. */
export interface TunnelSpec {
  readonly name: string;
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly localPrefixes: readonly string[];
  readonly remotePrefixes: readonly string[];
  readonly ike: IkeTransforms;
  /** Of ESP. */
  readonly transforms: Transforms;
  readonly life: SaLife;
  /** Of the inner packets. */
  readonly mtu: number;
  /** What joins its SAs and policies with its interface, on a host that has such. */
  readonly ifId: number;
  readonly auth: TunnelAuth;
  /** Its routes come by BGP; absent = a route for each remote prefix leads into it. */
  readonly bgp?: TunnelBgp;
  /** Ports under whose MACsec its remote prefixes may ride as well; absent = in tunnels alone. */
  readonly backs?: readonly PortName[];
}

export type DrainMeans = "prepend" | "gracefulShutdown" | "peeringShutdown";

export interface BgpSession {
  readonly port: PortName;
  readonly peer: string;
  readonly up: boolean;
  /** Why it is not up, in one sentence, where the device can tell. */
  readonly trouble?: string;
}

/** A session with the neighbour behind a tunnel. */
export interface TunnelSession {
  readonly tunnel: string;
  readonly peer: string;
  /** Of the neighbour, as configured. */
  readonly asn: number;
  readonly up: boolean;
  readonly trouble?: string;
}

/** What a neighbour of another AS is told over a port: it may send what goes there by it. */
export interface OpenAdvertisement {
  readonly port: PortName;
  readonly peer: string;
  readonly prefix: string;
}

/** How the device reaches a prefix: over a port in the open, or into a tunnel. */
export interface Route {
  readonly prefix: string;
  readonly via:
    | { readonly kind: "port"; readonly port: PortName }
    | { readonly kind: "tunnel"; readonly name: string };
  readonly best: boolean;
}

export interface Routing {
  readonly sessions: readonly BgpSession[];
  readonly routes: readonly Route[];
  /** The interface of a tunnel is drained as a port is. */
  readonly drains: readonly { readonly port: PortName; readonly means: DrainMeans }[];
  /** Absent where the device has no BGP inside of tunnels. */
  readonly tunnelSessions?: readonly TunnelSession[];
  /** Absent where the device does not tell what it advertises. */
  readonly advertised?: readonly OpenAdvertisement[];
}

export interface ControlPlane {
  readonly wall: WallTime;
  /** Changes when the device boots. */
  readonly bootId: string;
  /** Changes with every change of the running configuration. */
  readonly configId: string;
  /** A confirmed commit is waiting for its confirm, ours or another's. */
  readonly commitPending: boolean;
}

/** What a tunnel protects as the backup of links that are under MACsec. */
export interface BackedPrefix {
  readonly prefix: string;
  /** Under whose MACsec it may ride. */
  readonly ports: readonly PortName[];
  /** Of these, where it passes now: a tight SecY is there. */
  readonly open: readonly PortName[];
}

export interface DeviceState {
  readonly device: DeviceId;
  readonly at: Instant;
  readonly control: Reading<ControlPlane>;
  readonly macsec: readonly MacsecPort[];
  readonly ipsec: readonly IpsecTunnel[];
  /**
   * Prefixes that this device lets pass in a tunnel alone, whatever its routes say; absent where
   * it has no such means.
   */
  readonly blocked?: Reading<readonly string[]>;
  /** Of these the ones that may ride under MACsec as well; absent where there are none. */
  readonly backed?: Reading<readonly BackedPrefix[]>;
  /**
   * How its own forwarding table reaches what it protects by tunnels; absent where `routing` tells
   * it as well.
   */
  readonly ways?: Reading<readonly Route[]>;
  readonly routing: Reading<Routing>;
}
