// The sessions with one device: one for observations, one for each edit, and those that must not
// end too early.

import { withDeadline } from "#hal/deadline.ts";
import type { TransactionToken } from "#hal/device.ts";
import { type Effect, LinksealError } from "#hal/error.ts";
import type { DeviceId, Target } from "#hal/target.ts";
import type { Clock, World } from "#hal/world.ts";
import type { Dialect, Session } from "./define-dialect.ts";

/** The longest wait for the replies of one request, in milliseconds. */
export const answerMsMax = 30_000;
/** A commit of a large configuration takes a minute and more. */
export const commitMsMax = 150_000;

/** The session of a commit that waits for its confirm, until then or until the alarm. */
interface Held<S> {
  readonly token: TransactionToken;
  readonly session: S;
  readonly cancel: () => void;
}

/** One session for observations stays open, and each edit has its own. */
export class Line<S extends Session> implements AsyncDisposable {
  readonly dialect: Dialect<S>;
  readonly device: DeviceId;
  readonly clock: Clock;
  readonly #target: Target;
  readonly #world: World;
  readonly #onChange: () => void;
  readonly #end = new AbortController();
  #observing: Promise<S> | undefined;
  #lastObserving: S | undefined;
  #held: Held<S> | undefined;
  #editing: Promise<void> = Promise.resolve();

  constructor(dialect: Dialect<S>, target: Target, world: World, onChange: () => void) {
    this.dialect = dialect;
    this.device = target.device;
    this.clock = world.clock;
    this.#target = target;
    this.#world = world;
    this.#onChange = onChange;
  }

  /** Runs a request without an effect; the next request opens a new session after a failed one. */
  async ask<T>(
    signal: AbortSignal,
    f: (session: S, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return await this.bounded(answerMsMax, "none", signal, async (bounded) => {
      const open = await this.#observing?.catch(() => undefined);
      // A caller that gave up in the middle of a reply may have ended the session.
      if (open?.isOver === true) this.#observing = undefined;
      this.#observing ??= this.#openAlone();
      const observing = this.#observing;
      try {
        return await f(await observing, bounded);
      } catch (thrown) {
        const error = asUnparsed(thrown, this.device);
        // A caller that only stops waiting leaves the session to the others.
        const code = error instanceof LinksealError ? error.code : "";
        if (code.startsWith("transport.") || code === "device.unparsed") {
          await this.#hangUp(observing);
        }
        throw error;
      }
    });
  }

  /**
   * Runs one edit at a time, in a session of its own whose end gives back the lock, unless an
   * unconfirmed commit depends on that session. A key was typed in it, so it serves no other change
   * than that one (`token`), and ends with it.
   */
  async edit<T>(
    token: TransactionToken | undefined,
    signal: AbortSignal,
    f: (session: S) => Promise<T>,
  ): Promise<T> {
    const before = this.#editing;
    const { promise, resolve } = Promise.withResolvers<void>();
    // This holds also where this edit gives up: the next must not begin beside the one before.
    this.#editing = before.then(() => promise);
    try {
      await this.bounded(commitMsMax, "none", signal, () => before);
      const held = this.#held?.token === token ? this.#held?.session : undefined;
      const session = held ?? (await this.#openLocked(signal));
      try {
        return await f(session);
      } finally {
        if (session === held && session.isOver) this.release(token);
        if (this.#held?.session !== session) await session[Symbol.asyncDispose]();
      }
    } finally {
      resolve();
    }
  }

  /** Keeps the session of an unconfirmed commit open until the device has reverted the commit. */
  hold(token: TransactionToken, session: S, ms: number): void {
    const cancel = this.clock.alarm(ms, () => {
      this.release(token);
      void session[Symbol.asyncDispose]();
    });
    this.#held = { token, session, cancel };
  }

  /** True if the session of an unconfirmed commit is still open. */
  get isHeld(): boolean {
    return this.#held?.session.isOver === false;
  }

  /** Makes the running edit the last one in the session that was kept open for this change. */
  release(token: TransactionToken | undefined): void {
    if (this.#held?.token !== token) return;
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
    const why = "the device is no longer observed";
    // Others may wait for the session that is being opened, and they expect errors of this class.
    this.#end.abort(new LinksealError("transport.closed", why, details));
    const held = this.#held;
    this.release(held?.token);
    await held?.session[Symbol.asyncDispose]();
    await this.#hangUp(this.#observing);
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

  /** Several callers wait for it: none of them may end it for the others by giving up. */
  async #openAlone(): Promise<S> {
    return await this.bounded(answerMsMax, "none", this.#end.signal, async (bounded) => {
      const opened = await this.#open(bounded);
      this.#lastObserving = opened;
      return opened;
    });
  }

  async #open(signal: AbortSignal): Promise<S> {
    const { dial, entropy } = this.#world;
    const channel = await dial.channel(this.#target, this.dialect.channel, signal);
    const before = this.#lastObserving;
    const opening = { where: this.device, onChange: this.#onChange, entropy, before };
    return await this.dialect.open(channel, opening, signal);
  }

  async #hangUp(observing: Promise<S> | undefined): Promise<void> {
    if (observing === undefined) return;
    if (this.#observing === observing) this.#observing = undefined;
    const session = await observing.catch(() => undefined);
    await session?.[Symbol.asyncDispose]();
  }
}

/**
 * Makes an error of a reader into `device.unparsed`: a reader that fails on a device's text has had
 * no effect. A failed `assert` stays what it is, and ends the process.
 */
function asUnparsed(thrown: unknown, where: DeviceId): unknown {
  const broken = [TypeError, RangeError, SyntaxError].find((each) => thrown instanceof each);
  if (broken === undefined) return thrown;
  // Its message may contain text that the device sent.
  const text = `a reply could not be read (${broken.name})`;
  const next = "linkseal doctor --bundle";
  return new LinksealError("device.unparsed", text, { effect: "none", where, next, cause: thrown });
}
