// What charon logs during one operation on a tunnel, and the errors of such an operation.

import { type Effect, LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import type { ViciClient } from "../../transport/vici.ts";
import { causeIn, causeText, type FailureCause, type Stage } from "./causes.ts";
import { type LogLine, readLogLine, refusalOf } from "./parsers.ts";

const linesMax = 2_000;

/** The tunnel of an operation, and what the operation has done to charon if it fails now. */
export interface FailurePlace {
  readonly where: string;
  readonly effect: Effect;
}

/** Collects what charon logs about one connection during an operation. */
export class CharonLog {
  readonly at: FailurePlace;
  readonly lines: LogLine[] = [];

  private constructor(at: FailurePlace) {
    this.at = at;
  }

  static async open(client: ViciClient, at: FailurePlace, signal: AbortSignal): Promise<CharonLog> {
    const log = new CharonLog(at);
    const take = (line: LogLine): void => {
      // A line without a name is about no IKE SA, or about one whose peer is not known yet.
      const isOurs = line.name === at.where;
      if (isOurs && log.lines.length < linesMax) log.lines.push(line);
    };
    await client.hear("log", (event) => take(readLogLine(event)), signal);
    return log;
  }
}

/**
 * Sends a command.
 * @throws LinksealError `device.rejected` if charon refuses it: with its reason, unless the command
 * contains a key, which the reason could quote in part, so that no search would find it
 */
export async function sendCommand(
  client: ViciClient,
  command: string,
  message: Parameters<ViciClient["ask"]>[1],
  at: FailurePlace,
  signal: AbortSignal,
): Promise<void> {
  const refused = refusalOf(await client.ask(command, message, "unknown", signal));
  if (refused === undefined) return;
  const hasKey = Object.values(message).some((value) => value instanceof Secret);
  const why = hasKey ? "its log says why" : refused;
  throw rejected(at, `charon refuses ${command}: ${why}`);
}

/** The error of a wait that ended without a refusal. */
export function unanswered(log: CharonLog, stage: Stage, effect: Effect): LinksealError {
  return failed(log, causeIn(log.lines, stage) ?? "peerSilent", effect);
}

/** The error of an operation that failed for this cause. */
export function failed(
  { at, lines }: CharonLog,
  cause: FailureCause,
  effect = at.effect,
): LinksealError {
  return rejected({ ...at, effect }, causeText(cause, lines));
}

/** The error of an operation that charon or the gateway refused. */
export function rejected({ where, effect }: FailurePlace, text: string): LinksealError {
  return new LinksealError("device.rejected", `the tunnel ${where}: ${text}`, {
    effect,
    where,
    next: `linkseal tunnels ${where}`,
  });
}
