// Writes every event as a line of the log, with its code and a level; so it also gets into the
// host's journal.

import type { Log, LogLevel } from "#hal/world.ts";
import type { EventRing } from "../model/events.ts";
import type { Severity } from "../model/warning-rows.ts";

const levelOf: Readonly<Record<Severity, LogLevel>> = {
  info: "info",
  warning: "warn",
  error: "error",
};

/** Logs all events from now on. */
export function logEvents(events: EventRing, log: Log): void {
  events.listen(({ n, code, about, text, severity, over, resolves, because }) => {
    const ended = resolves === undefined ? {} : { resolves };
    const rest = over === undefined ? ended : { over, ...ended };
    const cause = because === undefined ? {} : { because: `${because.code} ${because.about}` };
    log.write(levelOf[severity], code, text, { n, about, ...rest, ...cause });
  });
}
