// The language of comments and documents: sentences that have a subject, and actors that have a
// name. Sentences are counted, not lines, so that rewrapping changes no figure.

import { offencesPerLine, type Rule, type Source } from "./source.ts";

export interface Sentence {
  readonly path: string;
  /** Line of its first word. */
  readonly line: number;
  readonly text: string;
}

const tags = /@(param|returns?|throws|example|see|link)\b[^.]*/g;

/** Consecutive `//` lines are one text, as one block comment is. */
function textsOf(source: Source): { line: number; text: string }[] {
  const texts: { line: number; text: string; last: number }[] = [];
  for (const { line, text } of source.comments) {
    const isLine = text.startsWith("//");
    const body = isLine
      ? text.slice(2).trim()
      : text
          .replace(/^\/\*+|\*+\/$/g, "")
          .replace(/^[ \t]*\* ?/gm, "")
          .trim();
    const before = texts.at(-1);
    if (isLine && before !== undefined && before.last === line - 1) {
      before.text += ` ${body}`;
      before.last = line;
    } else texts.push({ line, text: body, last: isLine ? line : -1 });
  }
  return texts;
}

/** The sentences of comments; one ends at `.`, `?`, `!`, `;`, `:` or at an empty line. */
export function sentencesOf(source: Source): Sentence[] {
  return textsOf(source).flatMap(({ line, text }) =>
    text
      .replace(tags, "")
      .split(/(?<=[.?!;:])\s+(?=[A-Z`"0-9])|\n\s*\n/)
      .map((part) => part.replace(/\s+/g, " ").trim())
      .filter((part) => /[a-z]{2}/i.test(part))
      .map((part) => ({ path: source.path, line, text: part })),
  );
}

// A sentence that begins so has its subject elsewhere, or none; with a comma it may still follow.
const opening = /^(of|by|to|as|in|with|without|for|from|at|on|what|who|whom|whose|where)\b/i;

/** True if the sentence begins with a preposition or a relative word, and no clause follows. */
export const lacksSubject = ({ text }: Sentence): boolean =>
  opening.test(text) && !text.includes(",");

// What is not our text: locked packages, recordings of foreign programs, and these rules.
const hasLanguage = (path: string): boolean =>
  /\.([jt]s|json|md|css|html|yaml|[ch])$/.test(path) &&
  !/^((test\/azure-sdk\/)?package-lock\.json$|test\/tidy\/|test\/unit\/recorded\/)/.test(path);

const pronoun = /\b(whoever|whomever|nobody|somebody|anybody)\b/i;

export const actorRule: Rule = {
  name: "actors",
  check: (source) =>
    hasLanguage(source.path)
      ? offencesPerLine(source, pronoun, "name the actor: the operator, the process, no client")
      : [],
};

/** Private words of earlier versions; docs/glossary.md has the words that took their place. */
const goneWords = new Set([
  ...["crew", "lookout", "scout", "conductor", "ambush", "conspiracy", "conspiracies"],
  ...["mortal", "passage", "seats", "pulse", "witness", "desk", "opinion", "weather"],
]);

const wordsOf = (text: string): readonly string[] =>
  text
    .split(/[^A-Za-z]+|(?<=[a-z])(?=[A-Z])/)
    .map((word) => word.toLowerCase())
    .filter((word) => goneWords.has(word));

export const wordRule: Rule = {
  name: "words",
  check: ({ path, code, comments }) => {
    if (path.startsWith("test/tidy/")) return [];
    const named = code.filter(({ kind }) => kind === "name");
    const inText = [...named, ...comments].flatMap(({ line, text }) =>
      wordsOf(text).map((word) => ({ line, text: `"${word}" is gone: see docs/glossary.md` })),
    );
    const inPath = wordsOf(path.replace(/\.\w+$/, "")).map((word) => ({
      ...{ line: 1, text: `"${word}" in the path is gone: see docs/glossary.md` },
    }));
    return [...inPath, ...inText];
  },
};
