// The command line of IOS XE: its prompt, the lines that it adds by itself, and its refusals.

import { type CliPlatform, commentMark } from "../transport/cli.ts";

const time = String.raw`\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?`;
const stamps = [
  // `*Nov 28 2026 18:00:00.250 UTC: `, without the year, the fraction and the zone as well.
  String.raw`[*.]?[A-Z][a-z]{2} {1,2}\d{1,2} (?:\d{4} )?${time}(?: [\w:+-]{1,10})?: `,
  // `1w2d: ` or `00:12:07: `, the time since the boot.
  String.raw`(?:\d{1,4}[ywdhm]){1,3}: `,
  String.raw`\d{1,4}:\d{2}:\d{2}(?:\.\d{1,3})?: `,
];

const noises = [
  "Enter configuration commands, one per line",
  String.raw`Building configuration\.\.\.`,
  "Rollback Confirmed Change: ",
  // Lines that are logged to terminals, with or without a sequence number and a time.
  String.raw`(?:\d{1,10}: )?(?:${stamps.join("|")})?%[A-Z]\w{0,40}` +
    String.raw`(?:-\w{1,40}){0,4}-[0-7]-\w{1,60}: `,
  // Lines before every answer, if the line or the session has `exec prompt timestamp`.
  String.raw`Load for five secs: \d{1,3}%/\d{1,3}%; one minute: `,
  String.raw`(?:Time source is [\w ]{1,40}|No time source), [*.]?${time} `,
];

/** Beginnings of lines that look like a refusal and are a reply. */
const harmless = [
  "no rollback confirmed change pending",
  "(?:there are )?no (?:active )?mka ",
  "bgp not active",
  // Printed when a tunnel is removed.
  "not all config may be removed",
  "(?:warning|info|note)\\b",
];

/** The command line of IOS XE. */
export const terminal: CliPlatform = {
  prompt: /^(?<host>[\w.-]{1,64})(?<mode>(?:\([^()\r\n]{1,120}\))?[>#]) ?$/,
  pager: /^ ?--More-- ?$/,
  question: /(?:\[(?:confirm|yes|no|y|n)(?:\/(?:yes|no|y|n))?\]:?|[Pp]assword:) ?$/,
  marks: [
    { pattern: /^%? ?Configuration mode (?:is )?locked/i, code: "device.locked" },
    { pattern: new RegExp(`^%(?! ?(?:${harmless.join("|")}))`, "i"), code: "device.rejected" },
    { pattern: /^(?:Error:|Command rejected|Rollback aborted)/i, code: "device.rejected" },
  ],
  noise: new RegExp(`^(?:${noises.join("|")})`),
  preparation: ["enable", "terminal length 0", "terminal width 0"],
  mark: commentMark,
};
