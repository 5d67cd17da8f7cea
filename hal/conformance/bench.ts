// What a conformance case works on: a device with the truth behind it, and the means to disturb
// both.

import type { Capabilities, Device, KeyResolver, PeerPort, PeerWant } from "../device.ts";
import type {
  CipherSuite,
  Ckn,
  DrainMeans,
  KeyRef,
  KeySlot,
  MacsecSettings,
  PortName,
  TunnelSpec,
} from "../model.ts";
import type { KeyVault } from "../vault.ts";
import type { Instant } from "../world.ts";

/** What a bench can do to a device; a bench before real hardware may know few of them. */
export type Trouble =
  /** Another session holds the configuration. */
  | "locked"
  /** What writes is carried out and its reply lost. */
  | "replyLost"
  /** A commit prints an error, changes nothing, and reports success. */
  | "errorWithSuccess"
  | "unreachable"
  /** Replies come and make no sense. */
  | "unparsed"
  /** The far end of the first port has left: its key is gone. */
  | "farEndGone"
  /** The device boots; it is over as soon as it answers again. */
  | "reboot";

export interface PortTruth {
  readonly port: PortName;
  readonly keys: readonly KeySlot[];
  readonly settings: MacsecSettings | undefined;
  readonly principal: Ckn | undefined;
  /** Identifier of the SAK that transmits. */
  readonly sak: string | undefined;
  readonly admin: "up" | "down";
  readonly linkUp: boolean;
  readonly drain: DrainMeans | undefined;
  readonly bgpUp: boolean;
  /** A data frame would be delivered in both directions. */
  readonly carries: boolean;
  /** Data offered to the port, each way. */
  readonly offeredPps: number;
  /** Data frames on the wire or lost, both directions summed, since the bench was made. */
  readonly clearFrames: bigint;
  readonly protectedFrames: bigint;
  readonly lostFrames: bigint;
}

export interface TunnelTruth {
  readonly name: string;
  readonly up: boolean;
  /** SPIs of the SAs in use. */
  readonly spis: readonly number[];
}

export interface DeviceTruth {
  readonly ports: readonly PortTruth[];
  readonly tunnels: readonly TunnelTruth[];
  /** A commit waits for its confirm. */
  readonly pending: boolean;
  /** Changes of the running configuration so far, whoever made them. */
  readonly effects: number;
}

interface KeyShape {
  readonly cakOctets: number;
  readonly cknOctets: number;
}

/** Closures over a device with two ports in the clear, both with traffic, and one session open. */
export interface DeviceBench {
  readonly device: Device;
  /** What the driver may offer at most. */
  readonly offers: Capabilities;
  readonly ports: readonly [PortName, PortName];
  /** A tunnel that can be put. */
  readonly tunnel: TunnelSpec;
  /** A gateway answers the tunnel, so that it comes up once it is put. */
  readonly gateway: boolean;
  /** Management addresses: one with the port that leads to it, one that nobody knows a way to. */
  readonly routes: {
    readonly known: { readonly address: string; readonly port: PortName };
    readonly unknown: string;
  };
  readonly troubles: ReadonlySet<Trouble>;
  readonly strike: (trouble: Trouble) => void;
  readonly heal: (trouble: Trouble) => void;
  /** So many are more than what passes the port besides. */
  readonly probePackets: number;
  /** A session of another process; the caller closes it. */
  readonly second: () => Promise<Device>;
  readonly newKey: (shape: KeyShape) => KeyRef;
  readonly keys: KeyResolver;
  /** Octets of every key that the resolver ever handed out or may hand out. */
  readonly canaries: () => readonly Uint8Array[];
  /** The port holds exactly these octets under this CKN. */
  readonly holds: (port: PortName, key: KeyRef) => boolean;
  /** From now on the far end of the port has this one key. */
  readonly giveFarEnd: (port: PortName, key: KeyRef, suite: CipherSuite) => void;
  /** Writes down something that was printed; kept by whoever runs the cases. */
  readonly say: (text: string) => void;
  /** All that device and driver ever printed: previews, errors, replies, log lines. */
  readonly transcript: () => readonly string[];
  readonly now: () => Instant;
  readonly wait: (ms: number) => Promise<void>;
  /** Exchanges with the device so far: what was refused before anything was sent adds none. */
  readonly exchanges: () => number;
  readonly truth: () => DeviceTruth;
}

export type PeerTrouble = "fails" | "throttled" | "unreadable";

/** One link of a far-end port and its neighbour. */
export interface PeerBench {
  readonly peer: PeerPort;
  readonly neighbour: PeerPort;
  readonly troubles: ReadonlySet<PeerTrouble>;
  readonly strike: (trouble: PeerTrouble) => void;
  readonly heal: (trouble: PeerTrouble) => void;
  /** A good wish with a key of its own, enabled in the vault. */
  readonly newWant: () => PeerWant;
  readonly canaries: () => readonly Uint8Array[];
  readonly say: (text: string) => void;
  readonly transcript: () => readonly string[];
  readonly wait: (ms: number) => Promise<void>;
  readonly exchanges: () => number;
  readonly truth: () => PeerTruth;
}

interface PeerTruth {
  readonly hardware: Ckn | undefined;
  /** Keys given to the hardware of the link so far. */
  readonly programmed: number;
  readonly neighbourProgrammed: number;
}

export type VaultTrouble = "down" | "denied";

export interface VaultBench {
  readonly vault: KeyVault;
  readonly troubles: ReadonlySet<VaultTrouble>;
  readonly strike: (trouble: VaultTrouble) => void;
  /** Puts a version of this secret and returns its id. */
  readonly put: (name: string, value: string, state: "enabled" | "disabled") => string;
  /** An id of the right form that was never put. */
  readonly strangerId: string;
  readonly say: (text: string) => void;
  readonly transcript: () => readonly string[];
  readonly exchanges: () => number;
}
