// Frames in pieces of any size, and what is not a frame.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameSplitter, frameLine } from "#drivers/linux/peer/frames.ts";
import { Malformed } from "#hal/decoder.ts";

const octetsMax = 1_000;

/** Returns what a splitter makes of octets that arrive in pieces of this size. */
function framesOf(octets: Uint8Array, piece: number) {
  const frames = new FrameSplitter(octetsMax);
  const found: { readonly fields: object; readonly octets: string }[] = [];
  for (let at = 0; at < octets.length; at += piece) {
    frames.push(octets.slice(at, at + piece));
    for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
      found.push({ fields: frame.fields, octets: frame.octets.toString("hex") });
    }
  }
  return found;
}

describe("frames of a session with another host", () => {
  it("frames arrive whole, whatever the pieces are", () => {
    const body = fc.uint8Array({ maxLength: octetsMax });
    const property = fc.property(
      fc.array(body, { maxLength: 5 }),
      fc.integer({ min: 1, max: 700 }),
      (bodies, piece) => {
        const sent = bodies.map((octets, id) =>
          Buffer.concat([Buffer.from(frameLine({ kind: "send", id }, [octets])), octets]),
        );
        const expected = bodies.map((octets, id) => ({
          fields: { kind: "send", id, length: octets.length },
          octets: Buffer.from(octets).toString("hex"),
        }));
        expect(framesOf(Buffer.concat(sent), piece)).toEqual(expected);
      },
    );
    fc.assert(property, { numRuns: 300 });
  });

  it.each([
    ["no JSON", "hello\n"],
    ["no object", "[1]\n"],
    ["no length", '{"kind":"run","id":1}\n'],
    ["a negative length", '{"length":-1}\n'],
    ["half an octet", '{"length":0.5}\n'],
    ["more octets than allowed", `{"length":${octetsMax + 1}}\n`],
    ["a line without an end", "x".repeat(5_000)],
    ["a line that is too long", `{"a":"${"x".repeat(5_000)}","length":0}\n`],
    ["very many values", `{"a":[${"1,".repeat(100)}1],"length":0}\n`],
  ])("%s is not a frame", (_what, text) => {
    expect(() => framesOf(Buffer.from(text), 64)).toThrow(Malformed);
  });

  it("what arrived is wiped where it came from", () => {
    const frames = new FrameSplitter(octetsMax);
    const key = Buffer.from("0123456789abcdef");
    const arrived = Buffer.concat([Buffer.from(frameLine({ kind: "mka" }, [key])), key]);
    frames.push(arrived);
    expect(arrived.every((octet) => octet === 0)).toBe(true);
    expect(frames.next()?.octets.toString()).toBe(key.toString());
  });
});
