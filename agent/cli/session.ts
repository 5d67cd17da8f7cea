// What all verbs share: their options, the agent behind a socket, and the streams for text and
// JSON.

import { jsonText, readable, visible } from "../model/text.ts";
import { ask } from "./client.ts";
import { type Paint, paintFor } from "./paint.ts";

/** Options that every verb takes. */
export interface Common {
  readonly json?: true;
  readonly socket?: string;
}

/** The agent behind a socket, as one command asks it, and the streams for what it answers. */
export class Session {
  readonly json: boolean;
  readonly paint: Paint;
  readonly #socket: string | undefined;

  constructor(options: Common) {
    this.json = options.json === true;
    this.paint = paintFor(process.stdout);
    this.#socket = options.socket;
  }

  /**
   * Asks the view socket. `T` is the shape that the route returns in this program's version of the
   * agent. `patienceMs`: how long to wait; absent = as long as the request may take.
   */
  async view<T>(path: string, patienceMs?: number): Promise<T> {
    const question = { role: "view", method: "GET", path, socket: this.#socket } as const;
    return (await ask(patienceMs === undefined ? question : { ...question, patienceMs })) as T;
  }

  /** Asks the view socket to make something that changes no device, such as a login code. */
  async get<T>(path: string): Promise<T> {
    const question = { role: "view", method: "POST", path, socket: this.#socket } as const;
    return (await ask(question)) as T;
  }

  /** Asks the admin socket to do something. */
  async admin<T>(path: string, body: unknown): Promise<T> {
    const question = { role: "admin", method: "POST", path, body, socket: this.#socket } as const;
    const answer = await ask(question);
    this.#noteUnrecorded(answer);
    return answer as T;
  }

  /**
   * The change was made, but its audit record is not on the disk yet: the operator is informed of
   * both.
   */
  #noteUnrecorded(answer: unknown): void {
    const isReported = typeof answer === "object" && answer !== null && "unrecorded" in answer;
    if (isReported && typeof answer.unrecorded === "string") this.note(visible(answer.unrecorded));
  }

  /** Prints the result: JSON for a script, or text in which everything is safe on a terminal. */
  async show<T>(result: T, words: (result: T) => string | Promise<string>): Promise<void> {
    const text = this.json ? jsonText(result) : await words(readable(result));
    process.stdout.write(text === "" ? "" : `${text}\n`);
  }

  /**
   * Prints to standard error what is not the result: progress, questions, plans beside JSON. The
   * text must be safe on a terminal.
   */
  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }
}
