import { describe, expect, it } from "vitest";
import { hasIcv, unwrapSak } from "#drivers/linux/mka/keys.ts";
import { locate, parse } from "#drivers/linux/mka/mkpdu.ts";
import {
  built,
  firstSakFrame,
  hexOf,
  keysOf,
  octetsOf,
  recordedFrames,
  sealed,
  shortCa,
} from "../../../kit/kay-recorded.ts";

function read(frame: Uint8Array) {
  const located = locate(frame);
  return located.kind === "located" ? parse(located) : located;
}

const w3 = firstSakFrame();
const changed = (change: (frame: Uint8Array, view: DataView) => void): Uint8Array => {
  const frame = Uint8Array.from(w3);
  change(frame, new DataView(frame.buffer));
  return sealed(frame, shortCa);
};

/** W3 with other parameter sets behind the basic one. */
function withSets(sets: string): Uint8Array {
  const octets = octetsOf(hexOf(w3.subarray(0, 66)) + sets + "0".repeat(32));
  new DataView(octets.buffer).setUint16(16, octets.length - 18);
  return sealed(octets, shortCa);
}

const whyNot = (frame: Uint8Array): unknown => {
  const result = read(frame);
  return "kind" in result ? (result.kind === "malformed" ? result.why : result.kind) : "read";
};

describe("recorded MKPDUs of other participants", () => {
  it.each(recordedFrames)(
    "a recorded MKPDU is decoded and encoded again: $name",
    ({ ca, mkpdu, icv, sak }) => {
      const frame = built(mkpdu, ca);
      expect(hexOf(frame.subarray(-16))).toBe(icv);
      const located = locate(frame);
      if (located.kind !== "located") throw new Error(located.kind);
      expect(located.ckn).toBe(ca.ckn);
      expect(hasIcv(keysOf(ca).ick, located.octets, located.icv)).toBe(true);
      expect(parse(located)).toEqual(mkpdu);
      const { distributedSak } = mkpdu;
      if (sak === undefined || distributedSak?.kind !== "wrapped") return;
      const key = unwrapSak(keysOf(ca).kek, distributedSak.wrapped);
      expect(key?.use(hexOf)).toBe(sak);
    },
  );

  it("all 29 recorded MKPDUs with fields of the codec are tested", () => {
    expect(recordedFrames).toHaveLength(29);
  });

  it("a parameter set of an unknown type is skipped", () => {
    const frame = withSets("0100001080278fe9e1e7f5642cba595e00000001" + "090000050102030405000000");
    const view = new DataView(frame.buffer);
    view.setUint32(42, 5);
    const again = sealed(frame, shortCa);
    expect(hexOf(again.subarray(-16))).toBe("9eeefc487bca7f2be63e33bb0059116d");
    expect(read(again)).toMatchObject({ livePeers: [{ mn: 1 }], basic: { mn: 5 } });
  });

  it("the padding of Ethernet is ignored", () => {
    const padded = new Uint8Array(w3.length + 7).fill(0xee);
    padded.set(w3);
    expect(read(padded)).toEqual(read(w3));
  });
});

const live = "0100001080278fe9e1e7f5642cba595e00000001";
const wrapped24 = "00".repeat(24);

describe("FCS_MKA_EXT.1: malformed MKPDUs are refused for their reason", () => {
  const rows: readonly [string, Uint8Array, string][] = [
    ["shorter than a header", w3.subarray(0, 17), "shortFrame"],
    [
      "sent to an individual address",
      changed((f) => f.set([2, 0, 0, 0, 0, 0xb])),
      "individualAddress",
    ],
    ["under 32 octets", changed((_, v) => v.setUint16(16, 28)), "under32Octets"],
    [
      "not a multiple of four",
      changed((_, v) => v.setUint16(16, v.getUint16(16) - 2)),
      "notMultipleOf4",
    ],
    ["one octet short", w3.subarray(0, w3.length - 1), "truncated"],
    ["longer than its frame", changed((_, v) => v.setUint16(16, 132)), "truncated"],
    [
      "of unknown algorithm agility",
      changed((_, v) => v.setUint32(46, 0x0080c202)),
      "algorithmAgility",
    ],
    ["of EAPOL version 2", changed((f) => f.set([2], 14)), "eapolVersion"],
    ["without a CKN", changed((f) => f.set([28], 21)), "cknLength"],
    ["with a CKN of 33 octets", changed((f) => f.set([61], 21)), "cknLength"],
    [
      "with a basic set that leaves no room for the ICV",
      (() => {
        const frame = Uint8Array.from(w3.subarray(0, 78));
        new DataView(frame.buffer).setUint16(16, 60);
        frame[21] = 60;
        return frame;
      })(),
      "setPastEnd",
    ],
    ["of version 0", changed((f) => f.set([0], 18)), "version"],
    ["peer list of 15 octets", withSets(live.replace("0010", "000f")), "peerList"],
    ["potential peer list of 20 octets", withSets(`02000014${"00".repeat(20)}`), "peerList"],
    ["a set longer than the packet", withSets(live.replace("0010", "0fff")), "setPastEnd"],
    [
      "a set that ends inside the ICV",
      withSets(`${live}0900000100000000`.slice(0, -8)),
      "setPastEnd",
    ],
    ["SAK use of 36 octets", withSets(`03000024${"00".repeat(36)}`), "sakUse"],
    ["SAK of 24 octets", withSets(`04100018${"00".repeat(24)}`), "distributedSak"],
    ["SAK of 32 octets", withSets(`04100020${"00".repeat(32)}`), "distributedSak"],
    [
      "SAK too short for its suite",
      withSets(`0410002c000000010080c20001000002${"00".repeat(32)}`),
      "distributedSak",
    ],
    [
      "SAK too long for its suite",
      withSets(`04100034000000010080c20001000003${"00".repeat(40)}`),
      "distributedSak",
    ],
    ["CAK of 24 octets", withSets(`05000018${wrapped24}`), "distributedCak"],
    ["XPN set of 4 octets", withSets("0800000400000000"), "xpn"],
    ["ICV indicator of 20 octets", withSets("ff000014"), "icvIndicator"],
    ["ICV indicator with something behind it", withSets(`ff000010${live}`), "icvIndicator"],
  ];
  it.each(rows)("an MKPDU is refused: %s", (_, frame, why) => {
    expect(whyNot(frame)).toBe(why);
  });
});

describe("what the decoder tolerates", () => {
  const rows: readonly [string, string][] = [
    ["SAK use longer than 40 octets", `0300002c${"00".repeat(44)}`],
    ["distributed CAK", `0500001c${"00".repeat(28)}`],
    ["KMD", "060000056162636465000000"],
    ["ICV indicator", "ff000010"],
    ["a suite with an unknown id", `041000240000000100aabbcc00000009${wrapped24}`],
    ["GCM-AES-128 by its id", `04100024000000010080c20001000001${wrapped24}`],
    ["XPN set longer than 8 octets", "0800000c000000000000000000000000"],
  ];
  it.each(rows)("an MKPDU is read: %s", (_, sets) => {
    expect(whyNot(withSets(live + sets))).toBe("read");
  });

  it.each([
    ["TLV beyond its set", "07000004e00a0002"],
    ["an announcement that cannot be read is ignored: %s", "07000008e006000200000000"],
  ])("an announcement that cannot be read is passed over: %s", (_, set) => {
    const mkpdu = read(withSets(live + set));
    expect(mkpdu).toMatchObject({ livePeers: [{ mn: 1 }] });
    expect(mkpdu).not.toHaveProperty("announced");
  });

  it("an announcement of other things lists no suites", () => {
    expect(read(withSets(`${live}07000004de026162`))).toMatchObject({ announced: [] });
  });

  it("the second set of a type is ignored", () => {
    const mkpdu = read(withSets(live + live.replace("0001", "0001").replace(/01$/, "09")));
    expect(mkpdu).toMatchObject({ livePeers: [{ mn: 1 }] });
  });

  it("EAPOL of other kinds is foreign", () => {
    expect(whyNot(changed((f) => f.set([1], 15)))).toBe("foreign");
    expect(whyNot(changed((f) => f.set([0x88, 0xe5], 12)))).toBe("foreign");
  });
});
