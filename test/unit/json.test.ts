import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeJson, encodeJson } from "#hal/json.ts";
import { effort } from "../effort.ts";

describe("JSON with counters", () => {
  it.each<[unknown, string]>([
    [{ rxOk: 2n ** 64n }, '{"rxOk":{"#":"18446744073709551616"}}'],
    [[-1n, 0n], '[{"#":"-1"},{"#":"0"}]'],
    [{ a: undefined, b: null }, '{"b":null}'],
  ])("writes %o", (value, text) => {
    expect(encodeJson(value)).toBe(text);
  });

  it.each<[string, unknown]>([
    ['{"#":"12"}', 12n],
    ['{"#":12}', { "#": 12 }],
    ['{"#":"0x10"}', { "#": "0x10" }],
    ['{"#":""}', { "#": "" }],
    [`{"#":"${"9".repeat(40)}"}`, { "#": "9".repeat(40) }],
    ['{"a":[{"#":"-3"}]}', { a: [-3n] }],
  ])("reads %s", (text, value) => {
    expect(decodeJson(text)).toEqual(value);
  });

  it("drops a planted prototype", () => {
    const value = decodeJson('{"__proto__":{"admin":true},"a":1}');
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(JSON.stringify(value)).toBe('{"a":1}');
  });

  it.each(["", "{", "undefined", "1 2"])("refuses %j", (text) => {
    expect(() => decodeJson(text)).toThrow(SyntaxError);
  });

  it("reads back whatever it wrote", () => {
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
