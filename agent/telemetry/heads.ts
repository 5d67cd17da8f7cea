// Sends heads of the audit log to another log of this host, as the accepted config asks for it, so
// that a log that was cut, rolled over or replaced can be found.

import { LinksealError } from "#hal/error.ts";
import type { World } from "#hal/world.ts";
import { headText } from "../evidence/report/head.ts";
import { momentText } from "../evidence/report/time.ts";
import type { HeadSettings } from "../model/desired.ts";
import type { AgentView } from "../runtime/agent-view.ts";

/**
 * Writes one line to a log of this host.
 * @throws LinksealError if that log does not take it
 */
export type LogLine = (to: HeadSettings["to"], line: string) => void;

export interface HeadParts {
  readonly agent: Pick<AgentView, "events" | "evidence" | "intent">;
  readonly world: Pick<World, "clock" | "log">;
  readonly logLine: LogLine;
}

/** By then the first records of the process are written, in milliseconds. */
const firstMs = 5_000;
/** An accepted config ends this sleep, in milliseconds. */
const idleMs = 86_400_000;

/** Runs until the signal aborts. */
export async function sendHeads(parts: HeadParts, end: AbortSignal): Promise<void> {
  const { agent, world } = parts;
  let changed = new AbortController();
  const deaf = agent.events.listen(({ code }) => {
    if (code === "intent-accepted") changed.abort();
  });
  let unsent: string | undefined;
  for (let waitMs = firstMs; !end.aborted; ) {
    // After both ends of the sleep the loop checks what to do.
    const until = AbortSignal.any([changed.signal, end]);
    await world.clock.sleep(waitMs, until).catch(() => undefined);
    changed = new AbortController();
    const settings = agent.intent?.desired.telemetry.heads;
    waitMs = settings?.everyMs ?? idleMs;
    if (settings !== undefined && !end.aborted) unsent = await send(parts, settings, unsent);
  }
  deaf();
}

/** Sends the newest head, unless it was sent already; returns the line that could not be sent. */
async function send(
  { agent, world, logLine }: HeadParts,
  { to }: HeadSettings,
  unsent: string | undefined,
): Promise<string | undefined> {
  const line = (await newLine(agent)) ?? unsent;
  if (line === undefined) return undefined;
  try {
    logLine(to, line);
    return undefined;
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    // Logged once per outage, so that the log keeps room for other lines.
    const text = `heads of the audit log are not sent: ${error.message}`;
    if (unsent === undefined) world.log.write("warn", "head-failed", text);
    return line;
  }
}

/** Writes a head and returns its line; undefined = there is no new record. */
async function newLine({ evidence }: HeadParts["agent"]): Promise<string | undefined> {
  const head = await evidence.head();
  if (head === undefined) return undefined;
  const { seq, at, mac: hash } = head;
  return headText({ host: evidence.host, seq, at: momentText(at), hash });
}
