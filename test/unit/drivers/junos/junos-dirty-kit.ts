// Replies of Junos, changed row by row. XML is read as a whole, so most changes end in the parser;
// those that leave it well-formed must not make a reading healthier.

import type { XmlElement } from "#drivers/transport/xml.ts";
import { parseXml } from "#sim/emulators/xml-text.ts";
import { type DirtyReader, tryDirtyAnswers } from "../dirty-answers.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "junos-dirty";

/** The driver's parser loads asynchronously; this one reads the same elements at once. */
function parsed(text: string): XmlElement | undefined {
  try {
    return parseXml(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

type Told<T> = Pick<DirtyReader<T>, "about" | "layouts" | "healthier" | "foreign" | "exempt">;

/** Tries a reader of one kind of reply. */
export function tryReplies<T>(
  told: Told<T> & { readonly read: (reply: XmlElement) => T | undefined },
): void {
  tryDirtyAnswers<T>("Junos", seed, {
    ...told,
    read(text) {
      const reply = parsed(text);
      return reply && told.read(reply);
    },
    // White space between elements means nothing.
    noise: ["", "    "],
    harmless: ["rowShifted", "rowsJoined"],
  });
}

export const replyRows = (...rows: readonly string[]): string =>
  [
    '<rpc-reply xmlns:junos="http://xml.juniper.net/junos/23.4R2/junos">',
    ...rows,
    "</rpc-reply>",
  ].join("\n");
