// The command line of NX-OS: its prompt, the lines that it adds by itself, and its refusals.

import { type CliPlatform, commentMark } from "../transport/cli.ts";

/** A message that is logged to terminals: `2026 Nov 29 02:10:11 edge-a %ETHPORT-5-IF_UP: ...`. */
const time = String.raw`\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?`;
const message = String.raw`\d{4} [A-Z][a-z]{2} {1,2}\d{1,2} ${time} \S{1,64} `;
const facility = String.raw`(?:%\$ VDC-\d{1,2} %\$ )?%[A-Z]\w{0,40}-[0-7]-\w{1,60}: `;

const noises = [
  "Enter configuration commands, one per line",
  `${message}${facility}`,
  // How far a copy, a checkpoint or a rollback has come.
  String.raw`\[#{1,60} *\] *\d{1,3}%$|\.{1,200}(?:Done)?$|Copy complete`,
];

/** The command line of NX-OS. */
export const terminal: CliPlatform = {
  prompt: /^(?<host>[\w.-]{1,64})(?<mode>(?:\([^()\r\n]{1,120}\))?[>#]) ?$/,
  pager: /^ ?--More-- ?$/,
  question: /(?:\((?:y\/n|yes\/no)\)\??(?: {1,2}\[[yn]\])?|[Pp]assword:) ?$/,
  marks: [
    { pattern: /^(?:%|error:)?.*\b(?:in progress|is locked|locked by)\b/i, code: "device.locked" },
    { pattern: /^% ?(?!Success)/, code: "device.rejected" },
    {
      pattern: /^(?:error|syntax error|rollback failed|verification failed)\b/i,
      code: "device.rejected",
    },
  ],
  noise: new RegExp(`^(?:${noises.join("|")})`),
  preparation: ["terminal length 0", "terminal width 511"],
  mark: commentMark,
};
