// Turns verdicts, changes and requests into records of the audit log. Only the answer to a request
// waits for the disk: a failed write is tried again, and dropped records leave a gap.

import { LinksealError } from "#hal/error.ts";
import type { Instant, WallTime, World } from "#hal/world.ts";
import { mkaLifeMs } from "../../health/sample-window.ts";
import type { Campaign } from "../../model/campaign.ts";
import type { HealthSettings } from "../../model/desired.ts";
import { worstOf } from "../../model/health.ts";
import { isWarningCode, warningRows } from "../../model/warning-rows.ts";
import { changeOf } from "../../store/audit/change.ts";
import type { AuditLog, AuditTrail, Carry } from "../../store/audit/log.ts";
import type { AuditRecord, Change, Found } from "../../store/audit/record.ts";
import { type Refusal, Refusals } from "../../store/audit/refusals.ts";
import type { Entry } from "../../store/journal/chain.ts";
import type { JournalRecord } from "../../store/journal/memory.ts";
import { fromStored } from "../../store/journal/stored.ts";
import { unwritable } from "../../store/journal/unwritable.ts";
import type { Observed } from "./observed.ts";

/** The parts from which the recorder is built. */
export interface RecorderParts {
  readonly world: Pick<World, "clock" | "log">;
  readonly log: AuditLog;
  /** Fingerprint of the key that signs reports. */
  readonly keyId: string;
  /** The journal's records, for changes that a crash kept out of the audit log. */
  readonly journal: readonly Entry[];
}

/**
 * The interval in milliseconds between confirmations that all verdicts are unchanged. A crash makes
 * that much time unknown, and the time since the last evidence.
 */
const confirmMs = 60_000;
/**
 * The largest difference between wall and monotonic clock from one turn to the next, in
 * milliseconds.
 */
const clockStepMs = 1_000;
const queueMax = 2_000;

/** A record that is not in the log yet. */
interface Queued {
  readonly record: AuditRecord;
  /** Called with its entry once the log contains it, or with why it cannot be written now. */
  readonly settle: (outcome: Entry | LinksealError) => void;
}

interface Open extends Found {
  /** Wall time of the newest observation with this verdict. */
  readonly observedAt: number;
}

interface Turn {
  readonly now: Instant;
  readonly wall: WallTime;
  /** The time until which no verdict can be revised any more. */
  readonly held: number;
}

/** The recorder: it writes verdicts, changes and requests to the audit log. */
export class Recorder {
  readonly #parts: RecorderParts;
  readonly #open = new Map<string, Open>();
  readonly #campaigns = new Map<string, Campaign>();
  readonly #queue: Queued[] = [];
  readonly #refusals = new Refusals();
  #journalSeq: number;
  #heldBefore: number;
  #last: Turn | undefined;
  #confirmedAt: Instant | undefined;
  #toConfirm: number | undefined;
  #pumping: Promise<void> = Promise.resolve();
  #isPumping = false;
  /** Until when the log's content is confirmed, if later records were dropped. */
  #heldAtDrop: number | undefined;
  #trouble: LinksealError | undefined;
  /** Number of the newest record that this process wrote, and its newest head. */
  #newest: number | undefined;
  #newestHead: Entry | undefined;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    const { log } = parts;
    const { recent } = log;
    const last = recent.at(-1);
    this.#heldBefore = Math.max(last?.held ?? 0, log.confirmedBefore?.until ?? 0);
    this.#journalSeq = Math.max(
      0,
      ...recent.map((entry) => ("journalSeq" in entry ? (entry.journalSeq ?? 0) : 0)),
    );
  }

  /** Why the last write failed, so that records wait for the disk; undefined = it succeeded. */
  get trouble(): LinksealError | undefined {
    return this.#trouble;
  }

  /**
   * Writes the first record of a process, then the changes that the previous process could not
   * record.
   */
  begin(): void {
    const { log, keyId, journal } = this.#parts;
    this.#put({ kind: "start", tail: log.tail, key: keyId, held: this.#heldBefore });
    for (const entry of journal) {
      const isNew = log.tail !== "none" && entry.seq > this.#journalSeq;
      this.#note(fromStored(entry), isNew ? entry.seq : undefined, entry.at);
    }
    this.#journalSeq = Math.max(this.#journalSeq, journal.at(-1)?.seq ?? 0);
  }

  /** Records the verdicts of one moment. */
  turn(observed: readonly Observed[], settings: HealthSettings): void {
    const { clock } = this.#parts.world;
    const now = clock.now();
    const wall = Math.floor(clock.wall()) as WallTime;
    const lookbackMs = settings.evidenceMs + 2 * settings.pollMs;
    this.#breakAt(now, wall, settings);
    const found: (Found | { about: string; verdict: null; since: number })[] = [];
    for (const one of observed) {
      const next = this.#follow(one, wall, lookbackMs);
      if (next !== undefined) found.push(next);
    }
    const names = new Set(observed.map(({ about }) => about));
    for (const about of [...this.#open.keys()].filter((name) => !names.has(name))) {
      this.#open.delete(about);
      found.push({ about, verdict: null, since: wall });
    }
    const held = this.#supportedUntil(wall - lookbackMs);
    this.#last = { now, wall, held };
    if (found.length > 0) this.#put({ kind: "found", found, held });
    if (this.#confirmedAt === undefined || now - this.#confirmedAt >= confirmMs) {
      this.#confirmedAt = now;
      this.#toConfirm = held;
    }
    this.#pump();
  }

  /** Records a change that the journal has just stored. */
  journaled(record: JournalRecord, seq: number): void {
    this.#note(record, seq, this.#parts.world.clock.wall());
    this.#journalSeq = seq;
  }

  /** Records a change; the caller does not wait for the disk. */
  changed(change: Omit<Change, "when">): void {
    this.#change({ ...change, when: this.#wall() }, null);
  }

  /**
   * Records a change for a caller that must not answer before it is durable: resolves once it and
   * all earlier records are, or to the reason why not. A full disk delays no caller.
   */
  recorded(change: Omit<Change, "when">): Promise<LinksealError | undefined> {
    return new Promise((resolve) => {
      this.#change({ ...change, when: this.#wall() }, null, (outcome) => {
        resolve(outcome instanceof LinksealError ? outcome : undefined);
      });
    });
  }

  /**
   * Writes a head: a record whose number and MAC are for other logs. Resolves to it once it is
   * durable, or to the last one if nothing was written since; undefined = nothing can be written
   * now.
   */
  async head(): Promise<Entry | undefined> {
    const isNewest = this.#newest !== undefined && this.#newest === this.#newestHead?.seq;
    if (isNewest && this.#queue.length === 0) return this.#newestHead;
    const outcome = await new Promise<Entry | LinksealError>((resolve) => {
      this.#put({ kind: "head", held: this.#held() }, resolve);
    });
    if (outcome instanceof LinksealError) return undefined;
    this.#newestHead = outcome;
    return outcome;
  }

  /** Counts a request without effect: it waits for no record, and displaces none. */
  refused(refusal: Refusal): void {
    const { clock } = this.#parts.world;
    if (this.#refusals.add(refusal, clock.now(), clock.wall()) === "due") this.#pump();
  }

  /** Ends the records of a process in good order; confirmed times stay confirmed. */
  async end(): Promise<void> {
    this.#refusals.end();
    this.#pump();
    await this.#pumping;
    this.#put({ kind: "stop", held: this.#held() });
    this.#open.clear();
    await this.#pumping;
  }

  /** Reads the log from the disk after all earlier records were written, or failed to be. */
  async read(): Promise<AuditTrail> {
    this.#toConfirm = this.#last?.held;
    this.#pump();
    await this.#pumping;
    return await this.#parts.log.read();
  }

  #wall(): number {
    return Math.floor(this.#parts.world.clock.wall());
  }

  #held(): number {
    // After a restart under a clock that was set back, the time before may lie in the future.
    const held = this.#last?.held ?? this.#heldBefore;
    return Math.min(held, this.#heldAtDrop ?? held);
  }

  /**
   * The time until which no verdict can be revised: what is open as protected may end at its last
   * observation, however old that is. What a report may have called final stays so.
   */
  #supportedUntil(revisable: number): number {
    const supported = [...this.#open.values()]
      .filter(({ verdict }) => verdict === "protected")
      .map(({ observedAt }) => observedAt - mkaLifeMs);
    return Math.max(this.#last?.held ?? 0, Math.min(revisable, ...supported));
  }

  #breakAt(now: Instant, wall: WallTime, { staleAfterMs, pollMs }: HealthSettings): void {
    const last = this.#last;
    if (last === undefined) return;
    const passedMs = now - last.now;
    const stepMs = Math.round(wall - last.wall - passedMs);
    const isStep = Math.abs(stepMs) > clockStepMs;
    const isStalled = passedMs > staleAfterMs + 2 * pollMs;
    const heldAtDrop = this.#heldAtDrop;
    if (!isStep && !isStalled && heldAtDrop === undefined) return;
    const why = isStep ? "clock" : isStalled ? "stalled" : "dropped";
    this.#heldAtDrop = undefined;
    // The log's last verdicts count no further than to the first record that it lacks.
    const held = heldAtDrop ?? last.held;
    this.#put({ kind: "gap", why, stepMs: isStep ? stepMs : 0, held });
    this.#open.clear();
    // After a clock was set back, times that are not observed yet must not count as confirmed.
    this.#last = undefined;
    this.#heldBefore = 0;
  }

  #follow(
    { observationAgeMs, ...observed }: Observed,
    wall: WallTime,
    lookbackMs: number,
  ): Found | undefined {
    const before = this.#open.get(observed.about);
    const observedAt = Math.floor(wall - observationAgeMs);
    if (before !== undefined && isSame(before, observed)) {
      this.#open.set(observed.about, { ...before, observedAt });
      return undefined;
    }
    const moment = { wall, observedAt, lookbackMs, held: this.#held() };
    const since = before === undefined ? wall : sinceOf(before, observed, moment);
    const found: Found = { ...observed, since };
    this.#open.set(observed.about, { ...found, observedAt });
    return found;
  }

  #note(record: JournalRecord, seq: number | undefined, when: WallTime): void {
    const group = record.kind === "campaign" ? record.campaign.group : "";
    const change = changeOf(record, this.#campaigns.get(group), when);
    if (record.kind === "campaign") this.#campaigns.set(group, record.campaign);
    if (change !== undefined && seq !== undefined) this.#change(change, seq);
  }

  #change(change: Change, journalSeq: number | null, settle?: Queued["settle"]): void {
    this.#put(this.#recordOf(change, journalSeq), settle);
  }

  #recordOf(change: Change, journalSeq: number | null): AuditRecord {
    const { what, when, client } = change;
    const [about, text] = [plain(change.about), plain(change.text)];
    const who = change.who === null ? null : plain(change.who);
    const asker = client === undefined ? {} : { client };
    const rest = { text, journalSeq, held: this.#held() };
    return { kind: "change", what, about, when, who, ...asker, ...rest };
  }

  #put(record: AuditRecord, settle: Queued["settle"] = () => undefined): void {
    this.#queue.push({ record, settle });
    if (this.#queue.length > queueMax) this.#drop();
    this.#pump();
  }

  /** The disk took no records for long: all that wait are dropped, and a gap records that. */
  #drop(): void {
    const [first] = this.#queue;
    this.#heldAtDrop ??= first?.record.held;
    for (const { settle } of this.#queue)
      settle(this.#trouble ?? unwritable("audit log", "the audit log", undefined));
    this.#queue.length = 0;
  }

  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    this.#pumping = this.#drain();
  }

  // Each new record tries again to write those that a full disk refused.
  async #drain(): Promise<void> {
    const { log, world } = this.#parts;
    try {
      // The check and the end of the loop are one step, so that no record comes between them and
      // waits for another.
      for (let write = this.#next(log); write !== undefined; write = this.#next(log)) {
        await write();
        // Only a successful write shows that the disk takes records.
        this.#trouble = undefined;
      }
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      if (this.#trouble === undefined) world.log.write("warn", error.code, error.message);
      this.#trouble = error;
      for (const { settle } of this.#queue) settle(error);
    } finally {
      this.#isPumping = false;
    }
  }

  /**
   * The next write: records first, then counts of refusals, then the confirmation; undefined =
   * nothing waits.
   */
  #next(log: AuditLog): (() => Promise<void>) | undefined {
    const carry = (): Carry => this.#carry();
    const [first] = this.#queue;
    if (first !== undefined) {
      return async () => {
        const entry = await log.append(first.record, carry);
        this.#newest = entry.seq;
        first.settle(entry);
        if (this.#queue[0] === first) this.#queue.shift();
      };
    }
    const refused = this.#refusals.due(this.#parts.world.clock.now());
    if (refused !== undefined) {
      return async () => {
        const { seq } = await log.append(this.#recordOf(refused, null), carry);
        this.#newest = seq;
        this.#refusals.written();
      };
    }
    const until = this.#toConfirm;
    // Later records do not confirm a time that the log lacks.
    if (until === undefined || this.#heldAtDrop !== undefined) return undefined;
    return async () => {
      await log.confirm(until);
      if (this.#toConfirm === until) this.#toConfirm = undefined;
    };
  }

  #carry(): Carry {
    const carry = [...this.#open.values()].map(({ observedAt: _observedAt, ...found }) => found);
    return { carry, journalSeq: this.#journalSeq, held: this.#held() };
  }
}

const textMax = 500;

// A name or a reason may come from a device or an operator: invisible characters are replaced.
function plain(text: string): string {
  return text.slice(0, textMax).replace(/[\p{C}\u2028\u2029]/gu, "?");
}

function isSame(a: Omit<Found, "since">, b: Omit<Found, "since">): boolean {
  const names = ({ verdict, suite, ckn, codes }: Omit<Found, "since">): string =>
    JSON.stringify([verdict, suite, ckn, [...codes].sort()]);
  return names(a) === names(b);
}

interface Moment {
  readonly wall: number;
  readonly observedAt: number;
  readonly lookbackMs: number;
  /** The time until which a report may have called verdicts final. */
  readonly held: number;
}

/**
 * When a new verdict begins. A better one counts from the evaluation that gives it. A worse one
 * counts from the last observation that supported the previous one, because the time between proves
 * neither.
 */
function sinceOf(before: Open, observed: Omit<Found, "since">, moment: Moment): number {
  const { wall, observedAt, lookbackMs, held } = moment;
  const within = (at: number): number => Math.min(wall, Math.max(before.since, held, at));
  const { verdict } = observed;
  // The same verdict for another reason, without a newer observation, proves no time since that.
  const isUnread = verdict === before.verdict && observedAt <= before.observedAt;
  if (isUnread) return within(before.observedAt - mkaLifeMs);
  if (verdict === "protected" || verdict === before.verdict) return wall;
  if (before.verdict === "unknown") return within(observedAt);
  const isWorse = worstOf([before.verdict, verdict]) === verdict;
  if (!isWorse && verdict !== "unknown") return wall;
  const isCounted = observed.codes.some(
    (code) => isWarningCode(code) && warningRows[code].fromCounters,
  );
  const seenUntil = before.observedAt - mkaLifeMs;
  return within(isCounted ? Math.min(wall - lookbackMs, seenUntil) : seenUntil);
}
