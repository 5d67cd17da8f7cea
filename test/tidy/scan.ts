// A token scanner for TypeScript: TypeScript 7 exports no compiler API, and the rules need nothing
// more.

type TokenKind = "name" | "number" | "string" | "template" | "regex" | "punctuator" | "comment";

export interface Token {
  readonly kind: TokenKind;
  /** Strings without their quotes, everything else as written. */
  readonly text: string;
  /** First line, counted from 1. */
  readonly line: number;
}

const patterns = {
  space: /\s+/y,
  comment: /\/\/[^\n]*|\/\*[\s\S]*?\*\/|^#![^\n]*/y,
  name: /[#@]?[\p{ID_Start}$_][\p{ID_Continue}$]*/uy,
  number: /\.?\d[\w.]*/y,
  string: /"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'/y,
  template: /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y,
  regex: /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y,
  punctuator: /=>|\?\.(?!\d)|\.\.\.|[\s\S]/y,
} as const;

// Kinds in the order of trying; a template is taken before all of them.
const kinds = ["space", "comment", "string", "name", "number", "regex", "punctuator"] as const;

// After one of these a slash begins a regular expression; after any other name it divides.
const beforeRegex = new Set(["return", "typeof", "case", "in", "of", "await", "throw", "void"]);

function opensRegex(previous: Token | undefined): boolean {
  if (previous === undefined) return true;
  if (previous.kind === "name") return beforeRegex.has(previous.text);
  return previous.kind === "punctuator" && previous.text !== ")" && previous.text !== "]";
}

class Scanner {
  readonly tokens: Token[] = [];
  readonly #text: string;
  #at = 0;
  #line = 1;
  #previous: Token | undefined;
  // One entry per open `${`: the number of plain braces that are open inside it.
  readonly #holes: number[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  run(): Token[] {
    while (this.#at < this.#text.length) this.#step();
    return this.tokens;
  }

  #step(): void {
    const line = this.#line;
    if (this.#text[this.#at] === "`") {
      this.#at += 1;
      this.#piece(line);
      return;
    }
    for (const kind of kinds) {
      if (kind === "regex" && !opensRegex(this.#previous)) continue;
      const text = this.#take(kind);
      if (text === undefined) continue;
      if (kind === "comment") this.tokens.push({ kind, text, line });
      else if (kind === "string") this.#push(kind, text.slice(1, -1), line);
      else if (kind === "punctuator") this.#punctuator(text, line);
      else if (kind !== "space") this.#push(kind, text, line);
      return;
    }
  }

  #punctuator(text: string, line: number): void {
    const open = this.#holes.at(-1);
    this.#push("punctuator", text, line);
    if (open === undefined) return;
    if (text === "{") this.#holes.push((this.#holes.pop() ?? 0) + 1);
    if (text !== "}") return;
    this.#holes.pop();
    if (open > 0) this.#holes.push(open - 1);
    else this.#piece(this.#line);
  }

  // Reads one literal piece of a template, up to its end or to the next hole.
  #piece(line: number): void {
    this.#push("template", this.#take("template") ?? "", line);
    if (this.#text.startsWith("${", this.#at)) {
      this.#at += 2;
      this.#holes.push(0);
      this.#push("punctuator", "${", this.#line);
    } else {
      this.#at += 1;
    }
  }

  #push(kind: TokenKind, text: string, line: number): void {
    const token = { kind, text, line };
    this.#previous = token;
    this.tokens.push(token);
  }

  #take(kind: keyof typeof patterns): string | undefined {
    const pattern = patterns[kind];
    pattern.lastIndex = this.#at;
    const text = pattern.exec(this.#text)?.[0];
    if (text === undefined) return undefined;
    this.#at += text.length;
    for (const character of text) if (character === "\n") this.#line += 1;
    return text;
  }
}

export function scan(text: string): readonly Token[] {
  return new Scanner(text).run();
}

export interface FunctionSpan {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

const control = new Set(["if", "for", "while", "switch", "catch", "with", "await"]);
// These end a type, so that `case f(x): if (y) {` is not read as a function with a return type.
const statements = new Set([...control, "return", "case", "const", "let", "throw", "break", "do"]);
const pairs: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}", "${": "}" };

/**
 * Returns every function with a braced body; a callback of `describe` does not count as a function.
 */
export function functionSpans(all: readonly Token[]): FunctionSpan[] {
  const tokens = all.filter((token) => token.kind !== "comment");
  const closes = matchBrackets(tokens);
  const spans: FunctionSpan[] = [];
  tokens.forEach((token, index) => {
    const before = tokens[index - 1];
    if (!isPunctuator(token, "(") || (before !== undefined && control.has(before.text))) return;
    const body = bodyAfter(tokens, closes, (closes.get(index) ?? tokens.length) + 1);
    const end = body === undefined ? undefined : tokens[closes.get(body) ?? -1];
    if (end === undefined || isChapter(tokens, index)) return;
    const name = before?.kind === "name" ? before.text : "function";
    spans.push({ name, line: token.line, lines: end.line - token.line + 1 });
  });
  return spans;
}

function isPunctuator(token: Token | undefined, text: string): boolean {
  return token?.kind === "punctuator" && token.text === text;
}

function matchBrackets(tokens: readonly Token[]): Map<number, number> {
  const closes = new Map<number, number>();
  const open: { at: number; close: string | undefined }[] = [];
  tokens.forEach((token, index) => {
    if (token.kind !== "punctuator") return;
    if (token.text in pairs) open.push({ at: index, close: pairs[token.text] });
    const top = open.at(-1);
    if (top === undefined || top.close !== token.text) return;
    open.pop();
    closes.set(top.at, index);
  });
  return closes;
}

// Index of the `{` that opens the body after a parameter list which ended just before `from`.
function bodyAfter(
  tokens: readonly Token[],
  closes: ReadonlyMap<number, number>,
  from: number,
): number | undefined {
  if (isPunctuator(tokens[from], "{")) return from;
  if (isPunctuator(tokens[from], "=>")) {
    return isPunctuator(tokens[from + 1], "{") ? from + 1 : undefined;
  }
  if (!isPunctuator(tokens[from], ":")) return undefined;
  for (let at = from + 1; at < tokens.length; at += 1) {
    const token = tokens[at];
    const before = tokens[at - 1];
    if (token === undefined || statements.has(token.text)) return undefined;
    if (token.kind !== "punctuator") continue;
    if ([";", ",", "=", ")", "}", "]"].includes(token.text)) return undefined;
    const inType = /^([:|&<(,]|is|readonly)$/.test(before?.text ?? "");
    if (token.text === "{" && !inType) return at;
    if (token.text in pairs) at = closes.get(at) ?? tokens.length;
    if (token.text === "<") at = afterAngles(tokens, closes, at);
  }
  return undefined;
}

function afterAngles(
  tokens: readonly Token[],
  closes: ReadonlyMap<number, number>,
  from: number,
): number {
  let depth = 0;
  for (let at = from; at < tokens.length; at += 1) {
    const text = tokens[at]?.kind === "punctuator" ? (tokens[at]?.text ?? "") : "";
    if (text === "<") depth += 1;
    if (text === ">") depth -= 1;
    if (depth === 0) return at;
    if (text in pairs) at = closes.get(at) ?? tokens.length;
  }
  return tokens.length;
}

// `describe("name", () => {` and `describe.each(rows)("name", (row) => {`.
function isChapter(tokens: readonly Token[], parameters: number): boolean {
  if (!isPunctuator(tokens[parameters - 1], ",")) return false;
  let at = parameters - 2;
  while (at > 0 && !isPunctuator(tokens[at], "(")) at -= 1;
  const line = tokens[at]?.line;
  return tokens
    .slice(Math.max(0, at - 12), at)
    .some((t) => t.text === "describe" && t.line === line);
}
