// Colour only repeats what the text says; it is off unless standard output is a terminal that
// allows it.

import { styleText } from "node:util";
import type { Verdict } from "../model/health.ts";

type Style = Parameters<typeof styleText>[0];

/** Functions that put a text into terminal escape sequences, or return it as it is. */
export interface Paint {
  /** Bold. */
  strong(text: string): string;
  /** Dim. */
  faint(text: string): string;
  /** Red. */
  bad(text: string): string;
  /** The verdict in its own colour. */
  verdict(verdict: Verdict): string;
}

const verdictStyles: Readonly<Record<Verdict, Style>> = {
  protected: "green",
  degraded: "yellow",
  unknown: "yellow",
  down: "red",
  unprotected: ["red", "bold"],
};

/**
 * Makes the functions for a stream; they change nothing if it is not a terminal or NO_COLOR is set.
 */
export function paintFor(stream: NodeJS.WriteStream): Paint {
  const paint = (style: Style, text: string): string => styleText(style, text, { stream });
  return {
    strong: (text) => paint("bold", text),
    faint: (text) => paint("dim", text),
    bad: (text) => paint("red", text),
    verdict: (verdict) => paint(verdictStyles[verdict], verdict),
  };
}
