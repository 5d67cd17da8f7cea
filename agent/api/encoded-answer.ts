// An answer that many readers share, as the text that each of them gets.

/** An answer that is JSON already. */
export class EncodedAnswer {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}
