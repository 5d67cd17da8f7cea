// The words that the schema of a config is made of: texts, times and whole numbers.

import { z } from "zod";
import { durationMs, durationPattern } from "./units.ts";

// `title` is the rule in words (it follows "it must be"), `examples` holds what to write,
// `description` what the key is for; complaints, JSON Schema and reference read these three.
export function word(title: string, pattern: RegExp, example: string) {
  return z
    .string()
    .regex(pattern)
    .meta({ title, examples: [example] });
}

export function duration(low: string, high: string, fallback: string, description: string) {
  const inside = (text: string): boolean =>
    durationMs(text) >= durationMs(low) && durationMs(text) <= durationMs(high);
  const title = `a duration from ${low} to ${high} with its unit (ms, s, m, h or d)`;
  return z
    .string()
    .regex(durationPattern)
    .refine(inside)
    .meta({ title, examples: [fallback], description });
}

export function whole(low: number, high: number, example: number) {
  const title = `a whole number from ${low} to ${high}`;
  return z
    .int()
    .min(low)
    .max(high)
    .meta({ title, examples: [example] });
}
