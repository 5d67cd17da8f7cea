import { describe, expect, it } from "vitest";
import { keyIdOf } from "#drivers/linux/mka/keys.ts";
import type { HeldSecy } from "#drivers/linux/mka/operations.ts";
import {
  type Difference,
  differences,
  type Expected,
} from "#drivers/linux/mka/secy-differences.ts";

const [near, far] = ["02000000000b0001", "02000000000c0001"];
const keyIdentifier = { mi: "0a".repeat(12), kn: 3 };
const keyId = keyIdOf(keyIdentifier);

const sak = {
  keyIdentifier,
  an: 1,
  transmit: "enabled",
  receive: new Map([[near, { state: "enabled" }]] as const),
  reached: new Map([[near, 40n]]),
} as const;
const expected: Expected = { channels: [near], saks: [sak], nextPn: () => 70n };
const held: HeldSecy = {
  encodingAn: 1,
  transmitSas: [{ an: 1, keyId, active: true, nextPn: 75n }],
  receiveScis: [near],
  receiveSas: [{ sci: near, an: 1, keyId, active: true, nextPn: 40n }],
};
const [sends] = held.transmitSas;
const [takes] = held.receiveSas;
if (sends === undefined || takes === undefined) throw new Error("nothing is held");
const receiveSa: Difference = { kind: "receiveSa", sci: near, an: 1 };
const transmitSa: Difference = { kind: "transmitSa", an: 1 };
const foreign = "ff".repeat(16);

interface Row {
  readonly name: string;
  readonly is: Partial<HeldSecy>;
  readonly found: readonly Difference[];
}
const rows: readonly Row[] = [
  { name: "nothing", is: {}, found: [] },
  {
    name: "a channel that is gone, with its SA",
    is: { receiveScis: [], receiveSas: [] },
    found: [{ kind: "receiveSc", sci: near }],
  },
  { name: "a receive SA that is gone", is: { receiveSas: [] }, found: [receiveSa] },
  {
    name: "a receive SA that is off",
    is: { receiveSas: [{ ...takes, active: false }] },
    found: [receiveSa],
  },
  {
    name: "a receive SA of another key",
    is: { receiveSas: [{ ...takes, keyId: foreign }] },
    found: [receiveSa],
  },
  {
    name: "a receive SA whose packet number went back",
    is: { receiveSas: [{ ...takes, nextPn: 39n }] },
    found: [receiveSa],
  },
  { name: "a transmit SA that is gone", is: { transmitSas: [] }, found: [transmitSa] },
  {
    name: "a transmit SA that is off",
    is: { transmitSas: [{ ...sends, active: false }] },
    found: [transmitSa],
  },
  {
    name: "a transmit SA of another key",
    is: { transmitSas: [{ ...sends, keyId: foreign }] },
    found: [transmitSa],
  },
  {
    name: "a transmit SA whose packet number went back",
    is: { transmitSas: [{ ...sends, nextPn: 69n }] },
    found: [transmitSa],
  },
  { name: "another encoding AN", is: { encodingAn: 2 }, found: [{ kind: "encodingAn", an: 1 }] },
  {
    name: "a channel too many, with its SA",
    is: {
      receiveScis: [near, far],
      receiveSas: [takes, { ...takes, sci: far, keyId: foreign }],
    },
    found: [{ kind: "strayReceiveSc", sci: far }],
  },
  {
    name: "an SA of each direction too many",
    is: {
      transmitSas: [sends, { ...sends, an: 2 }],
      receiveSas: [takes, { ...takes, an: 3 }],
    },
    found: [
      { kind: "strayReceiveSa", sci: near, an: 3 },
      { kind: "strayTransmitSa", an: 2 },
    ],
  },
];

describe("the SecY beside what MKA put into it", () => {
  it.each(rows)("the comparison finds $name", ({ is, found }) => {
    expect(differences(expected, { ...held, ...is })).toEqual(found);
  });

  it("an SA that is being installed, or given up, is not missed", () => {
    const nothing = { ...held, transmitSas: [], receiveSas: [] };
    for (const state of ["installing", "gone"] as const) {
      const receive = new Map([[near, { state }]]);
      const saks = [{ ...sak, receive, transmit: state }];
      expect(differences({ ...expected, saks }, nothing)).toEqual([]);
    }
  });

  it("an SA that was given up and is there is one too many", () => {
    const receive = new Map([[near, { state: "gone" }]] as const);
    const saks = [{ ...sak, receive, transmit: "gone" }] as const;
    expect(differences({ ...expected, saks }, held)).toEqual([
      { kind: "strayReceiveSa", sci: near, an: 1 },
      { kind: "strayTransmitSa", an: 1 },
    ]);
  });
});
