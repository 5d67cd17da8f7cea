// Keys of SAs on their way from the agent to linkseal-net: a socket of their own, on which they
// travel raw, so that both ends can wipe them. No answer has a place for one.

import { LinksealError } from "#hal/error.ts";
import type { Octets } from "#hal/netlink.ts";
import { Secret } from "#hal/secret.ts";
import { Malformed } from "../../local/shape.ts";
import { counted, Fields, u32 } from "../netlink/fields.ts";

/** What one SA takes of a person's keys. */
export interface SaKeys {
  readonly encryption: Secret;
  readonly integrity: Secret;
}

/** By which they are found again. */
export interface SaPlace {
  readonly destination: string;
  readonly spi: number;
}

export type StagedSa = SaPlace & SaKeys;

/** Of a frame without its length. */
export const keyFrameBytesMax = 256;
export const keyAnswerBytesMax = 1;
const addressBytesMax = 45;
const keyBytesMax = 64;
const answers = { taken: 0, refused: 1 } as const;

/** Where it answers beside the socket of linkseal-net. */
export function keySocket(netSocket: string): string {
  return netSocket.replace(/(?:\.sock)?$/, "-keys.sock");
}

export function writeKeys({ destination, spi, encryption, integrity }: StagedSa): Octets {
  const place = [...counted(new TextEncoder().encode(destination)), u32(spi)];
  return [...place, ...counted(encryption), ...counted(integrity)];
}

/** Throws Malformed; the caller wipes the octets afterwards. */
function readKeys(octets: Uint8Array): StagedSa {
  const fields = new Fields(octets);
  const destination = String.fromCharCode(...fields.counted("destination", 1, addressBytesMax));
  if (!/^[0-9a-f.:]+$/.test(destination)) throw new Malformed("destination");
  const spi = fields.u32("spi");
  const encryption = fields.counted("encryption", 1, keyBytesMax);
  const integrity = fields.counted("integrity", 1, keyBytesMax);
  // Last: what is refused leaves no secret behind.
  fields.end();
  return {
    ...{ destination, spi },
    encryption: Secret.take("encryption key", encryption),
    integrity: Secret.take("integrity key", integrity),
  };
}

/** What linkseal-net says to it. */
export function answerKeys(
  take: (staged: StagedSa) => void,
  octets: Uint8Array,
): Uint8Array<ArrayBuffer> {
  try {
    take(readKeys(octets));
    return Uint8Array.of(answers.taken);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return Uint8Array.of(answers.refused);
  } finally {
    octets.fill(0);
  }
}

/** Throws `device.unparsed` where it was not taken. */
export function readKeyAnswer(octets: Uint8Array, where: string): void {
  if (octets.length === 1 && octets[0] === answers.taken) return;
  throw new LinksealError("device.unparsed", "linkseal-net does not understand its keys", {
    effect: "none",
    where,
    next: "run linkseal and linkseal-net in the same version",
  });
}
