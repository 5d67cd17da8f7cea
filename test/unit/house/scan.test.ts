import { describe, expect, it } from "vitest";
import { functionSpans, scan } from "../../tidy/scan.ts";

const kinds = (text: string): string[] => scan(text).map((token) => `${token.kind}:${token.text}`);

describe("the scanner knows what is code", () => {
  it.each([
    ["a / b / c", ["name:a", "punctuator:/", "name:b", "punctuator:/", "name:c"]],
    ["x = /a\\/[/]}/g;", ["name:x", "punctuator:=", "regex:/a\\/[/]}/g", "punctuator:;"]],
    ["return /{/", ["name:return", "regex:/{/"]],
    ["f(x) / 2", ["name:f", "punctuator:(", "name:x", "punctuator:)", "punctuator:/", "number:2"]],
    ['"a\\"b" \'//\'', ['string:a\\"b', "string://"]],
    ["// it's { \nx", ["comment:// it's { ", "name:x"]],
    ["/* { */ x", ["comment:/* { */", "name:x"]],
    ["`a${b}c`", ["template:a", "punctuator:${", "name:b", "punctuator:}", "template:c"]],
    ["`\\`$${'}'}`", ["template:\\`$", "punctuator:${", "string:}", "punctuator:}", "template:"]],
    ["#!/usr/bin/env node\nx", ["comment:#!/usr/bin/env node", "name:x"]],
    [
      "a?.b ? .5 : 1_0n",
      [
        "name:a",
        "punctuator:?.",
        "name:b",
        "punctuator:?",
        "number:.5",
        "punctuator::",
        "number:1_0n",
      ],
    ],
    ["this.#x", ["name:this", "punctuator:.", "name:#x"]],
  ])("the scanner reads the tokens of %j", (text, tokens) => {
    expect(kinds(text)).toEqual(tokens);
  });

  it("the scanner nests templates with braces inside their holes", () => {
    const inner = scan("`a${{ b: `${c}` }.b}d` + e").map((token) => token.text);
    expect(inner.slice(-3)).toEqual(["d", "+", "e"]);
  });

  it("the scanner counts lines through comments, strings and templates", () => {
    const last = scan("/*\n*/ `\n${\nx}\n` \ny").at(-1);
    expect(last).toEqual({ kind: "name", text: "y", line: 6 });
  });

  it.each(["`never closed ${", '"never closed', "/* never closed", "a }}}) ]"])(
    "the scanner ends on the damaged text %s",
    (text) => {
      expect(functionSpans(scan(text))).toEqual([]);
    },
  );
});

describe("function spans", () => {
  it.each([
    ["function f() {\n}", "f:2"],
    ["const f = (a: X): Y => {\n\n};", "function:3"],
    ["class A { #m(a = {}): void {\n} }", "#m:2"],
    ["const o = { m(): { a: 1 } | { b: 2 } {\n} };", "m:2"],
    ["function f(x: unknown): x is { a: X } {\n}", "f:2"],
    ["function f(): Map<A, { b: B }> {\n}", "f:2"],
    ["function f(): () => void {\n}", "f:2"],
    ["async function* f(): AsyncGenerator<A> {\n}", "f:2"],
    ["if (a) {\n}", ""],
    ["for await (const a of b) {\n}", ""],
    ["interface A { m(): { b: B }; n(a: A): void }", ""],
    ["const a = b ? f(c) : { d: 1 };", ""],
    ["switch (a) { case f(b): if (c) {\n} }", ""],
    ["const f = (a: A) => ({ a });", ""],
    ["const re = /\\(\\) \\{/; f(re, '() {');", ""],
  ])("the function spans of %j are found", (text, spans) => {
    const found = functionSpans(scan(text)).map((span) => `${span.name}:${span.lines}`);
    expect(found.join(" ")).toBe(spans);
  });
});
