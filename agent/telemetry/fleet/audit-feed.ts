// Publishes the records of the audit log in order, each once: the engine's newest record says where
// to go on, so that an outage, a restart or a lost acknowledgement needs no memory of its own.

import { parseJson } from "#hal/json.ts";
import type { Clock } from "#hal/world.ts";
import type { FleetEngine, Written } from "../../fleet/engine.ts";
import type { Evidence } from "../../runtime/agent-shapes.ts";
import type { AuditEntry } from "../../store/audit/record.ts";
import type { Progress } from "./status-document.ts";

/** Records that are in memory at a time. */
const batchMax = 256;
/** The log is looked at this often, in milliseconds. */
const lookMs = 1_000;
/** After a failure the engine is asked again no sooner, in milliseconds. */
const retryMs = 5_000;

export interface FeedParts {
  readonly engine: FleetEngine;
  readonly evidence: Pick<Evidence, "host" | "audit">;
  readonly clock: Clock;
  readonly site: string;
}

/** One record as the engine keeps it: what is needed to find it again, and the record. */
interface Published {
  readonly schema: "linkseal.auditRecord/1";
  readonly site: string;
  readonly host: string;
  readonly seq: number;
  readonly record: unknown;
}

/** The feed of one accepted config. */
export class AuditFeed {
  readonly #parts: FeedParts;
  /** Number of the newest record that the engine has; undefined = it has to be asked. */
  #published: number | undefined;
  /** Its revision, after which the next one is added; undefined = the engine has to be asked. */
  #revision: number | undefined;
  #lost = 0;

  constructor(parts: FeedParts) {
    this.#parts = parts;
  }

  /** How far it has got. */
  get progress(): Progress {
    return { published: this.#published ?? 0, lost: this.#lost };
  }

  /** Runs until the signal aborts. */
  async run(end: AbortSignal): Promise<void> {
    const { clock, engine } = this.#parts;
    while (!end.aborted) {
      const isUp = engine.state.kind === "connected";
      if (!isUp) this.#forget();
      const waitMs = isUp ? await this.#turn(end) : lookMs;
      if (waitMs > 0) await clock.sleep(waitMs, end).catch(() => undefined);
    }
  }

  /** Publishes one batch; resolves to the pause after it. */
  async #turn(end: AbortSignal): Promise<number> {
    const { audit } = this.#parts.evidence;
    if (this.#revision === undefined) await this.#start(end);
    if (this.#published === undefined || this.#revision === undefined) return retryMs;
    const newest = audit.newestSeq;
    if (newest <= this.#published) return lookMs;
    const entries = await audit.after(this.#published, batchMax);
    // All of them are damaged or overwritten.
    if (entries.length === 0) this.#skip(newest);
    for (const entry of entries) {
      const written = await this.#publish(entry, this.#revision, end);
      if (written.kind === "ok" || isHopeless(written)) {
        this.#skip(entry.seq);
        if (written.kind === "ok") {
          this.#revision = written.revision;
          this.#lost -= 1;
        }
        continue;
      }
      // What the engine has after a lost answer, only the engine knows.
      if (isConflict(written)) this.#revision = undefined;
      else this.#forget();
      return retryMs;
    }
    return entries.length === batchMax ? 0 : lookMs;
  }

  /** Goes on after number `seq`; the records up to it count as lost. */
  #skip(seq: number): void {
    this.#lost += seq - (this.#published ?? seq);
    this.#published = seq;
  }

  #forget(): void {
    this.#published = undefined;
    this.#revision = undefined;
  }

  /** Asks the engine after which number to go on; it may not say. */
  async #start(end: AbortSignal): Promise<void> {
    const { engine, evidence, site } = this.#parts;
    const newest = await engine.newest("LINKSEAL-EVENTS", site, end);
    if (newest.kind !== "absent" && newest.kind !== "value") return;
    const fresh = Math.max(0, evidence.audit.newestSeq - batchMax);
    this.#revision = newest.revision;
    if (newest.kind === "absent") {
      this.#published = fresh;
      return;
    }
    const seq = publishedSeq(newest.octets, evidence.host);
    // A record of another host, or one that this log does not have: the log is another one, and
    // what it has is published beside it, so that the hub sees both.
    const isOwn = seq !== undefined && seq <= evidence.audit.newestSeq;
    this.#published = isOwn ? seq : (this.#published ?? fresh);
  }

  async #publish(entry: AuditEntry, after: number, end: AbortSignal): Promise<Written> {
    const { engine, evidence, site } = this.#parts;
    const { host } = evidence;
    const message: Published = {
      schema: "linkseal.auditRecord/1",
      ...{ site, host, seq: entry.seq },
      record: recordOf(entry),
    };
    const octets = new TextEncoder().encode(JSON.stringify(message));
    return await engine.publish("LINKSEAL-EVENTS", site, { octets, after }, end);
  }
}

/** A record that no later attempt can bring through must not hold up those after it. */
function isHopeless(written: Written): boolean {
  return written.kind === "refused" && written.reason === "tooLarge";
}

/** Another message came between: the engine has to be asked what is newest. */
function isConflict(written: Written): boolean {
  return written.kind === "refused" && written.reason === "conflict";
}

/** A segment's first record repeats the state of every link, which earlier records have. */
function recordOf(entry: AuditEntry): unknown {
  return entry.kind === "segment" ? { ...entry, carry: undefined } : entry;
}

function publishedSeq(octets: Uint8Array, host: string): number | undefined {
  try {
    const value = parseJson(new TextDecoder().decode(octets), { characters: 1_000_000 });
    if (typeof value !== "object" || value === null) return undefined;
    const { host: from, seq } = value as Readonly<Record<string, unknown>>;
    const isNumber = typeof seq === "number" && Number.isSafeInteger(seq) && seq >= 0;
    return from === host && isNumber ? seq : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
