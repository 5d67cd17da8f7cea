// The kernel's SecYs by generic netlink "macsec": their settings, and the SAs that are installed.
// The kernel sends no events of this family, so the only state is that of a dump.

import type { NetlinkMessage, NetlinkRequest, Octets } from "#hal/netlink.ts";
import type { Secret } from "#hal/secret.ts";
import { attribute, netlinkFlags } from "../../transport/netlink-wire.ts";
import { type Attributes, type Codec, listOf, table } from "../netlink/attributes.ts";
import {
  bool,
  counter,
  dropped,
  hex,
  hexOfSize,
  networkU32,
  u8,
  u32,
  u64,
} from "../netlink/codecs.ts";
import { generic, genericBody } from "../netlink/genetlink.ts";
import { cipherSuite, offload, sci, validation } from "../netlink/rtnetlink-link.ts";

/** The name of the generic netlink family. */
export const macsecFamily = "macsec";

const commands = {
  getTxSc: 0,
  addRxSc: 1,
  deleteRxSc: 2,
  addTxSa: 4,
  deleteTxSa: 5,
  updateTxSa: 6,
  addRxSa: 7,
  deleteRxSa: 8,
  updateRxSa: 9,
} as const;

const saStatistics = table({
  inPktsOk: [1, counter],
  inPktsInvalid: [2, counter],
  inPktsNotValid: [3, counter],
  inPktsNotUsingSa: [4, counter],
  inPktsUnusedSa: [5, counter],
  outPktsProtected: [6, counter],
  outPktsEncrypted: [7, counter],
});

const saRows = {
  an: [1, u8],
  active: [2, bool],
  /** 32 bits wide, or 64 with extended packet numbering. */
  pn: [3, counter],
  key: [4, dropped],
  /** The MI and KN of the SAK, so that both ends of a link show the same identifier. */
  keyId: [5, hexOfSize(16)],
  statistics: [6, saStatistics],
  pad: [7, hex],
  ssci: [8, networkU32],
  salt: [9, dropped],
} as const;
const saTable = table(saRows);

const rxScStatistics = table({
  inOctetsValidated: [1, counter],
  inOctetsDecrypted: [2, counter],
  inPktsUnchecked: [3, counter],
  inPktsDelayed: [4, counter],
  inPktsOk: [5, counter],
  inPktsInvalid: [6, counter],
  inPktsLate: [7, counter],
  inPktsNotValid: [8, counter],
  inPktsNotUsingSa: [9, counter],
  inPktsUnusedSa: [10, counter],
  pad: [11, hex],
});

const txScStatistics = table({
  outPktsProtected: [1, counter],
  outPktsEncrypted: [2, counter],
  outOctetsProtected: [3, counter],
  outOctetsEncrypted: [4, counter],
  pad: [5, hex],
});

const secyStatistics = table({
  outPktsUntagged: [1, counter],
  inPktsUntagged: [2, counter],
  outPktsTooLong: [3, counter],
  inPktsNoTag: [4, counter],
  inPktsBadTag: [5, counter],
  inPktsUnknownSci: [6, counter],
  inPktsNoSci: [7, counter],
  inPktsOverrun: [8, counter],
  pad: [9, hex],
});

const secy = table({
  sci: [1, sci],
  encodingSa: [2, u8],
  window: [3, u32],
  cipherSuite: [4, cipherSuite],
  icvLength: [5, u8],
  protect: [6, bool],
  replay: [7, bool],
  oper: [8, bool],
  validate: [9, validation],
  encrypt: [10, bool],
  includeSci: [11, bool],
  endStation: [12, bool],
  singleCopyBroadcast: [13, bool],
  pad: [14, hex],
});

const rxSc = table({
  sci: [1, sci],
  active: [2, bool],
  sas: [3, listOf(saTable)],
  statistics: [4, rxScStatistics],
  pad: [5, hex],
});

const macsecRows = {
  link: [1, u32],
  secy: [4, secy],
  txSas: [5, listOf(saTable)],
  rxScs: [6, listOf(rxSc)],
  txScStatistics: [7, txScStatistics],
  secyStatistics: [8, secyStatistics],
  offload: [9, table({ type: [1, offload] })],
} as const;
const macsecTable = table(macsecRows);

/** One SecY with all that belongs to it. */
export type MacsecDevice = Attributes<typeof macsecRows>;

/** Builds the dump of all SecYs; `type` is the number of the family. */
export function dumpMacsec(type: number): NetlinkRequest {
  return generic(type, commands.getTxSc, netlinkFlags.dump, []);
}

/** Returns a reader of the dump's messages; `type` is the number of the family. */
export function readMacsec(type: number): (message: NetlinkMessage) => MacsecDevice | undefined {
  return (message) => {
    if (message.type !== type) return undefined;
    const { view, start, end } = genericBody(message);
    return macsecTable.read(view, start, end);
  };
}

/** A new SA; with extended packet numbering it has an SSCI and a salt too. */
interface SaKey {
  readonly an: number;
  readonly nextPn: bigint;
  readonly keyId: string;
  readonly sak: Secret;
  readonly extended?: { readonly ssci: number; readonly salt: Secret };
}

type SaChange = Readonly<{ an: number; active?: boolean; nextPn?: bigint }> & {
  /** True if the suite's packet number has 64 bits. */
  readonly extended?: boolean;
};

/** A receive channel of the peer on one link. */
interface RxScName {
  readonly link: number;
  readonly sci: string;
}

const rxScConfig = table({ sci: [1, sci], active: [2, bool] });
const pn = (extended: boolean): Codec<bigint> => (extended ? u64 : u32Wide);

// The kernel refuses a packet number of the other width.
const u32Wide: Codec<bigint> = {
  read: (view, start, end) => BigInt(u32.read(view, start, end)),
  write: (value) => u32.write(Number(value)),
};

function scName({ sci: name }: RxScName): Octets {
  return attribute(2, rxScConfig.write({ sci: name }));
}

function saOf(parts: Octets): Octets {
  return attribute(3, parts);
}

function installed({ an, nextPn, keyId, sak, extended }: SaKey): Octets {
  return saOf([
    ...saTable.write({ an, active: true }),
    ...attribute(3, pn(extended !== undefined).write(nextPn)),
    ...attribute(4, [sak]),
    ...saTable.write({ keyId, ssci: extended?.ssci }),
    ...(extended === undefined ? [] : attribute(9, [extended.salt])),
  ]);
}

function changed({ an, active, nextPn, extended }: SaChange): Octets {
  return saOf([
    ...saTable.write({ an, active }),
    ...(nextPn === undefined ? [] : attribute(3, pn(extended === true).write(nextPn))),
  ]);
}

const linkOf = (link: number): Octets => macsecTable.write({ link });

/** Builds the requests that change channels and SAs; links are interface indices. */
export interface MacsecWriter {
  /** Creates the peer's receive channel, active. */
  addRxSc(channel: RxScName): NetlinkRequest;
  /** Deletes the receive channel with its SAs. */
  deleteRxSc(channel: RxScName): NetlinkRequest;
  /** Installs an active transmit SA. */
  addTxSa(link: number, sa: SaKey): NetlinkRequest;
  /** Changes the state or the next packet number of a transmit SA. */
  updateTxSa(link: number, change: SaChange): NetlinkRequest;
  /** Deletes a transmit SA; the kernel refuses this (EBUSY) while the SA is active. */
  deleteTxSa(link: number, an: number): NetlinkRequest;
  /** Installs an active receive SA. */
  addRxSa(channel: RxScName, sa: SaKey): NetlinkRequest;
  /** Changes the state or the lowest acceptable packet number of a receive SA. */
  updateRxSa(channel: RxScName, change: SaChange): NetlinkRequest;
  /** Deletes a receive SA; the kernel refuses this (EBUSY) while it is active. */
  deleteRxSa(channel: RxScName, an: number): NetlinkRequest;
}

/** Builds requests of the family with the number `type`. */
export function macsecWriter(type: number): MacsecWriter {
  const onChannel = (command: number, channel: RxScName, more: Octets): NetlinkRequest =>
    generic(type, command, 0, [...linkOf(channel.link), ...scName(channel), ...more]);
  const onLink = (command: number, link: number, more: Octets): NetlinkRequest =>
    generic(type, command, 0, [...linkOf(link), ...more]);
  const addRxSc = (channel: RxScName): NetlinkRequest => {
    const config = attribute(2, rxScConfig.write({ sci: channel.sci, active: true }));
    return generic(type, commands.addRxSc, 0, [...linkOf(channel.link), ...config]);
  };
  return {
    addRxSc,
    deleteRxSc: (channel) => onChannel(commands.deleteRxSc, channel, []),
    addTxSa: (link, sa) => onLink(commands.addTxSa, link, installed(sa)),
    updateTxSa: (link, change) => onLink(commands.updateTxSa, link, changed(change)),
    deleteTxSa: (link, an) => onLink(commands.deleteTxSa, link, changed({ an })),
    addRxSa: (channel, sa) => onChannel(commands.addRxSa, channel, installed(sa)),
    updateRxSa: (channel, change) => onChannel(commands.updateRxSa, channel, changed(change)),
    deleteRxSa: (channel, an) => onChannel(commands.deleteRxSa, channel, changed({ an })),
  };
}
