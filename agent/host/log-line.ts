// Single lines to the logs of this host: to journald in its own protocol, and to syslog as
// syslog(3) writes it. Both take datagrams, which Node cannot send to a local socket.

import { LinksealError } from "#hal/error.ts";
import type { Clock } from "#hal/world.ts";
import type { LogLine } from "../telemetry/heads.ts";
import { type DatagramSender, entryText, journalSocket } from "./journald.ts";

/** Where the logs of this host listen. */
const logSockets = { journald: journalSocket, syslog: "/dev/log" } as const;

/** Finds these lines in the journal: `journalctl MESSAGE_ID=...`. */
const messageId = "5d0b8a3c6e714f0f9b6a2c4d81e7f359";
/** Facility daemon (3), severity informational (6): RFC 3164, section 4.1.1. */
const priority = 3 * 8 + 6;

/** Returns a writer to the logs of this host, at these sockets. A line has no line feed. */
export function logLineOf(
  native: DatagramSender,
  clock: Pick<Clock, "wall">,
  sockets: Readonly<Record<keyof typeof logSockets, string>> = logSockets,
): LogLine {
  return (to, line) => {
    switch (to) {
      case "journald": {
        const entry = { MESSAGE: line, PRIORITY: "6", MESSAGE_ID: messageId };
        return sendTo(native, sockets.journald, entryText(entry));
      }
      case "syslog": {
        const head = `<${priority}>${localTime(clock.wall())} linkseal[${process.pid}]`;
        return sendTo(native, sockets.syslog, `${head}: ${line}`);
      }
    }
  };
}

function sendTo(native: DatagramSender, path: string, text: string): void {
  if (native === undefined) throw unsent(path, "there is no native addon here");
  try {
    native.notify(path, text, []);
  } catch (error) {
    const errno = error instanceof Error && "errno" in error ? String(error.errno) : "none";
    throw unsent(path, `${path} does not take it (errno ${errno})`);
  }
}

function unsent(where: string, why: string): LinksealError {
  const next = "ls -l /run/systemd/journal/socket /dev/log, and telemetry.heads in the config";
  return new LinksealError("transport.unreachable", why, { effect: "none", where, next });
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** RFC 3164, section 4.1.2: `Nov  4 10:00:00`, in local time. */
function localTime(wall: number): string {
  const time = new Date(wall);
  const two = (value: number): string => String(value).padStart(2, "0");
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":");
  return `${months[time.getMonth()]} ${String(time.getDate()).padStart(2)} ${clock}`;
}
