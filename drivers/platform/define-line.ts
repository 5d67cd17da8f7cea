// The sessions with one device: who looks, who edits, and what must not end too early.

import { withDeadline } from "#hal/deadline.ts";
import type { TransactionToken } from "#hal/device.ts";
import { type Effect, LinksealError } from "#hal/error.ts";
import type { DeviceId, Target } from "#hal/target.ts";
import type { Clock, World } from "#hal/world.ts";
import type { Dialect, Session } from "./define-dialect.ts";

export const answerMsMax = 30_000;
/** A commit on a large configuration takes a minute and more. */
export const commitMsMax = 150_000;

/** One session looks and stays, and each edit has its own. */
export class Line<S extends Session> implements AsyncDisposable {
  readonly dialect: Dialect<S>;
  readonly device: DeviceId;
  readonly clock: Clock;
  readonly #target: Target;
  readonly #world: World;
  readonly #hint: () => void;
  readonly #end = new AbortController();
  #looking: Promise<S> | undefined;
  #held: { readonly session: S; readonly cancel: () => void } | undefined;
  #editing: Promise<void> = Promise.resolve();

  constructor(dialect: Dialect<S>, target: Target, world: World, hint: () => void) {
    this.dialect = dialect;
    this.device = target.device;
    this.clock = world.clock;
    this.#target = target;
    this.#world = world;
    this.#hint = hint;
  }

  /** Asks without an effect; a session that failed is opened anew by the next who asks. */
  async ask<T>(
    signal: AbortSignal,
    f: (session: S, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return await this.bounded(answerMsMax, "none", signal, async (bounded) => {
      const open = await this.#looking?.catch(() => undefined);
      // Whoever gave up in the middle of an answer may have ended it.
      if (open?.isOver === true) this.#looking = undefined;
      this.#looking ??= this.#openAlone();
      const looking = this.#looking;
      try {
        return await f(await looking, bounded);
      } catch (thrown) {
        const error = asAnswer(thrown, this.device);
        // Whoever only stops asking leaves the session to the others.
        const code = error instanceof LinksealError ? error.code : "";
        if (code.startsWith("transport.") || code === "device.unparsed") {
          await this.#hangUp(looking);
        }
        throw error;
      }
    });
  }

  /**
   * One edit at a time, on a session of its own: whatever happens, its end gives the lock back,
   * unless a commit is held that ends with it.
   */
  async edit<T>(signal: AbortSignal, f: (session: S) => Promise<T>): Promise<T> {
    const before = this.#editing;
    const { promise, resolve } = Promise.withResolvers<void>();
    // Also where this one gives up: the next must not begin beside the one before.
    this.#editing = before.then(() => promise);
    try {
      await this.bounded(commitMsMax, "none", signal, () => before);
      const session = this.#held?.session ?? (await this.#openLocked(signal));
      try {
        return await f(session);
      } finally {
        if (session.isOver) this.release();
        if (this.#held?.session !== session) await session[Symbol.asyncDispose]();
      }
    } finally {
      resolve();
    }
  }

  /** The session of an unconfirmed commit stays until the device has taken the commit back. */
  hold(session: S, ms: number): void {
    const cancel = this.clock.alarm(ms, () => {
      this.release();
      void session[Symbol.asyncDispose]();
    });
    this.#held = { session, cancel };
  }

  /** The edit that runs is the last one on the session that was held. */
  release(): void {
    this.#held?.cancel();
    this.#held = undefined;
  }

  async bounded<T>(
    ms: number,
    effect: Effect,
    signal: AbortSignal,
    f: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return await withDeadline(this.clock, { ms, where: this.device, effect }, signal, f);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const details = { effect: "none", where: this.device, next: "linkseal status" } as const;
    const why = "the device is not looked at any more";
    // Others may wait for the session that is being opened, and they know no other errors.
    this.#end.abort(new LinksealError("transport.closed", why, details));
    const held = this.#held;
    this.release();
    await held?.session[Symbol.asyncDispose]();
    await this.#hangUp(this.#looking);
  }

  newToken(): TransactionToken {
    const octets = this.#world.entropy.bytes(8);
    return Buffer.from(octets).toString("hex") as TransactionToken;
  }

  async #openLocked(signal: AbortSignal): Promise<S> {
    return await this.bounded(answerMsMax, "none", signal, async (bounded) => {
      const opened = await this.#open(bounded);
      try {
        await this.dialect.lock(opened, bounded);
        return opened;
      } catch (error) {
        await opened[Symbol.asyncDispose]();
        throw error;
      }
    });
  }

  /** Several wait for it: none of them may end it for the others by going away. */
  async #openAlone(): Promise<S> {
    return await this.bounded(answerMsMax, "none", this.#end.signal, (bounded) =>
      this.#open(bounded),
    );
  }

  async #open(signal: AbortSignal): Promise<S> {
    const { dial, entropy } = this.#world;
    const channel = await dial.channel(this.#target, this.dialect.channel, signal);
    const opening = { where: this.device, hint: this.#hint, entropy };
    return await this.dialect.open(channel, opening, signal);
  }

  async #hangUp(looking: Promise<S> | undefined): Promise<void> {
    if (looking === undefined) return;
    if (this.#looking === looking) this.#looking = undefined;
    const session = await looking.catch(() => undefined);
    await session?.[Symbol.asyncDispose]();
  }
}

/**
 * A reader that breaks on the text of a device has had no effect: that answer is not understood.
 * A failed `assert` stays what it is, and ends the process.
 */
function asAnswer(thrown: unknown, where: DeviceId): unknown {
  const broken = [TypeError, RangeError, SyntaxError].find((each) => thrown instanceof each);
  if (broken === undefined) return thrown;
  // Its message may hold what the device sent.
  const text = `an answer broke the reader of it (${broken.name})`;
  const next = "linkseal doctor --bundle";
  return new LinksealError("device.unparsed", text, { effect: "none", where, next, cause: thrown });
}
