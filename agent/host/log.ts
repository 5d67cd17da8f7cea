// Writes one JSON line per call to standard output, before the call returns; the only module that
// uses pino.

import { fstatSync } from "node:fs";
import { type DestinationStream, destination, type Logger, pino } from "pino";
import type { Clock, Log, LogLevel } from "#hal/world.ts";

export interface LogOptions {
  readonly level: LogLevel;
  readonly clock: Pick<Clock, "wall">;
  /** File descriptor; 1 = standard output. */
  readonly fd: number;
  /** JOURNAL_STREAM of the environment. */
  readonly journalStream: string | undefined;
}

// sd-daemon(3): syslog's numbers, by pino's.
const priorityOf: Readonly<Record<number, number>> = { 20: 7, 30: 6, 40: 4, 50: 3 };

// JSON escapes line feeds and ESC by itself; these characters also move a cursor, start a terminal
// command, end a line in some viewers, or turn text around, and device text may contain any of
// them.
const unsafeText = /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/**
 * Makes the log. pino's redaction is not used: keys are in `Secret`, and redaction throws on some
 * objects.
 */
export function hostLog(options: LogOptions): Log {
  const logger: Logger = pino(
    {
      level: options.level,
      base: null,
      messageKey: "text",
      timestamp: () => `,"time":"${new Date(options.clock.wall()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream(options),
  );
  return {
    write(level, code, text, fields = {}) {
      logger[level]({ code, ...withoutOurNames(fields) }, text);
    },
  };
}

function stream({ fd, journalStream }: LogOptions): DestinationStream {
  const out = destination({ fd, sync: true });
  const journald = journalStream !== undefined && journalStream === streamId(fd);
  return {
    // Asks pino to set `lastLevel` before each write.
    [Symbol.for("pino.metadata")]: true,
    lastLevel: 30,
    write(line: string) {
      const safe = line.replace(unsafeText, escaped);
      out.write(journald ? `<${priorityOf[this.lastLevel] ?? 6}>${safe}` : safe);
    },
  } as DestinationStream & { lastLevel: number };
}

// systemd.exec(5): a child's output may go elsewhere, so the variable counts only for the very same
// file.
function streamId(fd: number): string {
  const { dev, ino } = fstatSync(fd);
  return `${dev}:${ino}`;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

// JSON with one name twice means different things to different readers.
function withoutOurNames(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const taken = new Set(["level", "time", "code", "text"]);
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [taken.has(name) ? `${name}_` : name, value]),
  );
}
