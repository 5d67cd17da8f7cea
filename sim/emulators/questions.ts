// The questions that a router knows at its command line: their words, and how each is answered.

/** `found` is what the groups of the words match, in their order. */
export type Questions<F, A> = readonly (readonly [
  words: RegExp,
  answer: (face: F, ...found: readonly string[]) => A | undefined,
])[];

/** undefined = there is no such question. */
export function answerTo<F, A>(questions: Questions<F, A>, face: F, asked: string): A | undefined {
  const known = questions.find(([words]) => words.test(asked));
  return known?.[1](face, ...(known[0].exec(asked) ?? []).slice(1));
}
