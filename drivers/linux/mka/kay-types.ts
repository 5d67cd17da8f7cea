// The inputs and outputs of the KaY.

import type {
  CipherSuite,
  Ckn,
  KeySlot,
  MacsecSettings,
  MkaSession,
  MkpduCounters,
  WantedSettings,
} from "#hal/model.ts";
import type { Entropy, Instant } from "#hal/world.ts";
import type { CaKeys } from "./keys.ts";
import type { Malformation } from "./mkpdu.ts";
import type { HeldSecy, SecyOperation } from "./operations.ts";
import type { SakReason, SakRefusal } from "./sak.ts";
import type { Difference } from "./secy-differences.ts";
import type { KaySnapshot } from "./snapshot.ts";

/** The kernel has no confidentiality offset but 0. */
export interface KaySettings extends Omit<WantedSettings, "confidentialityOffset"> {
  /** `on`: hellos every 0.5 s, so that the peer may refuse late frames. */
  readonly delayProtection: "on" | "off";
}

export interface KayOptions {
  /** The SCI of the SecY: MAC and port, lower-case hex. */
  readonly sci: string;
  readonly settings: KaySettings;
  readonly entropy: Entropy;
  readonly now: Instant;
  /** The SAs that are in the SecY already; absent = it is new. */
  readonly held?: HeldSecy;
  /** The snapshot of a predecessor. The keys in it are copied. */
  readonly snapshot?: KaySnapshot;
}

export type KayCommand =
  /** The keys stay the caller's; they are not needed after the call. */
  | {
      readonly kind: "addActor";
      readonly ckn: Ckn;
      readonly keys: CaKeys;
      readonly role: "primary" | "fallback";
    }
  | { readonly kind: "removeActor"; readonly ckn: Ckn }
  /** Makes this CA the primary one. */
  | { readonly kind: "promoteActor"; readonly ckn: Ckn }
  | { readonly kind: "rekeySak" }
  /**
   * Sent before a planned stop: our life time at a peer begins anew with each MKPDU that it
   * accepts.
   */
  | { readonly kind: "hello" }
  /** After a change of the suite the device is made anew, and its report `ready` follows. */
  | { readonly kind: "configure"; readonly settings: KaySettings };

export type CommandRefusal =
  | "cknInUse"
  | "unknownCkn"
  | "tooManyActors"
  /** Only the key server makes a SAK. */
  | "notKeyServer";

export type KayEvent =
  | { readonly kind: "caCreated" | "caRemoved" | "miRenewed"; readonly ckn: Ckn }
  | { readonly kind: "commandRefused"; readonly why: CommandRefusal }
  | { readonly kind: "peerLive" | "peerLost"; readonly ckn: Ckn; readonly sci: string }
  | { readonly kind: "keyServer"; readonly ckn: Ckn; readonly is: "self" | "peer" | "none" }
  | { readonly kind: "principal"; readonly ckn: Ckn | undefined }
  | {
      readonly kind: "sakMade";
      readonly ckn: Ckn;
      readonly keyId: string;
      readonly an: number;
      readonly why: SakReason;
    }
  | { readonly kind: "sakTaken"; readonly ckn: Ckn; readonly keyId: string; readonly an: number }
  | { readonly kind: "sakRefused"; readonly ckn: Ckn; readonly why: SakRefusal }
  | { readonly kind: "sakInUse"; readonly keyId: string | undefined }
  | { readonly kind: "controlledPort"; readonly is: "secured" | "blocked" }
  | {
      readonly kind: "secyRefused";
      readonly operation: SecyOperation["kind"];
      readonly errno: string;
    }
  | { readonly kind: "secyContradicts" }
  /** Another program changed this in the SecY. */
  | ({ readonly kind: "secyChanged" } & SecyChange);

/** What another program changed in the SecY, and what became of it. */
export interface SecyChange {
  readonly what: Difference["kind"];
  readonly sci?: string;
  readonly an?: number;
  /** `nextSak`: packet numbers would come twice, so another SAK is asked for. */
  readonly outcome: "putBack" | "removed" | "nextSak";
}

export type KayOutput =
  /** A complete frame. */
  | { readonly kind: "send"; readonly frame: Uint8Array }
  /** Operations are carried out in the order of the outputs; the report names the id. */
  | { readonly kind: "secy"; readonly id: number; readonly operation: SecyOperation }
  /** The result of `snapshot` has changed and should be stored soon. */
  | { readonly kind: "remember" }
  | { readonly kind: "event"; readonly event: KayEvent };

/** A reason why the port is not secured at present. */
export type KayTrouble =
  | { readonly kind: "sakRefused"; readonly why: SakRefusal }
  | {
      readonly kind: "secyRefused";
      readonly operation: SecyOperation["kind"];
      readonly errno: string;
    }
  /** The suites of the peer do not include the wanted one. */
  | { readonly kind: "suiteNotAnnounced"; readonly announced: readonly string[] }
  /** A live peer has not installed the SAK for a life time. */
  | { readonly kind: "peerNotReceiving"; readonly sci: string }
  | { readonly kind: "peerWantsNoMacsec"; readonly sci: string }
  | { readonly kind: "noKeyServer" }
  /** The peer is the key server, and has distributed no SAK for a life time. */
  | { readonly kind: "noSakDistributed"; readonly sci: string }
  /** The peer is the key server, and does not transmit under the SAK that it distributed. */
  | { readonly kind: "serverNotTransmitting"; readonly sci: string }
  | { readonly kind: "deviceLost" }
  /** Another program took an SA of the SAK in use, which only another SAK replaces. */
  | { readonly kind: "saLost" };

export interface KayCounters extends MkpduCounters {
  /** `received` counts every MKPDU, including those that were refused. */
  readonly icvFailed: bigint;
  readonly unknownCkn: bigint;
  readonly replayed: bigint;
  readonly malformed: bigint;
  readonly malformedBy: Readonly<Partial<Record<Malformation, bigint>>>;
  /** EAPOL that is not an MKPDU. */
  readonly foreign: bigint;
  /** Our own frames that came back. */
  readonly ownFrames: bigint;
  /** From a station that is known under another SCI, or exceeds the limit of peers. */
  readonly strange: bigint;
}

export interface KayObservation {
  readonly settings: MacsecSettings;
  readonly liveSuite: CipherSuite | undefined;
  readonly keys: readonly KeySlot[];
  readonly session: MkaSession;
  readonly mkpdus: KayCounters;
  readonly troubles: readonly KayTrouble[];
  /** Undefined = another program has changed nothing. */
  readonly secyChanges: { readonly count: bigint; readonly last: SecyChange } | undefined;
}
