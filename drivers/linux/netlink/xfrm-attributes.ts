// Attributes of XFRM messages. A process that may change SAs gets their keys in every dump, so the
// octets of a key are wiped in place and never copied.

import { unparsed } from "../../transport/netlink-wire.ts";
import { type Attributes, type Codec, type ReadCodec, table } from "./attributes.ts";
import { hex, named, text, u8, u32, u64, words } from "./codecs.ts";
import { readAddressAs } from "./xfrm-structs.ts";

const nameBytes = 64;

interface Algorithm {
  /** The name as in /proc/crypto, such as `rfc4106(gcm(aes))`. */
  readonly name: string;
  readonly keyBits: number;
}

interface CutAlgorithm extends Algorithm {
  /** The length of the ICV. */
  readonly icvBits: number;
}

function wipe(view: DataView, start: number, end: number): void {
  for (let at = start; at < end; at += 1) view.setUint8(at, 0);
}

const algorithm: ReadCodec<Algorithm> = {
  read(view, start, end) {
    const key = start + nameBytes + 4;
    if (key > end) throw unparsed("an algorithm without its name");
    wipe(view, key, end);
    return {
      name: algorithmName(view, start),
      keyBits: view.getUint32(start + nameBytes, true),
    };
  },
};

const cutAlgorithm: ReadCodec<CutAlgorithm> = {
  read(view, start, end) {
    const key = start + nameBytes + 8;
    if (key > end) throw unparsed("an algorithm without its name");
    wipe(view, key, end);
    return {
      name: algorithmName(view, start),
      keyBits: view.getUint32(start + nameBytes, true),
      icvBits: view.getUint32(start + nameBytes + 4, true),
    };
  },
};

let lastName = "";

// Among thousands of SAs the name is nearly always the one before.
function algorithmName(view: DataView, start: number): string {
  for (let at = 0; at < lastName.length; at += 1) {
    if (view.getUint8(start + at) !== lastName.charCodeAt(at)) {
      lastName = "";
      break;
    }
  }
  if (lastName === "" || view.getUint8(start + lastName.length) !== 0) {
    lastName = text.read(view, start, start + nameBytes);
  }
  return lastName;
}

const cryptType = 2;
const aeadType = 18;
const cutAuthType = 20;

interface Encapsulation {
  /** 2 is ESP in UDP. */
  readonly type: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

const encapsulation: ReadCodec<Encapsulation> = {
  read(view, start, end) {
    if (end - start < 6) throw unparsed("an encapsulation without its ports");
    return {
      type: view.getUint16(start, true),
      sourcePort: view.getUint16(start + 2),
      destinationPort: view.getUint16(start + 4),
    };
  },
};

/** The 64-bit numbers of the last packets of an SA. */
interface SequenceNumbers {
  readonly out: bigint;
  readonly in: bigint;
  readonly replayWindow: number;
  /** Which of the last packets came, newest last. */
  readonly bitmap: string;
}

const sequenceNumbers: ReadCodec<SequenceNumbers> = {
  read(view, start, end) {
    if (end - start < 24) throw unparsed("sequence numbers without their heads");
    const number = (low: number, high: number): bigint =>
      (BigInt(view.getUint32(start + high, true)) << 32n) |
      BigInt(view.getUint32(start + low, true));
    return {
      out: number(4, 12),
      in: number(8, 16),
      replayWindow: view.getUint32(start + 20, true),
      bitmap: hex.read(view, start + 24, end),
    };
  },
};

interface Template {
  readonly family: number;
  readonly source: string;
  readonly destination: string;
  readonly spi: number;
  readonly ipProtocol: number;
  readonly mode: number;
  readonly reqid: number;
  readonly optional: boolean;
  readonly share: number;
  /** Masks of the algorithms that may be used. */
  readonly auth: number;
  readonly crypt: number;
  readonly compression: number;
}

export const templateBytes = 64;
/** The kernel accepts no more (XFRM_MAX_DEPTH). */
const templatesMax = 6;

const templates: ReadCodec<readonly Template[]> = {
  read(view, start, end) {
    const count = (end - start) / templateBytes;
    if (!Number.isInteger(count) || count > templatesMax) throw unparsed("odd templates");
    const found: Template[] = [];
    for (let at = start; at < end; at += templateBytes) found.push(template(view, at));
    return found;
  },
};

function template(view: DataView, at: number): Template {
  const family = view.getUint16(at + 24, true);
  return {
    family,
    destination: readAddressAs(view, at, family),
    spi: view.getUint32(at + 16),
    ipProtocol: view.getUint8(at + 20),
    source: readAddressAs(view, at + 28, family),
    reqid: view.getUint32(at + 44, true),
    mode: view.getUint8(at + 48),
    optional: view.getUint8(at + 50) !== 0,
    share: view.getUint8(at + 49),
    auth: view.getUint32(at + 52, true),
    crypt: view.getUint32(at + 56, true),
    compression: view.getUint32(at + 60, true),
  };
}

const policyType: ReadCodec<"main" | "sub" | "other"> = {
  read(view, start, end) {
    if (start === end) throw unparsed("a policy type without its number");
    return (["main", "sub"] as const)[view.getUint8(start)] ?? "other";
  },
};

const direction = named({ 1: "in", 2: "out" }, u8);

/** The kernel sends all 8 octets of the union for every family. */
const mark: Codec<{ readonly value: number; readonly mask: number }> = {
  read: (view, start, end) => {
    if (end - start !== 8) throw unparsed("a mark without its mask");
    return { value: view.getUint32(start, true), mask: view.getUint32(start + 4, true) };
  },
  write: ({ value, mask }) => [...u32.write(value), ...u32.write(mask)],
};

const rows = {
  auth: [1, algorithm],
  crypt: [cryptType, algorithm],
  compression: [3, algorithm],
  encapsulation: [4, encapsulation],
  templates: [5, templates],
  securityContext: [8, hex],
  lifetime: [9, hex],
  /** The counters of an SA without extended sequence numbers. */
  replay: [10, words("out", "in", "bitmap")],
  replayThreshold: [11, u32],
  timerThreshold: [12, u32],
  sourceAddress: [13, hex],
  careOfAddress: [14, hex],
  lastUsed: [15, u64],
  policyType: [16, policyType],
  aead: [aeadType, cutAlgorithm],
  cutAuth: [cutAuthType, cutAlgorithm],
  mark: [21, mark],
  trafficPadding: [22, u32],
  extendedReplay: [23, sequenceNumbers],
  extraFlags: [24, u32],
  protocol: [25, u8],
  pad: [27, hex],
  offload: [28, words("link", "flags")],
  outputMark: [29, u32],
  outputMarkMask: [30, u32],
  ifId: [31, u32],
  mappingThreshold: [32, u32],
  direction: [33, direction],
  natKeepalive: [34, u32],
  processor: [35, u32],
} as const;

export const xfrmAttributes = table(rows);
export type XfrmAttributes = Attributes<typeof rows>;
