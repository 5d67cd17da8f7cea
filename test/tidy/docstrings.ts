// What crosses a folder: each exported function, class, constant, type and member of an interface
// that a file of another folder imports, with its doc comment.

import { posix } from "node:path";
import { scan, type Token } from "./scan.ts";
import type { Source } from "./source.ts";

export interface Public {
  readonly path: string;
  readonly line: number;
  readonly kind: "function" | "class" | "constant" | "type" | "member";
  /** A member is named `Interface.member`. */
  readonly name: string;
  /** The doc comment as one line; undefined = there is none. */
  readonly doc: string | undefined;
  /** Names of the declaration that end in a unit, such as `settleMs`. */
  readonly units: readonly string[];
}

const unit = /(Ms|Seconds|Minutes|Hours|Days|Bytes|Bits|Octets|Gbps|Kilobytes|Percent|Share|Dbm)$/;
const opens = new Set(["{", "(", "[", "${"]);
const closes = new Set(["}", ")", "]"]);

const isMark = (token: Token | undefined, text: string): boolean =>
  token?.kind === "punctuator" && token.text === text;

function docOf(tokens: readonly Token[], at: number): string | undefined {
  const before = tokens[at - 1];
  if (before?.kind !== "comment" || !before.text.startsWith("/**")) return undefined;
  return before.text
    .replace(/^\/\*\*|\*\/$/g, "")
    .replace(/^[ \t]*\* ?/gm, "")
    .replace(/\s+/g, " ")
    .trim();
}

/** Index after the declaration's end: its closing brace at the same depth, or its semicolon. */
function endOf(tokens: readonly Token[], from: number): number {
  let depth = 0;
  for (let at = from; at < tokens.length; at += 1) {
    const token = tokens[at];
    if (token?.kind !== "punctuator") continue;
    if (opens.has(token.text)) depth += 1;
    if (closes.has(token.text)) depth -= 1;
    if (depth > 0) continue;
    if (token.text === ";") return at + 1;
    const next = tokens[at + 1];
    if (
      token.text === "}" &&
      (next === undefined ||
        /^(export|\/|@|function|class|interface|const|type|async|import|if|for|while|switch)/.test(
          next.text,
        ))
    )
      return at + 1;
  }
  return tokens.length;
}

function unitsIn(tokens: readonly Token[]): string[] {
  const names = tokens.filter(({ kind, text }) => kind === "name" && unit.test(text));
  return [...new Set(names.map(({ text }) => text))];
}

/** Up to the body of a function: names behind it are its own business. */
function headOf(tokens: readonly Token[]): readonly Token[] {
  let depth = 0;
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at];
    if (token?.kind !== "punctuator") continue;
    if (
      depth === 0 &&
      (token.text === "=>" || (token.text === "{" && isMark(tokens[at - 1], ")")))
    ) {
      return tokens.slice(0, at);
    }
    if (opens.has(token.text)) depth += 1;
    if (closes.has(token.text)) depth -= 1;
  }
  return tokens;
}

function membersOf(
  path: string,
  owner: string,
  body: readonly Token[],
  isClass: boolean,
): Public[] {
  const members: Public[] = [];
  let depth = 0;
  let begins = true;
  for (let at = 0; at < body.length; at += 1) {
    const token = body[at];
    if (token === undefined || token.kind === "comment") continue;
    // A member such as `[Symbol.dispose]` is documented by the standard.
    if (depth === 0 && begins && isMark(token, "[")) {
      at = memberEnd(body, at) - 1;
      continue;
    }
    if (depth === 0 && begins && token.kind === "name") {
      let name = at;
      const words = /^(readonly|static|async|get|set|override|declare|abstract)$/;
      while (words.test(body[name]?.text ?? "") && body[name + 1]?.kind === "name") name += 1;
      const end = memberEnd(body, name);
      const text = body[name]?.text ?? "";
      const hidden = text.startsWith("#") || text === "constructor" || body[at]?.text === "private";
      const isField = isClass && !body.slice(name, end).some((one) => isMark(one, "("));
      if (!hidden && !isField) {
        members.push({
          ...{ path, line: token.line, kind: "member", name: `${owner}.${text}` },
          ...{
            doc: docOf(body, isMark(body[at - 1], "*") ? at - 1 : at),
            units: unitsIn(headOf(body.slice(name, end))),
          },
        });
      }
      at = end - 1;
      continue;
    }
    if (token.kind !== "punctuator") continue;
    if (opens.has(token.text)) depth += 1;
    if (closes.has(token.text)) depth -= 1;
    begins = true;
  }
  return members;
}

function memberEnd(body: readonly Token[], from: number): number {
  let depth = 0;
  for (let at = from; at < body.length; at += 1) {
    const token = body[at];
    if (token?.kind !== "punctuator") continue;
    if (opens.has(token.text)) depth += 1;
    if (closes.has(token.text)) {
      depth -= 1;
      const next = body[at + 1];
      if (
        depth === 0 &&
        token.text === "}" &&
        (next?.kind !== "punctuator" || /^[#[]/.test(next.text))
      )
        return at + 1;
    }
    if (depth === 0 && token.text === ";") return at + 1;
  }
  return body.length;
}

const kindOf: Readonly<Record<string, Public["kind"]>> = {
  function: "function",
  class: "class",
  interface: "type",
  type: "type",
  const: "constant",
};

/** All that a file exports by declaration. */
function exportsOf({ path, text }: Source): Public[] {
  const tokens = scan(text);
  const found: Public[] = [];
  tokens.forEach((token, start) => {
    if (token.kind !== "name" || token.text !== "export" || isMark(tokens[start - 1], ".")) return;
    let at = start + 1;
    while (/^(async|abstract|declare|default)$/.test(tokens[at]?.text ?? "")) at += 1;
    const kind = kindOf[tokens[at]?.text ?? ""];
    if (tokens[at + 1]?.text === "*") return;
    const name = tokens[at + 1]?.text ?? "";
    if (kind === undefined || !/^\w+$/.test(name)) return;
    const whole = tokens.slice(at, endOf(tokens, at));
    const isFunction = kind === "function" || whole.some((one) => isMark(one, "=>"));
    const shown = kind === "constant" && isFunction ? "function" : kind;
    const doc = docOf(tokens, start);
    const units = unitsIn(shown === "function" ? headOf(whole) : []);
    found.push({ path, line: token.line, kind: shown, name, doc, units });
    const isShape = tokens[at]?.text === "interface" || kind === "class";
    const brace = whole.findIndex((one) => isMark(one, "{"));
    if (isShape && brace !== -1) {
      found.push(...membersOf(path, name, whole.slice(brace + 1, -1), kind === "class"));
    }
  });
  return found;
}

/** `PATH NAME` of each name that a file of another folder of the product imports. */
function crossing(sources: readonly Source[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { path, code } of sources) {
    code.forEach((token, start) => {
      if (token.text !== "import" && token.text !== "export") return;
      const from = code.findIndex((one, at) => at > start && one.text === "from");
      const specifier = code[from + 1];
      const head = code.slice(start + 1, from);
      if (from === -1 || specifier?.kind !== "string" || head.some(({ text }) => text === ";"))
        return;
      const target = specifier.text.startsWith("#")
        ? specifier.text.slice(1)
        : posix.join(posix.dirname(path), specifier.text);
      if (posix.dirname(target) === posix.dirname(path)) return;
      head.forEach((one, at) => {
        if (one.kind === "name" && one.text !== "type" && head[at - 1]?.text !== "as") {
          names.add(`${target} ${one.text}`);
        }
      });
    });
  }
  return names;
}

/** What crosses a folder of the product. */
export function publicsOf(sources: readonly Source[]): Public[] {
  const product = sources.filter(({ path }) => /^(hal|drivers|agent|sim)\/.*\.[jt]s$/.test(path));
  const names = crossing(product);
  return product
    .flatMap((source) => exportsOf(source))
    .filter(({ path, name }) => names.has(`${path} ${name.split(".")[0]}`));
}
