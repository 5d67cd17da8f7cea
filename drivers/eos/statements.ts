// Lines of an EOS configuration as words, nested as the configuration is.

export interface Statement {
  readonly words: readonly string[];
  readonly children: readonly Statement[];
}

export function begins(words: readonly string[], beginning: string): boolean {
  return beginning.split(" ").every((word, index) => words[index] === word);
}
