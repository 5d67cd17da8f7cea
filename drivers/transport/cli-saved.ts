// A saved piece of a router's command line: the reply in it, as a session would have passed it on.

import { LinksealError } from "#hal/error.ts";
import type { CliPlatform } from "./cli.ts";
import { Screen } from "./cli-screen.ts";

/** The reply, or that the device refused the query. */
export type SavedReply =
  | { readonly kind: "reply"; readonly text: string }
  | { readonly kind: "refused" };

const limits = { lineBytesMax: 64 * 1024, bytesMax: 64 * 1024 * 1024 };

/**
 * Returns the reply in saved octets. If the query is there behind a prompt, the reply is what
 * follows, up to the next prompt; otherwise everything is.
 * @throws RangeError for a line, or a text, that is longer than any that a session accepts
 */
export function savedReply(
  octets: Uint8Array,
  query: string,
  { prompt, noise, marks }: Pick<CliPlatform, "prompt" | "noise" | "marks">,
): SavedReply {
  const reply = between(linesOf(octets), query, prompt).filter((line) => !noise.test(line));
  const isRefused = reply.some((line) => marks.some(({ pattern }) => pattern.test(line)));
  return isRefused ? { kind: "refused" } : { kind: "reply", text: reply.join("\n") };
}

function linesOf(octets: Uint8Array): readonly string[] {
  const screen = new Screen(limits, "saved reply");
  try {
    screen.feed(octets);
    screen.feed(Uint8Array.of(0x0a));
  } catch (error) {
    if (error instanceof LinksealError) throw new RangeError("it has a line that is too long");
    throw error;
  }
  const lines = Array.from({ length: screen.count }, (_, index) => screen.line(index).toString());
  // A text that ends with a line feed has no more lines.
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}

const promptMax = 300;

function between(lines: readonly string[], query: string, prompt: RegExp): readonly string[] {
  const words = (text: string): string => text.trim().replaceAll(/\s+/g, " ");
  const behindPrompt = (line: string): string | undefined => {
    for (const end of line.slice(0, promptMax).matchAll(/[#>]/g)) {
      if (prompt.test(line.slice(0, end.index + 1))) return words(line.slice(end.index + 1));
    }
    return undefined;
  };
  const asked = words(query);
  const first = lines.findIndex((line) => behindPrompt(line) === asked);
  if (first < 0) return lines;
  const rest = lines.slice(first + 1);
  const next = rest.findIndex((line) => behindPrompt(line) !== undefined);
  return next < 0 ? rest : rest.slice(0, next);
}
