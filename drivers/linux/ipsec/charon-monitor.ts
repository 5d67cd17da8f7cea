// Listens to charon's events: they bring the next observation forward, and its log shows the last
// reason why a tunnel is down.

import { LinksealError } from "#hal/error.ts";
import type { Instant } from "#hal/world.ts";
import { ViciClient } from "../../transport/vici.ts";
import type { ViciSection } from "../../transport/vici-wire.ts";
import {
  causeIn,
  causeText,
  causeTexts,
  disproves,
  type FailureCause,
  type Stage,
  silenceText,
} from "./causes.ts";
import { type Charon, leaveCharon } from "./charon.ts";
import { type LogLine, readLogLine } from "./parsers.ts";
import { answerMs, UnansweredRequests } from "./unanswered.ts";

const tunnelsMax = 4_096;
/** The newest lines of one try that are kept. */
const linesMax = 100;
const awayMs = 5_000;

const begins = /initiating .*IKE_SA/i;
const beginsChild = /^establishing CHILD_SA/i;
const moves = /IKE_SA \S+ rekeyed between/i;
const stands = /CHILD_SA \S+ established with SPIs/i;
const ends = /received DELETE for IKE_SA/i;

/** What the log showed last of one tunnel. */
interface TunnelLog {
  /** The lines of the newest try. */
  lines: LogLine[];
  stage: Stage;
  /** The cause of the newest try, or of an earlier one that the newest has not disproved yet. */
  cause: FailureCause | undefined;
  /** That cause in one sentence, with what the lines of its try name. */
  causeText: string;
  /** True after the gateway ended an IKE SA, until the next try. */
  isEnded: boolean;
}

export interface TunnelTrouble {
  /** In one sentence. */
  readonly text: string;
  /** False if it may pass by itself: silence, a busy gateway, an IKE SA that the gateway ended. */
  readonly isRefusal: boolean;
}

const passing = (text: string): TunnelTrouble => ({ text, isRefusal: false });

export class CharonMonitor {
  readonly #logs = new Map<string, TunnelLog>();
  readonly #requests = new UnansweredRequests();

  /** Returns the trouble of a tunnel; undefined = no trouble is known. */
  trouble(tunnel: string): TunnelTrouble | undefined {
    const log = this.#logs.get(tunnel);
    if (log === undefined) return undefined;
    const { cause, isEnded } = log;
    if (cause === "peerSilent") return passing(causeTexts.peerSilent);
    if (cause === "gatewayBusy") return passing(causeTexts.gatewayBusy);
    if (cause !== undefined) return { text: log.causeText, isRefusal: true };
    return isEnded ? passing("the gateway has ended the IKE SA") : undefined;
  }

  /** Returns when silence under an IKE SA began; undefined = its gateway is not silent. */
  silentSince(ikeSa: string, now: Instant): Instant | undefined {
    return this.#requests.silentSince(ikeSa, now);
  }

  /** Returns what the silence of the gateway means for a tunnel that has no SA, as a sentence. */
  silenceText(tunnel: string): string {
    return silenceText(this.#logs.get(tunnel)?.lines ?? []);
  }

  /** Takes a line of the log. Returns true if the trouble of its tunnel is another one now. */
  take(line: LogLine): boolean {
    const { name } = line;
    if (name === undefined) return false;
    const before = this.trouble(name)?.text;
    const log = this.#logs.get(name) ?? fresh();
    if (this.#logs.size >= tunnelsMax && !this.#logs.has(name)) return false;
    this.#logs.set(name, log);
    follow(log, line);
    return this.trouble(name)?.text !== before;
  }

  /** Listens until the signal aborts; if charon ends or does not answer, it is tried again. */
  async follow(charon: Charon, onChange: () => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#listen(charon, onChange, signal);
      } catch (error) {
        if (!(error instanceof LinksealError) && !signal.aborted) throw error;
      }
      await charon.clock.sleep(awayMs, signal).catch(() => undefined);
    }
  }

  async #listen(charon: Charon, onChange: () => void, signal: AbortSignal): Promise<void> {
    using client = new ViciClient(await charon.stream(charon.path, signal));
    this.#requests.clear();
    const leave = (): void => void leaveCharon(charon, client);
    signal.addEventListener("abort", leave, { once: true });
    try {
      const { clock } = charon;
      const log = (event: ViciSection): void => {
        const line = readLogLine(event);
        const silence = this.#requests.take(line, clock.now());
        if (this.take(line) || silence === "ends") onChange();
        if (silence === "begins")
          void clock.sleep(answerMs, signal).then(onChange, () => undefined);
      };
      await client.hear("log", log, signal);
      for (const event of ["ike-updown", "child-updown"])
        await client.hear(event, onChange, signal);
      onChange();
      await client.ended;
      onChange();
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }
}

function fresh(): TunnelLog {
  const quiet = { cause: undefined, causeText: "", isEnded: false } as const;
  return { lines: [], stage: "initiate", ...quiet };
}

function follow(log: TunnelLog, line: LogLine): void {
  const { text } = line;
  if (stands.test(text)) {
    Object.assign(log, { ...fresh(), stage: "rekey" });
    return;
  }
  // Earlier lines belong to a try that has ended.
  if (begins.test(text)) Object.assign(log, { lines: [], stage: "initiate", isEnded: false });
  if (beginsChild.test(text)) log.lines = [];
  if (moves.test(text)) log.stage = "rekey";
  if (ends.test(text)) log.isEnded = true;
  if (log.cause !== undefined && disproves(text, log.cause)) {
    // The lines before this one would show the same cause again.
    Object.assign(log, { lines: [], cause: undefined });
  }
  log.lines.push(line);
  if (log.lines.length > linesMax) log.lines.shift();
  const cause = causeIn(log.lines, log.stage);
  if (cause === undefined) return;
  Object.assign(log, { cause, causeText: causeText(cause, log.lines) });
}
