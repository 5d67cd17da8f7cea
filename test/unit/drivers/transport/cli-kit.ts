// A router's command line that a test plays, octet by octet.

import { Cli, type CliPlatform } from "#drivers/transport/cli.ts";
import { Prng } from "#sim/base/prng.ts";
import { BytePipe } from "./byte-pipe.ts";

const platform: CliPlatform = {
  prompt: /^(?<host>RP\/0\/RP0\/CPU0:[\w.-]{1,64})(?<mode>(?:\([^()\r\n]{1,80}\))?#) ?$/,
  pager: / ?--More-- ?$/,
  question: /\[(?:no|yes|confirm|cancel)\]:? ?$|[Pp]assword: ?$/,
  marks: [
    { pattern: /locked by another/, code: "device.locked" },
    { pattern: /^% |!!% /, code: "device.rejected" },
  ],
  noise: /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\.\d{3} UTC$/,
  preparation: ["terminal length 0", "terminal width 0"],
  mark: (nonce, mode) => (mode === "#" ? `! ${nonce}` : `do show clock | include ${nonce}`),
};

const markPattern = /^(?:!|do show clock \| include) [0-9a-f]{16}$/;

export const host = "RP/0/RP0/CPU0:edge-a";
export const never = new AbortController().signal;

/** What is printed for a line, without echo and prompt; undefined = nothing more ever comes. */
export type Reply = (line: string, count: number) => string | undefined;

export interface Puppet {
  readonly pipe: BytePipe;
  /** Lines that were said, marks left out. */
  readonly lines: string[];
  /** The marks, in their order. */
  readonly marks: string[];
  /** How much of what was sent it has heard. */
  taken: number;
  mode: string;
  greeting: string;
  /** Octets in a piece; a function of the seed where borders are to fall anywhere. */
  piece: () => number;
  /** What is echoed for a line. */
  echo: (line: string) => string;
}

export function puppetOf(reply: Reply): Puppet {
  const pipe = new BytePipe();
  const puppet: Puppet = {
    pipe,
    lines: [],
    marks: [],
    taken: 0,
    mode: "",
    greeting: "\r\n\r\nWelcome to the lab#\r\n",
    piece: () => Number.POSITIVE_INFINITY,
    echo: (line) => line,
  };
  pipe.heard = (sent) => {
    for (;;) {
      const end = sent.indexOf("\n", puppet.taken);
      if (end < 0) return;
      const line = sent.slice(puppet.taken, end).trim();
      puppet.taken = end + 1;
      const isMark = markPattern.test(line);
      if (isMark) puppet.marks.push(line);
      else if (line !== "") puppet.lines.push(line);
      const printed = isMark || line === "" ? "" : reply(line, puppet.lines.length);
      if (printed === undefined) return;
      pipe.deliver(`${puppet.echo(line)}\r\n${printed}${host}${puppet.mode}#`, puppet.piece());
    }
  };
  return puppet;
}

export async function openOn(
  puppet: Puppet,
  seed = "cli",
  spoken: CliPlatform = platform,
): Promise<Cli> {
  puppet.pipe.deliver(`${puppet.greeting}${host}#`, puppet.piece());
  const entropy = new Prng(seed);
  return await Cli.open(
    puppet.pipe.channel(),
    { platform: spoken, where: "edge-a", entropy: { bytes: (length) => entropy.bytes(length) } },
    never,
  );
}
