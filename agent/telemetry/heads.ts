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
  const sent: Sent = { seq: 0, unsent: undefined };
  for (let waitMs = firstMs; !end.aborted; ) {
    // After both ends of the sleep the loop checks what to do.
    const until = AbortSignal.any([changed.signal, end]);
    await world.clock.sleep(waitMs, until).catch(() => undefined);
    changed = new AbortController();
    const settings = agent.intent?.desired.telemetry.heads;
    waitMs = settings?.everyMs ?? idleMs;
    if (settings !== undefined && !end.aborted) await send(parts, settings, sent);
  }
  deaf();
}

/** Number of the newest head that was sent, and the line that could not be. */
interface Sent {
  seq: number;
  unsent: string | undefined;
}

/** Sends the newest head, unless it was sent already. */
async function send(
  { agent, world, logLine }: HeadParts,
  { to }: HeadSettings,
  sent: Sent,
): Promise<void> {
  const { host } = agent.evidence;
  const head = await agent.evidence.head();
  const isNew = head !== undefined && head.seq !== sent.seq;
  const line = isNew
    ? headText({ host, seq: head.seq, at: momentText(head.at), hash: head.mac })
    : sent.unsent;
  if (line === undefined) return;
  if (isNew) sent.seq = head.seq;
  try {
    logLine(to, line);
    sent.unsent = undefined;
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    // Logged once per outage, so that the log keeps room for other lines.
    const text = `heads of the audit log are not sent: ${error.message}`;
    if (sent.unsent === undefined) world.log.write("warn", "head-failed", text);
    sent.unsent = line;
  }
}
