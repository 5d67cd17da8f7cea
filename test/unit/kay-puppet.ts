// A station whose every MKPDU a test writes itself, opposite one KaY without a wire between.

import { Kay } from "#drivers/linux/mka/kay.ts";
import type {
  KayEvent,
  KayObservation,
  KayOutput,
  KaySettings,
} from "#drivers/linux/mka/kay-types.ts";
import { wrapSak } from "#drivers/linux/mka/keys.ts";
import { type DistributedSak, locate, type Mkpdu, parse } from "#drivers/linux/mka/mkpdu.ts";
import type { SecyOperation, SecyReport } from "#drivers/linux/mka/operations.ts";
import { type Instant, instantAfter } from "#hal/world.ts";
import { Prng } from "#sim/prng.ts";
import { sciA, sciB, settings } from "./kay-kit.ts";
import { built, keysOf, mkpduOf, secretOf, type TestCa } from "./kay-recorded.ts";
import { TestSecy } from "./kay-secy.ts";

export type Rest = Parameters<typeof mkpduOf>[2];

function read(frame: Uint8Array): Mkpdu {
  const located = locate(frame);
  if (located.kind !== "located") throw new Error(located.kind);
  const mkpdu = parse(located);
  if ("kind" in mkpdu) throw new Error(mkpdu.why);
  return mkpdu;
}

/** One KaY under test, whose SecY does everything at once. */
export class Subject {
  readonly kay: Kay;
  readonly ca: TestCa;
  readonly secy = new TestSecy(sciA);
  readonly operations: SecyOperation["kind"][] = [];
  readonly events: KayEvent[] = [];
  readonly sent: Mkpdu[] = [];
  now = 0 as Instant;

  constructor(ca: TestCa, wanted: Partial<KaySettings> = {}, seed = "subject") {
    this.ca = ca;
    const { now } = this;
    const entropy = new Prng(seed);
    this.kay = new Kay({ sci: sciA, settings: { ...settings, ...wanted }, entropy, now });
    using cak = secretOf(ca.cak);
    this.take(this.kay.command({ kind: "addActor", ckn: ca.ckn, cak, role: "primary" }, now));
  }

  /** Reports come once everything of one call is done, as at the edge. */
  take(outputs: readonly KayOutput[]): void {
    const reports: SecyReport[] = [];
    for (const output of outputs) {
      switch (output.kind) {
        case "send":
          this.sent.push(read(output.frame));
          break;
        case "secy": {
          const { id, operation } = output;
          this.operations.push(operation.kind);
          const errno = this.secy.carryOut(operation);
          reports.push(errno === undefined ? { kind: "done", id } : { kind: "refused", id, errno });
          break;
        }
        case "event":
          this.events.push(output.event);
          break;
        case "remember":
          break;
      }
    }
    for (const report of reports) this.take(this.kay.report(report, this.now));
  }

  hear(frame: Uint8Array): void {
    this.take(this.kay.receive(frame, this.now));
  }

  /** Time passes, with every tick in its time. */
  pass(ms: number): void {
    const end = instantAfter(this.now, ms);
    for (;;) {
      const at = this.kay.wakeAt(this.now);
      if (at === undefined || at > end) break;
      this.now = at;
      this.take(this.kay.tick(this.now));
    }
    this.now = end;
  }

  get last(): Mkpdu {
    const last = this.sent.at(-1);
    if (last === undefined) throw new Error("nothing was sent");
    return last;
  }

  get seen(): KayObservation {
    return this.kay.observe(this.now);
  }

  all<K extends KayEvent["kind"]>(kind: K): Extract<KayEvent, { kind: K }>[] {
    return this.events.filter(
      (event): event is Extract<KayEvent, { kind: K }> => event.kind === kind,
    );
  }
}

export class Puppet {
  readonly subject: Subject;
  readonly ca: TestCa;
  readonly sci: string;
  mi: string;
  mn = 0;
  priority = 8;
  keyServer = true;
  version = 3;

  constructor(subject: Subject, sci = sciB, mi = new Prng(sci).hex(12)) {
    this.subject = subject;
    this.ca = subject.ca;
    this.sci = sci;
    this.mi = mi;
  }

  /** The next MKPDU, which is not heard yet. */
  frame(rest: Rest = {}): Uint8Array {
    this.mn += 1;
    const { ca, version, priority, keyServer, sci, mi } = this;
    return built(mkpduOf({ ca, version, priority, keyServer, sci, mi }, this.mn, rest), ca);
  }

  /** The subject as it last spoke. */
  get heard(): { mi: string; mn: number }[] {
    const { mi, mn } = this.subject.last.basic;
    return [{ mi, mn }];
  }

  say(rest: Rest = {}): void {
    this.subject.hear(this.frame(rest));
  }

  /** Says that the subject is there. */
  answer(rest: Rest = {}): void {
    this.say({ livePeers: this.heard, ...rest });
  }

  /** A SAK of its own, in the form of an XPN suite unless told. */
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

  /** What it does with a SAK of its own. */
  use(kn: number, an: number, how: "receive" | "transmit", lowestPn = 1): Rest {
    const transmit = how === "transmit";
    const keyIdentifier = { mi: this.mi, kn };
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
  server.say();
  server.answer({ distributedSak: server.sak(1, 0) });
  server.answer({ ...server.use(1, 0, "transmit"), distributedSak: server.sak(1, 0) });
  return { subject, server };
}
