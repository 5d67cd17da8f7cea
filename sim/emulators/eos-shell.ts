// The command line of an Arista router for one client: modes, prompts, and every command that the
// emulator knows.

import { answerTo } from "./cli-answers.ts";
import { type EosConfiguration, ping, states, tables } from "./eos-answers.ts";
import { asJson, CommandError, type ConfigSession, printed, sanitized } from "./eos-config.ts";
import { Editor } from "./eos-editor.ts";
import { type Block, cloneBlocks } from "./line-tree.ts";
import type { Json } from "./router-facts.ts";
import type { Printed, Shell } from "./terminal.ts";

const asTyped = (line: string): string => line;
const dayS = 86_400;

export class EosShell implements Shell {
  readonly style = { greeting: "", echo: "key" } as const;
  readonly #emulator: EosConfiguration;
  #level: 1 | 15;
  /** The editor of the configuration that is being edited, and the session that it belongs to. */
  #editor: Editor | undefined;
  #session: ConfigSession | undefined;
  #page = 24;

  constructor(emulator: EosConfiguration, level: 1 | 15) {
    this.#emulator = emulator;
    this.#level = level;
  }

  prompt(): string {
    const host = this.#emulator.hostname();
    if (this.#level === 1) return `${host}>`;
    if (this.#editor === undefined) return `${host}#`;
    const mark = this.#session === undefined ? "" : `-s-${this.#session.name.slice(0, 6)}`;
    return `${host}(config${mark}${this.#editor.where()})#`;
  }

  pageLines(): number {
    return this.#page;
  }

  msFor(line: string): number {
    const { observeMs, prepareMs, commitMs } = this.#emulator.router.options.latency;
    if (line.startsWith("!")) return 0;
    if (/\bcommit\b/.test(line)) return commitMs;
    if (line.startsWith("configure session")) return prepareMs / 2;
    return this.#editor === undefined ? observeMs / 20 : prepareMs / 40;
  }

  run(line: string): Printed {
    this.#emulator.follow();
    // Under this fault the router still answers, with text that cannot be parsed.
    if (this.#emulator.router.hasFault("unparsed") && /^(?:show|ping)/.test(line)) {
      return "Sysdb connection lost\n";
    }
    try {
      return this.#run(line);
    } catch (error) {
      if (error instanceof CommandError) return `${error.message}\n`;
      throw error;
    }
  }

  closed(): void {
    // A session that no client is in remains: a client that knows its name may return to it.
    this.#edit(undefined);
  }

  #edit(root: Block[] | undefined, session?: ConfigSession): "" {
    this.#editor = root && new Editor(root);
    this.#session = session;
    return "";
  }

  #run(line: string): Printed {
    if (line.startsWith("!")) return "";
    const reply = this.#general(line) ?? (line.startsWith("show ") ? this.#show(line) : undefined);
    if (reply !== undefined) return reply;
    if (this.#level === 1) throw new CommandError("% Invalid input (privileged mode required)");
    return this.#editor === undefined ? this.#exec(line) : this.#configure(line, this.#editor);
  }

  #general(line: string): Printed | undefined {
    const [, length] = /^terminal length (\d{1,5})$/.exec(line) ?? [];
    if (length !== undefined) {
      this.#page = Number(length);
      return length === "0" ? "Pagination disabled.\n" : "";
    }
    if (/^terminal width \d{1,5}$/.test(line))
      return `Width set to ${line.split(" ")[2]} columns.\n`;
    switch (line) {
      case "enable":
        this.#level = 15;
        return "";
      case "disable":
        this.#level = 1;
        return "";
      case "end":
        return this.#edit(undefined);
      case "exit":
      case "quit":
      case "logout":
        return this.#exit();
      default:
        return undefined;
    }
  }

  #exit(): Printed {
    if (this.#editor === undefined) return { kind: "last" };
    return this.#editor.exit() ? "" : this.#edit(undefined);
  }

  #exec(line: string): Printed {
    const emulator = this.#emulator;
    const [, name, verb] =
      /^configure session(?: ([A-Za-z0-9._-]{1,64}))?(?: (commit|abort))?$/.exec(line) ?? [];
    if (verb === "commit" && name !== undefined) return emulator.commitNamed(name);
    if (verb === "abort" && name !== undefined) {
      emulator.abort(name);
      return "";
    }
    if (line.startsWith("configure session")) {
      const session = emulator.open(name);
      return this.#edit(session.root, session);
    }
    const [, vrf, host, out = "", count = "5"] =
      /^ping (?:vrf (\S+) )?(\S+)(?: interface (\S+))?(?: repeat (\d{1,9}))?$/.exec(line) ?? [];
    if (host !== undefined) {
      const instance = vrf === undefined ? {} : { vrf };
      return ping(emulator, { host, out, ...instance }, Number(count));
    }
    switch (line) {
      case "configure":
      case "configure terminal":
        return this.#edit(cloneBlocks(emulator.current));
      case "write":
      case "write memory":
      case "copy running-config startup-config":
        emulator.save();
        return "Copy completed successfully.\n";
      default:
        throw new CommandError("% Invalid input");
    }
  }

  #configure(line: string, editor: Editor): Printed {
    const session = this.#session;
    if (session === undefined) {
      editor.enter(line);
      this.#emulator.direct(editor.root);
      return "";
    }
    const [, time] = /^commit(?: timer (\S+))?$/.exec(line) ?? [];
    if (/^commit\b/.test(line)) {
      const printed = this.#emulator.commit(session, time === undefined ? "final" : msOf(time));
      this.#edit(undefined);
      return printed;
    }
    if (line === "abort") {
      this.#emulator.abort(session.name);
      return this.#edit(undefined);
    }
    editor.enter(line);
    return "";
  }

  /**
   * Returns the answer to a `show` command: text, or JSON where that is asked for. Not every text
   * is emulated: such a command is refused, and no answer is printed that the router would not
   * print.
   * @throws CommandError
   */
  #show(line: string): string {
    const [, question = "", isJson] = /^show (.+?)( \| json)?$/.exec(line) ?? [];
    const table = this.#textOf(question);
    const json = this.#jsonOf(question);
    if (isJson === undefined && table !== undefined) return this.#withSyslog(table);
    if (isJson !== undefined && json !== undefined) {
      return this.#withSyslog(`${JSON.stringify(json, undefined, 4)}\n`);
    }
    if (isJson === undefined || table === undefined) {
      throw new CommandError(
        json === undefined ? "% Invalid input" : "% Not emulated without | json",
      );
    }
    throw new CommandError("% This is an unconverted command");
  }

  /** Puts messages between the lines, as a terminal gets them while an answer is printed. */
  #withSyslog(answer: string): string {
    const { model, router } = this.#emulator;
    if (model.syslog === undefined) return answer;
    const [, date, month, , time] = new Date(router.wall()).toUTCString().split(/,? /);
    const stamp = `${month} ${String(Number(date)).padStart(2)} ${time}`;
    const event = "%LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet9, changed state to up";
    const messages = [
      `${stamp} ${this.#emulator.hostname()} Ebra: ${event}`,
      `${new Date(router.wall()).toISOString()} ${this.#emulator.hostname()} Ebra: 42: ${event}`,
    ];
    return answer
      .split("\n")
      .flatMap((text, index, { length }) => {
        const isLast = index === length - 1;
        return index % 5 === 2 && !isLast ? [text, messages[index % 2] ?? ""] : [text];
      })
      .join("\n");
  }

  #textOf(question: string): string | undefined {
    const [, named, diffs] = /^session-config(?: named (\S+))?( diffs)?$/.exec(question) ?? [];
    if (question.startsWith("session-config")) {
      return this.#sessionConfig(named, diffs !== undefined);
    }
    if (!/^running-config(?: sanitized)?$/.test(question)) {
      return answerTo(tables, this.#emulator, question);
    }
    this.#needLevel();
    return printed(this.#emulator.shown, question === "running-config" ? asTyped : sanitized);
  }

  #needLevel(): void {
    if (this.#level === 1) throw new CommandError("% Invalid input (privileged mode required)");
  }

  #sessionConfig(named: string | undefined, isDiff: boolean): string {
    this.#needLevel();
    const session = named === undefined ? this.#session : this.#emulator.sessions.get(named);
    if (session === undefined) throw new CommandError("% No such session");
    const whole = printed(session.root, asTyped);
    if (!isDiff) return whole;
    const before = new Set(printed(this.#emulator.current, asTyped).split("\n"));
    const after = new Set(whole.split("\n"));
    return [
      "--- system:/running-config",
      `+++ session:/${session.name}-session-config`,
      ...[...before].filter((one) => !after.has(one)).map((one) => `-${one}`),
      ...[...after].filter((one) => !before.has(one)).map((one) => `+${one}`),
      "",
    ].join("\n");
  }

  #jsonOf(question: string): Json | undefined {
    if (!/^running-config(?: sanitized)?$/.test(question)) {
      return answerTo(states, this.#emulator, question);
    }
    this.#needLevel();
    const isWhole = question === "running-config";
    const cmds = asJson(this.#emulator.shown, isWhole ? asTyped : sanitized);
    return isWhole ? { cmds } : { header: ["! Command: show running-config\n"], cmds };
  }
}

/**
 * Parses hours, minutes and seconds into milliseconds.
 * @throws CommandError
 */
function msOf(time: string): number {
  const found = /^(\d{1,2}):(\d{2}):(\d{2})$/.exec(time);
  const [hours = 0, minutes = 0, seconds = 0] = found?.slice(1).map(Number) ?? [];
  const all = hours * 3600 + minutes * 60 + seconds;
  if (found === null || minutes > 59 || seconds > 59 || all === 0 || all >= dayS) {
    throw new CommandError("% Invalid input");
  }
  return all * 1000;
}
