// The first line that a process writes. It may arrive in pieces.

import type { Readable } from "node:stream";

const textMax = 65_536;

/** Resolves to the line without its end; rejects if the stream ends before the line does. */
export function firstLine(stream: Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const end = (): void => {
      stream.off("data", take).off("close", close);
    };
    const close = (): void => {
      end();
      reject(new Error(`the stream ended within its first line: ${JSON.stringify(text)}`));
    };
    const take = (chunk: Buffer): void => {
      text += chunk.toString();
      const at = text.indexOf("\n");
      if (at === -1 && text.length <= textMax) return;
      end();
      if (at === -1) reject(new Error("the first line of the stream has no end"));
      else resolve(text.slice(0, at));
    };
    stream.on("data", take).once("close", close);
  });
}
