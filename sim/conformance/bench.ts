// What a conformance case works on: a device, the actual state behind it, and the means to disturb
// both.

import type { Capabilities, Device, KeyResolver, PeerPort, PeerWant } from "#hal/device.ts";
import type {
  CipherSuite,
  Ckn,
  DrainMeans,
  KeyRef,
  KeySlot,
  MacsecSettings,
  PortName,
} from "#hal/model.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { Instant } from "#hal/world.ts";

/** A fault that a bench can cause; a bench with real hardware may support few of them. */
export type Trouble =
  /** Another session has locked the configuration. */
  | "locked"
  /** A write is carried out, and its reply is lost. */
  | "replyLost"
  /** A commit prints an error, changes nothing, and reports success. */
  | "errorWithSuccess"
  | "unreachable"
  /** Replies arrive and make no sense. */
  | "unparsed"
  /** The far end of the first port has left: its key is gone. */
  | "farEndGone"
  /** The BGP session of the first port has no BFD. */
  | "bfdOff"
  /** The device boots; the fault ends as soon as it answers again. */
  | "reboot";

/** The actual state of a port, read from the bench and not from the driver. */
export interface PortTruth {
  readonly port: PortName;
  /** Its configured keys. */
  readonly keys: readonly KeySlot[];
  /** Its settings; undefined = MACsec is not configured. */
  readonly settings: MacsecSettings | undefined;
  /** CKN of the key in use; undefined = there is none. */
  readonly principal: Ckn | undefined;
  /** Identifier of the SAK that transmits. */
  readonly sak: string | undefined;
  /** Whether it is enabled. */
  readonly admin: "up" | "down";
  /** Whether it has a link. */
  readonly linkUp: boolean;
  /** How it is drained; undefined = it is not. */
  readonly drain: DrainMeans | undefined;
  /** Whether its BGP session is established. */
  readonly bgpUp: boolean;
  /** A data frame would be delivered in both directions. */
  readonly carries: boolean;
  /** Data offered to the port in each direction, in packets per second. */
  readonly offeredPps: number;
  /** Data frames on the wire in the clear, both directions summed, since the bench was made. */
  readonly clearFrames: bigint;
  /** Data frames on the wire under MACsec, both directions summed. */
  readonly protectedFrames: bigint;
  /** Data frames lost, both directions summed. */
  readonly lostFrames: bigint;
}

export interface TunnelTruth {
  readonly name: string;
  readonly up: boolean;
  /** SPIs of the SAs in use. */
  readonly spis: readonly number[];
}

/** The actual state of a device. */
export interface DeviceTruth {
  readonly ports: readonly PortTruth[];
  readonly tunnels: readonly TunnelTruth[];
  /** A commit waits for its confirm. */
  readonly pending: boolean;
  /** Changes of the running configuration so far, by any session. */
  readonly effects: number;
}

interface KeyShape {
  readonly cakOctets: number;
  readonly cknOctets: number;
}

/** Functions over a device with two ports in the clear, both with traffic, and one open session. */
export interface DeviceBench {
  /** The device, opened by the driver under test. */
  readonly device: Device;
  /** The most that the driver may offer. */
  readonly offers: Capabilities;
  /** Its two ports. */
  readonly ports: readonly [PortName, PortName];
  /** A tunnel that can be created. */
  readonly tunnel: TunnelSpec;
  /** A gateway answers, so that the tunnel comes up once it is created. */
  readonly gateway: boolean;
  /** Management addresses: one with the port that leads to it, and one without a known way. */
  readonly routes: {
    readonly known: { readonly address: string; readonly port: PortName };
    readonly unknown: string;
  };
  /** Faults that this bench can cause. */
  readonly troubles: ReadonlySet<Trouble>;
  /** Causes a fault. */
  readonly strike: (trouble: Trouble) => void;
  /** Ends a fault. */
  readonly heal: (trouble: Trouble) => void;
  /** More packets than pass the port otherwise. */
  readonly probePackets: number;
  /** Opens a session of another process; the caller closes it. */
  readonly second: () => Promise<Device>;
  /** Makes a key whose CAK and CKN have these lengths, in octets. */
  readonly newKey: (shape: KeyShape) => KeyRef;
  /** Returns the octets of keys. */
  readonly keys: KeyResolver;
  /** Octets of every key that the resolver ever returned or may return. */
  readonly canaries: () => readonly Uint8Array[];
  /** Returns whether the port has exactly these octets under this CKN. */
  readonly holds: (port: PortName, key: KeyRef) => boolean;
  /** Gives the far end of the port this key and no other from now on. */
  readonly giveFarEnd: (port: PortName, key: KeyRef, suite: CipherSuite) => void;
  /** Records a text that was printed; the runner of the cases keeps it. */
  readonly say: (text: string) => void;
  /** All that device and driver ever printed: previews, errors, replies, log lines. */
  readonly transcript: () => readonly string[];
  /** Returns the time on the bench's clock. */
  readonly now: () => Instant;
  /** Lets this many milliseconds pass. */
  readonly wait: (ms: number) => Promise<void>;
  /**
   * Exchanges with the device so far; a change that is refused before anything is sent adds none.
   */
  readonly exchanges: () => number;
  /** Returns the actual state now. */
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
  /** Makes a valid wish with a key of its own, enabled in the vault. */
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
  /** Stores a version of this secret and returns its id. */
  readonly put: (name: string, value: string, state: "enabled" | "disabled") => string;
  /** An id of the right form that was never stored. */
  readonly strangerId: string;
  readonly say: (text: string) => void;
  readonly transcript: () => readonly string[];
  readonly exchanges: () => number;
}
