// Turns judgements, changes and questions into records of the audit log. It never keeps the agent
// waiting; what the disk does not take is tried again, and what is dropped is told as a gap.

import { LinksealError } from "#hal/error.ts";
import type { Instant, WallTime, World } from "#hal/world.ts";
import type { Campaign } from "../campaign/model.ts";
import type { HealthSettings } from "../desired.ts";
import { worstOf } from "../health/model.ts";
import type { WarningCode } from "../health/warning-rows.ts";
import { mkaLifeMs } from "../health/window.ts";
import type { Entry } from "../journal/chain.ts";
import type { JournalRecord } from "../journal/memory.ts";
import { changeOf } from "./change.ts";
import type { AuditLog, AuditTrail, Carry } from "./log.ts";
import type { AuditRecord, Change, Found } from "./record.ts";
import type { Seen } from "./seen.ts";

export interface RecorderParts {
  readonly world: Pick<World, "clock" | "log">;
  readonly log: AuditLog;
  /** Fingerprint of the key that reports are signed with. */
  readonly keyId: string;
  /** Records of the journal, for what a crash kept from being told. */
  readonly journal: readonly Entry[];
}

/** How often it is said that all still holds: what a crash can take from "protected", and more. */
const confirmMs = 60_000;
/** Between wall and monotonic clock from one judgement to the next. */
const clockStepMs = 1_000;
const queueMax = 2_000;

// What only counters show holds for a whole evidence window before a verdict says so.
const counterCodes: ReadonlySet<string> = new Set<WarningCode>([
  "frames-untagged",
  "stale-sak",
  "frames-not-valid",
  "replay-window",
  "mtu",
  "frames-one-way",
  "probe-unanswered",
  "counters-frozen",
  "counter-missing",
  "idle-unproven",
  "sak-not-in-use",
  "packet-number-high",
  "tunnel-interface",
  "tunnel-one-way",
  "outside-macsec",
  // IKE finds a dead peer after its liveness checks alone (RFC 7296, section 2.4): 45 s in Azure.
  "ike-down",
  "sa-missing",
  "tunnel-configured-but-absent",
]);

interface Open extends Found {
  /** Wall time of the newest look that showed it so. */
  readonly seenAt: number;
}

interface Turn {
  readonly now: Instant;
  readonly wall: WallTime;
  /** Until when nothing found can be taken back any more. */
  readonly held: number;
}

export class Recorder {
  readonly #parts: RecorderParts;
  readonly #open = new Map<string, Open>();
  readonly #campaigns = new Map<string, Campaign>();
  readonly #queue: AuditRecord[] = [];
  #journalSeq: number;
  #heldBefore: number;
  #last: Turn | undefined;
  #confirmedAt: Instant | undefined;
  #toConfirm: number | undefined;
  #pumping: Promise<void> | undefined;
  #dropped = false;
  #trouble: LinksealError | undefined;

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

  /** Why the newest records are not on the disk yet; undefined = they are, or soon will be. */
  get trouble(): LinksealError | undefined {
    return this.#trouble;
  }

  /** The first record of a process; what the last one did and could not tell follows it. */
  begin(): void {
    const { log, keyId, journal } = this.#parts;
    this.#put({ kind: "start", tail: log.tail, key: keyId, held: this.#heldBefore });
    for (const entry of journal) {
      const isNew = log.tail !== "none" && entry.seq > this.#journalSeq;
      this.#note(entry as unknown as JournalRecord, isNew ? entry.seq : undefined, entry.at);
    }
    this.#journalSeq = Math.max(this.#journalSeq, journal.at(-1)?.seq ?? 0);
  }

  /** All that was judged at one moment. */
  turn(seen: readonly Seen[], settings: HealthSettings): void {
    const { clock } = this.#parts.world;
    const now = clock.now();
    const wall = Math.floor(clock.wall()) as WallTime;
    const lookbackMs = settings.evidenceMs + 2 * settings.pollMs;
    this.#breakAt(now, wall, settings);
    const held = wall - lookbackMs;
    const found: (Found | { about: string; verdict: null; since: number })[] = [];
    for (const one of seen) {
      const next = this.#follow(one, wall, lookbackMs);
      if (next !== undefined) found.push(next);
    }
    const names = new Set(seen.map(({ about }) => about));
    for (const about of [...this.#open.keys()].filter((name) => !names.has(name))) {
      this.#open.delete(about);
      found.push({ about, verdict: null, since: wall });
    }
    this.#last = { now, wall, held };
    if (found.length > 0) this.#put({ kind: "found", found, held });
    if (this.#confirmedAt === undefined || now - this.#confirmedAt >= confirmMs) {
      this.#confirmedAt = now;
      this.#toConfirm = held;
    }
    this.#pump();
  }

  /** A record of the journal stands. */
  journaled(record: JournalRecord, seq: number): void {
    this.#note(record, seq, this.#parts.world.clock.wall());
    this.#journalSeq = seq;
  }

  changed(change: Omit<Change, "when">): void {
    this.#change({ ...change, when: Math.floor(this.#parts.world.clock.wall()) }, null);
  }

  /** Ends the process in good order; what is held now stays held. */
  async end(): Promise<void> {
    this.#put({ kind: "stop", held: this.#held() });
    this.#open.clear();
    await this.#pumping;
  }

  /** What stands on the disk, once all that was told so far does, or cannot. */
  async read(): Promise<AuditTrail> {
    this.#toConfirm = this.#last?.held;
    this.#pump();
    await this.#pumping;
    return await this.#parts.log.read();
  }

  #held(): number {
    return Math.max(this.#last?.held ?? 0, this.#heldBefore);
  }

  #breakAt(now: Instant, wall: WallTime, { staleAfterMs, pollMs }: HealthSettings): void {
    const last = this.#last;
    if (last === undefined) return;
    const passedMs = now - last.now;
    const stepMs = Math.round(wall - last.wall - passedMs);
    const isStep = Math.abs(stepMs) > clockStepMs;
    const isStalled = passedMs > staleAfterMs + 2 * pollMs;
    if (!isStep && !isStalled && !this.#dropped) return;
    const why = isStep ? "clock" : isStalled ? "stalled" : "dropped";
    this.#dropped = false;
    this.#put({ kind: "gap", why, stepMs: isStep ? stepMs : 0, held: last.held });
    this.#open.clear();
    // A clock that was set back must not hold what nobody has seen yet.
    this.#last = undefined;
    this.#heldBefore = 0;
  }

  #follow({ lookAgeMs, ...seen }: Seen, wall: WallTime, lookbackMs: number): Found | undefined {
    const before = this.#open.get(seen.about);
    const seenAt = Math.floor(wall - lookAgeMs);
    if (before !== undefined && isSame(before, seen)) {
      this.#open.set(seen.about, { ...before, seenAt });
      return undefined;
    }
    const since = before === undefined ? wall : sinceOf(before, seen, { wall, seenAt, lookbackMs });
    const found: Found = { ...seen, since };
    this.#open.set(seen.about, { ...found, seenAt });
    return found;
  }

  #note(record: JournalRecord, seq: number | undefined, when: WallTime): void {
    const group = record.kind === "campaign" ? record.campaign.group : "";
    const change = changeOf(record, this.#campaigns.get(group), when);
    if (record.kind === "campaign") this.#campaigns.set(group, record.campaign);
    if (change !== undefined && seq !== undefined) this.#change(change, seq);
  }

  #change(change: Change, journalSeq: number | null): void {
    const { what, when } = change;
    const [about, text] = [plain(change.about), plain(change.text)];
    const who = change.who === null ? null : plain(change.who);
    const told = { what, about, when, who, text, journalSeq };
    this.#put({ kind: "change", ...told, held: this.#held() });
  }

  #put(record: AuditRecord): void {
    this.#queue.push(record);
    if (this.#queue.length > queueMax) {
      this.#queue.length = 0;
      this.#dropped = true;
    }
    this.#pump();
  }

  #pump(): void {
    this.#pumping ??= this.#drain().finally(() => {
      this.#pumping = undefined;
    });
  }

  // Whoever asks for a turn tries again what a full disk has refused.
  async #drain(): Promise<void> {
    const { log, world } = this.#parts;
    try {
      for (;;) {
        const next = this.#queue[0];
        const until = this.#toConfirm;
        if (next !== undefined) {
          await log.append(next, () => this.#carry());
          if (this.#queue[0] === next) this.#queue.shift();
        } else if (until !== undefined) {
          this.#toConfirm = undefined;
          await log.confirm(until);
        } else break;
      }
      this.#trouble = undefined;
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      if (this.#trouble === undefined) world.log.write("warn", error.code, error.message);
      this.#trouble = error;
    }
  }

  #carry(): Carry {
    const carry = [...this.#open.values()].map(({ seenAt: _seenAt, ...found }) => found);
    return { carry, journalSeq: this.#journalSeq, held: this.#held() };
  }
}

const textMax = 500;

// A name or a reason may come from a device or a person: what has no shape on paper is left out.
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
  readonly seenAt: number;
  readonly lookbackMs: number;
}

/**
 * A better verdict counts from the judgement that gives it. A worse one counts from the last look
 * that supported the one before it: whatever lies between is nobody's proof of anything.
 */
function sinceOf(before: Open, seen: Omit<Found, "since">, moment: Moment): number {
  const { wall, seenAt, lookbackMs } = moment;
  const within = (at: number): number => Math.min(wall, Math.max(before.since, at));
  const { verdict } = seen;
  if (verdict === "protected" || verdict === before.verdict) return wall;
  if (before.verdict === "unknown") return within(seenAt);
  const isWorse = worstOf([before.verdict, verdict]) === verdict;
  if (!isWorse && verdict !== "unknown") return wall;
  const isCounted = seen.codes.some((code) => counterCodes.has(code));
  return within(isCounted ? wall - lookbackMs : before.seenAt - mkaLifeMs);
}
