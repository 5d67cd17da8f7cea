// SAs with static keys as a change names them: all but the keys.

import { count, each, type Kinds, list, name, object, oneOf } from "../../local/shape.ts";
import { addressAt, prefixesAt } from "./guard.ts";

export interface StaticSas {
  /** Of the tunnel, and of its interface. */
  readonly name: string;
  readonly ifId: number;
  readonly local: string;
  readonly remote: string;
  /** What may come and go by them. */
  readonly prefixes: readonly string[];
  /** SPI of the SA that receives. */
  readonly inward: number;
  readonly outward: number;
  readonly encryption: Encryption;
  readonly integrity: Integrity;
  /** The kernel ends them by itself. */
  readonly life: { readonly seconds: number; readonly kilobytes: number };
}

export type StaticPart =
  | ({ readonly kind: "ipsec.install" } & StaticSas)
  /** Nobody brings them back. */
  | {
      readonly kind: "ipsec.end";
      readonly name: string;
      readonly sas: readonly { readonly spi: number }[];
    };

/** Octets of their keys, and bits of the ICV (RFC 3602, 2.1; RFC 4868, 2.1.1 and 2.6). */
const encryptions = { "aes-128-cbc": 16, "aes-192-cbc": 24, "aes-256-cbc": 32 } as const;
const integrities = {
  sha256: { octets: 32, icvBits: 128 },
  sha384: { octets: 48, icvBits: 192 },
  sha512: { octets: 64, icvBits: 256 },
} as const;

type Encryption = keyof typeof encryptions;
export type Integrity = keyof typeof integrities;

const encryptionNames = Object.keys(encryptions) as Encryption[];
const integrityNames = Object.keys(integrities) as Integrity[];

export interface StaticTransforms {
  readonly encryption: Encryption;
  readonly integrity: Integrity;
}

/** undefined = no algorithms that static keys are taken for. */
export function staticTransforms(want: {
  readonly encryption: string;
  readonly integrity: string;
}): StaticTransforms | undefined {
  const encryption = encryptionNames.find((one) => one === want.encryption);
  const integrity = integrityNames.find((one) => one === want.integrity);
  return encryption === undefined || integrity === undefined
    ? undefined
    : { encryption, integrity };
}

/** Octets of each key. */
export function keyLengths({ encryption, integrity }: StaticTransforms) {
  return { encryption: encryptions[encryption], integrity: integrities[integrity].octets };
}

export const icvBitsOf = (integrity: Integrity): number => integrities[integrity].icvBits;

/** RFC 4303, 2.1: those below are not for SAs. */
export const spiMin = 256;
export const spiMax = 2 ** 32 - 1;
const sasMax = 256;
const secondsMax = 172_800;
const kilobytesMax = 2 ** 31;

const spi = count(spiMax, spiMin);

export const staticParts: Kinds<StaticPart> = {
  "ipsec.install": {
    ...{ name, ifId: count(spiMax) },
    ...each(["local", "remote"], addressAt),
    prefixes: prefixesAt,
    ...each(["inward", "outward"], spi),
    encryption: oneOf(encryptionNames),
    integrity: oneOf(integrityNames),
    // 0 would be no limit at all.
    life: object({ seconds: count(secondsMax, 1), kilobytes: count(kilobytesMax, 1) }),
  },
  "ipsec.end": { name, sas: list(object({ spi }), sasMax) },
};

export function staticPreview(part: StaticPart): readonly string[] {
  if (part.kind === "ipsec.end") {
    return [`- ${part.sas.length} SAs of ${part.name} with static keys`];
  }
  const { name: tunnel, inward, outward, encryption, integrity, life } = part;
  return [
    `+ SAs of ${tunnel} with static keys, SPI ${inward} in and ${outward} out [secret static]`,
    `+ ESP ${encryption}/${integrity}, ends after ${life.seconds} s or ${life.kilobytes} kB`,
  ];
}
