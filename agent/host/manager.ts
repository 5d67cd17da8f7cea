// Notifications to the service manager, if one waits for them: sd_notify(3),
// sd_watchdog_enabled(3).

import { setTimeout as rest } from "node:timers/promises";
import type { Native } from "#drivers/transport/native.ts";
import type { Log } from "#hal/world.ts";
import { buildOf } from "./build.ts";

interface ManagerSource {
  readonly NOTIFY_SOCKET?: string | undefined;
  readonly WATCHDOG_USEC?: string | undefined;
  readonly WATCHDOG_PID?: string | undefined;
}

/** The service manager of this process; without NOTIFY_SOCKET all calls do nothing. */
export class Manager {
  readonly #native: Pick<Native, "notify">;
  readonly #address: string | undefined;
  readonly #watchdogMs: number | undefined;
  readonly #log: Log;
  readonly #build = buildOf();
  #complained = false;

  constructor(native: Pick<Native, "notify">, log: Log, source: ManagerSource = process.env) {
    this.#native = native;
    this.#log = log;
    this.#address = source.NOTIFY_SOCKET;
    this.#watchdogMs = watchdogMs(source);
  }

  /**
   * Reports that the service is ready, and its build: `doctor` reports a build that an upgrade left
   * running.
   */
  ready(): void {
    this.#notify(`READY=1\nSTATUS=linkseal ${this.#build}`);
  }

  /** Reports that the service is stopping. */
  stopping(): void {
    this.#notify("STOPPING=1");
  }

  /**
   * Feeds the watchdog until the end, as long as `late` names nothing that hangs. The manager kills
   * and restarts a process that stops feeding, which changes nothing on any device (P4).
   */
  async watch(late: () => string | undefined, end: AbortSignal): Promise<void> {
    if (this.#address === undefined || this.#watchdogMs === undefined) return;
    for (let hung: string | undefined; !end.aborted; ) {
      const found = late();
      if (found === undefined) this.#notify("WATCHDOG=1");
      else if (found !== hung) {
        this.#log.write("error", "loop-hung", `${found} hangs: the watchdog is no longer fed`);
      }
      hung = found;
      await rest(this.#watchdogMs / fedPerSpan, undefined, { signal: end, ref: false }).catch(
        () => undefined,
      );
    }
  }

  #notify(text: string): void {
    if (this.#address === undefined) return;
    try {
      this.#native.notify(this.#address, text, []);
    } catch (error) {
      // Logged once: a manager that is gone for good would fill the log.
      if (!this.#complained) {
        this.#log.write("warn", "manager-unreachable", error instanceof Error ? error.message : "");
      }
      this.#complained = true;
    }
  }
}

/** sd_watchdog_enabled(3) asks for half of the span at most. */
const fedPerSpan = 4;

function watchdogMs(source: ManagerSource): number | undefined {
  const { WATCHDOG_USEC: span, WATCHDOG_PID: pid } = source;
  if (!/^[1-9]\d{0,15}$/.test(span ?? "")) return undefined;
  if (pid !== undefined && Number(pid) !== process.pid) return undefined;
  return Number(span) / 1000;
}
