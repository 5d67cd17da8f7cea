// The night card as text for a terminal.

import type { NightCard } from "../explain/night.ts";
import { blockLines } from "../explain/steps.ts";
import { readable } from "../model/text.ts";

/** Returns the card as text that is safe on a terminal; `from` = the config that it is from. */
export function nightText(card: NightCard, from: string): string {
  const { site, chapters } = readable(card);
  const { origin } = readable({ origin: from });
  return [
    `Night card of ${site}, from ${origin}. A word in <...> is replaced by its value.`,
    ...chapters.flatMap(({ title, intro, steps }, index) => [
      ...["", `${index + 1}. ${title}`, `   ${intro}`],
      ...steps.flatMap(({ text, commands }, at) => [
        `   ${letterOf(at)}) ${text}`,
        ...commands.flatMap((block) => blockLines(block, "      ")),
      ]),
    ]),
  ].join("\n");
}

const letterOf = (index: number): string => String.fromCharCode("a".charCodeAt(0) + index);
