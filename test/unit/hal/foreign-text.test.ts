import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { foreignText, foreignTextMax } from "#hal/foreign-text.ts";

describe("a foreign text", () => {
  it("a foreign text of printable words stays as it is", () => {
    expect(foreignText("commit failed: the lock is held by ann")).toBe(
      "commit failed: the lock is held by ann",
    );
    expect(foreignText("Übertragung 再见")).toBe("Übertragung 再见");
  });

  it("a foreign text loses controls of C0 and C1, directions and line ends", () => {
    const text = "\x1b]0;pwned\x07\x1b[2JEVIL\r\nline2\u0085\u009b31m\u202e\u2028end\0";
    expect(foreignText(text)).toBe("]0;pwned [2JEVIL line2 31m end");
  });

  it("a foreign text of any content is one bounded line without controls", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 6_000 }), (text) => {
        const line = foreignText(text);
        expect(line.length).toBeLessThanOrEqual(foreignTextMax);
        expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
      }),
    );
  });

  it("a foreign text that is cut ends with a sign of it, and not within a character", () => {
    expect(foreignText("N".repeat(301))).toBe(`${"N".repeat(299)}…`);
    expect(foreignText("N".repeat(300))).toBe("N".repeat(300));
    expect(foreignText(`${"N".repeat(298)}${"\u{1f512}".repeat(9)}`)).toBe(`${"N".repeat(298)}…`);
    expect(foreignText(`a${" ".repeat(10_000)}b`)).toBe("a…");
  });
});
