// Sends one question to the agent over its socket. It writes HTTP itself, because node:http takes
// 25 ms to load.

import { connect } from "node:net";
import { LinksealError } from "#hal/error.ts";
import { parseJson } from "#hal/json.ts";
import {
  type ForeignSocket,
  findSocket,
  type PlaceSource,
  placeSource,
  type SocketRole,
} from "../host/places.ts";
import { errorFromShape } from "../model/error-shape.ts";

const replyBytesMax = 64 * 1024 * 1024;

export interface Question {
  readonly role: SocketRole;
  readonly method: "GET" | "POST";
  /** The path with its query, already encoded. */
  readonly path: string;
  readonly body?: unknown;
  /** Value of `--socket`; undefined = the default paths. */
  readonly socket: string | undefined;
  /** How long to wait for the whole reply, in ms; absent = as long as the request may take. */
  readonly patienceMs?: number;
}

/**
 * Returns the agent's reply, parsed from JSON. A question for the view socket goes to the admin
 * socket if this user may open that one alone: it answers all of them.
 * @throws LinksealError as the agent reported it, or with `agent.unreachable` or `agent.forbidden`;
 * its effect is "unknown" if the reply to a change was lost, or did not come in time
 */
export async function ask(
  question: Question,
  source: PlaceSource = placeSource(),
): Promise<unknown> {
  const { role, socket } = question;
  try {
    return await askAt(pathsFor(role, socket, source), question);
  } catch (error) {
    if (role === "admin" || socket !== undefined || !isForbidden(error)) throw error;
    try {
      return await askAt(pathsFor("admin", socket, source), question);
    } catch (other) {
      throw isForbidden(other) ? error : other;
    }
  }
}

const isForbidden = (error: unknown): boolean =>
  error instanceof LinksealError && error.code === "agent.forbidden";

async function askAt(paths: readonly string[], question: Question): Promise<unknown> {
  const refused: string[] = [];
  for (const path of paths) {
    const outcome = await exchange(path, question);
    switch (outcome.kind) {
      case "reply":
        return answerOf(outcome.bytes, question);
      case "lost":
        throw lost(question, outcome.errno);
      case "silent":
        throw silent(question, outcome.ms);
      case "refused":
        refused.push(`${path}: ${outcome.errno}`);
        if (outcome.errno === "EACCES" || outcome.errno === "EPERM") throw forbidden(path);
    }
  }
  throw unreachable(refused.join(", "));
}

function pathsFor(
  role: SocketRole,
  socket: string | undefined,
  source: PlaceSource,
): readonly string[] {
  try {
    const search = findSocket(role, socket, source);
    if (search.kind === "found") return search.paths;
    throw unreachable(whyNone(search));
  } catch (error) {
    if (error instanceof LinksealError) throw error;
    // This user may not enter a folder of the path.
    const where = error instanceof Error && "path" in error ? String(error.path) : "socket";
    throw forbidden(where);
  }
}

function whyNone(search: { looked: readonly string[]; foreign: readonly ForeignSocket[] }): string {
  const { looked, foreign } = search;
  if (foreign.length === 0) return `no socket at ${looked.join(", ")}`;
  const spelled = foreign.map(({ path, uid }) => `${path} is of uid ${uid}`);
  return `${spelled.join(", ")}: neither root, this user nor linkseal`;
}

type Outcome =
  | { readonly kind: "reply"; readonly bytes: Buffer }
  /** The agent did not get the question. */
  | { readonly kind: "refused"; readonly errno: string }
  | { readonly kind: "lost"; readonly errno: string }
  /** The whole reply did not come in time. */
  | { readonly kind: "silent"; readonly ms: number };

function exchange(path: string, question: Question): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const ms = question.patienceMs ?? patienceMs(question);
    const timer = setTimeout(() => {
      resolve({ kind: "silent", ms });
      socket.destroy();
    }, ms);
    const chunks: Buffer[] = [];
    let connected = false;
    let length = 0;
    socket.once("connect", () => {
      connected = true;
      socket.write(requestBytes(question));
    });
    socket.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length > replyBytesMax) socket.destroy();
      else chunks.push(chunk);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      resolve({ kind: connected ? "lost" : "refused", errno: error.code ?? "no errno" });
    });
    socket.once("close", () => {
      clearTimeout(timer);
      resolve({ kind: "reply", bytes: Buffer.concat(chunks) });
    });
  });
}

/** The agent answers these from its memory or its disk. */
const promptMs = 30_000;
/** These read devices, the vault or Azure, each with limits of the agent's own below this one. */
const readingMs = 300_000;
/** No turn of the agent takes longer. */
const changingMs = 900_000;
const reading = /^\/v1\/(doctor|keys|scorecard|report)(\?|$)/;

/** Returns how long the whole reply may take, in milliseconds. */
export function patienceMs({ role, path }: Pick<Question, "role" | "path">): number {
  if (role === "admin") return changingMs;
  if (reading.test(path)) return readingMs;
  // A long poll for events waits as long as it asks for.
  return promptMs + Number(/[?&]waitMs=(\d{1,6})(&|$)/.exec(path)?.[1] ?? 0);
}

function requestBytes({ method, path, body }: Question): Buffer {
  const octets = Buffer.from(body === undefined ? "" : JSON.stringify(body));
  const head = [
    `${method} ${path} HTTP/1.1`,
    "host: localhost",
    "content-type: application/json",
    `content-length: ${octets.length}`,
    "connection: close",
  ];
  return Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), octets]);
}

/** Reads the reply. The server sends its length and closes, so a shorter body was cut off. */
function answerOf(bytes: Buffer, question: Question): unknown {
  const end = bytes.indexOf("\r\n\r\n");
  const head = bytes.subarray(0, Math.max(0, end)).toString("latin1");
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
  const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1]);
  const body = bytes.subarray(end + 4);
  if (end < 0 || body.length !== length) throw lost(question, "the answer was cut off");
  const value: unknown = parsed(body.toString(), question);
  if (status === 200) return value;
  throw errorFromShape(value) ?? lost(question, `HTTP status ${status}`);
}

function parsed(text: string, question: Question): unknown {
  try {
    return parseJson(text, { characters: replyBytesMax });
  } catch {
    throw lost(question, "the answer is not JSON");
  }
}

/** An agent runs, and its answer is not known; `where` tells this from a host without an agent. */
function lost({ method, path }: Question, why: string): LinksealError {
  const effect = method === "GET" ? "none" : "unknown";
  const where = `${method} ${path}`;
  const text = `the agent gave no whole answer (${why})`;
  return new LinksealError("agent.unreachable", text, { effect, where, next: "linkseal status" });
}

function silent({ method, path }: Question, ms: number): LinksealError {
  const effect = method === "GET" ? "none" : "unknown";
  const where = `${method} ${path}`;
  const text = `the agent does not answer: no whole answer within ${ms / 1000} s`;
  const next = "systemctl status linkseal, and journalctl -u linkseal; until then: linkseal night";
  return new LinksealError("agent.unreachable", text, { effect, where, next });
}

function unreachable(why: string): LinksealError {
  return new LinksealError("agent.unreachable", `no agent answers (${why})`, {
    effect: "none",
    where: "socket",
    next:
      "systemctl start linkseal, or linkseal agent, or npm start for a simulated site; " +
      "until then: linkseal night",
  });
}

function forbidden(path: string): LinksealError {
  return new LinksealError("agent.forbidden", `this user may not open ${path}`, {
    effect: "none",
    where: path,
    next: "join the group of the socket: linkseal to look, linkseal-admin to change",
  });
}
