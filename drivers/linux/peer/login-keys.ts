// The keys of a login in the words of sshd(8), AUTHORIZED_KEYS FILE FORMAT.

import type { LoginFacts } from "./protocol.ts";

/** Options up to the first blank outside quotes, and each of them. */
const optionsField = /^(?:[^\s"]|"(?:[^"\\]|\\.)*")+(?=\s)/;
const oneOption = /(?:[^,"]|"(?:[^"\\]|\\.)*")+/g;
/** What `restrict` takes away and these give back. */
const givesBack =
  /^(?:(?:agent|port|x11)-forwarding$|pty$|user-rc$|permit(?:open|listen)=|tunnel=)/;

/** Returns whether each key of such a file may run one command and do nothing else. */
export function keysIn(text: string): NonNullable<LoginFacts["keys"]> {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const keys = lines.filter((line) => line !== "" && !line.startsWith("#"));
  return keys.every(isBound) ? "bound" : "open";
}

function isBound(line: string): boolean {
  const field = optionsField.exec(line)?.[0] ?? "";
  const options = (field.match(oneOption) ?? []).map((option) => option.toLowerCase());
  const isForced = options.some((option) => option.startsWith("command="));
  return isForced && options.includes("restrict") && !options.some((one) => givesBack.test(one));
}
