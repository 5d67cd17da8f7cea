// Writes one JSON line per call to standard output, before the call returns; the only module that
// uses pino. Where standard output is the journal, the line is an entry with fields.

import { fstatSync } from "node:fs";
import { type DestinationStream, destination, type Logger, pino } from "pino";
import type { Clock, Log, LogLevel } from "#hal/world.ts";
import { type DatagramSender, entryText, journalSocket, messageIdOf } from "./journald.ts";

export interface LogOptions {
  readonly level: LogLevel;
  readonly clock: Pick<Clock, "wall">;
  /** File descriptor; 1 = standard output. */
  readonly fd: number;
  /** JOURNAL_STREAM of the environment. */
  readonly journalStream: string | undefined;
  /** Sends entries with fields to journald; absent = it gets lines of text. */
  readonly native?: DatagramSender;
}

/** What the next line is about. */
interface Subject {
  readonly code: string;
  readonly about: unknown;
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
  let subject: Subject = { code: "", about: undefined };
  const logger: Logger = pino(
    {
      level: options.level,
      base: null,
      messageKey: "text",
      timestamp: () => `,"time":"${new Date(options.clock.wall()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream(options, () => subject),
  );
  return {
    write(level, code, text, fields = {}) {
      subject = { code, about: fields["about"] };
      logger[level]({ code, ...withoutOurNames(fields) }, text);
    },
  };
}

function stream(
  { fd, journalStream, native }: LogOptions,
  subject: () => Subject,
): DestinationStream {
  const out = destination({ fd, sync: true });
  const journald = journalStream !== undefined && journalStream === streamId(fd);
  return {
    // Asks pino to set `lastLevel` before each write.
    [Symbol.for("pino.metadata")]: true,
    lastLevel: 30,
    write(line: string) {
      const safe = line.replace(unsafeText, escaped);
      const priority = priorityOf[this.lastLevel] ?? 6;
      if (!journald) out.write(safe);
      else if (!isEntered(native, safe.trimEnd(), priority, subject())) {
        out.write(`<${priority}>${safe}`);
      }
    },
  } as DestinationStream & { lastLevel: number };
}

/** Sends the line as an entry; false = journald has not taken it, and it has to go elsewhere. */
function isEntered(
  native: DatagramSender,
  line: string,
  priority: number,
  { code, about }: Subject,
): boolean {
  if (native === undefined) return false;
  const entry = {
    ...{ MESSAGE: line, PRIORITY: String(priority), MESSAGE_ID: messageIdOf(code) },
    LINKSEAL_CODE: plainWord(code),
    LINKSEAL_ABOUT: typeof about === "string" ? plainWord(about) : undefined,
  };
  try {
    native.notify(journalSocket, entryText(entry), []);
    return true;
  } catch {
    return false;
  }
}

/** A name of a config or a code; undefined = a field could not hold it. */
function plainWord(text: string): string | undefined {
  return /^[\w./:@ -]{1,200}$/.test(text) ? text : undefined;
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
