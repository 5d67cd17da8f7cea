// Answers the requests of the two local sockets; a pure function from request to reply.

import { isObject } from "#hal/decoder.ts";
import { LinksealError } from "#hal/error.ts";
import { encodeJson, parseJson } from "#hal/json.ts";
import type { WallTime } from "#hal/world.ts";
import { type Client, clientText, userOf } from "../model/client.ts";
import { errorShape } from "../model/error-shape.ts";
import type { Agent } from "../runtime/agent.ts";
import { EncodedAnswer } from "./encoded-answer.ts";
import { textLengthMax, usage } from "./member.ts";
import type { Call, Question, Route } from "./route.ts";
import { routes } from "./routes.ts";
import type { SharedReports } from "./shared-reports.ts";
import type { WaitLimit } from "./wait-limit.ts";

export interface ApiRequest {
  readonly method: string;
  /** The path with its query string. */
  readonly path: string;
  readonly body: string;
  /** Who asks, and at which socket: it goes into journal and audit log. */
  readonly client: Client;
}

/** What a request needs beside the agent. */
export interface ApiWorld {
  readonly now: WallTime;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Shared by the sockets of the agent. */
  readonly reports: SharedReports;
  /** Of the socket that got the request. */
  readonly waits: WaitLimit;
}

export interface ApiReply {
  readonly status: number;
  readonly body: string;
}

/**
 * Answers any request; a malformed one gets an error reply and never an exception. An abort
 * rejects, but what the request has begun stays in the journal and goes on.
 */
export async function answer(
  agent: Agent,
  request: ApiRequest,
  { waits, ...world }: ApiWorld,
  signal: AbortSignal,
): Promise<ApiReply> {
  try {
    const [path = "", search = ""] = request.path.split("?", 2);
    const route = Object.hasOwn(routes, `${request.method} ${path}`)
      ? routes[`${request.method} ${path}`]
      : undefined;
    if (route === undefined) throw unserved(request.method, path);
    const { client } = request;
    const call: Call = { agent, ...world, client, who: clientText(client), signal };
    const received = { ...request, search };
    const answered =
      route.kind === "changes"
        ? await carriedOut(route, call, received, path.replace("/v1/", ""))
        : await looked(read(route, received), call, () => waits.enter(userOf(client)));
    const body = answered instanceof EncodedAnswer ? answered.text : encodeJson(answered ?? null);
    return { status: 200, body };
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    return { status: statusOf(error), body: encodeJson(errorShape(error)) };
  }
}

type ReceivedRequest = Pick<ApiRequest, "method" | "body" | "client"> & {
  readonly search: string;
};

/**
 * Reads the whole request before any of it is carried out.
 * @throws LinksealError with `usage` or `agent.forbidden`
 */
function read(route: Route, { method, body, client, search }: ReceivedRequest): Question {
  if (route.role === "admin" && client.socket !== "admin") throw forbidden();
  const query = [...new URLSearchParams(search)];
  const members = Object.entries(bodyOf(body));
  const [taken, beside] = method === "GET" ? [query, members] : [members, query];
  const [odd] = beside;
  if (odd !== undefined) {
    const where = method === "GET" ? "its query" : "its body";
    throw usage(`the request takes its members from ${where} alone`);
  }
  return route.read(new Map<string, unknown>(taken));
}

/** Answers a request that only reads; `enter` admits it if it waits. */
async function looked(question: Question, call: Call, enter: () => () => void): Promise<unknown> {
  const leave = question.waits ? enter() : undefined;
  try {
    return (await question.run(call)).answer;
  } finally {
    leave?.();
  }
}

/**
 * Carries out a request that changes something. What may have had an effect is written to the audit
 * log before the client gets its reply; a request that had no effect is only counted there, so that
 * any number of refusals cannot push other records out of the log.
 */
async function carriedOut(
  route: Route,
  call: Call,
  received: ReceivedRequest,
  verb: string,
): Promise<unknown> {
  const { agent, client, signal } = call;
  let about = "site";
  try {
    const question = read(route, received);
    about = question.about;
    const { answer: answered, outcome } = await question.run(call);
    if (outcome.effect === "none") {
      agent.refused(client, verb, about, outcome.text);
      return answered;
    }
    const missed = await agent.asked(client, verb, about, outcome.text);
    return missed === undefined ? answered : { ...Object(answered), unrecorded };
  } catch (error) {
    // The client went away; what was begun for it is in the journal, and gets into the log from
    // there.
    if (error === signal.reason) agent.refused(client, verb, about, "its client went away");
    else if (!(error instanceof LinksealError)) {
      await agent.asked(client, verb, about, "a defect of linkseal");
    } else if (error.effect === "none") {
      agent.refused(client, verb, about, `refused: ${error.code}`);
    } else throw await afterEffect(call, verb, about, error);
    throw error;
  }
}

const unrecorded =
  "this was carried out, and the audit log does not have it yet: free space in the state folder";

async function afterEffect(
  { agent, client }: Call,
  verb: string,
  about: string,
  error: LinksealError,
): Promise<LinksealError> {
  const { code, effect, message, where, next, cause } = error;
  const missed = await agent.asked(client, verb, about, `failed: ${code}, effect ${effect}`);
  if (missed === undefined) return error;
  const text = `${message}; the audit log does not have it yet: free space in the state folder`;
  return new LinksealError(code, text, { effect, where, next, cause });
}

function statusOf(error: LinksealError): number {
  if (error.code === "agent.forbidden") return 403;
  if (error.code === "agent.busy") return 429;
  return error.code === "usage" || error.code === "config.invalid" ? 400 : 409;
}

function bodyOf(body: string): object {
  if (body === "") return {};
  if (body.length > textLengthMax) throw usage("the request body is too long");
  const value = jsonOf(body);
  if (isObject(value)) return value;
  throw usage("the request body is not a JSON object");
}

function jsonOf(body: string): unknown {
  try {
    return parseJson(body, { characters: textLengthMax });
  } catch {
    throw usage("the request body is not JSON, or is nested too deeply");
  }
}

function unserved(method: string, path: string): LinksealError {
  return usage(`no such request: ${method} ${path.slice(0, 80)}`, "linkseal --help");
}

function forbidden(): LinksealError {
  return new LinksealError(
    "agent.forbidden",
    "the view socket answers questions and changes nothing",
    {
      effect: "none",
      where: "view socket",
      next: "join the group of the admin socket",
    },
  );
}
