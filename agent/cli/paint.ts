// Colour says again what the words say already, and only on a terminal that wants it.

import { styleText } from "node:util";
import type { Verdict } from "../model/health.ts";

type Style = Parameters<typeof styleText>[0];

export interface Paint {
  strong(text: string): string;
  faint(text: string): string;
  bad(text: string): string;
  verdict(verdict: Verdict): string;
}

const verdictStyles: Readonly<Record<Verdict, Style>> = {
  protected: "green",
  degraded: "yellow",
  unknown: "yellow",
  down: "red",
  unprotected: ["red", "bold"],
};

/** For what is written to this stream; plain where it is no terminal or NO_COLOR is set. */
export function paintFor(stream: NodeJS.WriteStream): Paint {
  const paint = (style: Style, text: string): string => styleText(style, text, { stream });
  return {
    strong: (text) => paint("bold", text),
    faint: (text) => paint("dim", text),
    bad: (text) => paint("red", text),
    verdict: (verdict) => paint(verdictStyles[verdict], verdict),
  };
}
