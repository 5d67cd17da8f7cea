// A station whose every MKPDU a test writes itself: each field may be false, with a right ICV.

import { wrapSak } from "#drivers/linux/mka/keys.ts";
import type { DistributedSak } from "#drivers/linux/mka/mkpdu.ts";
import { Prng } from "#sim/base/prng.ts";
import { built, keysOf, mkpduOf, secretOf, type TestCa } from "./kay-recorded.ts";

export type Rest = Parameters<typeof mkpduOf>[2];

export class MkpduWriter {
  readonly ca: TestCa;
  readonly sci: string;
  mi: string;
  mn = 0;
  priority = 8;
  keyServer = true;
  version = 3;

  constructor(ca: TestCa, sci: string, mi: string) {
    this.ca = ca;
    this.sci = sci;
    this.mi = mi;
  }

  /** Returns the next MKPDU, which is not delivered yet. */
  frame(rest: Rest = {}): Uint8Array {
    this.mn += 1;
    const { ca, version, priority, keyServer, sci, mi } = this;
    return built(mkpduOf({ ca, version, priority, keyServer, sci, mi }, this.mn, rest), ca);
  }

  /** A SAK of its own, in the form of an XPN suite by default. */
  sak(kn: number, an: number, more: Partial<Extract<DistributedSak, { kind: "wrapped" }>> = {}) {
    const bytes = 32;
    const wrapped = wrapSak(keysOf(this.ca).kek, secretOf(new Prng(`sak ${kn}`).hex(bytes)));
    return {
      kind: "wrapped",
      an,
      confidentialityOffset: 1,
      kn,
      suiteId: "0080c20001000004",
      wrapped,
      ...more,
    } as const;
  }

  /** The use of a SAK of its own, or of the key server with that MI. */
  use(kn: number, an: number, how: "receive" | "transmit", lowestPn = 1, mi = this.mi): Rest {
    const transmit = how === "transmit";
    const keyIdentifier = { mi, kn };
    const latest = { keyIdentifier, an, transmit, receive: true, lowestPn };
    const plain = { plainTransmit: false, plainReceive: false, delayProtect: false };
    return { sakUse: { kind: "used", latest, old: undefined, ...plain } };
  }
}
