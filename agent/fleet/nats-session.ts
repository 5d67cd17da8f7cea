// One connection for a few requests: what a hub's commands need.

import { LinksealError } from "#hal/error.ts";
import { type JsonLimits, parseJson } from "#hal/json.ts";
import type { StreamChannel } from "#hal/world.ts";
import { judgeEngine, messageBytesMax, renewUsers } from "./engine.ts";
import { type ForbiddenCall, forbiddenContent, forbiddenHeaders } from "./forbidden-calls.ts";
import { type ConnectionParts, NatsConnection, type NatsReply } from "./nats-connection.ts";
import { clientFrames, noResponders, statusOf } from "./nats-frames.ts";

/** Octets of the longest reply of JetStream's API that is read. */
const apiBytesMax = 1024 * 1024;
const apiLimits: JsonLimits = { characters: apiBytesMax, values: 10_000 };

/** A connection that has signed in. */
export class NatsSession {
  readonly #connection: NatsConnection;
  readonly #signal: AbortSignal;
  readonly #where: string;

  constructor(connection: NatsConnection, where: string, signal: AbortSignal) {
    this.#connection = connection;
    this.#where = where;
    this.#signal = signal;
  }

  /**
   * Sends a request; resolves to its reply.
   * @throws LinksealError if it was refused, or if there is no reply
   */
  async ask(
    subject: string,
    body: string | Uint8Array,
    replyBytesMax = apiBytesMax,
  ): Promise<NatsReply & { readonly kind: "reply" }> {
    const octets = typeof body === "string" ? new TextEncoder().encode(body) : body;
    const request = { subject, octets, replyBytesMax };
    const reply = await this.#connection.request(request, this.#signal);
    switch (reply.kind) {
      case "reply":
        return reply;
      case "denied":
        throw this.#failed(
          ...(["transport.authentication", "the user has no right to", subject, "none"] as const),
          renewUsers,
        );
      case "busy":
      case "tooLarge":
        throw this.#failed("transport.closed", "nothing was sent to", subject, "none");
      case "unknown":
        throw this.#failed("transport.timeout", "there is no reply from", subject, "unknown");
    }
  }

  /**
   * Sends a request of JetStream's API; resolves to the JSON object that it answers.
   * @throws LinksealError
   */
  async api(
    subject: string,
    body: unknown,
    limits: JsonLimits = apiLimits,
  ): Promise<Readonly<Record<string, unknown>>> {
    const text = body === undefined ? "" : JSON.stringify(body);
    const { headers, octets } = await this.ask(subject, text, limits.characters);
    if (statusOf(headers) === noResponders) {
      const why = "JetStream is off in this server or in this account: nothing answers";
      throw this.#failed("transport.unreachable", why, subject, "none", renewUsers);
    }
    try {
      const value: unknown = parseJson(new TextDecoder().decode(octets), limits);
      if (typeof value === "object" && value !== null) return { ...value };
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    throw this.#failed("device.unparsed", "no JSON object was answered by", subject, "unknown");
  }

  /**
   * Returns how many messages each subject of a stream has, of up to 100,000 subjects.
   * @throws LinksealError, also if the list is longer than a message of ours
   */
  async subjects(stream: string, pattern: string): Promise<Readonly<Record<string, unknown>>> {
    const { state } = await this.api(
      `$JS.API.STREAM.INFO.${stream}`,
      { subjects_filter: pattern },
      { characters: messageBytesMax, values: 200_000 },
    );
    const found = typeof state === "object" && state !== null ? { ...state } : {};
    const { subjects } = found as { readonly subjects?: unknown };
    return typeof subjects === "object" && subjects !== null ? { ...subjects } : {};
  }

  /**
   * Tries a call that must be refused; `unknown` = the connection ended.
   */
  async try({ verb, subject }: ForbiddenCall): Promise<"refused" | "allowed" | "unknown"> {
    const frames =
      verb === "subscribe"
        ? [clientFrames.subscribe(subject)]
        : clientFrames.publish(subject, "", forbiddenHeaders, forbiddenContent);
    const refusals = await this.#connection.refusals(...frames);
    if (refusals === undefined) return "unknown";
    return refusals.includes(subject) ? "refused" : "allowed";
  }

  /**
   * Has the server write its reply to a request to a subject that the user may not write to itself.
   */
  async reply(request: string, to: string): Promise<void> {
    await this.#connection.refusals(...clientFrames.publish(request, to, {}, new Uint8Array()));
  }

  #failed(
    code:
      | `transport.${"authentication" | "closed" | "timeout" | "unreachable"}`
      | "device.unparsed",
    text: string,
    subject: string,
    effect: "none" | "unknown",
    next = judgeEngine,
  ): LinksealError {
    return new LinksealError(code, `${text} ${subject}`, { effect, where: this.#where, next });
  }
}

/**
 * Runs `f` on a connection and closes it.
 * @throws LinksealError if the server does not take the user, and what `f` throws
 */
export async function withSession<T>(
  parts: ConnectionParts,
  channel: StreamChannel,
  where: string,
  f: (session: NatsSession) => Promise<T>,
): Promise<T> {
  const end = new AbortController();
  const connection = new NatsConnection(parts, channel);
  const ready = Promise.withResolvers<boolean>();
  const served = connection.serve(() => ready.resolve(true), end.signal);
  void served.then(() => ready.resolve(false));
  try {
    if (await ready.promise) return await f(new NatsSession(connection, where, end.signal));
  } finally {
    end.abort();
    await served;
  }
  throw new LinksealError(
    "transport.authentication",
    `no session: ${connection.outage?.why ?? ""}`,
    {
      ...{ effect: "none", where, next: connection.outage?.next ?? judgeEngine },
    },
  );
}
