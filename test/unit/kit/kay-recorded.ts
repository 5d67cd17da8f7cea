// MKPDUs of other MKA implementations on the wire: the fields of which they consist and the ICV
// that was recorded. A frame built from the fields is the recorded one, octet by octet, if and only
// if its ICV is the same. All keys are public test keys.

import { type CaKeys, caKeys, icvBytes, macOf } from "#drivers/linux/mka/keys.ts";
import type { KeyUse, Mkpdu, SakUse } from "#drivers/linux/mka/mkpdu.ts";
import { frameOf } from "#drivers/linux/mka/mkpdu-octets.ts";
import type { Ckn } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";

const cak = "0123456789abcdef0123456789abcdef";
const ckn = "6162636465666768696a6b6c6d6e6f70";

export interface TestCa {
  readonly cak: string;
  readonly ckn: Ckn;
}

export const shortCa: TestCa = { cak, ckn: ckn as Ckn };
const longCa: TestCa = { cak: cak + cak, ckn: (ckn + ckn) as Ckn };
const paddedCa: TestCa = { cak, ckn: "3132333435" as Ckn };

export const octetsOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));
export const hexOf = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");
export const secretOf = (hex: string): Secret => Secret.take("test", octetsOf(hex));

const derived = new Map<string, CaKeys>();

export function keysOf({ cak, ckn }: TestCa): CaKeys {
  const known = derived.get(cak + ckn);
  if (known !== undefined) return known;
  const keys = caKeys(secretOf(cak), ckn);
  derived.set(cak + ckn, keys);
  return keys;
}

/** Returns a copy of the frame with the correct ICV. */
export function sealed(frame: Uint8Array, ca: TestCa): Uint8Array {
  const octets = Uint8Array.from(frame);
  const end = octets.length - icvBytes;
  octets.set(macOf(keysOf(ca).ick, octets.subarray(0, end)), end);
  return octets;
}

export const built = (mkpdu: Mkpdu, ca: TestCa): Uint8Array => sealed(frameOf(mkpdu), ca);

interface Station {
  readonly ca: TestCa;
  readonly version: number;
  readonly priority: number;
  readonly keyServer: boolean;
  readonly sci: string;
  readonly mi: string;
}

type Rest = Partial<Omit<Mkpdu, "basic">>;

export function mkpduOf(from: Station, mn: number, rest: Rest = {}): Mkpdu {
  const { ca, version, priority, keyServer, sci, mi } = from;
  const named = { version, keyServerPriority: priority, keyServer, sci, mi, mn, ckn: ca.ckn };
  return {
    basic: { ...named, macsecDesired: true, macsecCapability: 2 },
    livePeers: [],
    keyServerSsci: 0,
    potentialPeers: [],
    icvIndicator: "absent",
    ...rest,
  };
}

const sciA = "02000000000a0001";
const sciB = "02000000000b0001";
const serverOf = (ca: TestCa, version: number, mi: string): Station => ({
  ca,
  version,
  priority: 16,
  keyServer: true,
  sci: sciA,
  mi,
});
const memberOf = (ca: TestCa, version: number, mi: string): Station => ({
  ca,
  version,
  priority: 32,
  keyServer: false,
  sci: sciB,
  mi,
});

function use(mi: string, kn: number, an: number, how: "" | "r" | "tr", lowestPn: number): KeyUse {
  const transmit = how === "tr";
  return { keyIdentifier: { mi, kn }, an, transmit, receive: how !== "", lowestPn };
}

function sakUse(latest: KeyUse | undefined, old: KeyUse | undefined): SakUse {
  return {
    kind: "used",
    latest,
    old,
    plainTransmit: false,
    plainReceive: false,
    delayProtect: false,
  };
}

const sakOf = (an: number, kn: number, suiteId: string | undefined, wrapped: string) =>
  ({
    kind: "wrapped",
    an,
    confidentialityOffset: 1,
    kn,
    suiteId,
    wrapped: octetsOf(wrapped),
  }) as const;

export interface RecordedFrame {
  readonly name: string;
  readonly ca: TestCa;
  readonly mkpdu: Mkpdu;
  readonly icv: string;
  /** The SAK in it, unwrapped. */
  readonly sak?: string;
}

const gcm256 = "0080c20001000002";
const xpn256 = "0080c20001000004";

const wServer = serverOf(shortCa, 1, "3b35f5e235d3d46b61c037a1");
const wMember = memberOf(shortCa, 1, "80278fe9e1e7f5642cba595e");
const zServer = serverOf(longCa, 1, "3afaf29f1542eb567849dfab");
const zMember = memberOf(longCa, 1, "0eed068e56a8c7f3d3363ab7");
const mServer = serverOf(longCa, 3, "1fe2fae14ef6ccf6448cf084");
const mMember = memberOf(longCa, 3, "f1af75b52730fb499fb5a063");
const rServer = serverOf(longCa, 3, "0ea8b8e0ae570cf60210d384");
const rMember = memberOf(longCa, 3, "85bb49ab2c1a2b222d3abd80");
const sServer = serverOf(longCa, 1, "853590d30357ff36f914ea05");
const sMember = memberOf(longCa, 3, "178c24bdc8c793ee0b50be8d");
const pServer = serverOf(paddedCa, 1, "98183a55a716601b3910538f");

const wSak1 = "2496c5cc2344f21f67426970bf04115f35d161438a90674a";
const wSak2 = "f16768191a0d0f5bea7a699fbf73fe05d0dc4b5d9ea51a73";
const zSak1 = "b2a67a32da765fb1bd822ab648aedf6c81b56d363aece468bfb33c18e78e0a7111596a3c4649b22f";
const zSak2 = "b29a9ec92612ed62968ef7f785c00d0a69e493768f34a665e7d151c4050c50f08aece5330891a0c2";
const mSak1 = "8617e8d5d47e0fe3a48e641a41120d6b36a0798cd3ce8094248344b6e9b768b9dd77805bcea33946";
const rSak2 = "c1468f170a088808163d9063d1bf78a70110f1843a53d1635428a2933fc1fc745f1755f41afe98ac";
const sSak1 = "e8952d495815cfa8739e5e25b0e8bee8f26ce345fa11fe86f03d5a135fa82742879146c9238b936c";
const wKey = (kn: number, an: number, how: "" | "r" | "tr", pn: number): KeyUse =>
  use(wServer.mi, kn, an, how, pn);
const rKey = (kn: number, an: number, how: "" | "r" | "tr", pn: number): KeyUse =>
  use(rServer.mi, kn, an, how, pn);

const heard = (station: Station, mn: number) => [{ mi: station.mi, mn }];
const announced = [{ suiteId: xpn256, capability: 2 }];
const xpn = { suspensionSeconds: 0, latestHigh: 0, oldHigh: 0 };
const extended = { announced, xpn };

function w(name: string, mkpdu: Mkpdu, icv: string, sak?: string): RecordedFrame {
  return { name, ca: shortCa, mkpdu, icv, ...(sak === undefined ? {} : { sak }) };
}

function long(name: string, mkpdu: Mkpdu, icv: string, sak?: string): RecordedFrame {
  return { name, ca: longCa, mkpdu, icv, ...(sak === undefined ? {} : { sak }) };
}

const gcm128Frames: readonly RecordedFrame[] = [
  w("W1 first hello", mkpduOf(wServer, 1), "2bf75b765b2c20f0c706fb02c1c1245c"),
  w(
    "W2 potential peer",
    mkpduOf({ ...wMember, keyServer: true }, 1, { potentialPeers: heard(wServer, 2) }),
    "eb79bc6fc03a9bd687437bfbc3e9f872",
  ),
  w(
    "W3 first SAK, before any SAK use",
    mkpduOf(wServer, 3, {
      livePeers: heard(wMember, 1),
      distributedSak: sakOf(0, 1, undefined, wSak1),
    }),
    "3d34d10273b56ceb4790fb29cb4d453e",
    "b165ac4f6c6bd07be36e11d3d353e3fa",
  ),
  w(
    "W4 SAK use beside the SAK",
    mkpduOf(wServer, 4, {
      livePeers: heard(wMember, 1),
      sakUse: sakUse(wKey(1, 0, "tr", 1), undefined),
      distributedSak: sakOf(0, 1, undefined, wSak1),
    }),
    "470dbc8fe8894b2f0e05f4036f9e443a",
    "b165ac4f6c6bd07be36e11d3d353e3fa",
  ),
  w(
    "W5 receiving",
    mkpduOf(wMember, 2, {
      livePeers: heard(wServer, 3),
      sakUse: sakUse(wKey(1, 0, "r", 1), undefined),
    }),
    "bd0401d6d49f7a549359ce2ccbdadf2e",
  ),
  w(
    "W6 transmitting",
    mkpduOf(wMember, 3, {
      livePeers: heard(wServer, 3),
      sakUse: sakUse(wKey(1, 0, "tr", 1), undefined),
    }),
    "0f785f22398adf799e16655e25412357",
  ),
  w(
    "W7 in the old slot",
    mkpduOf(wMember, 4, {
      livePeers: heard(wServer, 3),
      sakUse: sakUse(undefined, wKey(1, 0, "tr", 1)),
    }),
    "9ce471e455d27cd296b9a969569c76ba",
  ),
  w(
    "W8 packet numbers exhausted",
    mkpduOf(wServer, 8, {
      livePeers: heard(wMember, 7),
      sakUse: sakUse(undefined, wKey(1, 0, "tr", 3221225567)),
      distributedSak: sakOf(1, 2, undefined, wSak2),
    }),
    "6993a367b6bfe125b08f5e485755483a",
    "14593dc48426cfbdba7ce72cdb478f26",
  ),
  w(
    "W9 receives with both",
    mkpduOf(wMember, 8, {
      livePeers: heard(wServer, 8),
      sakUse: sakUse(wKey(2, 1, "r", 1), wKey(1, 0, "tr", 104)),
    }),
    "99690dbd36016372645f35cdff8eed26",
  ),
  w(
    "W10 transmits with the second",
    mkpduOf(wServer, 9, {
      livePeers: heard(wMember, 8),
      sakUse: sakUse(wKey(2, 1, "tr", 1), wKey(1, 0, "tr", 3221225606)),
    }),
    "40f0651e4d3e66c070e5bdfe5056384e",
  ),
  w(
    "W11 so does the other",
    mkpduOf(wMember, 9, {
      livePeers: heard(wServer, 9),
      sakUse: sakUse(wKey(2, 1, "tr", 1), wKey(1, 0, "tr", 131)),
    }),
    "99af3004d270e741ec15e9fcd4ded176",
  ),
];

const gcm256Frames: readonly RecordedFrame[] = [
  long("Z1 CKN of 32 octets", mkpduOf(zServer, 1), "b342aae9526bab1921f952eedad1e6ed"),
  long(
    "Z2 potential peer",
    mkpduOf(zServer, 3, { potentialPeers: heard(zMember, 1) }),
    "720322915457e161346bbac8ee0671a0",
  ),
  long(
    "Z3 no key server any more",
    mkpduOf(zMember, 2, { livePeers: heard(zServer, 3) }),
    "d554f51c37f89b8b4995b8699809f43d",
  ),
  long(
    "Z4 a SAK with its suite",
    mkpduOf(zServer, 4, {
      livePeers: heard(zMember, 2),
      distributedSak: sakOf(0, 1, gcm256, zSak1),
    }),
    "d707e51f141c11593e32e8f02f1e9082",
    "2aacdfe6c2c551d190e9a3d315080dff206a672f5c3e3ed752a4c74b0de4128a",
  ),
  long(
    "Z5 SAK use beside it",
    mkpduOf(zServer, 5, {
      livePeers: heard(zMember, 2),
      sakUse: sakUse(use(zServer.mi, 1, 0, "tr", 1), undefined),
      distributedSak: sakOf(0, 1, gcm256, zSak1),
    }),
    "2303b5b2c0cb4adeb50f8a4773d6dede",
  ),
  long(
    "Z6 rekeying",
    mkpduOf(zServer, 8, {
      livePeers: heard(zMember, 7),
      sakUse: sakUse(undefined, use(zServer.mi, 1, 0, "tr", 0xc0000045)),
      distributedSak: sakOf(1, 2, gcm256, zSak2),
    }),
    "8f3bc350387dea34cc0a96682f5199d5",
    "9b0ded61d00f9631eaecb688bb1274e805d3c6421b4352aed19a61a333033edc",
  ),
  long(
    "Z7 receives with both",
    mkpduOf(zMember, 8, {
      livePeers: heard(zServer, 8),
      sakUse: sakUse(use(zServer.mi, 2, 1, "r", 1), use(zServer.mi, 1, 0, "tr", 84)),
    }),
    "2a65a1e77fd472bfc5b705b5db223e7d",
  ),
];

const extendedFrames: readonly RecordedFrame[] = [
  long("M1 announcement", mkpduOf(mServer, 1, { announced }), "1ac815901ce443ba1de307cb7f36f765"),
  long(
    "M2 SSCI of the key server",
    mkpduOf(mServer, 5, {
      livePeers: heard(mMember, 1),
      keyServerSsci: 2,
      sakUse: sakUse(undefined, use(mServer.mi, 1, 1, "tr", 1)),
      distributedSak: sakOf(1, 1, xpn256, mSak1),
      ...extended,
    }),
    "618e958b30318ac2d5867a18e7b9cbdd",
    "8923432458c9bf6950491c1f657e4cca9720b005d4f1aa04135910f61e4d2078",
  ),
  long(
    "M3 in use",
    mkpduOf(mMember, 6, {
      livePeers: heard(mServer, 6),
      sakUse: sakUse(undefined, use(mServer.mi, 1, 1, "tr", 1)),
      ...extended,
    }),
    "c3165934ec76061b2efeac255d24fb24",
  ),
  long(
    "R1 packet number beyond 32 bits",
    mkpduOf(rServer, 10, {
      livePeers: heard(rMember, 4),
      keyServerSsci: 2,
      sakUse: sakUse(rKey(2, 2, "r", 1), rKey(1, 1, "tr", 129)),
      distributedSak: sakOf(2, 2, xpn256, rSak2),
      announced,
      xpn: { ...xpn, oldHigh: 0xc0000000 },
    }),
    "f69a138d04117016e0a87145ab19ad0a",
    "27815b27cb361b6f01db4905677dfc6a4c51164fd2c4c8dc1f44bad030c83789",
  ),
  long(
    "R2 receiving",
    mkpduOf(rMember, 5, {
      livePeers: heard(rServer, 10),
      sakUse: sakUse(rKey(2, 2, "r", 1), rKey(1, 1, "tr", 68)),
      ...extended,
    }),
    "149a97dc7d0bb085a3455a9e1a61c6ff",
  ),
  long(
    "R3 transmitting, the old one only received",
    mkpduOf(rServer, 11, {
      livePeers: heard(rMember, 5),
      sakUse: sakUse(rKey(2, 2, "tr", 1), rKey(1, 1, "r", 130)),
      announced,
      xpn: { ...xpn, oldHigh: 0xc0000000 },
    }),
    "6c786b7e4d41d00b610a2d5ce4db5ca3",
  ),
  long(
    "S1 of version 1",
    mkpduOf(sServer, 3, {
      livePeers: heard(sMember, 4),
      distributedSak: sakOf(0, 1, xpn256, sSak1),
    }),
    "001365fb1a29fa6a8c62135337ee2756",
    "7a598aac62a6e21fffd4edd074009768cfc22b5ede564e7b54e41152897d016b",
  ),
  long(
    "S2 in use",
    mkpduOf(sMember, 6, {
      livePeers: heard(sServer, 3),
      sakUse: sakUse(undefined, use(sServer.mi, 1, 0, "tr", 1)),
      ...extended,
    }),
    "f078f9d2587177673795c25d3b676b6e",
  ),
];

const oddFrames: readonly RecordedFrame[] = [
  {
    name: "P1 CKN of 5 octets",
    ca: paddedCa,
    mkpdu: mkpduOf(pServer, 1),
    icv: "7f7e77bfe169132dcfdabbaf9f4c78a3",
  },
  w(
    "X1 ICV indicator",
    mkpduOf(wServer, 1, { icvIndicator: "present" }),
    "a8b6524fbdd19998e532c55e92f7e9d6",
  ),
  w(
    "X2 no MACsec",
    mkpduOf(wServer, 4, {
      livePeers: heard(wMember, 1),
      sakUse: { kind: "plain" },
      distributedSak: { kind: "plain" },
    }),
    "39abef4c04f96a2eb0f11acfbdeb57da",
  ),
];

export const recordedFrames = [...gcm128Frames, ...gcm256Frames, ...extendedFrames, ...oddFrames];

/** Returns a valid MKPDU with a peer list and a SAK, which tests damage. */
export const firstSakFrame = (): Uint8Array =>
  built((gcm128Frames[2] as RecordedFrame).mkpdu, shortCa);
