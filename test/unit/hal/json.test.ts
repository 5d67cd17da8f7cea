import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseFaithful } from "#drivers/transport/arm-json.ts";
import { decodeJson, encodeJson, jsonDepthMax, parseJson } from "#hal/json.ts";
import { effort } from "../../effort.ts";

describe("JSON with counters", () => {
  it.each<[unknown, string]>([
    [{ rxOk: 2n ** 64n }, '{"rxOk":{"#":"18446744073709551616"}}'],
    [[-1n, 0n], '[{"#":"-1"},{"#":"0"}]'],
    [{ a: undefined, b: null }, '{"b":null}'],
  ])("encodeJson writes %o", (value, text) => {
    expect(encodeJson(value)).toBe(text);
  });

  it.each<[string, unknown]>([
    ['{"#":"12"}', 12n],
    ['{"#":12}', { "#": 12 }],
    ['{"#":"0x10"}', { "#": "0x10" }],
    ['{"#":""}', { "#": "" }],
    [`{"#":"${"9".repeat(40)}"}`, { "#": "9".repeat(40) }],
    ['{"a":[{"#":"-3"}]}', { a: [-3n] }],
  ])("decodeJson reads %s", (text, value) => {
    expect(decodeJson(text)).toEqual(value);
  });

  it("decodeJson drops a planted prototype", () => {
    const value = decodeJson('{"__proto__":{"admin":true},"a":1}');
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(JSON.stringify(value)).toBe('{"a":1}');
  });

  it.each(["", "{", "undefined", "1 2"])("decodeJson refuses %j", (text) => {
    expect(() => decodeJson(text)).toThrow(SyntaxError);
  });

  it("decodeJson reads back whatever encodeJson wrote", () => {
    const leaf = fc.oneof(
      fc.bigInt({ min: -(10n ** 39n) + 1n, max: 10n ** 39n - 1n }),
      fc.integer(),
      fc.string(),
      fc.boolean(),
      fc.constant(null),
    );
    const key = fc.string().filter((name) => name !== "__proto__" && name !== "#");
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 4 }, leaf, tie("list"), tie("record")),
      list: fc.array(tie("value"), { maxLength: 4 }),
      record: fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }),
    }));
    fc.assert(
      fc.property(value, (one) => {
        expect(decodeJson(encodeJson(one))).toEqual(one);
      }),
      { numRuns: effort(300, 100_000) },
    );
  });
});

describe("JSON from outside", () => {
  const readers = { parseJson, decodeJson, parseFaithful };
  const nested = (open: string, close: string, depth: number): string =>
    `${open.repeat(depth)}1${close.repeat(depth)}`;

  describe.each(Object.entries(readers))("by %s", (_name, read) => {
    it.each([
      ["lists", "[", "]"],
      ["objects", '{"a":', "}"],
      ["planted prototypes", '{"__proto__":', "}"],
      ["escaped names", '{"\\u0061":', "}"],
      ["counters", '{"#":', "}"],
    ])(
      "nested %s are read to a depth, and refused beyond it like text that is not JSON",
      (_what, open, close) => {
        expect(() => read(nested(open, close, jsonDepthMax))).not.toThrow();
        for (const depth of [jsonDepthMax + 1, 20_000]) {
          expect(() => read(nested(open, close, depth))).toThrow(SyntaxError);
        }
      },
    );

    it("brackets inside a string are text", () => {
      for (const text of [
        "[".repeat(100),
        '"['.repeat(100),
        '\\"{'.repeat(100),
        "\\".repeat(101),
      ]) {
        expect(read(JSON.stringify({ text }))).toEqual({ text });
      }
    });

    it("brackets beside each other are not nested", () => {
      const flat = `[${'[],{"a":[]},'.repeat(1_000)}0]`;
      expect(read(flat)).toHaveLength(2_001);
    });

    it("a text with more values than its reader's limit is refused", () => {
      expect(() => read("[1,[2],{}]", { values: 4 })).toThrow("too many values");
      expect(read('["a,b,c",{"d":"[[,"}]', { values: 3 })).toHaveLength(2);
    });

    it("a text longer than its reader's limit is refused", () => {
      expect(() => read('"aaa"', { characters: 4 })).toThrow(SyntaxError);
      expect(read('"aaa"', { characters: 5 })).toBe("aaa");
    });

    it.each(['"', '"\\', '{"a', "[[[", "]]]", '["]"', "\\"])("%j is not JSON", (text) => {
      expect(() => read(text)).toThrow(SyntaxError);
    });
  });
});
