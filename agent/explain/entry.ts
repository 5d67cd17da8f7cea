// The shape of an explanation: what a code means, and what a person does about it.

export interface Entry {
  /** A few words, as a heading. */
  readonly title: string;
  /** What is known when this code appears, and what follows from it. */
  readonly meaning: string;
  /** Steps in order, the safe ones first. */
  readonly whatToDo: readonly string[];
}

/** The same for codes whose title is registered elsewhere. */
export type Body = Omit<Entry, "title">;

export function body(meaning: string, ...whatToDo: readonly string[]): Body {
  return { meaning, whatToDo };
}

export function entry(title: string, meaning: string, ...whatToDo: readonly string[]): Entry {
  return { title, meaning, whatToDo };
}
