// Finds the answer to a command by its words, and prints the rows of an answer.

/** The known commands with their answers; `found` contains the matched groups in their order. */
export type Questions<F, A> = readonly (readonly [
  words: RegExp,
  answer: (emulator: F, ...found: readonly (string | undefined)[]) => A | undefined,
])[];

/** Returns the answer to a command; undefined if no pattern matches it. */
export function answerTo<F, A>(
  questions: Questions<F, A>,
  emulator: F,
  asked: string,
): A | undefined {
  const known = questions.find(([words]) => words.test(asked));
  return known?.[1](emulator, ...(known[0].exec(asked) ?? []).slice(1));
}

type Value = string | number | bigint;

/**
 * Makes rows of ``rowsOf(print)`Label: ${value}; Other: 0;` ``; a row without a value is left out.
 */
export function rowsOf(print: (label: string, value: Value) => string) {
  return (text: readonly string[], ...values: readonly (Value | undefined)[]) => {
    const rest = [...values];
    return [...text.join("\0").matchAll(/([^;]+?): ([^;]*);/g)].flatMap(
      ([, label = "", quoted = ""]) => {
        const value = quoted === "\0" ? rest.shift() : quoted;
        return value === undefined ? [] : [print(label.trim(), value)];
      },
    );
  };
}
