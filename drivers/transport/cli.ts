// A router's command line over a byte channel: its prompt is learned and verified, echoes and pager
// prompts are removed, and refusals are found in its output.

import { type Effect, LinksealError } from "#hal/error.ts";
import { foreignText } from "#hal/foreign-text.ts";
import { type Command, preview, type SecretHole } from "#hal/secret.ts";
import { SentSecrets, secretsOf } from "#hal/sent-secrets.ts";
import type { ByteChannel, Entropy } from "#hal/world.ts";
import { Screen } from "./cli-screen.ts";
import { type FailureMark, lostBy, refusalOf } from "./refusal.ts";

/** The differences between the command lines of platforms. */
export interface CliPlatform {
  /**
   * The whole prompt. Its group `host` never changes in a session; `mode` is the rest, and shows
   * where commands take effect.
   */
  readonly prompt: RegExp;
  /** The end of a screen that waits for a key to be pressed. */
  readonly pager: RegExp;
  /** The end of a question; one that is not in `answers` ends the session. */
  readonly question: RegExp;
  /** Questions that are answered; absent = none is. */
  readonly answers?: readonly CliAnswer[];
  /** A line that matches is a refusal, whatever follows it. */
  readonly marks: readonly FailureMark[];
  /** A line that the platform adds by itself. */
  readonly noise: RegExp;
  /** Sent after the login, in this order; a refused one ends the session. */
  readonly preparation: readonly string[];
  /**
   * Makes a line without an effect, for the mode of the prompt, with the nonce at its end; its echo
   * is searched for. `before`: the mode of the prompt that was verified last.
   */
  readonly mark: (nonce: string, mode: string, before: string) => string;
}

/** A question that the platform may ask after one command, and the only answer to it. */
interface CliAnswer {
  /** The command that it follows. */
  readonly after: RegExp;
  /** The whole line of the question. */
  readonly question: RegExp;
  readonly answer: string;
}

/** Makes a mark for platforms that ignore comments in every mode. */
export const commentMark = (nonce: string): string => `! ${nonce}`;

export interface CliOptions {
  readonly platform: CliPlatform;
  /** The device, for errors. */
  readonly where: string;
  readonly entropy: Entropy;
}

/** 2,000 interfaces with all their counters, the longest reply, need five megabytes. */
const limits = { lineBytesMax: 64 * 1024, bytesMax: 6 * 1024 * 1024 };
/** Characters of the replies to the calls of one observation, which share a signal. */
const repliesLengthMax = 12 * 1024 * 1024;
/** No prompt, pager or question has more characters. */
const tailMax = 300;
/** UTF-8 has at most four octets for a character. */
const tailBytesMax = 4 * tailMax;
const nonceOctets = 8;
const tokenMax = 128;

/**
 * Excludes `?`, which asks for help at once, and quotes, pipes and comments. An address of IPv6 may
 * begin with colons.
 */
const tokenPattern = /^(?:[A-Za-z0-9_][A-Za-z0-9_.:/@+,=-]*|::[0-9A-Fa-f][0-9A-Fa-f:.]*)$/;
const linePattern = /^[ !-~]*$/;

/**
 * Makes one line of input; each value becomes exactly one word of it.
 * @throws LinksealError `device.rejected` for a value that is not one word.
 */
export function line(
  text: TemplateStringsArray,
  ...values: readonly (string | number | SecretHole)[]
): Command {
  return text.flatMap((piece, index): Command => {
    const value = values[index];
    if (value === undefined) return piece === "" ? [] : [piece];
    if (typeof value === "object") return [piece, value];
    return [piece, tokenOf(String(value))];
  });
}

/** Returns the value if it is one word to any router. */
function tokenOf(value: string): string {
  if (isToken(value)) return value;
  const text = `${JSON.stringify(value).slice(0, tokenMax)} is not one word of a command line`;
  throw refusalOf("device.rejected", text, "command line");
}

/** Returns whether the value is one word to any router. */
export function isToken(value: string): boolean {
  return value.length <= tokenMax && tokenPattern.test(value);
}

/** One session, in which one command runs at a time; aborting a command ends the session. */
export class Cli implements AsyncDisposable {
  /** The device, for errors. */
  readonly where: string;
  readonly #channel: ByteChannel;
  readonly #options: CliOptions;
  readonly #screen: Screen;
  /** Whatever the device says after a key was typed may repeat it, until the session ends. */
  readonly #sent = new SentSecrets();
  #host = "";
  #mode = "";
  #before: Promise<unknown> = Promise.resolve();
  /** The command whose reply is awaited, without its secrets. */
  #running = "";
  /** The number of lines when a question of this command was answered. */
  #answeredAt: number | undefined;
  /** Characters of replies since the first call of an observation. */
  #replied = 0;
  #observation: AbortSignal | undefined;
  #ended: LinksealError | undefined;

  private constructor(channel: ByteChannel, options: CliOptions) {
    this.#channel = channel;
    this.#options = options;
    this.where = options.where;
    this.#screen = new Screen(limits, options.where);
  }

  /**
   * Opens a session and takes over the channel: a failure or an abort closes it.
   * @throws LinksealError `transport.*` or `device.*`.
   */
  static async open(channel: ByteChannel, options: CliOptions, signal: AbortSignal): Promise<Cli> {
    const cli = new Cli(channel, options);
    try {
      await cli.#learn(signal);
      for (const text of options.platform.preparation) await cli.run([[text]], "none", signal);
      return cli;
    } catch (error) {
      await cli[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Whether the session has ended. */
  get isOver(): boolean {
    return this.#ended !== undefined;
  }

  /** The part of the prompt that stays. */
  get host(): string {
    return this.#host;
  }

  /** The part of the prompt beside the host's name. */
  get mode(): string {
    return this.#mode;
  }

  /**
   * Enters the lines one after another and returns the output, without echoes and prompts; no line
   * is entered after a refused one. `effect`: what a line may have done once the reply is lost. An
   * abort ends the session.
   * @throws LinksealError `device.*` for a refusal, `transport.*` with `effect` for a lost reply.
   */
  async run(lines: readonly Command[], effect: Effect, signal: AbortSignal): Promise<string> {
    for (const one of lines) this.#refuseUnprintable(one);
    const { promise: turn, resolve } = Promise.withResolvers<void>();
    const before = this.#before;
    this.#before = before.then(() => turn);
    try {
      await before;
      signal.throwIfAborted();
      if (this.#ended !== undefined) throw lostBy(this.#ended, "none");
      return await this.#runAlone(lines, effect, signal);
    } finally {
      resolve();
    }
  }

  /** Ends the session and wipes the screen. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended ??= this.#closed("it was closed here");
    this.#screen.clear();
    this.#sent[Symbol.dispose]();
    await this.#channel[Symbol.asyncDispose]();
  }

  async #runAlone(lines: readonly Command[], effect: Effect, signal: AbortSignal): Promise<string> {
    try {
      const outputs: (readonly string[])[] = [];
      let refusal: LinksealError | undefined;
      for (const command of lines) {
        const from = this.#screen.count;
        this.#running = preview(command);
        this.#answeredAt = undefined;
        const hasKey = secretsOf(command).length > 0;
        this.#sent.add(secretsOf(command));
        await this.#channel.write([...command, "\n"], signal);
        await this.#prompted(command, from, signal);
        this.#running = "";
        const output = this.#outputOf(command, from, this.#screen.count);
        refusal = this.#refusalIn(output, hasKey);
        if (refusal !== undefined) break;
        // The output after a line with a key may be a piece of its echo.
        if (!hasKey) outputs.push(output);
      }
      outputs.push(await this.#synchronize(signal));
      const shown = outputs.flat();
      refusal ??= this.#refusalIn(shown, false);
      if (refusal !== undefined) throw refusal;
      return this.#within(shown.join("\n"), signal);
    } catch (thrown) {
      const error = this.#sent.cleanError(thrown);
      if (error instanceof LinksealError && error.code.startsWith("device.")) throw error;
      const reason = error instanceof LinksealError ? error : this.#closed("it was aborted");
      this.#ended ??= reason;
      await this[Symbol.asyncDispose]();
      throw error === reason ? lostBy(reason, effect) : error;
    }
  }

  #within(reply: string, signal: AbortSignal): string {
    if (signal !== this.#observation) {
      this.#observation = signal;
      this.#replied = 0;
    }
    this.#replied += reply.length;
    if (this.#replied > repliesLengthMax) throw this.#closed("its replies are too long together");
    return reply;
  }

  /**
   * Learns the prompt. A text in a banner that looks like one does not count: the true prompt is
   * printed again for an empty line.
   */
  async #learn(signal: AbortSignal): Promise<void> {
    await this.#until(() => this.#promptIn(this.#tail) !== undefined, 0, signal);
    for (;;) {
      const first = this.#tail;
      const count = this.#screen.count;
      await this.#channel.write(["\n"], signal);
      const again = (): boolean =>
        this.#screen.count > count && this.#promptIn(this.#tail) !== undefined;
      await this.#until(again, 0, signal);
      if (this.#tail !== first) continue;
      this.#host = this.#promptIn(first)?.host ?? "";
      break;
    }
    await this.#synchronize(signal);
  }

  /**
   * Enters a line with a nonce. A device never prints the nonce by chance, so all earlier commands
   * have ended once it is echoed. The text between the last prompt and the echo is output as well.
   */
  async #synchronize(signal: AbortSignal): Promise<readonly string[]> {
    const nonce = Buffer.from(this.#options.entropy.bytes(nonceOctets)).toString("hex");
    const { mark: markFor, noise } = this.#options.platform;
    const mark = markFor(nonce, this.#ownPrompt()?.mode ?? "", this.#mode);
    const from = this.#screen.count;
    await this.#channel.write([`${mark}\n`], signal);
    let at = from;
    const found = (): boolean => {
      while (at < this.#screen.count && !this.#isMark(this.#screen.line(at), mark)) at += 1;
      return at < this.#screen.count && this.#ownPrompt() !== undefined;
    };
    await this.#until(found, 0, signal);
    // The mark has no reply: what follows its echo belongs to an earlier command.
    for (let index = at + 1; index < this.#screen.count; index += 1) {
      const text = this.#lineOf(index);
      if (text.trim() !== "" && !noise.test(text)) throw this.#closed("it answers out of step");
    }
    this.#mode = this.#sent.clean(this.#ownPrompt()?.mode ?? "");
    const late = this.#linesOf(from, at);
    this.#screen.clear();
    return late.filter((text) => !noise.test(text));
  }

  #isMark(octets: Buffer, mark: string): boolean {
    if (octets.length > tailMax) return false;
    const text = octets.toString("utf8");
    return text.endsWith(mark) && this.#isOwn(text.slice(0, -mark.length));
  }

  #isOwn(text: string): boolean {
    const found = this.#promptIn(text) ?? this.#promptIn(text.trimEnd());
    return found !== undefined && found.host === this.#host;
  }

  #ownPrompt(): { readonly host: string; readonly mode: string } | undefined {
    const found = this.#promptIn(this.#tail);
    return found?.host === this.#host ? found : undefined;
  }

  /** The line that has not ended, or "" for one that is too long for a prompt. */
  get #tail(): string {
    return this.#screen.tailBytes > tailBytesMax ? "" : this.#screen.tail;
  }

  #promptIn(tail: string): { readonly host: string; readonly mode: string } | undefined {
    if (tail.length > tailMax) return undefined;
    const groups = this.#options.platform.prompt.exec(tail)?.groups;
    return groups && { host: groups["host"] ?? "", mode: groups["mode"] ?? "" };
  }

  /** Waits until a prompt of this host is shown and the line with the echo has ended. */
  #prompted(command: Command, from: number, signal: AbortSignal): Promise<void> {
    const isThere = (): boolean =>
      this.#echoAt(command, from) < this.#screen.count && this.#ownPrompt() !== undefined;
    return this.#until(isThere, from + 1, signal);
  }

  /**
   * Returns the index of the line with the echo, which may not have ended yet. A message that the
   * device adds may precede it, and the prompt that was shown before. The echo of a line with a key
   * is the first line: text made of it would outlive the key in it.
   */
  #echoAt(command: Command, from: number): number {
    if (secretsOf(command).length > 0) return from;
    let at = from;
    while (at < this.#screen.count && this.#isBeforeEcho(this.#lineOf(at))) at += 1;
    return at;
  }

  #isBeforeEcho(text: string): boolean {
    return text.trim() === "" || this.#options.platform.noise.test(text) || this.#isOwn(text);
  }

  /**
   * Reads until `isThere`. While fewer than `echoed` lines have ended, the last one may contain a
   * key and is not read.
   */
  async #until(isThere: () => boolean, echoed: number, signal: AbortSignal): Promise<void> {
    while (!isThere()) {
      if (this.#screen.count >= echoed) await this.#answer(this.#tail, signal);
      const octets = await this.#channel.read(signal);
      if (octets === undefined) throw this.#closed("the device closed it");
      this.#screen.feed(octets);
      octets.fill(0);
    }
  }

  async #answer(tail: string, signal: AbortSignal): Promise<void> {
    if (tail.length > tailMax || this.#promptIn(tail) !== undefined) return;
    const { pager, question, answers = [] } = this.#options.platform;
    if (pager.test(tail)) await this.#channel.write([" "], signal);
    if (!question.test(tail)) return;
    const found = answers.find((one) => one.after.test(this.#running) && one.question.test(tail));
    if (found === undefined) throw this.#closed("it asks a question that linkseal does not answer");
    // The question stays on the screen until the device prints the next line.
    if (this.#answeredAt === this.#screen.count) return;
    this.#answeredAt = this.#screen.count;
    await this.#channel.write([`${found.answer}\n`], signal);
  }

  /** Returns the output, which follows the echo. */
  #outputOf(command: Command, from: number, to: number): readonly string[] {
    const at = this.#echoAt(command, from);
    if (secretsOf(command).length === 0) {
      const echo = this.#lineOf(at);
      if (!echo.endsWith(preview(command).trimEnd())) throw this.#closed("it answers out of step");
    }
    return this.#linesOf(at + 1, to).filter((text) => !this.#options.platform.noise.test(text));
  }

  #lineOf(index: number): string {
    return this.#linesOf(index, index + 1).join(" ");
  }

  /** Returns lines of the screen; a key may go on from one to the next. */
  #linesOf(from: number, to: number): readonly string[] {
    if (from >= to) return [];
    const octets = this.#screen.lines(from, to);
    const cleaned = this.#sent.cleanOctets(octets);
    const text = Buffer.from(cleaned.buffer, cleaned.byteOffset, cleaned.length).toString();
    octets.fill(0);
    return text.split("\n");
  }

  #refusalIn(output: readonly string[], hasKey: boolean): LinksealError | undefined {
    for (const outputLine of output) {
      const mark = this.#options.platform.marks.find(({ pattern }) => pattern.test(outputLine));
      if (mark === undefined) continue;
      const quoted = hasKey ? "a line with a key" : foreignText(outputLine);
      return refusalOf(mark.code, `the device refuses: ${quoted}`, this.where);
    }
    return undefined;
  }

  #refuseUnprintable(command: Command): void {
    const isPrintable = command.every((part) => typeof part === "object" || linePattern.test(part));
    if (isPrintable) return;
    throw refusalOf("device.rejected", "a command is not one line of printable text", this.where);
  }

  #closed(why: string): LinksealError {
    return refusalOf("transport.closed", `the command line has ended: ${why}`, this.where);
  }
}
