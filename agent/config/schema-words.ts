// Building blocks of the config schema: texts, durations, whole numbers and lists.

import * as z from "zod";
import { durationMs, durationPattern } from "./units.ts";

// `title` is the rule in words (it follows "it must be"), `examples` contains what to write,
// `description` says what the key is for; complaints, JSON Schema and reference read these three.
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

/** A duration with a default. */
export const durationOr = (low: string, high: string, fallback: string, description: string) =>
  duration(low, high, fallback, description).default(fallback);

/** A list that is empty by default. `what` names its elements in words. */
export const listOf = <T extends z.ZodType>(
  element: T,
  most: number,
  what: string,
  description: string,
) =>
  z
    .array(element)
    .max(most)
    .default([])
    .meta({ title: `a list of at most ${most} ${what}`, description });

export function whole(low: number, high: number, example: number) {
  const title = `a whole number from ${low} to ${high}`;
  return z
    .int()
    .min(low)
    .max(high)
    .meta({ title, examples: [example] });
}

/** Makes the schema of a name in the config. */
export const name = (example: string) =>
  word(
    "a name of at most 63 lower-case letters, digits and hyphens that does not start with a hyphen",
    /^[a-z0-9][a-z0-9-]{0,62}$/,
    example,
  );

// Key Vault's own rule for names. A pasted CAK or CKN would fit it, so the first half of the
// pattern excludes them.
export const secretName = (example: string) =>
  word(
    "the name of a Key Vault secret (1 to 127 letters, digits and hyphens), never a key itself",
    /^(?![0-9A-Fa-f]{32,}$)[0-9A-Za-z-]{1,127}$/,
    example,
  );

export const ipAddress = (example: string) =>
  z.union([z.ipv4(), z.ipv6()]).meta({ title: "one IPv4 or IPv6 address", examples: [example] });

/** A distinguished name in text (RFC 4514); `*` would match any value. */
export const distinguishedName = /^[A-Za-z]+=[\x20-\x29\x2b-\x7e]{1,250}$/;
const label = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?";
// The last label begins with a letter, so that no address is taken for a name.
const lastLabel = "[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
const domainName = new RegExp(`^(?=.{1,253}$)(?:${label}\\.)*${lastLabel}$`);
/** Addresses that charon takes for "any identity". */
const isAny = (text: string): boolean => /^[0.:]+$/.test(text);

/** An identity of IKE (RFC 7296, 3.5); e-mail addresses and opaque keys are not offered. */
export const identity = (example: string) =>
  z
    .union([z.ipv4(), z.ipv6(), z.string().regex(domainName), z.string().regex(distinguishedName)])
    .refine((text) => !isAny(text))
    .meta({
      title: "an IP address, a domain name or a distinguished name, without wildcards",
      examples: [example],
    });

export const prefixes = (example: string, least = 1) =>
  z
    .array(
      z
        .union([z.cidrv4(), z.cidrv6()])
        .meta({ title: "a prefix in CIDR form", examples: [example] }),
    )
    .min(least)
    .max(64)
    .meta({ title: "a list of 1 to 64 prefixes", examples: [[example]] });
