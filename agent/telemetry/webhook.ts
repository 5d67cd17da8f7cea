// Sends events to a service outside: in order, at least once, from a bounded queue. A message has
// codes, names and linkseal's own titles, and no text of a device.

import type { World } from "#hal/world.ts";
import { explanations } from "../explain/explain.ts";
import type { WebhookSettings } from "../model/desired.ts";
import type { LinksealEvent } from "../model/events.ts";
import { isoTime } from "../model/iso-time.ts";
import type { Severity } from "../model/warning-rows.ts";
import { jitterMs } from "../rotation/policy.ts";
import type { AgentView } from "../runtime/agent-view.ts";
import { type PostParts, post } from "./post.ts";

export interface WebhookParts extends PostParts {
  readonly agent: Pick<AgentView, "events" | "intent" | "intentDamage">;
  readonly world: Pick<World, "clock" | "dial" | "entropy" | "log">;
}

/** Counts of events; all 0 if no webhook is configured. */
export interface Deliveries {
  /** Events that the receiver accepted. */
  readonly delivered: number;
  /** Events that were lost. */
  readonly dropped: number;
  /** Events in the queue. */
  readonly waiting: number;
}

const waitingMax = 500;
const batchMax = 50;
const backoffMs = { least: 1_000, most: 300_000 };
/** Every event wakes the loop, so this sleep may be long, in milliseconds. */
const idleMs = 3_600_000;

/** The webhook of the accepted config. */
export class Webhook {
  readonly #parts: WebhookParts;
  readonly #began: string;
  readonly #queue: LinksealEvent[] = [];
  #delivered = 0;
  #dropped = 0;
  /** Events lost since the last message that was accepted. */
  #lost = 0;
  #failures = 0;
  /** How many of the first events are in the message under way. */
  #underWay = 0;
  #wake = new AbortController();

  constructor(parts: WebhookParts) {
    this.#parts = parts;
    this.#began = isoTime(parts.world.clock.wall());
  }

  /** Counts of the events so far. */
  get deliveries(): Deliveries {
    return { delivered: this.#delivered, dropped: this.#dropped, waiting: this.#queue.length };
  }

  /**
   * Sends until the signal aborts; events in the queue are lost then, and the next agent reports
   * the state.
   */
  async run(end: AbortSignal): Promise<void> {
    const deaf = this.#parts.agent.events.listen((event) => this.#take(event));
    while (!end.aborted) {
      this.#wake = new AbortController();
      const settings = this.#settings;
      if (settings === undefined) this.#queue.length = 0;
      if (settings === undefined || this.#queue.length === 0) {
        await this.#pause(idleMs, AbortSignal.any([this.#wake.signal, end]));
        continue;
      }
      const pauseMs = await this.#send(settings, end);
      if (pauseMs > 0) await this.#pause(pauseMs, end);
    }
    deaf();
  }

  get #settings(): WebhookSettings | undefined {
    return this.#parts.agent.intent?.desired.telemetry.webhook;
  }

  #take(event: LinksealEvent): void {
    const settings = this.#settings;
    // The event may be about another config.
    this.#wake.abort();
    // The cause of a consequence is sent, and one failure is one message.
    if (event.because !== undefined) return;
    if (settings === undefined || worthOf(event) < rank[settings.least]) return;
    this.#queue.push(event);
    if (this.#queue.length <= waitingMax) return;
    // Drops the oldest event that is not in the message under way, because that one may still
    // arrive.
    this.#queue.splice(this.#underWay, 1);
    this.#lose(1);
  }

  #lose(count: number): void {
    this.#dropped += count;
    this.#lost += count;
  }

  /** Sends one message; resolves to the pause after it, in milliseconds. */
  async #send(settings: WebhookSettings, end: AbortSignal): Promise<number> {
    const batch = this.#queue.slice(0, batchMax);
    const lost = this.#lost;
    const body = this.#bodyOf(batch, lost);
    this.#underWay = batch.length;
    const posted = await post(this.#parts, settings, body, end).catch((error: unknown) => {
      if (end.aborted) return undefined;
      throw error;
    });
    this.#underWay = 0;
    switch (posted?.kind) {
      case undefined:
        return 0;
      case "taken":
        this.#queue.splice(0, batch.length);
        this.#delivered += batch.length;
        this.#lost -= lost;
        this.#failures = 0;
        return 0;
      case "refused":
        this.#queue.splice(0, batch.length);
        this.#lose(batch.length);
        this.#complain(posted.why, `${batch.length} events are dropped`);
        return backoffMs.least;
      case "later":
        this.#failures += 1;
        this.#complain(posted.why, "they are sent again");
        return posted.afterMs ?? this.#backoffMs();
    }
  }

  #complain(why: string, then: string): void {
    // Logged once per outage, so that the log keeps room for other lines.
    if (this.#failures > 1) return;
    const text = `events are not delivered: ${why}; ${then}`;
    this.#parts.world.log.write("warn", "webhook-failed", text);
  }

  #backoffMs(): number {
    const doubled = backoffMs.least * 2 ** Math.min(this.#failures - 1, 20);
    const waitMs = Math.min(doubled, backoffMs.most);
    return waitMs + jitterMs(this.#parts.world.entropy.bytes(4), waitMs / 4);
  }

  async #pause(ms: number, until: AbortSignal): Promise<void> {
    // After both ends of the sleep the loop checks what to do.
    await this.#parts.world.clock.sleep(ms, until).catch(() => undefined);
  }

  #bodyOf(batch: readonly LinksealEvent[], lost: number): string {
    return JSON.stringify({
      schema: "linkseal.webhook/1",
      site: this.#parts.agent.intent?.desired.site ?? "",
      began: this.#began,
      lost,
      events: batch.map(messageOf),
    });
  }
}

const rank: Readonly<Record<Severity, number>> = { info: 0, warning: 1, error: 2 };

/** A recovery is worth as much as what it ends, so that it reaches the receivers of that. */
function worthOf({ severity, ends }: LinksealEvent): number {
  return Math.max(rank[severity], rank[ends ?? "info"]);
}

/** `text` is left out: it may repeat what a device or a service sent. */
function messageOf(event: LinksealEvent): object {
  const { n, at, code, about, severity, over, resolves, ends, verdict } = event;
  return {
    n,
    at,
    code,
    about,
    severity,
    title: titleOf(code),
    ...(over === undefined ? {} : { over }),
    ...(resolves === undefined ? {} : { resolves, ends }),
    ...(verdict === undefined ? {} : { verdict }),
  };
}

/**
 * `campaign-gated` is the event of the state `gated`; a warning's code may begin with `campaign-`
 * too.
 */
function titleOf(code: string): string {
  const entry = explanations.get(code) ?? explanations.get(code.replace(/^campaign-/, ""));
  return entry?.title ?? titles[code] ?? "";
}

const titles: Readonly<Record<string, string>> = {
  verdict: "A verdict has changed",
  "intent-accepted": "A config was accepted",
};
