// The messages of charon as `swanctl --pretty` prints them: one value, or one end of a section or
// list, a line.

import type { ViciSection, ViciValue } from "../../transport/vici-wire.ts";

const linesMax = 200_000;
/** A message, and three sections in it. */
const depthMax = 9;

interface Open {
  readonly section: Map<string, ViciValue>;
  /** Label of the message, or name of the section. */
  readonly name: string;
}

/**
 * Returns the messages with these labels (`list-sa event`), in their order; undefined = the text is
 * not of that form, or ends early.
 */
export function messagesIn(text: string, label: string): readonly ViciSection[] | undefined {
  const lines = text.split(/\r?\n/);
  if (lines.length > linesMax) return undefined;
  const found: ViciSection[] = [];
  const open: Open[] = [];
  let list: string[] | undefined;
  let isReply = false;
  for (const line of lines) {
    const row = line.trimStart();
    const [, begins] = /^(\S.{0,255}) \{$/.exec(row) ?? [];
    const [, name, value] = /^([^\s=]{1,255}) = ?(.*)$/.exec(row) ?? [];
    const inside = open.at(-1);
    if (list !== undefined) {
      if (row === "]") list = undefined;
      else list.push(row);
    } else if (row === "") continue;
    else if (row === "}") {
      const ended = open.pop();
      if (ended === undefined) return undefined;
      if (open.length === 0 && ended.name === label) found.push(ended.section);
      isReply ||= open.length === 0 && ended.name.endsWith(" reply");
    } else if (name !== undefined && value !== undefined) {
      if (inside === undefined || inside.section.has(name)) return undefined;
      if (value === "[") list = [];
      inside.section.set(name, list ?? value);
    } else if (begins !== undefined && open.length < depthMax) {
      const section = new Map<string, ViciValue>();
      if (inside?.section.has(begins) === true) return undefined;
      inside?.section.set(begins, section);
      open.push({ section, name: begins });
    } else return undefined;
  }
  // The reply ends the events: without it, there may be more of them.
  return open.length === 0 && list === undefined && isReply ? found : undefined;
}
