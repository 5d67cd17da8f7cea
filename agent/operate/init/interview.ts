// Asks one question at a time: each reply is examined at once, a wrong one is asked for again, and
// a right one is kept before the next question. Pure except for what the caller passes in.

import { LinksealError } from "#hal/error.ts";

/** A reply after its examination; `proposal` = what was probably meant. */
export type Examined =
  | { readonly kind: "taken"; readonly value: string }
  | { readonly kind: "refused"; readonly why: string; readonly proposal?: string | undefined };

/** One question to the operator. */
export interface Question {
  /** The name under which its answer is kept. */
  readonly id: string;
  /** The option that answers it, as an error names it. */
  readonly option: string;
  /** Its text, without the mark at its end. */
  readonly text: string;
  /** The answer that Enter gives; absent = Enter gives none. */
  readonly proposal?: string | undefined;
  readonly examine: (reply: string) => Examined;
}

/** The operator at a terminal. */
export interface Terminal {
  /** Asks; rejects once the operator ends the conversation. */
  readonly ask: (question: string, proposal: string | undefined) => Promise<string>;
  /** Prints a sentence between two questions. */
  readonly say: (text: string) => void;
}

export interface InterviewParts {
  /** undefined = there is no terminal, and a missing option is an error that names it. */
  readonly terminal: Terminal | undefined;
  /** Answers of an earlier run by the name of their question; each is proposed again. */
  readonly kept: ReadonlyMap<string, string>;
  /** Keeps an answer that was taken. */
  readonly keep: (id: string, answer: string) => Promise<void>;
}

/** Makes the result of a reply that is taken. */
export const taken = (value: string): Examined => ({ kind: "taken", value });

/** Makes the result of a reply that is not taken, with what was probably meant. */
export const notTaken = (why: string, proposal?: string): Examined => ({
  kind: "refused",
  why,
  proposal,
});

/**
 * Returns the answer: the one of an option, or what the operator types. It asks again until a reply
 * is taken.
 * @throws LinksealError with `usage` for an option that is missing or wrong
 */
export async function answerTo(
  question: Question,
  given: string | undefined,
  { terminal, kept, keep }: InterviewParts,
): Promise<string> {
  if (given !== undefined) return fromOption(question, given);
  if (terminal === undefined) {
    throw refused(`${question.option} is missing, and there is no terminal to ask on`);
  }
  let proposal = earlier(question, kept.get(question.id)) ?? question.proposal;
  for (;;) {
    const reply = (await terminal.ask(question.text, proposal)).trim();
    const result = reply === "" ? byEnter(question, proposal) : question.examine(reply);
    if (result.kind === "taken") {
      await keep(question.id, result.value);
      return result.value;
    }
    terminal.say(result.why);
    proposal = result.proposal ?? proposal;
  }
}

/**
 * Returns the answer of an option.
 * @throws LinksealError with `usage` if it is wrong
 */
export function fromOption({ option, examine }: Question, given: string): string {
  const result = examine(given);
  if (result.kind === "taken") return result.value;
  const meant = result.proposal === undefined ? "" : `; it may be ${result.proposal}`;
  throw refused(`${option} ${given}: ${result.why}${meant}`);
}

const byEnter = ({ examine }: Question, proposal: string | undefined): Examined =>
  proposal === undefined ? notTaken("An answer is needed here.") : examine(proposal);

/** An answer of an earlier run is proposed only if it would still be taken. */
function earlier({ examine }: Question, answer: string | undefined): string | undefined {
  return answer !== undefined && examine(answer).kind === "taken" ? answer : undefined;
}

/** Makes the error of an option that is missing or wrong; nothing was written. */
export function refused(text: string): LinksealError {
  const details = { effect: "none", where: "command line", next: "linkseal init --help" } as const;
  return new LinksealError("usage", text, details);
}
