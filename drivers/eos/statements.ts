// Lines of an EOS configuration as words, one inside the other.

export interface Statement {
  readonly words: readonly string[];
  readonly children: readonly Statement[];
}

export function begins(words: readonly string[], beginning: string): boolean {
  return beginning.split(" ").every((word, index) => words[index] === word);
}
