// The texts for what prevents a secured port, and for what another program changed in its SecY.

import type { KayTrouble, SecyChange } from "./kay-types.ts";
import type { SakRefusal } from "./sak.ts";

export interface MkaTrouble {
  readonly code: (typeof troubleCodes)[number];
  readonly text: string;
}

export const troubleCodes = [
  "sakRefused",
  "secyRefused",
  "suiteNotAnnounced",
  "peerNotReceiving",
  "peerWantsNoMacsec",
  "noKeyServer",
  "noSakDistributed",
  "serverNotTransmitting",
  "deviceLost",
  "saLost",
  "nothingReceived",
] as const;

/** Some implementations report to receive under a SAK that their kernel has refused. */
export const nothingReceived: MkaTrouble = {
  code: "nothingReceived",
  text: "no frame of the peer has come under the SAK in use, whatever the peer reports",
};

export function troubleText(trouble: KayTrouble): MkaTrouble {
  return { code: trouble.kind, text: textOf(trouble) };
}

function textOf(trouble: KayTrouble): string {
  switch (trouble.kind) {
    case "sakRefused":
      return `the SAK of the key server was refused: ${refusalText(trouble.why)}`;
    case "secyRefused":
      return `the kernel refused ${trouble.operation}: ${trouble.errno}`;
    case "suiteNotAnnounced":
      return `the peer offers ${trouble.announced.join(", ") || "no suite at all"}`;
    case "peerNotReceiving":
      return `${trouble.sci} has not installed the SAK`;
    case "peerWantsNoMacsec":
      return `${trouble.sci} offers no MACsec`;
    case "noKeyServer":
      return "neither end is the key server: the priority here is 255, and the peer is not willing";
    case "noSakDistributed":
      return `${trouble.sci} is the key server, and has distributed no SAK for 6 s`;
    case "serverNotTransmitting":
      return `${trouble.sci} is the key server, and does not transmit under its new SAK yet`;
    case "deviceLost":
      return "the SecY is gone";
    case "saLost":
      return "an SA of the SAK in use was taken from the SecY; it waits for another SAK";
  }
}

function refusalText(why: SakRefusal): string {
  switch (why.kind) {
    case "suite":
      return `it is for ${why.offered}`;
    case "plain":
      return "it wants no MACsec";
    case "noConfidentiality":
      return "it wants no encryption";
    case "confidentialityOffset":
      return `it wants to leave ${why.offset} octets in the clear`;
    case "unwrap":
      return "it is damaged, or was wrapped under another CAK";
    case "keyNumber":
      return "its number was used before";
    case "anInUse":
      return `association number ${why.an} is still in use`;
    case "notMember":
      return "it does not count us among its members";
  }
}

const changeTexts = {
  receiveSc: "a receive channel was removed or shut",
  receiveSa: "a receive SA was removed or changed",
  transmitSa: "the transmit SA was removed or changed",
  encodingAn: "frames left under another association number",
  strayReceiveSc: "a foreign receive channel was added",
  strayReceiveSa: "a foreign receive SA was added",
  strayTransmitSa: "a foreign transmit SA was added",
} as const;
const outcomeTexts = {
  putBack: "it was put back",
  removed: "it was removed",
  nextSak: "another SAK is asked for, because no packet number may come twice",
} as const;

export function changeText({ what, sci, an, outcome }: SecyChange): string {
  const where = [sci === undefined ? [] : [`SCI ${sci}`], an === undefined ? [] : [`AN ${an}`]];
  const place = where.flat().join(", ");
  const named = place === "" ? "" : ` (${place})`;
  return `another program changed the SecY: ${changeTexts[what]}${named}; ${outcomeTexts[outcome]}`;
}
