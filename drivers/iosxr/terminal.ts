// The command line of IOS XR: its prompt, the lines that it adds by itself, and its refusals.

import type { CliPlatform } from "../transport/cli.ts";

const time = String.raw`\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?`;
/** `UTC`, `BRA`, `UTC+01`, `GMT-3:30`. */
const zone = String.raw`[A-Za-z]{1,8}(?:[+-]\d{1,2}(?::?\d{2})?)?`;
const day = String.raw`[A-Z][a-z]{2} {1,2}\d{1,2}`;

const noises = [
  // A line with the time precedes every reply until it is turned off.
  `[A-Z][a-z]{2} ${day} ${time} ${zone}$`,
  // Lines that are logged to terminals: the node, the time, the process and the message.
  String.raw`(?:\d{1,10}: )?[A-Z0-9]{1,8}(?:/[A-Z0-9]{1,8}){1,4}: ?(?:\d{4} )?${day} (?:\d{4} )?` +
    String.raw`${time} ?(?:${zone} ?)?: [\w./-]{1,64}\[\d{1,10}\]: %`,
];

/** The command line of IOS XR. */
export const terminal: CliPlatform = {
  prompt:
    /^(?<host>RP\/\d{1,3}\/\w{2,5}\/CPU\d{1,2}:[\w.-]{1,64})(?<mode>(?:\([^()\r\n]{1,160}\))?#) ?$/,
  pager: / ?--More-- ?$/,
  question:
    /(?:\[(?:yes|no|confirm|cancel|y|n)(?:\/(?:yes|no|cancel|y|n)){0,2}\]|\(yes\/no\)):? ?$/i,
  // The router asks this at a commit while it makes a copy of its configuration in text.
  answers: [
    {
      after: /^commit\b/,
      question:
        /^This could be a few minutes if your config is large\. Confirm\? \[y\/n\]\[confirm\] ?$/,
      answer: "y",
    },
    // It is asked only where the end of the session is the end of its trial.
    { after: /^end$/, question: /^Do you wish to exit\? \[no\]:? ?$/, answer: "yes" },
  ],
  marks: [
    { pattern: /^(?:%|!!%).*\block(?:ed)?\b/i, code: "device.locked" },
    { pattern: /^% Cannot commit because there is an unexpired trial\b/, code: "device.locked" },
    {
      pattern: /^% (?:Invalid input|Incomplete command|Ambiguous command)/,
      code: "device.rejected",
    },
    {
      pattern: /^% (?:Failed|Permission|This command is not authorized)/i,
      code: "device.rejected",
    },
    { pattern: /^% (?:MACsec is not|No MKA)/i, code: "device.rejected" },
    { pattern: /^\s*!!% |^!! SYNTAX\/AUTHORI[SZ]ATION ERRORS/, code: "device.rejected" },
  ],
  noise: new RegExp(`^(?:${noises.join("|")})`),
  preparation: ["terminal length 0", "terminal width 0", "terminal exec prompt no-timestamp"],
  // In configuration mode, a comment is stored with the line that follows it. If one prompt was
  // mistaken for another, the line is refused in the wrong mode, and not stored.
  mark(nonce, mode, before) {
    if (mode !== "#") return `do show clock | include ${nonce}`;
    return before.startsWith("(") ? `show clock | include ${nonce}` : `! ${nonce}`;
  },
};
