// An audit log on a simulated disk, and the reports of a health evaluator to it.

import { confirmedUntil, timelineOf } from "#agent/evidence/report/timeline.ts";
import type { Observed } from "#agent/runtime/health/observed.ts";
import { Recorder } from "#agent/runtime/health/recorder.ts";
import { AuditLog } from "#agent/store/audit/log.ts";
import { Secret } from "#hal/secret.ts";
import type { World } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { Prng } from "#sim/base/prng.ts";
import { settled, wallStart } from "./site-bench.ts";

export const settings = { pollMs: 5_000, staleAfterMs: 30_000, evidenceMs: 90_000 };
/** The time in ms that a confirmation leaves out: the evidence window and two polls. */
export const lookbackMs = 100_000;

export function observed(
  about: string,
  verdict: Observed["verdict"],
  rest: Partial<Observed> = {},
): Observed {
  const suite = verdict === "protected" ? "gcm-aes-xpn-256" : null;
  const ckn = verdict === "protected" ? "ab".repeat(32) : null;
  return { about, kind: "link", verdict, codes: [], suite, ckn, observationAgeMs: 0, ...rest };
}

export class AuditBench {
  readonly clock = new SimClock(wallStart);
  readonly disk: SimDisk;
  readonly logged: string[] = [];
  log: AuditLog | undefined;
  recorder: Recorder | undefined;
  readonly #segmentBytes: number;

  constructor(segmentBytes = 4 * 1024 * 1024) {
    this.#segmentBytes = segmentBytes;
    this.disk = new SimDisk({ clock: this.clock, prng: new Prng("audit"), writeMs: 2 });
  }

  /** Starts a process on the disk of the one before. */
  async live(): Promise<Recorder> {
    return await settled(this.clock, this.begin(this.disk));
  }

  /** Opens a recorder; it resolves as virtual time passes, or never if `disk` is killed. */
  async begin(disk: World["disk"]): Promise<Recorder> {
    const key = Secret.take("host key", new Uint8Array(32).fill(7));
    const world = { disk, clock: this.clock };
    const options = { key, host: "host-a", segmentBytes: this.#segmentBytes };
    this.log = await AuditLog.open(world, options);
    const log = { write: (...line: readonly unknown[]) => void this.logged.push(line.join(" ")) };
    const parts = { world: { clock: this.clock, log }, log: this.log, journal: [] };
    this.recorder = new Recorder({ ...parts, keyId: "SHA256:test" });
    this.recorder.begin();
    return this.recorder;
  }

  /** Reports the same verdicts at every poll for `ms`. */
  async evaluate(ms: number, ...all: readonly Observed[]): Promise<void> {
    const end = this.clock.now() + ms;
    while (this.clock.now() < end) {
      this.recorder?.turn(all, settings);
      await this.clock.runFor(settings.pollMs);
    }
  }

  async trail() {
    if (this.log === undefined) throw new Error("no log is open");
    return await settled(this.clock, this.log.read());
  }

  /**
   * Returns `12s-40s protected` and so on of one link, from the start of the bench; unknown parts
   * too.
   */
  async line(about = "g/a"): Promise<readonly string[]> {
    const period = { from: wallStart, to: Math.ceil(this.clock.wall() / 1000) * 1000 };
    const { lines } = timelineOf(await this.trail(), period);
    const found = lines.find((each) => each.about === about);
    const at = (ms: number): string => `${Math.round((ms - wallStart) / 1000)}s`;
    return (found?.intervals ?? []).map(
      ({ from, to, verdict }) => `${at(from)}-${at(to)} ${verdict}`,
    );
  }

  async held(): Promise<number> {
    return ((confirmedUntil(await this.trail()) ?? wallStart) - wallStart) / 1000;
  }
}
