// Compares the SecY with what MKA put into it, because another program can remove and change
// channels and SAs. The kernel tells none of that: its family "macsec" has no multicast group.

import { type KeyIdentifier, keyIdOf } from "./keys.ts";
import type { HeldSecy } from "./operations.ts";

export type Difference =
  /** The channel is not there, or shut. */
  | { readonly kind: "receiveSc"; readonly sci: string }
  /** The SA is not there, off, of another key, or its packet number went back. */
  | { readonly kind: "receiveSa"; readonly sci: string; readonly an: number }
  | { readonly kind: "transmitSa"; readonly an: number }
  /** Frames leave under another AN than this one. */
  | { readonly kind: "encodingAn"; readonly an: number }
  /** MKA did not put these there. */
  | { readonly kind: "strayReceiveSc"; readonly sci: string }
  | { readonly kind: "strayReceiveSa"; readonly sci: string; readonly an: number }
  | { readonly kind: "strayTransmitSa"; readonly an: number };

interface ExpectedSak {
  readonly keyIdentifier: KeyIdentifier;
  readonly an: number;
  /** `gone`: there is no such SA any more, and there will be none. */
  readonly transmit: "installing" | "installed" | "enabling" | "enabled" | "gone";
  readonly receive: ReadonlyMap<string, { readonly state: "installing" | "enabled" | "gone" }>;
  /** The next packet numbers of the senders by SCI, as they were seen last. */
  readonly reached: ReadonlyMap<string, bigint>;
}

export interface Expected {
  readonly channels: readonly string[];
  readonly saks: readonly ExpectedSak[];
  /** Returns the next packet number of the transmit SA, as it was seen last. */
  nextPn(sak: ExpectedSak): bigint;
}

/** Returns what another program changed, in the order in which it is to be mended. */
export function differences(expected: Expected, secy: HeldSecy): readonly Difference[] {
  const { channels, saks } = expected;
  const gone = channels.filter((sci) => !secy.receiveScis.includes(sci));
  const strays = secy.receiveScis.filter((sci) => !channels.includes(sci));
  const alone = [...gone, ...strays];
  return [
    ...strays.map((sci): Difference => ({ kind: "strayReceiveSc", sci })),
    ...gone.map((sci): Difference => ({ kind: "receiveSc", sci })),
    ...strayReceiveSas(saks, secy).filter(({ sci }) => !alone.includes(sci)),
    ...saks.flatMap((sak) => receiveSas(sak, secy)).filter(({ sci }) => !alone.includes(sci)),
    ...strayTransmitSas(saks, secy),
    ...saks.flatMap((sak) => transmitSa(sak, expected.nextPn(sak), secy)),
  ];
}

type OnChannel = Extract<Difference, { sci: string; an: number }>;

function strayReceiveSas(saks: readonly ExpectedSak[], { receiveSas: held }: HeldSecy) {
  return held
    .filter(({ sci, an }) => {
      const states = saks.filter((sak) => sak.an === an).map((sak) => sak.receive.get(sci)?.state);
      return states.every((state) => state === undefined || state === "gone");
    })
    .map(({ sci, an }): OnChannel => ({ kind: "strayReceiveSa", sci, an }));
}

function receiveSas(
  { keyIdentifier, an, receive, reached }: ExpectedSak,
  secy: HeldSecy,
): readonly OnChannel[] {
  const keyId = keyIdOf(keyIdentifier);
  return [...receive]
    .filter(([sci, { state }]) => {
      const sa = secy.receiveSas.find((one) => one.sci === sci && one.an === an);
      const isSame = sa?.active === true && sa.keyId === keyId;
      return state === "enabled" && !(isSame && sa.nextPn >= (reached.get(sci) ?? 1n));
    })
    .map(([sci]) => ({ kind: "receiveSa", sci, an }));
}

function strayTransmitSas(saks: readonly ExpectedSak[], { transmitSas: held }: HeldSecy) {
  return held
    .filter(({ an }) => !saks.some((sak) => sak.an === an && sak.transmit !== "gone"))
    .map(({ an }): Difference => ({ kind: "strayTransmitSa", an }));
}

function transmitSa(
  { keyIdentifier, an, transmit }: ExpectedSak,
  nextPn: bigint,
  secy: HeldSecy,
): readonly Difference[] {
  if (transmit !== "installed" && transmit !== "enabled") return [];
  const sa = secy.transmitSas.find((one) => one.an === an);
  const isSame = sa?.active === true && sa.keyId === keyIdOf(keyIdentifier);
  if (!isSame || sa.nextPn < nextPn) return [{ kind: "transmitSa", an }];
  return transmit === "enabled" && secy.encodingAn !== an ? [{ kind: "encodingAn", an }] : [];
}
