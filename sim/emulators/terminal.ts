// The server's side of an interactive terminal in virtual time: it echoes input, runs one line
// after the other, and stops a long answer at the end of each page.

import type { Router } from "../router/router.ts";
import { Exchange, type Unanswered } from "./exchange.ts";
import type { EmulatorSession, Wire } from "./netconf.ts";

/** The outcome of a line; `last` means that nothing is printed and the session ends. */
export type Printed = string | { readonly kind: "last" } | Unanswered;

export interface TerminalStyle {
  /** The text before the first prompt. */
  readonly greeting: string;
  /** Each key is echoed as it is typed, or each line when it is run. */
  readonly echo: "key" | "line";
}

export const ciscoStyle: TerminalStyle = { greeting: "\r\n\r\n", echo: "line" };

export interface Shell {
  readonly style: TerminalStyle;
  prompt(): string;
  /** Returns the virtual time that the line takes, in milliseconds. */
  msFor(line: string): number;
  run(line: string): Printed;
  /** Returns the lines on a page; absent or 0 means that answers are not cut into pages. */
  pageLines?(): number;
  closed(): void;
}

const more = " --More-- ";
const typedMax = 64 * 1024;
const lineMax = 4_096;

/** Serves a session with a prompt, an echo and pages, as behind a pseudo-terminal. */
export function serveTerminal(router: Router, shell: Shell, wire: Wire): EmulatorSession {
  return new Terminal(router, shell, wire);
}

/** Runs one line without a terminal: neither prompt nor echo, and the channel ends after it. */
export function serveLine(router: Router, shell: Shell, line: string, wire: Wire): EmulatorSession {
  const { clock } = router.options;
  const exchange = new Exchange(
    router,
    () => wire.close(),
    () => shell.closed(),
  );
  clock.after(shell.msFor(line), () => {
    clock.wake();
    if (exchange.isOver) return;
    const printed = shell.run(line);
    if (typeof printed === "string") wire.send(Buffer.from(printed));
    exchange.end();
  });
  return { receive: () => undefined, gone: () => exchange.gone() };
}

class Terminal implements EmulatorSession {
  readonly #router: Router;
  readonly #shell: Shell;
  readonly #wire: Wire;
  readonly #exchange: Exchange;
  readonly #hasKeys: boolean;
  /** The input that is not processed yet. */
  #typed = "";
  #line = "";
  /** The rest of an answer that waits for a key. */
  #pages: string[] | undefined;
  #wasReturn = false;
  /** The output for the present input, which leaves in one piece. */
  #spoken = "";

  constructor(router: Router, shell: Shell, wire: Wire) {
    this.#router = router;
    this.#shell = shell;
    this.#wire = wire;
    this.#hasKeys = shell.style.echo === "key";
    this.#exchange = new Exchange(
      router,
      () => wire.close(),
      () => shell.closed(),
    );
    this.#say(`${shell.style.greeting}${shell.prompt()}`);
    this.#send();
  }

  receive(octets: Uint8Array): void {
    if (this.#exchange.isOver) return;
    if (this.#hasKeys) this.#receiveKeys(octets);
    else this.#receiveLines(octets);
    this.#work();
    this.#send();
  }

  gone(): void {
    this.#exchange.gone();
  }

  #receiveKeys(octets: Uint8Array): void {
    this.#typed += Buffer.from(octets).toString("latin1");
    // A router that has lost its network receives nothing.
    const isCut = this.#typed !== "" && !this.#router.reachable();
    if (isCut || this.#typed.length > typedMax) this.#end();
  }

  #receiveLines(octets: Uint8Array): void {
    this.#typed += new TextDecoder().decode(octets).replaceAll("\r\n", "\n").replaceAll("\r", "\n");
    this.#typed = this.#typed.slice(0, this.#typed.lastIndexOf("\n") + 1 + lineMax);
  }

  #end(): void {
    this.#send();
    this.#exchange.end();
  }

  #say(printed: string): void {
    this.#spoken += printed;
    if (!this.#hasKeys) this.#send();
  }

  #send(): void {
    if (this.#spoken === "" || this.#exchange.isOver) return;
    this.#wire.send(Buffer.from(this.#spoken, this.#hasKeys ? "latin1" : "utf8"));
    this.#spoken = "";
  }

  #work(): void {
    const end = this.#hasKeys ? "" : "\n";
    while (!this.#exchange.isBusy && this.#typed !== "" && this.#typed.includes(end)) {
      if (this.#exchange.isOver) return;
      if (!this.#router.reachable()) {
        this.#end();
        return;
      }
      const length = this.#hasKeys ? 1 : this.#typed.indexOf(end);
      const taken = this.#typed.slice(0, length);
      this.#typed = this.#typed.slice(length + end.length);
      if (this.#pages !== undefined) this.#turn(taken, this.#pages);
      else if (this.#hasKeys) this.#press(taken);
      else {
        this.#say(`${taken}\r\n`);
        this.#run(taken.trim());
      }
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
        this.#say(`^C\r\n${this.#shell.prompt()}`);
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
    if (line === "") this.#say(this.#shell.prompt());
    else this.#run(line);
  }

  #run(line: string): void {
    const shell = this.#shell;
    this.#exchange.take(
      shell.msFor(line),
      () => shell.run(line),
      (printed) => this.#answer(printed),
    );
  }

  #answer(printed: Printed): void {
    if (typeof printed !== "string") {
      if (printed.kind === "last") this.#end();
      return;
    }
    this.#exchange.isBusy = false;
    this.#show(printed === "" ? [] : printed.replace(/\n$/, "").split("\n"));
    this.#work();
    this.#send();
  }

  #show(lines: string[]): void {
    const room = this.#shell.pageLines?.() ?? 0;
    const page = room === 0 ? lines : lines.slice(0, room - 1);
    const rest = lines.slice(page.length);
    this.#pages = rest.length === 0 ? undefined : rest;
    const end = rest.length === 0 ? this.#shell.prompt() : more;
    this.#say(`${page.map((line) => `${line}\r\n`).join("")}${end}`);
  }

  #turn(key: string, pages: string[]): void {
    this.#say(`\r${" ".repeat(more.length)}\r`);
    if (key === "q" || key === "\x03") {
      this.#pages = undefined;
      this.#say(this.#shell.prompt());
    } else this.#show(pages);
  }
}
