// Listens to charon's events: they bring the next observation forward, and its log shows the last
// reason why a tunnel is down.

import { LinksealError } from "#hal/error.ts";
import { ViciClient } from "../../transport/vici.ts";
import type { ViciSection } from "../../transport/vici-wire.ts";
import { causeIn, causeText } from "./causes.ts";
import type { Charon } from "./charon.ts";
import { type LogLine, readLogLine } from "./parsers.ts";

const tunnelsMax = 4_096;
/** The limit for one try to bring a tunnel up. */
const linesMax = 100;
const awayMs = 5_000;

const begins = /initiating IKE_SA/i;
const stands = /CHILD_SA \S+ established with SPIs/i;

export class CharonMonitor {
  /** The trouble of each tunnel, in one sentence. */
  readonly #troubles = new Map<string, string>();
  readonly #lines = new Map<string, LogLine[]>();

  /** Returns the trouble of a tunnel in one sentence; undefined = no trouble is known. */
  trouble(tunnel: string): string | undefined {
    return this.#troubles.get(tunnel);
  }

  take(line: LogLine): void {
    const { name, text } = line;
    if (name === undefined) return;
    if (stands.test(text)) {
      this.#troubles.delete(name);
      this.#lines.delete(name);
      return;
    }
    // Earlier lines belong to a try that has ended.
    const lines = begins.test(text) ? [] : (this.#lines.get(name) ?? []);
    if (lines.length >= linesMax || this.#lines.size >= tunnelsMax) return;
    lines.push(line);
    this.#lines.set(name, lines);
    const cause = causeIn(lines, "initiate");
    if (cause !== undefined) this.#troubles.set(name, causeText(cause, lines));
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
    const leave = (): void => client[Symbol.dispose]();
    signal.addEventListener("abort", leave, { once: true });
    try {
      const log = (event: ViciSection): void => this.take(readLogLine(event));
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
