// A station whose every MKPDU a test writes itself, opposite one KaY without a wire between.

import type { KaySettings } from "#drivers/linux/mka/kay-types.ts";
import { wrapSak } from "#drivers/linux/mka/keys.ts";
import type { DistributedSak } from "#drivers/linux/mka/mkpdu.ts";
import { Prng } from "#sim/base/prng.ts";
import { built, keysOf, mkpduOf, secretOf, type TestCa } from "../../../kit/kay-recorded.ts";
import { sciB } from "../../../kit/kay-station.ts";
import { Subject } from "./kay-subject.ts";

export type Rest = Parameters<typeof mkpduOf>[2];

export class Puppet {
  readonly subject: Subject;
  readonly ca: TestCa;
  readonly sci: string;
  mi: string;
  mn = 0;
  priority = 8;
  keyServer = true;
  version = 3;

  constructor(subject: Subject, sci = sciB, mi = new Prng(sci).hex(12), ca = subject.ca) {
    this.subject = subject;
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

  /** The subject by its last MKPDU in this CA. */
  get heard(): { mi: string; mn: number }[] {
    const { mi, mn } = this.subject.lastIn(this.ca).basic;
    return [{ mi, mn }];
  }

  sendMkpdu(rest: Rest = {}): void {
    this.subject.hear(this.frame(rest));
  }

  /** Reports that the subject is live. */
  answer(rest: Rest = {}): void {
    this.sendMkpdu({ livePeers: this.heard, ...rest });
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

/** A subject that is a member, and the key server opposite, with its first SAK in use. */
export function member(
  ca: TestCa,
  wanted: Partial<KaySettings> = {},
): { subject: Subject; server: Puppet } {
  const subject = new Subject(ca, { keyServerPriority: 64, ...wanted });
  const server = new Puppet(subject);
  server.sendMkpdu();
  server.answer({ distributedSak: server.sak(1, 0) });
  server.answer({ ...server.use(1, 0, "transmit"), distributedSak: server.sak(1, 0) });
  return { subject, server };
}
