// Runs local programs that read standard input: without a shell, with a small environment and a
// limit on their output; ending one ends everything that it started.

import { type ChildProcess, spawn } from "node:child_process";
import { type Effect, LinksealError } from "#hal/error.ts";
import type { ExecReply } from "#hal/world.ts";
import { ReceiveBuffer } from "./receive-buffer.ts";

/** 25,000 BGP paths in FRR's JSON, the longest reply. */
export const replyBytesMax = 8 * 1024 * 1024;

/** None of our environment reaches a program, because it may name places of secrets. */
const environment = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8", HOME: "/" };

/**
 * Runs a program. An abort rejects with the signal's reason once everything that the program
 * started has been told to end.
 * @throws LinksealError `transport.*` or `device.rejected`.
 */
export async function runProgram(
  argv: readonly string[],
  stdin: Uint8Array,
  signal: AbortSignal,
): Promise<ExecReply> {
  signal.throwIfAborted();
  const [program = "", ...words] = argv;
  if ([program, ...words].some((word) => word.includes("\0"))) {
    throw failed("device.rejected", "no argument of a program contains a NUL", "none", program);
  }
  // The group of its own lets a deadline also end what the program started.
  const child = spawn(program, words, { cwd: "/", env: environment, detached: true });
  const end = (): void => endGroup(child);
  signal.addEventListener("abort", end, { once: true });
  try {
    const ended = statusOf(child, program);
    // A program that does not read its input may end before it was written.
    child.stdin.on("error", () => undefined).end(stdin);
    const outputs = [child.stdout, child.stderr].map((stream) => bytesOf(stream, program));
    const [status, stdout, stderr] = await Promise.all([ended, outputs[0], outputs[1]]);
    signal.throwIfAborted();
    return { status, stdout: stdout ?? empty, stderr: stderr ?? empty };
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", end);
    end();
  }
}

const empty = new Uint8Array();

// Shells report the end by a signal like this.
const signalStatus = 128;
const killed = 9;

function statusOf(child: ChildProcess, program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (cause) => {
      reject(failed("transport.unreachable", "the program cannot be run", "none", program, cause));
    });
    child.once("close", (status) => resolve(status ?? signalStatus + killed));
  });
}

async function bytesOf(stream: AsyncIterable<Uint8Array>, program: string): Promise<Uint8Array> {
  const reply = new ReceiveBuffer();
  for await (const chunk of stream) {
    reply.push(chunk);
    if (reply.length > replyBytesMax) {
      const text = `the program prints more than ${replyBytesMax} bytes`;
      throw failed("transport.closed", text, "unknown", program);
    }
  }
  return reply.takeAll();
}

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // All of them have ended.
  }
}

function failed(
  code: "device.rejected" | "transport.unreachable" | "transport.closed",
  text: string,
  effect: Effect,
  where: string,
  cause?: unknown,
): LinksealError {
  return new LinksealError(code, text, { effect, where, next: "linkseal status", cause });
}
