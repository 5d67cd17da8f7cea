// One KaY under test whose SecY carries out everything at once, without a wire.

import { Kay } from "#drivers/linux/mka/kay.ts";
import type {
  KayEvent,
  KayObservation,
  KayOutput,
  KaySettings,
} from "#drivers/linux/mka/kay-types.ts";
import { locate, type Mkpdu, parse } from "#drivers/linux/mka/mkpdu.ts";
import type { SecyOperation, SecyReport } from "#drivers/linux/mka/operations.ts";
import { type Instant, instantAfter } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import { keysOf, type TestCa } from "../../../kit/kay-recorded.ts";
import { TestSecy } from "../../../kit/kay-secy.ts";
import { sciA, settings } from "../../../kit/kay-station.ts";

function read(frame: Uint8Array): Mkpdu {
  const located = locate(frame);
  if (located.kind !== "located") throw new Error(located.kind);
  const mkpdu = parse(located);
  if ("kind" in mkpdu) throw new Error(mkpdu.why);
  return mkpdu;
}

/** One KaY under test, whose SecY carries out everything at once. */
export class Subject {
  kay: Kay;
  readonly ca: TestCa;
  readonly secy = new TestSecy(sciA);
  readonly operations: SecyOperation["kind"][] = [];
  readonly events: KayEvent[] = [];
  readonly sent: Mkpdu[] = [];
  readonly settings: KaySettings;
  now = 0 as Instant;

  constructor(ca: TestCa, wanted: Partial<KaySettings> = {}, seed = "subject") {
    this.ca = ca;
    const { now } = this;
    const entropy = new Prng(seed);
    this.settings = { ...settings, ...wanted };
    this.kay = new Kay({ sci: sciA, settings: this.settings, entropy, now });
    const keys = keysOf(ca);
    this.take(this.kay.command({ kind: "addActor", ckn: ca.ckn, keys, role: "primary" }, now));
  }

  /** Replaces the KaY with a successor, which has its snapshot and the SecY. */
  restart(): void {
    const { now } = this;
    const from = { snapshot: this.kay.snapshot(now), held: this.secy.observe() };
    const entropy = new Prng(`successor at ${now}`);
    this.kay = new Kay({ sci: sciA, settings: this.settings, entropy, now, ...from });
    this.take(this.kay.tick(now));
  }

  /** Delivers reports once all operations of one call are done, as the SecY's edge does. */
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

  /** Lets time pass, with every tick at its time. */
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

  /** Returns the last MKPDU in one CA. */
  lastIn({ ckn }: TestCa): Mkpdu {
    const last = this.sent.findLast(({ basic }) => basic.ckn === ckn);
    if (last === undefined) throw new Error("nothing was sent");
    return last;
  }

  get observed(): KayObservation {
    return this.kay.observe(this.now);
  }

  all<K extends KayEvent["kind"]>(kind: K): Extract<KayEvent, { kind: K }>[] {
    return this.events.filter(
      (event): event is Extract<KayEvent, { kind: K }> => event.kind === kind,
    );
  }
}
