// The server's side of an interactive terminal in virtual time: it echoes what is typed, and works
// on one line after the other.

import type { Router } from "../router/router.ts";
import type { FaceSession, Wire } from "./netconf.ts";

/** What becomes of a line; `last` = the text, and the end; `never` = nothing will come. */
export type Printed =
  | { readonly kind: "text" | "last"; readonly text: string }
  | { readonly kind: "close" | "never" };

export interface Shell {
  readonly greeting: string;
  prompt(): string;
  /** Virtual time that the line takes. */
  msFor(line: string): number;
  run(line: string): Printed;
  closed(): void;
}

const slowFactor = 20;
const lateReplyMs = { low: 5_000, high: 40_000 };
const lineMax = 4_096;

export function serveTerminal(router: Router, shell: Shell, wire: Wire): FaceSession {
  return new Terminal(router, shell, wire);
}

class Terminal implements FaceSession {
  readonly #router: Router;
  readonly #shell: Shell;
  readonly #wire: Wire;
  readonly #queue: string[] = [];
  #typed = "";
  #isBusy = false;
  #isOver = false;

  constructor(router: Router, shell: Shell, wire: Wire) {
    this.#router = router;
    this.#shell = shell;
    this.#wire = wire;
    this.#say(`${shell.greeting}\n${shell.prompt()}`);
  }

  receive(octets: Uint8Array): void {
    if (this.#isOver) return;
    this.#typed += new TextDecoder().decode(octets).replaceAll("\r\n", "\n").replaceAll("\r", "\n");
    const lines = this.#typed.split("\n");
    this.#typed = (lines.pop() ?? "").slice(0, lineMax);
    this.#queue.push(...lines);
    this.#work();
  }

  gone(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#shell.closed();
  }

  #end(): void {
    this.gone();
    this.#wire.close();
  }

  #say(text: string): void {
    this.#wire.send(Buffer.from(text.replaceAll("\n", "\r\n")));
  }

  #work(): void {
    const line = this.#isBusy ? undefined : this.#queue.shift();
    if (line === undefined || this.#isOver) return;
    const router = this.#router;
    const { clock } = router.options;
    if (!router.reachable()) {
      this.#end();
      return;
    }
    this.#isBusy = true;
    this.#say(`${line}\n`);
    const ms = this.#shell.msFor(line.trim()) * (router.hasFault("slow") ? slowFactor : 1);
    const half = (next: () => void): void => {
      clock.after(ms / 2, () => {
        clock.wake();
        if (this.#isOver) return;
        if (router.reachable()) next();
        else this.#end();
      });
    };
    half(() => {
      const printed = this.#shell.run(line.trim());
      half(() => this.#answer(printed));
    });
  }

  #answer(printed: Printed): void {
    const { clock, prng } = this.#router.options;
    if (printed.kind === "close") {
      this.#end();
      return;
    }
    const say = (): void => {
      if (this.#isOver || !("text" in printed)) return;
      const { kind, text } = printed;
      this.#isBusy = false;
      const end = text === "" || text.endsWith("\n") ? text : `${text}\n`;
      this.#say(kind === "last" ? end : `${end}${this.#shell.prompt()}`);
      if (kind === "last") this.#end();
      else this.#work();
    };
    if (!this.#router.hasFault("replyLate")) {
      say();
      return;
    }
    clock.after(prng.fork("late").between(lateReplyMs.low, lateReplyMs.high), () => {
      clock.wake();
      say();
    });
  }
}
