// The operations and reports between the KaY and its SecY, in the terms of IEEE Std 802.1X-2020
// 9.17 and 802.1AE-2018 10.7, which the SecY's edge translates for the kernel.

import type { Secret } from "#hal/secret.ts";

/** SSCI and salt of one direction of a SAK under extended packet numbering. */
export interface ExtendedNumbering {
  readonly ssci: number;
  readonly salt: Secret;
}

/** The code that carries out an installation owns its secrets, and wipes them. */
interface NewSa {
  readonly an: number;
  /** The identifier as the kernel stores it: 16 octets, lower-case hex. */
  readonly keyId: string;
  readonly sak: Secret;
  readonly extended?: ExtendedNumbering;
}

export type SecyOperation =
  | { readonly kind: "createReceiveSc"; readonly sci: string }
  /** Deletes the channel with its SAs. */
  | { readonly kind: "deleteReceiveSc"; readonly sci: string }
  | ({ readonly kind: "installReceiveSa"; readonly sci: string; readonly lowestPn: bigint } & NewSa)
  | { readonly kind: "enableReceive"; readonly sci: string; readonly an: number }
  | ({ readonly kind: "installTransmitSa"; readonly nextPn: bigint } & NewSa)
  /** Frames leave under this SA from now on. */
  | { readonly kind: "enableTransmit"; readonly an: number }
  /** Delay protection: frames below are refused. The bound is only ever raised. */
  | {
      readonly kind: "raiseLowestPn";
      readonly sci: string;
      readonly an: number;
      readonly lowestPn: bigint;
    }
  /** An SA in use is taken out of use first. */
  | { readonly kind: "deleteReceiveSa"; readonly sci: string; readonly an: number }
  | { readonly kind: "deleteTransmitSa"; readonly an: number };

/** Creating what exists and deleting what does not exist both count as done. */
export function isDoneAlready(kind: SecyOperation["kind"], errno: string): boolean {
  if (kind === "createReceiveSc") return errno === "EEXIST";
  return kind.startsWith("delete") && /^(ENOENT|ENODEV)$/.test(errno);
}

export type SecyReport =
  | { readonly kind: "done"; readonly id: number }
  /** `errno`: such as EBUSY; the operation had no effect. */
  | { readonly kind: "refused"; readonly id: number; readonly errno: string }
  /** The device went away, and every SA with it. */
  | { readonly kind: "lost" }
  /** A device without SAs exists. */
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
  readonly nextPn: bigint;
}

/** The state of the SecY. */
export interface HeldSecy {
  /** The AN that frames leave under, whether or not it has an SA. */
  readonly encodingAn: number;
  readonly transmitSas: readonly HeldTransmitSa[];
  /** The channels that are open. */
  readonly receiveScis: readonly string[];
  readonly receiveSas: readonly HeldReceiveSa[];
}
