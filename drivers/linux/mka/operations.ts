// What the KaY asks of its SecY and hears from it: the nouns of IEEE Std 802.1X-2020 9.17 and
// 802.1AE-2018 10.7, which the edge turns into the kernel's requests.

import type { Secret } from "#hal/secret.ts";

/** Of one direction of a SAK under extended packet numbering. */
export interface ExtendedNumbering {
  readonly ssci: number;
  readonly salt: Secret;
}

/** Whoever carries out an installation owns its secrets, and wipes them. */
interface NewSa {
  readonly an: number;
  /** As the kernel stores it: 16 octets, lower-case hex. */
  readonly keyId: string;
  readonly sak: Secret;
  readonly extended?: ExtendedNumbering;
}

export type SecyOperation =
  | { readonly kind: "createReceiveSc"; readonly sci: string }
  /** Takes the SAs of the channel along. */
  | { readonly kind: "deleteReceiveSc"; readonly sci: string }
  | ({ readonly kind: "installReceiveSa"; readonly sci: string; readonly lowestPn: bigint } & NewSa)
  | { readonly kind: "enableReceive"; readonly sci: string; readonly an: number }
  | ({ readonly kind: "installTransmitSa"; readonly nextPn: bigint } & NewSa)
  /** From now on frames leave under this SA. */
  | { readonly kind: "enableTransmit"; readonly an: number }
  /** Delay protection: frames below are refused. Only ever raised. */
  | {
      readonly kind: "raiseLowestPn";
      readonly sci: string;
      readonly an: number;
      readonly lowestPn: bigint;
    }
  /** Those in use are taken out of use first. */
  | { readonly kind: "deleteReceiveSa"; readonly sci: string; readonly an: number }
  | { readonly kind: "deleteTransmitSa"; readonly an: number };

export type SecyReport =
  | { readonly kind: "done"; readonly id: number }
  /** `errno`: such as EBUSY; nothing of this operation was done. */
  | { readonly kind: "refused"; readonly id: number; readonly errno: string }
  | { readonly kind: "packetNumber"; readonly an: number; readonly nextPn: bigint }
  /** The device went away, and every SA with it. */
  | { readonly kind: "lost" }
  /** A device without SAs is there. */
  | { readonly kind: "ready" };

export interface HeldTransmitSa {
  readonly an: number;
  readonly keyId: string;
  readonly active: boolean;
  readonly nextPn: bigint;
}

interface HeldReceiveSa {
  readonly sci: string;
  readonly an: number;
  readonly keyId: string;
  readonly active: boolean;
}

/** What a look at the SecY found when the KaY starts. */
export interface HeldSecy {
  /** AN that frames leave under, whether or not it has an SA. */
  readonly encodingAn: number;
  readonly transmitSas: readonly HeldTransmitSa[];
  readonly receiveScis: readonly string[];
  readonly receiveSas: readonly HeldReceiveSa[];
}
