// Encodes MKPDUs, IEEE Std 802.1X-2020 11.11.

import { icvBytes } from "./keys.ts";
import {
  type AnnouncedSuite,
  agility,
  aligned,
  type Basic,
  basicBytes,
  type DistributedSak,
  eapolVersion,
  etherType,
  headerBytes,
  type KeyUse,
  type Mkpdu,
  noMi,
  type PeerEntry,
  packetType,
  type SakUse,
  type XpnSet,
} from "./mkpdu.ts";

/** 11.1.1: the group address of port access entities, which no bridge forwards. */
const paeGroup = Uint8Array.of(0x01, 0x80, 0xc2, 0x00, 0x00, 0x03);

/** `second` and `flags` are octet 2 and the high nibble of octet 3. */
function set(type: number, second: number, flags: number, body: Uint8Array): Uint8Array {
  const octets = new Uint8Array(4 + aligned(body.length));
  octets[0] = type;
  octets[1] = second;
  octets[2] = flags | (body.length >> 8);
  octets[3] = body.length & 0xff;
  octets.set(body, 4);
  return octets;
}

function numbers(...values: readonly number[]): Uint8Array {
  const octets = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => {
    octets.writeUInt32BE(value, 4 * index);
  });
  return octets;
}

const hex = (text: string): Uint8Array => Buffer.from(text, "hex");

function basicSet(basic: Basic): Uint8Array {
  const ckn = hex(basic.ckn);
  const body = new Uint8Array(basicBytes + ckn.length);
  body.set(hex(basic.sci), 0);
  body.set(hex(basic.mi), 8);
  body.set(numbers(basic.mn, agility), 20);
  body.set(ckn, basicBytes);
  const bits = (basic.keyServer ? 0x80 : 0) | (basic.macsecDesired ? 0x40 : 0);
  const flags = bits | (basic.macsecCapability << 4);
  return set(basic.version, basic.keyServerPriority, flags, body);
}

function peerSet(type: number, second: number, peers: readonly PeerEntry[]): Uint8Array[] {
  if (peers.length === 0) return [];
  const entries = peers.flatMap(({ mi, mn }) => [hex(mi), numbers(mn)]);
  return [set(type, second, 0, Buffer.concat(entries))];
}

function keyUseOctets(use: KeyUse | undefined): Uint8Array[] {
  if (use === undefined) return [hex(noMi), numbers(0, 1)];
  return [hex(use.keyIdentifier.mi), numbers(use.keyIdentifier.kn, use.lowestPn)];
}

function keyUseBits(use: KeyUse | undefined): number {
  if (use === undefined) return 0;
  return (use.an << 2) | (use.transmit ? 2 : 0) | (use.receive ? 1 : 0);
}

function sakUseSet(use: SakUse): Uint8Array {
  if (use.kind === "plain") return set(3, 0, 0xc0, new Uint8Array(0));
  const keys = (keyUseBits(use.latest) << 4) | keyUseBits(use.old);
  const plain = (use.plainTransmit ? 0x80 : 0) | (use.plainReceive ? 0x40 : 0);
  const flags = plain | (use.delayProtect ? 0x10 : 0);
  return set(
    3,
    keys,
    flags,
    Buffer.concat([...keyUseOctets(use.latest), ...keyUseOctets(use.old)]),
  );
}

function distributedSakSet(sak: DistributedSak): Uint8Array {
  if (sak.kind === "plain") return set(4, 0, 0, new Uint8Array(0));
  const bits = (sak.an << 6) | (sak.confidentialityOffset << 4);
  const suite = sak.suiteId === undefined ? [] : [hex(sak.suiteId)];
  return set(4, bits, 0, Buffer.concat([numbers(sak.kn), ...suite, sak.wrapped]));
}

function announcementSet(announced: readonly AnnouncedSuite[]): Uint8Array {
  const entries = announced.flatMap(({ suiteId, capability }) => [
    Uint8Array.of(0, capability),
    hex(suiteId),
  ]);
  const header = Uint8Array.of(112 << 1, 10 * announced.length);
  return set(7, 0, 0, Buffer.concat([header, ...entries]));
}

function xpnSet({ suspensionSeconds, latestHigh, oldHigh }: XpnSet): Uint8Array {
  return set(8, suspensionSeconds, 0, numbers(latestHigh, oldHigh));
}

const icvIndicatorSet = Uint8Array.of(255, 0, 0, icvBytes);

/** Encodes a frame with 16 zero octets in place of its ICV. */
export function frameOf(mkpdu: Mkpdu): Uint8Array {
  const sets = [
    basicSet(mkpdu.basic),
    ...peerSet(1, mkpdu.keyServerSsci, mkpdu.livePeers),
    ...peerSet(2, 0, mkpdu.potentialPeers),
    ...(mkpdu.sakUse === undefined ? [] : [sakUseSet(mkpdu.sakUse)]),
    ...(mkpdu.distributedSak === undefined ? [] : [distributedSakSet(mkpdu.distributedSak)]),
    ...(mkpdu.announced === undefined ? [] : [announcementSet(mkpdu.announced)]),
    ...(mkpdu.xpn === undefined ? [] : [xpnSet(mkpdu.xpn)]),
    ...(mkpdu.icvIndicator === "absent" ? [] : [icvIndicatorSet]),
  ];
  const length = sets.reduce((sum, { length: bytes }) => sum + bytes, icvBytes);
  const header = Buffer.alloc(headerBytes);
  header.set(paeGroup);
  header.set(hex(mkpdu.basic.sci.slice(0, 12)), 6);
  header.writeUInt16BE(etherType, 12);
  header[14] = eapolVersion;
  header[15] = packetType;
  header.writeUInt16BE(length, 16);
  return Uint8Array.from(Buffer.concat([header, ...sets, new Uint8Array(icvBytes)]));
}
