// The form of a text that a driver sends: the same for any key, name, address, number and time, so
// that what two runs send can be compared.

import { type Command, preview } from "#hal/secret.ts";

/** What is not an edit: queries, the line that finds the prompt, and how a session begins. */
const question = new RegExp(
  "^(?:(?:do )?show |ping |terminal |enable$|! [0-9a-f]{16}$|y?$" +
    String.raw`|<(?:get|lock|hello|ping|unlock|commit-configuration><check)\b)`,
);

const replacements: readonly (readonly [RegExp, string])[] = [
  [/\[secret [^\]]*\]|KEY-OF-[\w-]+/g, "KEY"],
  // Names of our own objects have the port, the neighbour or a transaction in them.
  [/linkseal-[0-9a-f]{16}|\b[0-9a-f]{16}\b/g, "TOKEN"],
  [/\bpsk [\w-]+\/[0-9A-Za-z]+/g, "psk SECRET"],
  [/(?<=\bkey |<key-name>)(?:[0-9A-Fa-f]{2}){1,32}(?![\w-])/g, "CKN"],
  [/\b(?:linkseal|ls)-(?:et|Ethernet|Eth|Te|Hu)-?\d[\d-]*/g, "OWN"],
  [/\b(?:et-|Ethernet|TenGigabitEthernet|HundredGigE)\d[\d/:]*/g, "PORT"],
  [/\d{1,3}(?:\.\d{1,3}){3}/g, "ADDRESS"],
  [/\bhub-\d\b/g, "hub"],
  [/\bTunnel\d+/g, "TunnelN"],
  [/<start-time>[^<]*/g, "<start-time>TIME"],
  [/(?<=^lifetime ).* infinite$/g, "TIME infinite"],
  [/\b\d+:\d+:\d+\b/g, "TIME"],
  [/(?<![\w-])\d+(?![\w-])/g, "N"],
];

/**
 * Returns the leaves of an XML text, each with its path: a change of two settings is the same as a
 * change of each.
 */
function leavesIn(text: string): readonly string[] {
  const leaves: string[] = [];
  const path: string[] = [];
  let last = "";
  for (const [, slash, name = "", attributes = "", inside = ""] of text.matchAll(
    /<(\/?)([\w.-]+)([^>]*)>([^<]*)/g,
  )) {
    if (slash === "/") {
      const opened = path.pop() ?? "";
      if (last === opened) leaves.push([...path, opened].join(" "));
      last = "";
      continue;
    }
    const isEmpty = attributes.endsWith("/");
    const one = `<${name}${attributes.replace(/ ?\/$/, "")}>${inside}`;
    if (isEmpty) leaves.push([...path, one].join(" "));
    else path.push(one);
    last = isEmpty ? "" : one;
  }
  return leaves;
}

/** Returns the forms of all edits among these commands. */
export function formsOf(sent: Iterable<Command | string>): ReadonlySet<string> {
  const forms = new Set<string>();
  for (const one of sent) {
    const text = typeof one === "string" ? one : preview(one);
    const inside = (/<rpc\b[^>]*>(.*)<\/rpc>/s.exec(text)?.[1] ?? text).trim();
    const pieces = inside.startsWith("<") ? leavesIn(inside) : inside.split("\n");
    if (question.test(inside)) continue;
    for (const line of pieces) {
      if (question.test(line)) continue;
      forms.add(replacements.reduce((left, [what, by]) => left.replaceAll(what, by), line));
    }
  }
  return forms;
}
