// What the KaY is told, and what it tells.

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
import type { KaySnapshot } from "./snapshot.ts";

/** The kernel knows no confidentiality offset but 0. */
export interface KaySettings extends Omit<WantedSettings, "confidentialityOffset"> {
  /** `on`: hellos every 0.5 s, so that the peer may refuse what is late. */
  readonly delayProtection: "on" | "off";
}

export interface KayOptions {
  /** Of the SecY: MAC and port, lower-case hex. */
  readonly sci: string;
  readonly settings: KaySettings;
  readonly entropy: Entropy;
  readonly now: Instant;
  /** What is in the SecY already; absent = it is new. */
  readonly held?: HeldSecy;
  /** What a predecessor told. The keys in it are copied. */
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
  /** It becomes the primary one. */
  | { readonly kind: "promoteActor"; readonly ckn: Ckn }
  | { readonly kind: "rekeySak" }
  /** Before a planned stop: our life time at a peer that hears any live one begins anew. */
  | { readonly kind: "hello" }
  /** With another suite the device is made anew: its report `ready` follows. */
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
  | { readonly kind: "secyContradicts" };

export type KayOutput =
  /** A whole frame. */
  | { readonly kind: "send"; readonly frame: Uint8Array }
  /** Carried out in the order of the outputs; its report names the id. */
  | { readonly kind: "secy"; readonly id: number; readonly operation: SecyOperation }
  /** What `snapshot` gives has changed: to be stored before long. */
  | { readonly kind: "remember" }
  | { readonly kind: "event"; readonly event: KayEvent };

/** What stands in the way right now. */
export type KayTrouble =
  | { readonly kind: "sakRefused"; readonly why: SakRefusal }
  | {
      readonly kind: "secyRefused";
      readonly operation: SecyOperation["kind"];
      readonly errno: string;
    }
  /** Its suites do not have the wanted one among them. */
  | { readonly kind: "suiteNotAnnounced"; readonly announced: readonly string[] }
  /** A live peer has not installed the SAK for a life time. */
  | { readonly kind: "peerNotReceiving"; readonly sci: string }
  | { readonly kind: "peerWantsNoMacsec"; readonly sci: string }
  | { readonly kind: "noKeyServer" }
  | { readonly kind: "deviceLost" };

export interface KayCounters extends MkpduCounters {
  /** `received` counts every MKPDU, those that were refused too. */
  readonly icvFailed: bigint;
  readonly unknownCkn: bigint;
  readonly replayed: bigint;
  readonly malformed: bigint;
  readonly malformedBy: Readonly<Partial<Record<Malformation, bigint>>>;
  /** EAPOL that is no MKPDU. */
  readonly foreign: bigint;
  /** Our own frames, come back. */
  readonly ownFrames: bigint;
  /** From a station that is known under another SCI, or one too many. */
  readonly strange: bigint;
}

export interface KayObservation {
  readonly settings: MacsecSettings;
  readonly liveSuite: CipherSuite | undefined;
  readonly keys: readonly KeySlot[];
  readonly session: MkaSession;
  readonly mkpdus: KayCounters;
  readonly troubles: readonly KayTrouble[];
}
