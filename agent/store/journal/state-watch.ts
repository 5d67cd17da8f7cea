// Remembers which parts of the state folder could not be written at the last attempt, and makes the
// write that shows the end of the trouble if nothing else has to be written.

import { LinksealError } from "#hal/error.ts";
import type { Journal } from "./journal.ts";

/** A part of the state whose last write failed. */
export interface Unwritten {
  /** Which part. */
  readonly what: "journal" | "accepted config" | "audit log";
  /** The error of the write, `journal.full`. */
  readonly error: LinksealError;
}

/** The state folder's troubles. */
export class StateWatch {
  readonly #journal: Journal;
  readonly #auditTrouble: () => LinksealError | undefined;
  #intentTrouble: LinksealError | undefined;
  #probing = false;

  constructor(journal: Journal, auditTrouble: () => LinksealError | undefined) {
    this.#journal = journal;
    this.#auditTrouble = auditTrouble;
  }

  /** The parts whose last write failed. */
  get unwritten(): readonly Unwritten[] {
    const parts = [
      { what: "journal", error: this.#journal.trouble },
      { what: "accepted config", error: this.#intentTrouble },
      { what: "audit log", error: this.#auditTrouble() },
    ] as const;
    return parts.flatMap(({ what, error }) =>
      error?.code === "journal.full" ? [{ what, error }] : [],
    );
  }

  /**
   * Stores an accepted config and remembers whether that failed.
   * @throws whatever `store` throws
   */
  async storing<T>(store: () => Promise<T>): Promise<T> {
    try {
      const stored = await store();
      this.#intentTrouble = undefined;
      return stored;
    } catch (error) {
      if (error instanceof LinksealError) this.#intentTrouble = error;
      throw error;
    }
  }

  /**
   * Rewrites the journal while a write has failed. Success ends the trouble of the accepted config
   * as well, because it shows that the folder can be written; that config was refused and is not
   * written again. The audit log makes attempts of its own.
   */
  async probe(): Promise<void> {
    const isIdle = this.#journal.trouble === undefined && this.#intentTrouble === undefined;
    if (isIdle || this.#probing) return;
    this.#probing = true;
    try {
      await this.#journal.rewrite();
      this.#intentTrouble = undefined;
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
    } finally {
      this.#probing = false;
    }
  }
}
