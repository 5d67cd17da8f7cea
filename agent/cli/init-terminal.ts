// The operator's terminal of `init`: one question after the other, until the operator ends it.

import { createInterface } from "node:readline/promises";
import { visible, visibleLines } from "../model/text.ts";
import type { Terminal } from "../operate/init/interview.ts";
import { usage } from "./failure.ts";

/** Runs `work` with the operator's terminal; undefined = there is none. */
export async function withTerminal<T>(
  work: (terminal: Terminal | undefined) => Promise<T>,
): Promise<T> {
  if (!(process.stdin.isTTY && process.stderr.isTTY)) return await work(undefined);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  let isClosed = false;
  // Ctrl-C and Ctrl-D close it; a question that is open then would never be answered.
  const ended = new Promise<never>((_resolve, reject) => {
    terminal.once("close", () => {
      isClosed = true;
      reject(stopped());
    });
  });
  ended.catch(() => undefined);
  try {
    return await work({
      async ask(question, proposal) {
        if (isClosed) throw stopped();
        const hint = proposal === undefined ? "" : ` [${visible(proposal)}]`;
        const reply = terminal.question(`${visibleLines(question)}${hint}: `);
        return await Promise.race([ended, reply.catch(() => ended)]);
      },
      say: (text) => process.stderr.write(`${visibleLines(text)}\n`),
    });
  } finally {
    terminal.close();
  }
}

const stopped = () =>
  usage(
    "you ended it before the last question; your answers are kept, and no config was written",
    "linkseal init goes on from there, linkseal init --fresh begins anew",
  );
