// A router's command line over a byte channel: prompts that are learned and proven, no echo, no
// pager, and refusals found in what it prints.

import { type Effect, LinksealError } from "#hal/error.ts";
import { type Command, preview, type Secret, type SecretHole } from "#hal/secret.ts";
import type { ByteChannel, Entropy } from "#hal/world.ts";
import { Screen } from "./cli-screen.ts";
import { scrubOctets } from "./fill.ts";
import { type FailureMark, lostBy, printable, refusalOf } from "./refusal.ts";

export interface CliPlatform {
  /**
   * The whole prompt. Its group `host` never changes in a session; `mode` is whatever else there
   * is, and tells where commands go.
   */
  readonly prompt: RegExp;
  /** What stands at the end of a screen that waits for a key to be pressed. */
  readonly pager: RegExp;
  /** What ends in a question: nobody here answers one. */
  readonly question: RegExp;
  /** A line of it is a refusal, whatever comes after it. */
  readonly marks: readonly FailureMark[];
  /** A line that the platform adds by itself. */
  readonly noise: RegExp;
  /** Said after the login, in this order; one that is refused ends the session. */
  readonly preparation: readonly string[];
  /**
   * A line that does nothing and leaves nothing, in the mode of the prompt, with the nonce at its
   * end: its echo is what is looked for. `before`: the mode of the prompt that was proven last.
   */
  readonly mark: (nonce: string, mode: string, before: string) => string;
}

/** A comment, where the platform forgets it in every mode. */
export const commentMark = (nonce: string): string => `! ${nonce}`;

export interface CliOptions {
  readonly platform: CliPlatform;
  /** The device, for errors. */
  readonly where: string;
  readonly entropy: Entropy;
}

/** The table of an internet's routes stays below it. */
const limits = { lineBytesMax: 64 * 1024, bytesMax: 32 * 1024 * 1024 };
/** No prompt, pager or question is longer. */
const tailMax = 300;
const nonceOctets = 8;
const tokenMax = 128;

/** Not `?`, which asks for help at once, nor quotes, pipes and comments. */
const tokenPattern = /^[A-Za-z0-9_][A-Za-z0-9_.:/@+,=-]*$/;
const linePattern = /^[ !-~]*$/;

/**
 * One line of input. Each value becomes exactly one word of it, or the line is refused with
 * `device.rejected`.
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

/** The value, if it is one word to any router. */
function tokenOf(value: string): string {
  if (isToken(value)) return value;
  const text = `${JSON.stringify(value).slice(0, tokenMax)} is not one word of a command line`;
  throw refusalOf("device.rejected", text, "command line");
}

export function isToken(value: string): boolean {
  return value.length <= tokenMax && tokenPattern.test(value);
}

/** One session, in which one command runs at a time; whoever gives one up ends it. */
export class Cli implements AsyncDisposable {
  /** The device, for errors. */
  readonly where: string;
  readonly #channel: ByteChannel;
  readonly #options: CliOptions;
  readonly #screen: Screen;
  #host = "";
  #mode = "";
  #before: Promise<unknown> = Promise.resolve();
  #ended: LinksealError | undefined;

  private constructor(channel: ByteChannel, options: CliOptions) {
    this.#channel = channel;
    this.#options = options;
    this.where = options.where;
    this.#screen = new Screen(limits, options.where);
  }

  /** Takes the channel over, whatever comes of it. */
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

  get isOver(): boolean {
    return this.#ended !== undefined;
  }

  /** The part of the prompt that stays. */
  get host(): string {
    return this.#host;
  }

  /** What the prompt says beside the host's name. */
  get mode(): string {
    return this.#mode;
  }

  /**
   * Says the lines, one after the other, and returns what came, without echoes and prompts. After
   * a refusal no further line is said. `effect`: what a line may have done once the reply is lost.
   */
  async run(lines: readonly Command[], effect: Effect, signal: AbortSignal): Promise<string> {
    for (const one of lines) this.#refuseUnsayable(one);
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

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended ??= this.#closed("it was closed here");
    this.#screen.clear();
    await this.#channel[Symbol.asyncDispose]();
  }

  async #runAlone(lines: readonly Command[], effect: Effect, signal: AbortSignal): Promise<string> {
    try {
      const shown: string[] = [];
      let refusal: LinksealError | undefined;
      for (const said of lines) {
        const from = this.#screen.count;
        await this.#channel.write([...said, "\n"], signal);
        await this.#prompted(from, signal);
        const output = this.#outputOf(said, from, this.#screen.count);
        refusal = this.#refusalIn(output, secretsOf(said));
        if (refusal !== undefined) break;
        // What comes after a key was said may be a piece of its echo.
        if (secretsOf(said).length === 0) shown.push(...output);
      }
      shown.push(...(await this.#synchronize(signal)));
      refusal ??= this.#refusalIn(shown, []);
      if (refusal !== undefined) throw refusal;
      return shown.join("\n");
    } catch (error) {
      if (error instanceof LinksealError && error.code.startsWith("device.")) throw error;
      const reason = error instanceof LinksealError ? error : this.#closed("it was given up");
      this.#ended ??= reason;
      await this[Symbol.asyncDispose]();
      throw error === reason ? lostBy(reason, effect) : error;
    }
  }

  /** A prompt in a banner is none: the true one comes again for an empty line. */
  async #learn(signal: AbortSignal): Promise<void> {
    await this.#until(() => this.#promptIn(this.#screen.tail) !== undefined, 0, signal);
    for (;;) {
      const first = this.#screen.tail;
      const count = this.#screen.count;
      await this.#channel.write(["\n"], signal);
      const again = (): boolean =>
        this.#screen.count > count && this.#promptIn(this.#screen.tail) !== undefined;
      await this.#until(again, 0, signal);
      if (this.#screen.tail !== first) continue;
      this.#host = this.#promptIn(first)?.host ?? "";
      break;
    }
    await this.#synchronize(signal);
  }

  /**
   * Nothing a device prints by chance contains the nonce: what was said before it has ended once
   * it is echoed. What came between the last prompt and the echo is output as well.
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
    // It has no answer: what comes after its echo belongs to a question of before.
    for (let index = at + 1; index < this.#screen.count; index += 1) {
      if (!noise.test(this.#textOf(index, []))) throw this.#closed("it answers out of step");
    }
    this.#mode = this.#ownPrompt()?.mode ?? "";
    const late: string[] = [];
    for (let index = from; index < at; index += 1) late.push(this.#textOf(index, []));
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
    const found = this.#promptIn(this.#screen.tail);
    return found?.host === this.#host ? found : undefined;
  }

  #promptIn(tail: string): { readonly host: string; readonly mode: string } | undefined {
    if (tail.length > tailMax) return undefined;
    const groups = this.#options.platform.prompt.exec(tail)?.groups;
    return groups && { host: groups["host"] ?? "", mode: groups["mode"] ?? "" };
  }

  /** A prompt of this host stands there and at least one line, the echo, has ended. */
  #prompted(from: number, signal: AbortSignal): Promise<void> {
    const echoed = from + 1;
    return this.#until(
      () => this.#screen.count >= echoed && this.#ownPrompt() !== undefined,
      echoed,
      signal,
    );
  }

  /** `echoed`: as long as fewer lines have ended, the last one may hold a key and is not read. */
  async #until(isThere: () => boolean, echoed: number, signal: AbortSignal): Promise<void> {
    while (!isThere()) {
      if (this.#screen.count >= echoed) await this.#answer(this.#screen.tail, signal);
      const octets = await this.#channel.read(signal);
      if (octets === undefined) throw this.#closed("the device closed it");
      this.#screen.feed(octets);
      octets.fill(0);
    }
  }

  async #answer(tail: string, signal: AbortSignal): Promise<void> {
    if (tail.length > tailMax || this.#promptIn(tail) !== undefined) return;
    const { pager, question } = this.#options.platform;
    if (question.test(tail)) throw this.#closed("it asks a question that nobody answers");
    if (pager.test(tail)) await this.#channel.write([" "], signal);
  }

  /** The first line is the echo; text made of it would outlive a key in it. */
  #outputOf(said: Command, from: number, to: number): readonly string[] {
    const secrets = secretsOf(said);
    if (secrets.length === 0) {
      const echo = this.#textOf(from, []);
      if (!echo.endsWith(preview(said).trimEnd())) throw this.#closed("it answers out of step");
    }
    const output: string[] = [];
    for (let index = from + 1; index < to; index += 1) output.push(this.#textOf(index, secrets));
    return output.filter((text) => !this.#options.platform.noise.test(text));
  }

  #textOf(index: number, secrets: readonly Secret[]): string {
    return scrubOctets(this.#screen.line(index), secrets);
  }

  #refusalIn(output: readonly string[], secrets: readonly Secret[]): LinksealError | undefined {
    for (const said of output) {
      const mark = this.#options.platform.marks.find(({ pattern }) => pattern.test(said));
      if (mark === undefined) continue;
      const quoted = secrets.length > 0 ? "a line with a key" : printable(said);
      return refusalOf(mark.code, `the device refuses: ${quoted}`, this.where);
    }
    return undefined;
  }

  #refuseUnsayable(said: Command): void {
    const isSayable = said.every((part) => typeof part === "object" || linePattern.test(part));
    if (isSayable) return;
    throw refusalOf("device.rejected", "a command is no line of printable text", this.where);
  }

  #closed(why: string): LinksealError {
    return refusalOf("transport.closed", `the command line is over: ${why}`, this.where);
  }
}

function secretsOf(said: Command): readonly Secret[] {
  return said.flatMap((part) => (typeof part === "object" ? [part.secret] : []));
}
