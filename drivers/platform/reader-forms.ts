// The forms of queries and replies: a command line, and NETCONF.

import { LinksealError } from "#hal/error.ts";
import { type Command, preview } from "#hal/secret.ts";
import type { CliPlatform } from "../transport/cli.ts";
import { savedReply } from "../transport/cli-saved.ts";
import { refusalIn } from "../transport/netconf.ts";
import { readXml, writeXml, type XmlElement, type XmlOut } from "../transport/xml.ts";
import type { ReplyForm } from "./define-reader.ts";
import { type Disguise, maybeSecret } from "./disguise.ts";
import { parse } from "./json.ts";

/** Makes the form of a command line; `disguise` is for replies that are not lines of text. */
export function cliForm(
  platform: CliPlatform,
  disguise: (reply: string, words: Disguise) => string | undefined = () => undefined,
): ReplyForm<Command, string> {
  return {
    textOf: preview,
    async decode(octets, query) {
      const saved = savedReply(octets, query, platform);
      return saved.kind === "refused" ? saved : { kind: "reply", reply: saved.text };
    },
    encode: (reply) => reply,
    disguise: (reply, words) => disguise(reply, words) ?? words.lines(reply),
  };
}

/** Disguises a reply that is JSON; undefined = it is not. */
export function disguisedJson(reply: string, words: Disguise): string | undefined {
  const record = parse(reply);
  return record && JSON.stringify(words.json(record as Parameters<Disguise["json"]>[0]));
}

const replyName = "rpc-reply";
const saved = { where: "saved reply", marks: [] };

/** The form of NETCONF, and of what `| display xml` prints. */
export const netconfForm: ReplyForm<XmlOut, XmlElement> = {
  textOf: operationText,
  async decode(octets) {
    try {
      const root = await readXml(octets, saved.where);
      const reply = root.name === replyName ? root : wrapped(root);
      const refusal = refusalIn(reply, saved);
      return refusal === undefined ? { kind: "reply", reply } : { kind: "refused" };
    } catch (error) {
      if (error instanceof LinksealError) return undefined;
      throw error;
    }
  },
  encode: (reply) => preview(writeXml(outOf(reply))),
  disguise: (reply, words) => preview(writeXml(disguised(reply, words))),
};

/** Writes an operation as its names and values, one after another. */
function operationText({ name, children }: XmlOut): string {
  const inside = children.map((child) =>
    typeof child === "string" ? child : "name" in child ? operationText(child) : "",
  );
  return [name, ...inside].join(" ");
}

const wrapped = (root: XmlElement): XmlElement => ({
  name: replyName,
  attributes: new Map(),
  children: [root],
  text: "",
});

/** Names of XML may have letters that no element of a device has, and that are not written. */
const isPlainName = (name: string): boolean => /^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name);

function outOf({ name, attributes, children, text }: XmlElement): XmlOut {
  const inside = text === "" ? [] : [text];
  return {
    name: isPlainName(name) ? name : "unnamed",
    attributes: Object.fromEntries([...attributes].filter(([key]) => isPlainName(key))),
    children: [...children.map(outOf), ...inside],
  };
}

function disguised({ name, attributes, children, text }: XmlElement, words: Disguise): XmlOut {
  const seconds = attributes.get("seconds") ?? "";
  const kept = children.filter((one) => !maybeSecret(one.name) && !maybeSecret(one.text));
  return {
    name: words.knows(name) ? name : words.line(name),
    attributes: /^\d{1,12}$/.test(seconds) ? { seconds } : {},
    children: [
      ...kept.map((one) => disguised(one, words)),
      ...(text === "" ? [] : [words.line(text, name)]),
    ],
  };
}
