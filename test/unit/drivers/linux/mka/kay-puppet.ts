// A station whose every MKPDU a test writes itself, opposite one KaY without a wire between.

import type { KaySettings } from "#drivers/linux/mka/kay-types.ts";
import { Prng } from "#sim/base/prng.ts";
import type { TestCa } from "../../../kit/kay-recorded.ts";
import { sciB } from "../../../kit/kay-station.ts";
import { MkpduWriter, type Rest } from "../../../kit/kay-writer.ts";
import { Subject } from "./kay-subject.ts";

export class Puppet extends MkpduWriter {
  readonly subject: Subject;

  constructor(subject: Subject, sci = sciB, mi = new Prng(sci).hex(12), ca = subject.ca) {
    super(ca, sci, mi);
    this.subject = subject;
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
