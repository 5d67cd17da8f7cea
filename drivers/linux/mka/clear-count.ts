// Clear frames on a port with a SecY: those without a tag that were no EAPOL either.

export class ClearCount {
  #base: bigint | undefined;
  #value: bigint | undefined;

  /** What came before the first look may be of a time in which nobody counted EAPOL. */
  note(untagged: bigint | undefined, eapol: bigint): void {
    if (untagged === undefined) {
      this.#value = undefined;
      return;
    }
    const clear = untagged - eapol;
    this.#base ??= clear;
    this.#value = clear - this.#base;
  }

  /** Since the first look; undefined = there was none, or the kernel does not tell. */
  get value(): bigint | undefined {
    return this.#value;
  }
}
