// A router's command line over octets in virtual time: it echoes what is typed, runs one line after
// the other, and stops a long answer at the end of each page.

import type { Router } from "../router/router.ts";
import type { FaceSession, Wire } from "./netconf.ts";

/** How a line went; `last` = an answer, and the end; `never` = no answer will come. */
export type Said =
  | { readonly kind: "text" | "last"; readonly text: string }
  | { readonly kind: "close" | "never" };

export interface Commands {
  prompt(): string;
  /** Virtual time that the line takes. */
  msFor(line: string): number;
  run(line: string): Said;
  /** Lines on a page; 0 = answers are not cut into pages. */
  pageLines(): number;
  closed(): void;
}

const slowFactor = 20;
const lateReplyMs = { low: 5_000, high: 40_000 };
const more = " --More-- ";
const typedMax = 64 * 1024;

/** With a prompt, an echo and pages, as behind a pseudo-terminal. */
export function serveTerminal(router: Router, commands: Commands, wire: Wire): FaceSession {
  return new Terminal(router, commands, wire);
}

/** One line without a terminal: neither prompt nor echo, and the end of the channel after it. */
export function serveLine(
  router: Router,
  commands: Commands,
  line: string,
  wire: Wire,
): FaceSession {
  const { clock } = router.options;
  let isOver = false;
  const gone = (): void => {
    if (isOver) return;
    isOver = true;
    commands.closed();
  };
  clock.after(commands.msFor(line), () => {
    clock.wake();
    if (isOver) return;
    const said = commands.run(line);
    if ("text" in said) wire.send(Buffer.from(said.text));
    gone();
    wire.close();
  });
  return { receive: () => undefined, gone };
}

class Terminal implements FaceSession {
  readonly #router: Router;
  readonly #commands: Commands;
  readonly #wire: Wire;
  /** Typed, and not looked at yet. */
  #typed = "";
  #line = "";
  /** What is left of an answer that waits for a key. */
  #pages: string[] | undefined;
  #isBusy = false;
  #isOver = false;
  #wasReturn = false;
  /** What it says to the keys at hand: it leaves in one piece. */
  #spoken = "";

  constructor(router: Router, commands: Commands, wire: Wire) {
    this.#router = router;
    this.#commands = commands;
    this.#wire = wire;
    this.#say(commands.prompt());
    this.#send();
  }

  receive(octets: Uint8Array): void {
    if (this.#isOver) return;
    this.#typed += Buffer.from(octets).toString("latin1");
    if (this.#typed.length > typedMax) this.#end();
    this.#work();
    this.#send();
  }

  gone(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#commands.closed();
  }

  #end(): void {
    this.#send();
    this.gone();
    this.#wire.close();
  }

  #say(text: string): void {
    this.#spoken += text;
  }

  #send(): void {
    if (this.#spoken === "" || this.#isOver) return;
    this.#wire.send(Buffer.from(this.#spoken, "latin1"));
    this.#spoken = "";
  }

  #work(): void {
    // A router that has lost its network takes nothing in.
    if (this.#typed !== "" && !this.#isOver && !this.#router.reachable()) this.#end();
    while (!this.#isBusy && !this.#isOver && this.#typed !== "") {
      const key = this.#typed.slice(0, 1);
      this.#typed = this.#typed.slice(1);
      if (this.#pages === undefined) this.#press(key);
      else this.#turn(key, this.#pages);
    }
  }

  #press(key: string): void {
    const wasReturn = this.#wasReturn;
    this.#wasReturn = key === "\r";
    switch (key) {
      case "\n":
        if (wasReturn) return;
        this.#enter();
        return;
      case "\r":
        this.#enter();
        return;
      case "\x03":
        this.#line = "";
        this.#say(`^C\r\n${this.#commands.prompt()}`);
        return;
      case "\x04":
        if (this.#line === "") this.#end();
        return;
      case "\x15":
        this.#say("\b \b".repeat(this.#line.length));
        this.#line = "";
        return;
      case "\x7f":
      case "\b":
        if (this.#line !== "") this.#say("\b \b");
        this.#line = this.#line.slice(0, -1);
        return;
      default:
        if (key < " ") return;
        this.#line += key;
        this.#say(key);
    }
  }

  #enter(): void {
    const line = this.#line.trim();
    this.#line = "";
    this.#say("\r\n");
    if (line === "") {
      this.#say(this.#commands.prompt());
      return;
    }
    this.#isBusy = true;
    const { clock } = this.#router.options;
    const ms = this.#commands.msFor(line) * (this.#router.hasFault("slow") ? slowFactor : 1);
    const half = (next: () => void): void => {
      clock.after(ms / 2, () => {
        clock.wake();
        next();
      });
    };
    half(() => {
      if (this.#isOver) return;
      if (!this.#router.reachable()) {
        this.#end();
        return;
      }
      const said = this.#commands.run(line);
      half(() => this.#answer(said));
    });
  }

  #answer(said: Said): void {
    if (this.#isOver) return;
    const { clock, prng } = this.#router.options;
    if (!this.#router.reachable() || said.kind === "close") {
      this.#end();
      return;
    }
    const say = (): void => {
      if (this.#isOver || !("text" in said)) return;
      this.#isBusy = false;
      if (said.kind === "last") {
        this.#say(said.text.replaceAll("\n", "\r\n"));
        this.#end();
        return;
      }
      this.#show(said.text === "" ? [] : said.text.replace(/\n$/, "").split("\n"));
      this.#work();
      this.#send();
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

  #show(lines: string[]): void {
    const room = this.#commands.pageLines();
    const page = room === 0 ? lines : lines.slice(0, room - 1);
    const rest = lines.slice(page.length);
    this.#say(page.map((line) => `${line}\r\n`).join(""));
    this.#pages = rest.length === 0 ? undefined : rest;
    this.#say(rest.length === 0 ? this.#commands.prompt() : more);
  }

  #turn(key: string, pages: string[]): void {
    this.#say(`\r${" ".repeat(more.length)}\r`);
    if (key === "q" || key === "\x03") {
      this.#pages = undefined;
      this.#say(this.#commands.prompt());
    } else this.#show(pages);
  }
}
