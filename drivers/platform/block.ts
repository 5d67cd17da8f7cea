// A configuration as lines inside of lines.

/** A line with the lines indented below it. */
export interface Block {
  /** The line, without its indentation. */
  readonly line: string;
  /** The lines below it. */
  readonly children: readonly Block[];
}
