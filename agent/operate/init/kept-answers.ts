// The answers of an interview that was not finished, as a text that a later run can read. They are
// names, addresses and digests that an operator typed: no answer of `init` is a secret. Pure.

import { encodeJson, parseJson } from "#hal/json.ts";

const schema = "linkseal.init-answers/1";
/** Octets of the text at most; a longer one is not read. */
export const keptBytesMax = 64 * 1024;
const answersMax = 100;
const idPattern = /^[a-z][A-Za-z0-9.]{0,40}$/;
const answerPattern = /^[\x20-\x7e]{1,500}$/;

/** Returns the text that keeps these answers. */
export function keptTextOf(answers: ReadonlyMap<string, string>): string {
  return `${encodeJson({ schema, answers: Object.fromEntries(answers) })}\n`;
}

/** Reads answers by the name of their question; undefined = the text was not written by `init`. */
export function readKept(text: string): ReadonlyMap<string, string> | undefined {
  const answers = answersIn(text);
  if (answers === undefined || answers.length > answersMax) return undefined;
  const read = answers.filter(
    (one): one is [string, string] =>
      idPattern.test(one[0]) && typeof one[1] === "string" && answerPattern.test(one[1]),
  );
  return read.length === answers.length ? new Map(read) : undefined;
}

function answersIn(text: string): readonly [string, unknown][] | undefined {
  if (text.length > keptBytesMax) return undefined;
  try {
    const found: unknown = parseJson(text);
    if (typeof found !== "object" || found === null || !("answers" in found)) return undefined;
    if (!("schema" in found) || found.schema !== schema) return undefined;
    const { answers } = found;
    return typeof answers === "object" && answers !== null ? Object.entries(answers) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
