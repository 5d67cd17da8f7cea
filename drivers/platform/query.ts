// Queries to one router, and the errors that end them: each reply is read as a whole, or it is not
// understood.

import { type Effect, type ErrorCode, LinksealError } from "#hal/error.ts";
import { type Command, preview } from "#hal/secret.ts";
import type { Cli } from "../transport/cli.ts";
import { type QueryResult, resultOf } from "./query-result.ts";

/** Returns an error with effect "none". */
export function failed(code: ErrorCode, text: string, where: string): LinksealError {
  return new LinksealError(code, text, { effect: "none", where, next: "linkseal status" });
}

/** Returns the same failure with another effect and text. */
export function leaving(
  error: LinksealError,
  effect: Effect,
  text: string,
  where: string,
): LinksealError {
  const details = { effect, where, next: "linkseal status", cause: error } as const;
  return new LinksealError(error.code, text, details);
}

/** How queries are sent to a platform. */
interface Asking<N extends string, Q extends object, R> {
  /** The device, for errors. */
  readonly where: string;
  readonly request: (name: N, argument?: string) => Q;
  readonly ask: (request: Q) => Promise<R>;
  /** Names the query in errors. */
  readonly subject: (request: Q) => string;
}

type Read<R, T> = (reply: R) => T | undefined;

/** Queries by name, or commands that were made for the case. */
export class Query<N extends string, Q extends object, R> {
  readonly where: string;
  readonly #asking: Asking<N, Q, R>;

  constructor(asking: Asking<N, Q, R>) {
    this.where = asking.where;
    this.#asking = asking;
  }

  /** Sends a query and reads the reply; a refusal concerns this query only. */
  result<T>(asked: N | Q, read: Read<R, T>, argument?: string): Promise<QueryResult<T>> {
    const request = this.#requestOf(asked, argument);
    return resultOf(this.#asking.ask(request), read, this.#asking.subject(request));
  }

  /** Returns the name of a query in errors. */
  named(asked: N): string {
    return this.#asking.subject(this.#requestOf(asked));
  }

  /**
   * Sends a query and returns the value of its reply.
   * @throws LinksealError as `needed`.
   */
  value<T>(asked: N | Q, read: Read<R, T>): Promise<T> {
    return this.needed(this.result(asked, read));
  }

  /**
   * Returns the value of a result.
   * @throws LinksealError `device.unparsed`, also for a refusal; its text names the query.
   */
  async needed<T>(asked: Promise<QueryResult<T>>): Promise<T> {
    const reported = await asked;
    if ("value" in reported) return reported.value;
    const { query = "a query", refusal } = reported;
    if (refusal === undefined) {
      throw failed("device.unparsed", `the answer to ${query} is not understood`, this.where);
    }
    const text = `${query} has no answer: ${refusal.message}`;
    const details = { effect: "none", where: this.where, next: "linkseal status" } as const;
    throw new LinksealError("device.unparsed", text, { ...details, cause: refusal });
  }

  #requestOf(asked: N | Q, argument?: string): Q {
    return typeof asked === "string" ? this.#asking.request(asked, argument) : asked;
  }
}

/** Makes queries on a command line. */
export function cliQuery<N extends string>(
  cli: Cli,
  request: (name: N, argument?: string) => Command,
  signal: AbortSignal,
): Query<N, Command, string> {
  const ask = (asked: Command): Promise<string> => cli.run([asked], "none", signal);
  const subject = (asked: Command): string => `"${preview(asked)}"`;
  return new Query({ where: cli.where, request, ask, subject });
}
